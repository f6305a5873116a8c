"""Databases: a name and the types of its ids for a workspace."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, or_, select, update

from contracts.errors import NotFound, UsageError
from contracts.id_types import id_type
from store.control.schema import databases as table
from store.layout import name_fault


@dataclass(frozen=True, slots=True)
class NewDatabase:
    """What is told of a database when it is made. The types of its ids never change. ``workspace`` empty: a new one."""

    name: str
    item_id_type: str
    user_id_type: str
    session_id_type: str = "urlsafe64"
    description: str = ""
    metadata: dict[str, Any] | None = None
    workspace: str = ""


@dataclass(frozen=True, slots=True)
class DatabaseRecord:
    """One database. ``created_at`` is naive UTC."""

    id: str
    name: str
    description: str
    item_id_type: str
    user_id_type: str
    session_id_type: str
    metadata: dict[str, Any] | None
    workspace: str
    created_at: datetime


class DuplicatedName(UsageError):
    """Another database has this name already."""


def create(connection: Connection, new: NewDatabase, at: datetime) -> DatabaseRecord:
    """Make a database inside a write transaction. Raises UsageError, and DuplicatedName for a name that is taken."""
    if not new.name:
        raise UsageError("a database needs a name")
    for word in (new.item_id_type, new.user_id_type, new.session_id_type):
        try:
            id_type(word)
        except ValueError as error:
            raise UsageError(str(error)) from error
    database_id = secrets.token_urlsafe(16)
    workspace = new.workspace or f"db{secrets.token_hex(8)}"
    fault = name_fault(workspace)
    if fault:
        raise UsageError(fault, hint="letters, digits, - and _")
    taken = select(table.c.name, table.c.workspace).where(or_(table.c.name == new.name, table.c.workspace == workspace))
    for row in connection.execute(taken):
        if row.name == new.name:
            raise DuplicatedName(f"there is a database {new.name!r} already", hint="choose another name")
        raise UsageError(f"workspace {workspace!r} is database {row.name!r} already", hint="name another workspace")
    connection.execute(insert(table).values(
        id=database_id, name=new.name, description=new.description, item_id_type=new.item_id_type,
        user_id_type=new.user_id_type, session_id_type=new.session_id_type,
        metadata=None if new.metadata is None else json.dumps(new.metadata), workspace=workspace, created_at=at,
    ))
    return DatabaseRecord(
        database_id, new.name, new.description, new.item_id_type, new.user_id_type, new.session_id_type, new.metadata,
        workspace, at,
    )


def change(connection: Connection, database_id: str, description: str, metadata: dict[str, Any] | None) -> None:
    """Replace description and metadata inside a write transaction. Raises NotFound."""
    values = {"description": description, "metadata": None if metadata is None else json.dumps(metadata)}
    if not connection.execute(update(table).where(table.c.id == database_id).values(**values)).rowcount:
        raise _unknown(database_id)


def remove(connection: Connection, database_id: str) -> None:
    """Forget a database inside a write transaction; its files are not touched. Raises NotFound."""
    if not connection.execute(delete(table).where(table.c.id == database_id)).rowcount:
        raise _unknown(database_id)


def listed(connection: Connection) -> list[DatabaseRecord]:
    """Every database, in the order they were made."""
    rows = connection.execute(select(table).order_by(table.c.created_at, table.c.id))
    return [
        DatabaseRecord(
            row.id, row.name, row.description, row.item_id_type, row.user_id_type, row.session_id_type,
            None if row._mapping["metadata"] is None else json.loads(row._mapping["metadata"]), row.workspace,
            row.created_at,
        )
        for row in rows
    ]


def _unknown(database_id: str) -> NotFound:
    return NotFound(f"there is no database {database_id}", hint="`nightloom databases list` shows them")
