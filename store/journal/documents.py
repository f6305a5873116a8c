"""Control documents (scenarios, configurations): every version is kept, the newest counts, a deletion is a version."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, insert, select

from contracts.errors import UsageError
from store.journal import counters
from store.journal.schema import documents as table

REVISION = "documents_revision"


@dataclass(frozen=True, slots=True)
class Document:
    """One version of a document; ``body`` is JSON text, empty in a deletion. ``at`` is naive UTC."""

    kind: str
    name: str
    version: int
    body: str
    who: str
    at: datetime
    deleted: bool


def put(
    connection: Connection, kind: str, name: str, body: str, who: str, at: datetime, expected: int | None = None
) -> int:
    """Store the next version inside a write transaction and return its number.

    ``expected``: the version this one was made from (0: none). Raises UsageError when another one came first.
    """
    return _add(connection, Document(kind, name, 0, body, who, at, deleted=False), expected)


def delete(connection: Connection, kind: str, name: str, who: str, at: datetime, expected: int | None = None) -> int:
    """Record a deletion inside a write transaction and return its version number."""
    return _add(connection, Document(kind, name, 0, "", who, at, deleted=True), expected)


def _add(connection: Connection, document: Document, expected: int | None) -> int:
    newest = connection.scalar(
        select(func.max(table.c.version)).where(table.c.kind == document.kind, table.c.name == document.name)
    ) or 0
    if expected is not None and expected != newest:
        raise UsageError(
            f"{document.kind} {document.name} is at version {newest}, not {expected}: somebody changed it meanwhile",
            hint="read it again and repeat the change",
        )
    connection.execute(insert(table).values(
        kind=document.kind, name=document.name, version=newest + 1, body=document.body, who=document.who,
        at=document.at, deleted=document.deleted,
    ))
    counters.bump(connection, REVISION)
    return int(newest) + 1


def revision(connection: Connection) -> int:
    """Grows with every version of every document."""
    return counters.read(connection, REVISION)


def get(connection: Connection, kind: str, name: str, version: int | None = None) -> Document | None:
    """The newest version that is no deletion, or the version asked for; None when there is none."""
    query = select(table).where(table.c.kind == kind, table.c.name == name)
    if version is not None:
        query = query.where(table.c.version == version)
    row = connection.execute(query.order_by(table.c.version.desc()).limit(1)).one_or_none()
    if row is None or (version is None and row.deleted):
        return None
    return Document(*row)


def listed(connection: Connection, kind: str) -> list[Document]:
    """The newest version of every document of a kind that is not deleted, by name."""
    versions = select(table.c.name, func.max(table.c.version).label("version")).where(table.c.kind == kind)
    newest = versions.group_by(table.c.name).subquery()
    query = (
        select(table)
        .join(newest, (table.c.name == newest.c.name) & (table.c.version == newest.c.version))
        .where(table.c.kind == kind, table.c.deleted.is_(False))
        .order_by(table.c.name)
    )
    return [Document(*row) for row in connection.execute(query)]


def history(connection: Connection, kind: str, name: str | None = None) -> list[Document]:
    """Every version of a document, or of all documents of a kind, by name and version; deletions included."""
    query = select(table).where(table.c.kind == kind).order_by(table.c.name, table.c.version)
    if name is not None:
        query = query.where(table.c.name == name)
    return [Document(*row) for row in connection.execute(query)]
