"""Keys of the endpoint. A secret has 256 random bits, so its plain SHA-256 can be stored: there is nothing to guess."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, insert, select, update

from contracts.errors import NotFound, UsageError
from store.journal import counters
from store.journal.schema import keys as table

Role = Literal["read", "write", "admin"]
ROLES: tuple[Role, ...] = ("read", "write", "admin")
REVISION = "keys_revision"
PREFIX = "nl"
PUBLIC, SECRET = "pk_", "sk_"

AgentKeyKind = Literal["runtime", "admin"]
AGENT_KEYS: dict[str, AgentKeyKind] = {"rk_": "runtime", "ak_": "admin"}
SHORTEST = 16
"""Characters of a key that was made elsewhere, at least: it must not be guessed from its digest."""


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


def create_pair(connection: Connection, label: str, at: datetime, account: str = "") -> tuple[str, str]:
    """Make the keys of a client of the retention dialect inside a write transaction: a public and a secret one.

    ``account``: the workspace when the endpoint's own is another one; it is told in the public key. The secret cannot
    be shown again.
    """
    public, secret = f"{PUBLIC}{secrets.token_hex(12)}", f"{SECRET}{secrets.token_hex(32)}"
    connection.execute(insert(table).values(
        key_id=public, hash=digest(secret), role="admin", label=label, created_at=at
    ))
    counters.bump(connection, REVISION)
    return f"{public}_{account}" if account else public, secret


def create_agent_key(connection: Connection, kind: AgentKeyKind, label: str, at: datetime, known: str = "") -> str:
    """Make a key of the decision dialect inside a write transaction, or take in one that clients have already.

    Returns the key, of which only its digest is stored. Raises UsageError for a known key that is too short or is one.
    """
    prefix = next(start for start, one in AGENT_KEYS.items() if one == kind)
    key = known or f"{prefix}{secrets.token_hex(20)}"
    if len(key) < SHORTEST or not key.isprintable() or " " in key:
        raise UsageError(
            f"a key needs {SHORTEST} printable characters or more, and no space", hint="leave it out: one is made"
        )
    taken = select(table.c.key_id).where(table.c.hash == digest(key), table.c.revoked_at.is_(None))
    if connection.execute(taken).first() is not None:
        raise UsageError("this is a key already", hint="`nightloom keys list` shows them")
    role: Role = "admin" if kind == "admin" else "write"
    connection.execute(insert(table).values(
        key_id=f"{prefix}{secrets.token_hex(6)}", hash=digest(key), role=role, label=label, created_at=at
    ))
    counters.bump(connection, REVISION)
    return key


def account_of(public: str) -> str:
    """The workspace that a public key names, empty for the endpoint's own."""
    return public.removeprefix(PUBLIC).partition("_")[2]


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
        self._agent_keys = {key.hash: AGENT_KEYS[key.key_id[:3]] for key in self._keys.values()
                            if key.key_id[:3] in AGENT_KEYS}

    def role(self, presented: str) -> Role | None:
        """Role of a presented key, None when unknown, revoked or malformed. The secret is compared in constant time."""
        prefix, _, rest = presented.partition("_")
        key_id, _, secret = rest.partition("_")
        key = self._keys.get(key_id)
        if key is None or prefix != PREFIX or not hmac.compare_digest(digest(secret), key.hash):
            return None
        return key.role

    def pair(self, public: str, secret: str) -> bool:
        """Whether a public and a secret key belong together and are in force; compared in constant time."""
        inner, _, _ = public.removeprefix(PUBLIC).partition("_")
        key = self._keys.get(PUBLIC + inner)
        stored = key.hash if key is not None and public.startswith(PUBLIC) else digest("")
        return hmac.compare_digest(digest(secret), stored) and key is not None

    def agent_key(self, presented: str) -> AgentKeyKind | None:
        """Kind of a key of the decision dialect, None when unknown or revoked. What is looked up is its digest, so the
        time it takes tells nothing of the keys.
        """
        return self._agent_keys.get(digest(presented))
