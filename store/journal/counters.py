"""Small named numbers that change in the same transaction as what they count."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select, update

from store.journal.schema import counters as table


def read(connection: Connection, name: str) -> int:
    """Value of a counter, 0 when never set."""
    value = connection.scalar(select(table.c.value).where(table.c.name == name))
    return 0 if value is None else int(value)


def write(connection: Connection, name: str, value: int) -> None:
    """Set a counter, inside a write transaction."""
    changed = connection.execute(update(table).where(table.c.name == name).values(value=value))
    if not changed.rowcount:
        connection.execute(insert(table).values(name=name, value=value))


def bump(connection: Connection, name: str) -> int:
    """Add one to a counter, inside a write transaction, and return the new value."""
    value = read(connection, name) + 1
    write(connection, name, value)
    return value
