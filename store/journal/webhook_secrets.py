"""The secrets that sign an account's notifications. After a rotation the old one signs along for a day."""

from __future__ import annotations

import secrets as random
from datetime import datetime, timedelta

from sqlalchemy import Connection, insert, select, update

from store.journal.schema import webhook_secrets as table

OVERLAP = timedelta(hours=24)


def in_force(connection: Connection, now: datetime) -> list[str]:
    """Secrets that sign now, the newest first; one is made when there never was any (inside a write transaction)."""
    found = signing(connection, now)
    return found or [rotate(connection, now)]


def signing(connection: Connection, now: datetime) -> list[str]:
    """The same without making one."""
    valid = table.c.retired_at.is_(None) | (table.c.retired_at > now - OVERLAP)
    return list(connection.scalars(select(table.c.secret).where(valid).order_by(table.c.number.desc())))


def rotate(connection: Connection, now: datetime) -> str:
    """Make a new secret inside a write transaction; those before it sign for another 24 hours."""
    connection.execute(update(table).where(table.c.retired_at.is_(None)).values(retired_at=now))
    secret = f"whsec_{random.token_hex(32)}"
    connection.execute(insert(table).values(secret=secret, created_at=now))
    return secret
