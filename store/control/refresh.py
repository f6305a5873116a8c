"""Refresh tokens. One holder is given the same value until shortly before it expires.

The value is ``<id>.<authentication code of the row>``: it can be made again from the row and the signing secret, so it
need not be stored in the clear.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Row, delete, insert, select

from store.control.schema import refresh_tokens as table

LIFE = timedelta(days=30)
REPLACED = timedelta(days=3)  # within so long of its end a token is replaced
REMEMBERED = timedelta(days=30)  # an expired token is told from an unknown one for so long


@dataclass(frozen=True, slots=True)
class Holder:
    """For whom a token is: an account, in a database or in none, as a user or a session of it or as neither."""

    account_id: str
    database_id: str | None = None
    frontend_user_id: str | None = None
    frontend_session_id: str | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """A token that was issued once."""

    holder: Holder
    expired: bool


def current(connection: Connection, secret: bytes, holder: Holder, now: datetime) -> str | None:
    """The value that this holder is given now; None when a new one is due."""
    query = select(table).where(
        table.c.account_id == holder.account_id, table.c.database_id.is_not_distinct_from(holder.database_id),
        table.c.frontend_user_id.is_not_distinct_from(holder.frontend_user_id),
        table.c.frontend_session_id.is_not_distinct_from(holder.frontend_session_id),
        table.c.expires_at > now + REPLACED,
    ).order_by(table.c.issued_at.desc(), table.c.token_id).limit(1)
    row = connection.execute(query).one_or_none()
    return None if row is None else _value(secret, row)


def issue(connection: Connection, secret: bytes, holder: Holder, now: datetime) -> str:
    """The value that this holder is given now, made inside a write transaction if one is due."""
    found = current(connection, secret, holder, now)
    if found is not None:
        return found
    connection.execute(delete(table).where(table.c.expires_at < now - REMEMBERED))
    token_id = secrets.token_urlsafe(16)
    connection.execute(insert(table).values(
        token_id=token_id, account_id=holder.account_id, database_id=holder.database_id,
        frontend_user_id=holder.frontend_user_id, frontend_session_id=holder.frontend_session_id,
        issued_at=now, expires_at=now + LIFE,
    ))
    return _value(secret, connection.execute(select(table).where(table.c.token_id == token_id)).one())


def look_up(connection: Connection, secret: bytes, presented: str, now: datetime) -> Known | None:
    """What a presented value stands for; None for one that was never issued."""
    row = connection.execute(select(table).where(table.c.token_id == presented.partition(".")[0])).one_or_none()
    if row is None or not hmac.compare_digest(_value(secret, row).encode(), presented.encode("utf-8", "replace")):
        return None
    return Known(_holder(row), expired=row.expires_at <= now)


def _holder(row: Row[tuple[object, ...]]) -> Holder:
    return Holder(row.account_id, row.database_id, row.frontend_user_id, row.frontend_session_id)


def _value(secret: bytes, row: Row[tuple[object, ...]]) -> str:
    said = json.dumps([row.token_id, *astuple(_holder(row)), row.issued_at.isoformat()])
    code = hmac.new(secret, b"refresh\n" + said.encode(), hashlib.sha256).digest()
    return f"{row.token_id}.{base64.urlsafe_b64encode(code).decode().rstrip('=')}"
