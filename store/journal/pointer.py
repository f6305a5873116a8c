"""Which run is served, how it came to be, and what runs there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, insert, select, update

from contracts.errors import NotFound
from store.journal import schema

PromotionKind = Literal["promote", "rollback"]
# kept: complete but never served; retired: no longer in the views, removed from disk at the next refresh.
RunStatus = Literal["building", "published", "kept", "failed", "retired", "pruned"]
Within = Callable[[Connection], None]


@dataclass(frozen=True, slots=True)
class Pointer:
    """The run that is served. ``number`` grows with every promotion; ``watermark``: highest journal number the run contains."""

    run_id: str
    promoted_at: datetime
    watermark: int
    number: int


@dataclass(frozen=True, slots=True)
class Promotion:
    """One move of the pointer."""

    number: int
    run_id: str
    previous: str | None
    at: datetime
    kind: str
    who: str


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What the journal knows of one run."""

    run_id: str
    status: str
    started_at: datetime
    finished_at: datetime | None
    as_of: datetime | None
    watermark: int | None
    message: str


def read(connection: Connection) -> Pointer | None:
    """The pointer, or None before the first promotion."""
    table = schema.pointer
    row = connection.execute(select(table.c.run_id, table.c.promoted_at, table.c.watermark, table.c.number)).one_or_none()
    return None if row is None else Pointer(*row)


def promote(
    connection: Connection, run_id: str, watermark: int, who: str, kind: PromotionKind, at: datetime, within: Sequence[Within] = ()
) -> Pointer:
    """Move the pointer inside a write transaction; ``within`` are further changes that must happen in the same one.

    Raises NotFound for a run that was never recorded.
    """
    finished = update(schema.runs).where(schema.runs.c.run_id == run_id)
    if not connection.execute(finished.values(status="published", watermark=watermark)).rowcount:
        raise NotFound(f"run {run_id} is not in the journal", hint="`nightloom runs` lists them")
    connection.execute(finished.where(schema.runs.c.finished_at.is_(None)).values(finished_at=at))
    before = read(connection)
    number = connection.scalar(
        insert(schema.promotions)
        .values(run_id=run_id, previous=before.run_id if before else None, at=at, kind=kind, who=who)
        .returning(schema.promotions.c.number)
    )
    values = {"number": number, "run_id": run_id, "promoted_at": at, "watermark": watermark}
    if before is None:
        connection.execute(insert(schema.pointer).values(one=1, **values))
    else:
        connection.execute(update(schema.pointer).values(**values))
    for change in within:
        change(connection)
    moved = read(connection)
    assert moved is not None
    return moved


def promotions(connection: Connection) -> list[Promotion]:
    """Every move of the pointer, newest first."""
    table = schema.promotions
    rows = connection.execute(
        select(table.c.number, table.c.run_id, table.c.previous, table.c.at, table.c.kind, table.c.who).order_by(table.c.number.desc())
    )
    return [Promotion(*row) for row in rows]


def record_run(connection: Connection, record: RunRecord) -> None:
    """Insert or replace what is known of a run, inside a write transaction."""
    values = {
        "status": record.status, "started_at": record.started_at, "finished_at": record.finished_at, "as_of": record.as_of,
        "watermark": record.watermark, "message": record.message,
    }
    changed = connection.execute(update(schema.runs).where(schema.runs.c.run_id == record.run_id).values(**values))
    if not changed.rowcount:
        connection.execute(insert(schema.runs).values(run_id=record.run_id, **values))


def runs(connection: Connection) -> list[RunRecord]:
    """Every run, the latest started first."""
    table = schema.runs
    rows = connection.execute(
        select(
            table.c.run_id, table.c.status, table.c.started_at, table.c.finished_at, table.c.as_of, table.c.watermark, table.c.message
        ).order_by(table.c.started_at.desc(), table.c.run_id.desc())
    )
    return [RunRecord(*row) for row in rows]
