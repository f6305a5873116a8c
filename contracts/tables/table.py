"""What a published table is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """One published column: DuckDB type and what it means."""

    name: str
    type: str
    doc: str


@dataclass(frozen=True, slots=True)
class Table:
    """One published table. ``grain`` says what a row is; ``key`` orders the rows and is unique."""

    name: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]


def table(name: str, grain: str, key: str, *columns: tuple[str, str, str]) -> Table:
    """A table in few words: ``key`` is split at spaces, a column is name, type and what it means."""
    return Table(name, grain, tuple(key.split()), tuple(Column(*column) for column in columns))


PROFILE = ("profile_id", "VARCHAR", "minted id of the profile")
ITEM = ("item_id", "VARCHAR", "id of the item, as delivered")
