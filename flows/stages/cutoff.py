"""Decides what a run is of: its cut-off and its identity."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from contracts.manifest import Identity
from contracts.settings import AsOfPolicy
from flows.stages.documents import RunDocuments, read_documents
from store.code_version import code_version
from store.warehouse import open_warehouse, warehouse_digest

if TYPE_CHECKING:
    from flows.desk import Desk


# What happened when: events, decisions and goals.
_HAPPENED = (
    "SELECT created_at AS moment FROM events UNION ALL SELECT ts FROM decisions UNION ALL SELECT ts FROM goals"
)


def cut_off(policy: AsOfPolicy, started: datetime, newest_event: datetime | None) -> datetime:
    """The run's T (naive UTC): the night's start rounded up to the next second, or one second after the newest
    event.
    """
    moment = newest_event if policy == "last_event" and newest_event is not None else started
    whole = moment.replace(microsecond=0)
    if policy == "last_event" and newest_event is not None:
        return whole + timedelta(seconds=1)
    return whole if whole == moment else whole + timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Cut:
    """What a run is of: its identity, how many events, decisions and goals lie before its
    cut-off, and the documents it is made under."""

    identity: Identity
    events_before: int
    documents: RunDocuments = field(default_factory=RunDocuments)

    @property
    def as_of(self) -> datetime:
        return datetime.fromisoformat(self.identity.as_of)


def identify(desk: Desk, asked: datetime | None) -> Cut | None:
    """The cut of the run to make, or None while the warehouse holds nothing.

    Events dated after the night's start never count as newest.
    """
    with open_warehouse(desk.layout, desk.settings.pipeline, read_only=True) as con:
        found = con.execute(
            f"SELECT (SELECT max(moment) FROM ({_HAPPENED}) WHERE moment <= greatest($started, (SELECT max(drained_at) "
            "FROM journal_drains))), "
            "(SELECT count(*) FROM profiles) + (SELECT count(*) FROM items) + (SELECT count(*) FROM events) "
            "+ (SELECT count(*) FROM session_events) + (SELECT count(*) FROM decisions), "
            "(SELECT coalesce(max(journal_seq), 0) FROM journal_drains), (SELECT max(drained_at) FROM journal_drains)",
            {"started": desk.started},
        ).fetchone()
        assert found is not None
        newest, rows, seq, received = found
        # What was drained is part of the run, also what came in the moment after the night started.
        started = desk.started if received is None else max(desk.started, received + timedelta(microseconds=1))
        if rows == 0:
            return None
        digest = warehouse_digest(con)
        settings = desk.settings
        as_of = asked or cut_off(settings.pipeline.as_of, started, newest)
        before = con.execute(f"SELECT count(*) FROM ({_HAPPENED}) WHERE moment < $as_of", {"as_of": as_of}).fetchone()
        assert before is not None
    documents = read_documents(desk.journal)
    return Cut(
        Identity(
            settings.workspace,
            as_of.isoformat(),
            seq,
            digest,
            desk.definitions.digest,
            code_version(),
            settings.pipeline.seed,
            documents_digest=documents.digest,
        ),
        int(before[0]),
        documents,
    )
