"""Messages that wait for an account's receiver, written in the transaction of the fact they tell, and the log of their
attempts (retention contract, section 5).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Literal
from uuid import uuid4

from sqlalchemy import Connection, func, insert, select, update

from contracts.errors import NotFound
from store.journal.schema import outbox as table
from store.journal.schema import outbox_attempts

Status = Literal["pending", "delivered", "dead", "skipped", "refused"]
LOOKUP_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Message:
    """What a receiver is told. ``at``: when the fact occurred (naive UTC); ``further``: members beside the body.

    ``delivery_id``, when given, makes a second writing of the same fact harmless.
    """

    subject: str
    body: Any
    at: datetime
    further: tuple[tuple[str, Any], ...] = ()
    delivery_id: str = ""

    def text(self) -> str:
        """The JSON that is sent, the same at every attempt."""
        told = {"subject": self.subject, "body": self.body, "date_time": rfc_1123(self.at), **dict(self.further)}
        return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Due:
    """A message to be attempted now; ``attempt`` is the number of that attempt, ``tries`` how many failed before it
    since the message was queued.
    """

    delivery_id: str
    message: str
    attempt: int
    tries: int


@dataclass(frozen=True, slots=True)
class Attempted:
    """How an attempt ended. ``next_at``: when to try again, None when this was the last. ``http_status`` None without
    an answer, with ``error`` saying why; ``answer``: the first 4 KiB. ``counts`` False: nothing was tried, nothing is
    logged (no URL).
    """

    delivery_id: str
    attempt: int
    at: datetime
    status: Status
    host: str
    http_status: int | None = None
    error: str = ""
    answer: str = ""
    next_at: datetime | None = None
    counts: bool = True


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message with its log, for a person. ``tries`` are the attempts' (number, time, HTTP status, error, answer)."""

    delivery_id: str
    subject: str
    message: str
    created_at: datetime
    status: Status
    host: str
    attempts: int
    next_at: datetime | None
    finished_at: datetime | None
    tries: tuple[tuple[int, datetime, int | None, str, str], ...]


def rfc_1123(at: datetime) -> str:
    """A naive UTC time as answers and messages write it: ``Tue, 28 Jun 2022 10:09:15 GMT``."""
    return format_datetime(at.replace(microsecond=0, tzinfo=UTC), usegmt=True)


def enqueue(connection: Connection, messages: Sequence[Message]) -> list[str]:
    """Queue messages inside the write transaction of what they tell; returns their delivery ids."""
    ids = [message.delivery_id or f"delivery_{uuid4().hex}" for message in messages]
    known: set[str] = set()
    named = [message.delivery_id for message in messages if message.delivery_id]
    for start in range(0, len(named), LOOKUP_CHUNK):
        chunk = named[start : start + LOOKUP_CHUNK]
        known.update(connection.scalars(select(table.c.delivery_id).where(table.c.delivery_id.in_(chunk))))
    rows = []
    for delivery_id, message in zip(ids, messages, strict=True):
        if delivery_id in known:
            continue
        known.add(delivery_id)
        rows.append({
            "delivery_id": delivery_id, "subject": message.subject, "message": message.text(),
            "created_at": message.at, "status": "pending", "host": "", "tries": 0, "attempts": 0,
            "next_at": message.at, "finished_at": None,
        })
    if rows:
        connection.execute(insert(table), rows)
    return ids


def next_due(connection: Connection) -> datetime | None:
    """When the next attempt is due, None when nothing waits."""
    found: datetime | None = connection.scalar(select(func.min(table.c.next_at)))
    return found


def due(connection: Connection, now: datetime, limit: int, flying: Collection[str] = ()) -> list[Due]:
    """At most ``limit`` messages whose time has come, the longest waiting first, without those of ``flying``."""
    columns = (table.c.delivery_id, table.c.message, table.c.attempts, table.c.tries)
    query = select(*columns).where(table.c.next_at <= now).order_by(table.c.next_at, table.c.delivery_id)
    rows = connection.execute(query.limit(limit + len(flying)))
    found = [Due(row.delivery_id, row.message, row.attempts + 1, row.tries) for row in rows]
    return [one for one in found if one.delivery_id not in flying][:limit]


def record(connection: Connection, attempts: Sequence[Attempted]) -> None:
    """Log attempts and say where their messages stand, inside a write transaction."""
    for one in attempts:
        counted = {"attempts": one.attempt, "tries": table.c.tries + 1} if one.counts else {}
        connection.execute(update(table).where(table.c.delivery_id == one.delivery_id).values(
            status=one.status, host=one.host, next_at=one.next_at,
            finished_at=one.at if one.next_at is None else None, **counted,
        ))
    rows = [
        {
            "delivery_id": one.delivery_id, "attempt": one.attempt, "at": one.at, "http_status": one.http_status,
            "error": one.error, "answer": one.answer,
        }
        for one in attempts if one.counts
    ]
    if rows:
        connection.execute(insert(outbox_attempts), rows)


def redeliver(connection: Connection, delivery_id: str, now: datetime) -> None:
    """Queue a message again under its id, with all its tries before it. Raises NotFound."""
    again = update(table).where(table.c.delivery_id == delivery_id)
    if not connection.execute(again.values(status="pending", tries=0, next_at=now, finished_at=None)).rowcount:
        raise NotFound(f"there is no delivery {delivery_id}", hint="nightloom get deliveries")


def listed(connection: Connection, status: str = "", limit: int | None = None) -> list[Delivery]:
    """Messages with their attempts, the newest first."""
    query = select(table).order_by(table.c.created_at.desc(), table.c.delivery_id)
    query = query.where(table.c.status == status) if status else query
    rows = connection.execute(query if limit is None else query.limit(limit)).all()
    ids = [row.delivery_id for row in rows]
    tried: dict[str, list[tuple[int, datetime, int | None, str, str]]] = {}
    for start in range(0, len(ids), LOOKUP_CHUNK):
        named = outbox_attempts.c.delivery_id.in_(ids[start : start + LOOKUP_CHUNK])
        log = select(outbox_attempts).where(named).order_by(outbox_attempts.c.attempt)
        for one in connection.execute(log):
            entry = one.attempt, one.at, one.http_status, one.error, one.answer
            tried.setdefault(one.delivery_id, []).append(entry)
    return [
        Delivery(
            row.delivery_id, row.subject, row.message, row.created_at, row.status, row.host, row.attempts, row.next_at,
            row.finished_at, tuple(tried.get(row.delivery_id, ())),
        )
        for row in rows
    ]
