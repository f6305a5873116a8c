"""Keys of the endpoint. A secret has 256 random bits, so its plain SHA-256 can be stored: there is nothing to guess."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, insert, select, update

from contracts.errors import NotFound
from store.journal import counters
from store.journal.schema import keys as table

Role = Literal["read", "write", "admin"]
ROLES: tuple[Role, ...] = ("read", "write", "admin")
REVISION = "keys_revision"
PREFIX = "nl"


@dataclass(frozen=True, slots=True)
class Key:
    """One key; its secret is nowhere. Times are naive UTC."""

    key_id: str
    hash: str
    role: Role
    label: str
    created_at: datetime
    revoked_at: datetime | None


def create(connection: Connection, role: Role, label: str, at: datetime) -> str:
    """Make a key inside a write transaction; returns its secret ``nl_<id>_<secret>``, which cannot be shown again."""
    key_id = secrets.token_hex(6)
    secret = secrets.token_hex(32)
    connection.execute(insert(table).values(key_id=key_id, hash=digest(secret), role=role, label=label, created_at=at))
    counters.bump(connection, REVISION)
    return f"{PREFIX}_{key_id}_{secret}"


def listed(connection: Connection) -> list[Key]:
    """Every key, oldest first, revoked ones included."""
    columns = (table.c.key_id, table.c.hash, table.c.role, table.c.label, table.c.created_at, table.c.revoked_at)
    return [Key(*row) for row in connection.execute(select(*columns).order_by(table.c.created_at, table.c.key_id))]


def revoke(connection: Connection, key_id: str, at: datetime) -> None:
    """End a key inside a write transaction; doing it twice keeps the first time. Raises NotFound."""
    if connection.execute(select(table.c.key_id).where(table.c.key_id == key_id)).one_or_none() is None:
        raise NotFound(f"there is no key {key_id}", hint="`nightloom keys list` shows them")
    in_force = update(table).where(table.c.key_id == key_id, table.c.revoked_at.is_(None))
    connection.execute(in_force.values(revoked_at=at))
    counters.bump(connection, REVISION)


def revision(connection: Connection) -> int:
    """Grows with every created or revoked key."""
    return counters.read(connection, REVISION)


def digest(secret: str) -> str:
    """What is stored of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


class KeyRing:
    """Keys in force, for checking presented secrets without the database."""

    def __init__(self, keys: list[Key]) -> None:
        self._keys = {key.key_id: key for key in keys if key.revoked_at is None}

    def role(self, presented: str) -> Role | None:
        """Role of a presented key, None when unknown, revoked or malformed. The secret is compared in constant time."""
        prefix, _, rest = presented.partition("_")
        key_id, _, secret = rest.partition("_")
        key = self._keys.get(key_id)
        if key is None or prefix != PREFIX or not hmac.compare_digest(digest(secret), key.hash):
            return None
        return key.role
