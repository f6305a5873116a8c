"""Accounts: people with an email address and a password, programs with a name and a generated key.

A generated key has 256 random bits, so its plain SHA-256 is stored; a password is stretched by scrypt.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from sqlalchemy import Connection, Row, insert, select, update

from contracts.errors import NotFound, UsageError
from store.control.schema import accounts as table
from store.journal.keys import digest

AccountKind = Literal["individual", "service"]
AccountRole = Literal["root", "manager", "backend", "frontend", "demo_viewer"]
KINDS: tuple[AccountKind, ...] = get_args(AccountKind)
ROLES: tuple[AccountRole, ...] = get_args(AccountRole)

_COST = {"n": 1 << 14, "r": 8, "p": 1, "dklen": 32}  # about 50 ms and 16 MiB for each guess
_NOBODY = ("00" * 16, "00" * 32)


@dataclass(frozen=True, slots=True)
class Account:
    """One account in force; its secret is nowhere. ``limits``: ids of the only databases it may use; None: all."""

    id: str
    kind: AccountKind
    name: str
    role: AccountRole
    limits: frozenset[str] | None
    first_name: str | None
    last_name: str | None
    created_at: datetime

    def may_use(self, database_id: str) -> bool:
        """Whether a database exists for this account."""
        return self.limits is None or database_id in self.limits


@dataclass(frozen=True, slots=True)
class Proof:
    """What a presented secret is compared with; of nobody when ``account_id`` is None."""

    account_id: str | None
    kind: AccountKind
    salt: str
    hash: str

    def holds(self, presented: str) -> bool:
        """Whether the secret is right, in constant time. Of an individual it takes long: call it beside the loop."""
        right = hmac.compare_digest(_hashed(self.kind, self.salt, presented), self.hash)
        return right and self.account_id is not None


def create(
    connection: Connection, kind: AccountKind, name: str, role: AccountRole, secret: str,
    limits: Sequence[str] | None, at: datetime, first_name: str | None = None, last_name: str | None = None,
) -> str:
    """Make an account inside a write transaction; returns its id. Raises UsageError for a name that is taken."""
    named = name.strip().lower() if kind == "individual" else name
    if not named or (kind == "individual" and "@" not in named):
        raise UsageError(f"{name!r} cannot be the name of an account", hint="a person's is an email address")
    if connection.execute(_in_force(kind, named)).one_or_none() is not None:
        raise UsageError(f"there is an account {named!r} already", hint="delete it first, or choose another name")
    account_id = secrets.token_urlsafe(12)
    salt = secrets.token_hex(16)
    connection.execute(insert(table).values(
        id=account_id, kind=kind, name=named, role=role, salt=salt, hash=_hashed(kind, salt, secret),
        limits=None if limits is None else json.dumps(sorted(limits)), first_name=first_name, last_name=last_name,
        created_at=at,
    ))
    return account_id


def delete(connection: Connection, kind: AccountKind, name: str, at: datetime) -> None:
    """End an account inside a write transaction. Raises NotFound."""
    found = connection.execute(_in_force(kind, name.strip().lower() if kind == "individual" else name)).one_or_none()
    if found is None:
        raise NotFound(f"there is no {kind} account {name!r}", hint="`nightloom accounts list` shows them")
    connection.execute(update(table).where(table.c.id == found.id).values(deleted_at=at))


def extend(connection: Connection, account_id: str, database_id: str) -> None:
    """Let an account that is limited to named databases use one more, inside a write transaction."""
    limits = connection.scalar(select(table.c.limits).where(table.c.id == account_id))
    if limits is not None:
        longer = json.dumps(sorted({*json.loads(limits), database_id}))
        connection.execute(update(table).where(table.c.id == account_id).values(limits=longer))


def proof(connection: Connection, kind: AccountKind, name: str) -> Proof:
    """What to compare a secret with. An unknown name gives a proof that never holds and takes as long."""
    found = connection.execute(_in_force(kind, name.strip().lower() if kind == "individual" else name)).one_or_none()
    return Proof(None, kind, *_NOBODY) if found is None else Proof(found.id, kind, found.salt, found.hash)


def listed(connection: Connection) -> list[Account]:
    """Every account in force, oldest first."""
    query = select(table).where(table.c.deleted_at.is_(None)).order_by(table.c.created_at, table.c.id)
    return [_account(row) for row in connection.execute(query)]


def _in_force(kind: AccountKind, name: str):  # type: ignore[no-untyped-def]
    return select(table).where(table.c.kind == kind, table.c.name == name, table.c.deleted_at.is_(None))


def _account(row: Row[tuple[object, ...]]) -> Account:
    limits = None if row.limits is None else frozenset(json.loads(row.limits))
    return Account(row.id, row.kind, row.name, row.role, limits, row.first_name, row.last_name, row.created_at)


def _hashed(kind: AccountKind, salt: str, secret: str) -> str:
    if kind == "service":
        return digest(secret)
    raw = secret.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(raw, salt=bytes.fromhex(salt), **_COST, maxmem=1 << 26).hex()
