"""The writes that came through the API and are not drained yet, in the order of their sequence numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, delete, func, insert, select

from contracts.errors import UsageError
from store.journal import counters
from store.journal.engine import Database
from store.journal.schema import pointer
from store.journal.schema import writes as table

PRUNED = "pruned_seq"
LOOKUP_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Write:
    """One change asked for through the API.

    ``entity``: ``events``, ``profiles``, ``items``, ...; ``entity_key``: id of what is changed (of an event: its
    profile, as given); ``op``: ``create``, ``update`` or ``delete``; ``body``: JSON object; ``event_id``, when given,
    makes a repeat harmless.
    """

    entity: str
    entity_key: str
    op: str
    body: str
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class StoredWrite:
    """A write with its place in the journal and the time it was received (naive UTC)."""

    seq: int
    entity: str
    entity_key: str
    op: str
    body: str
    event_id: str | None
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Accepted:
    """Where a write stands. ``repeated``: it was there already under its ``event_id``, and nothing was stored."""

    seq: int
    repeated: bool


def append(connection: Connection, writes: Sequence[Write], received_at: datetime) -> list[Accepted]:
    """Store writes inside an open write transaction; the answer has their positions, in the order given."""
    known = _known(connection, [write.event_id for write in writes if write.event_id is not None])
    fresh: list[Write] = []
    place: dict[str, int] = {}
    for write in writes:
        if write.event_id is None:
            fresh.append(write)
        elif write.event_id not in known and write.event_id not in place:
            place[write.event_id] = len(fresh)
            fresh.append(write)
    numbers = _insert(connection, fresh, received_at)
    known |= {event_id: numbers[index] for event_id, index in place.items()}
    return _answers(writes, numbers, known, set(place))


def append_all(connection: Connection, writes: Sequence[Write], received_at: datetime) -> None:
    """Store writes without an ``event_id`` inside an open write transaction, when nobody asks where they stand."""
    if writes:
        connection.execute(insert(table), _rows(writes, received_at))


def _answers(writes: Sequence[Write], numbers: list[int], known: dict[str, int], first: set[str]) -> list[Accepted]:
    answers = []
    following = iter(numbers)
    for write in writes:
        if write.event_id is None:
            answers.append(Accepted(next(following), repeated=False))
        elif write.event_id in first:
            first.discard(write.event_id)
            answers.append(Accepted(next(following), repeated=False))
        else:
            answers.append(Accepted(known[write.event_id], repeated=True))
    return answers


def _known(connection: Connection, event_ids: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for start in range(0, len(event_ids), LOOKUP_CHUNK):
        chunk = event_ids[start : start + LOOKUP_CHUNK]
        rows = connection.execute(select(table.c.event_id, table.c.seq).where(table.c.event_id.in_(chunk)))
        found.update({row.event_id: row.seq for row in rows})
    return found


def _insert(connection: Connection, writes: list[Write], received_at: datetime) -> list[int]:
    if not writes:
        return []
    statement = insert(table).returning(table.c.seq, sort_by_parameter_order=True)
    return list(connection.scalars(statement, _rows(writes, received_at)))


def _rows(writes: Sequence[Write], received_at: datetime) -> list[dict[str, object]]:
    return [
        {
            "entity": write.entity, "entity_key": write.entity_key, "op": write.op, "body": write.body,
            "event_id": write.event_id, "received_at": received_at,
        }
        for write in writes
    ]


def between(connection: Connection, after: int, up_to: int | None, limit: int) -> list[StoredWrite]:
    """At most ``limit`` writes with ``after < seq``, and ``seq <= up_to`` when given, in order."""
    query = select(table).where(table.c.seq > after).order_by(table.c.seq).limit(limit)
    if up_to is not None:
        query = query.where(table.c.seq <= up_to)
    return [_stored(row) for row in connection.execute(query)]


def _stored(row: Row[tuple[object, ...]]) -> StoredWrite:
    return StoredWrite(*row)


def stream(database: Database, after: int, up_to: int, batch: int) -> Iterator[list[StoredWrite]]:
    """Batches of writes with ``after < seq <= up_to``. Rows never change, so each batch is a transaction of its own."""
    position = after
    while position < up_to:
        with database.reading() as connection:
            found = between(connection, position, up_to, batch)
        if not found:
            return
        yield found
        position = found[-1].seq


def erase(connection: Connection, up_to: int, keys: Sequence[str], sessions: Sequence[str]) -> int:
    """Delete, inside a write transaction, every write below ``up_to`` about a profile (by any of its ids) and about
    sessions of its; returns how many. Earlier erasures stay: they name sessions that the warehouse may still hold.
    """
    about = table.c.entity.in_(("profiles", "events", "ratings")) & table.c.entity_key.in_(list(keys))
    mine = about & (table.c.op != "erase")
    removed = connection.execute(delete(table).where(table.c.seq < up_to, mine)).rowcount
    for start in range(0, len(sessions), LOOKUP_CHUNK):
        chunk = list(sessions[start : start + LOOKUP_CHUNK])
        theirs = table.c.entity.in_(("session_events", "session_resolve")) & table.c.entity_key.in_(chunk)
        removed += connection.execute(delete(table).where(table.c.seq < up_to, theirs)).rowcount
    return int(removed)


def first_of(connection: Connection, entities: Sequence[str]) -> int | None:
    """Number of the first write of some kinds, None without any."""
    found: int | None = connection.scalar(select(func.min(table.c.seq)).where(table.c.entity.in_(entities)))
    return found


def discard(connection: Connection, entities: Sequence[str], start: int, end: int) -> int:
    """Delete writes of some kinds with ``start <= seq < end``, inside a write transaction; returns how many."""
    mine = (table.c.seq >= start) & (table.c.seq < end) & table.c.entity.in_(entities)
    return int(connection.execute(delete(table).where(mine)).rowcount)


def last_seq(connection: Connection) -> int:
    """Highest committed sequence number, pruned ones included; 0 for an empty journal."""
    highest = connection.scalar(select(func.max(table.c.seq)))
    return max(int(highest or 0), counters.read(connection, PRUNED))


def prune(connection: Connection, up_to_seq: int) -> int:
    """Delete writes up to a number, inside a write transaction; returns how many. Refuses to touch undrained ones."""
    drained = connection.scalar(select(pointer.c.watermark)) or 0
    if up_to_seq > drained:
        raise UsageError(
            f"journal rows up to {up_to_seq} cannot be pruned: the current run holds them only up to {drained}",
            hint="prune up to the watermark of the oldest kept run",
        )
    removed = connection.execute(delete(table).where(table.c.seq <= up_to_seq)).rowcount
    counters.write(connection, PRUNED, max(up_to_seq, counters.read(connection, PRUNED)))
    return int(removed)
