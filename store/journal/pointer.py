"""Which run is served, how it came to be, and what runs there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, func, insert, select, update

from contracts.errors import NotFound, UsageError
from store.journal import schema

KINDS = ("promote", "rollback")
# kept: complete but never served; retired: no longer in the views, removed from disk at the next refresh.
RunStatus = Literal["building", "published", "kept", "failed", "retired", "pruned"]
Within = Callable[[Connection], None]


@dataclass(frozen=True, slots=True)
class Pointer:
    """The run that is served. ``number`` grows with every promotion; ``watermark``: highest write the run has."""

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
    columns = (table.c.run_id, table.c.promoted_at, table.c.watermark, table.c.number)
    row = connection.execute(select(*columns)).one_or_none()
    return None if row is None else Pointer(*row)


def promote(
    connection: Connection, run_id: str, watermark: int, who: str, kind: str, at: datetime,
    within: Sequence[Within] = (),
) -> Pointer:
    """Move the pointer inside a write transaction; ``within`` are further changes that must happen in the same one.

    Raises NotFound for a run that was never recorded, UsageError for a kind that does not exist.
    """
    if kind not in KINDS:
        raise UsageError(f"a promotion cannot be of kind {kind!r}", hint=f"one of {', '.join(KINDS)}")
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
    columns = (table.c.number, table.c.run_id, table.c.previous, table.c.at, table.c.kind, table.c.who)
    return [Promotion(*row) for row in connection.execute(select(*columns).order_by(table.c.number.desc()))]


def promoted_order(connection: Connection) -> list[str]:
    """Runs by the time they were last made current, the earliest first."""
    table = schema.promotions
    newest = func.max(table.c.number)
    return list(connection.scalars(select(table.c.run_id).group_by(table.c.run_id).order_by(newest)))


def record_run(
    connection: Connection, run_id: str, status: RunStatus, at: datetime, as_of: datetime | None, watermark: int | None,
    message: str,
) -> None:
    """Say where a run stands, inside a write transaction. What is None keeps its earlier value."""
    values: dict[str, Any] = {"status": status, "message": message}
    if as_of is not None:
        values["as_of"] = as_of
    if watermark is not None:
        values["watermark"] = watermark
    if status == "building":
        values |= {"started_at": at, "finished_at": None}
    elif status in ("kept", "failed"):
        values["finished_at"] = at
    changed = connection.execute(update(schema.runs).where(schema.runs.c.run_id == run_id).values(**values))
    if not changed.rowcount:
        connection.execute(insert(schema.runs).values(**{"run_id": run_id, "started_at": at, **values}))


def runs(connection: Connection) -> list[RunRecord]:
    """Every run, the latest started first."""
    table = schema.runs
    columns = (
        table.c.run_id, table.c.status, table.c.started_at, table.c.finished_at, table.c.as_of, table.c.watermark,
        table.c.message,
    )
    query = select(*columns).order_by(table.c.started_at.desc(), table.c.run_id.desc())
    return [RunRecord(*row) for row in connection.execute(query)]
