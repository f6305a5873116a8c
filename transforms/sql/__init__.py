"""The SQL of every derived table: one file a table, named as the table, its grain on the first line."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def read(name: str) -> str:
    """Text of ``<name>.sql`` in this package."""
    return files(__name__).joinpath(f"{name}.sql").read_text(encoding="utf-8")
