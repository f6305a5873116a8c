"""Background tasks of the databases: asked for, at work, and what became of them. At most one of a database works."""

from __future__ import annotations

import dataclasses
import json
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, Row, Select, insert, select, update

from contracts.errors import UsageError
from store.control.schema import tasks as table
from store.journal.lease import Process

TaskStatus = Literal["REQUEST_SENT", "RUNNING", "COMPLETED", "FAILED", "CANCELLED_REQUESTED", "CANCELLED"]
WAITING: TaskStatus = "REQUEST_SENT"
WORKING: tuple[TaskStatus, ...] = ("RUNNING", "CANCELLED_REQUESTED")
KEPT = 1000  # finished tasks of a database that are remembered


@dataclass(frozen=True, slots=True)
class Task:
    """One task. Times are naive UTC; ``runner`` is the endpoint's process that looks after it, ``child`` the one at
    work.
    """

    number: int
    task_id: str
    database_id: str
    name: str
    status: TaskStatus
    requested_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    run_id: str | None
    message: str
    runner: Process | None
    child: Process | None


class AlreadyRunning(UsageError):
    """A task of this name waits or works already."""


def request(connection: Connection, database_id: str, name: str, at: datetime) -> str:
    """Queue a task inside a write transaction; returns its id. Raises AlreadyRunning."""
    of_name = select(table.c.task_id).where(
        table.c.database_id == database_id, table.c.name == name, table.c.status.in_((WAITING, *WORKING))
    )
    if connection.execute(of_name).first() is not None:
        raise AlreadyRunning(f"a task {name} waits or works already")
    task_id = secrets.token_urlsafe(16)
    values = {"task_id": task_id, "database_id": database_id, "name": name, "status": WAITING, "requested_at": at}
    connection.execute(insert(table).values(**values, message=""))
    return task_id


def unfinished(connection: Connection) -> list[Task]:
    """Tasks of all databases that wait or work, the oldest first."""
    query = select(table).where(table.c.status.in_((WAITING, *WORKING))).order_by(table.c.number)
    return _tasks(connection, query)


def of_database(connection: Connection, database_id: str, name: str | None = None, limit: int = KEPT) -> list[Task]:
    """Tasks of a database, of one name or of all, the newest first."""
    query = select(table).where(table.c.database_id == database_id)
    if name is not None:
        query = query.where(table.c.name == name)
    return _tasks(connection, query.order_by(table.c.number.desc()).limit(limit))


def claim(connection: Connection, task_id: str, runner: Process, at: datetime) -> bool:
    """Set a waiting task to work inside a write transaction, unless another one of its database works."""
    task = connection.execute(select(table).where(table.c.task_id == task_id)).one_or_none()
    if task is None or task.status != WAITING:
        return False
    busy = select(table.c.task_id).where(table.c.database_id == task.database_id, table.c.status.in_(WORKING))
    if connection.execute(busy).first() is not None:
        return False
    change(connection, task_id, status="RUNNING", started_at=at, runner=as_text(runner))
    return True


def change(connection: Connection, task_id: str, **values: object) -> None:
    """Note what became of a task, inside a write transaction."""
    connection.execute(update(table).where(table.c.task_id == task_id).values(**values))


def cancel_all(connection: Connection, database_id: str, at: datetime) -> None:
    """Inside a write transaction: what waits is cancelled, what works is asked to stop."""
    of_database = update(table).where(table.c.database_id == database_id)
    connection.execute(of_database.where(table.c.status == WAITING).values(status="CANCELLED", finished_at=at))
    connection.execute(of_database.where(table.c.status == "RUNNING").values(status="CANCELLED_REQUESTED"))


def as_text(process: Process) -> str:
    """A process as it is stored."""
    return json.dumps(dataclasses.asdict(process))


def _tasks(connection: Connection, query: Select[tuple[object, ...]]) -> list[Task]:
    return [_task(row) for row in connection.execute(query)]


def _task(row: Row[tuple[object, ...]]) -> Task:
    runner, child = (None if text is None else Process(**json.loads(text)) for text in (row.runner, row.child))
    return Task(
        row.number, row.task_id, row.database_id, row.name, row.status, row.requested_at, row.started_at,
        row.finished_at, row.run_id, row.message, runner, child,
    )
