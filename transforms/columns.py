"""Columns of a delivered file, whatever its format: a clean SQL value, its canonical text, and what kind of thing it
is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from transforms import cells

Kind = Literal["text", "string", "number", "boolean", "timestamp", "list", "nested"]

_INTEGERS = {
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "HUGEINT",
    "UTINYINT",
    "USMALLINT",
    "UINTEGER",
    "UBIGINT",
    "UHUGEINT",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One column. ``value`` is SQL over the file's clean rows and NULL when missing.

    ``kind``: ``text`` is a cell of a file without types, whose type is decided by its column; ``string`` is text by the
    file's own type; ``nested`` is what no property can hold. ``element`` is the kind of a list's elements.
    """

    name: str
    value: str
    kind: Kind
    element: Kind = "string"
    whole: bool = False

    @property
    def text(self) -> str:
        """SQL of the canonical text (contract 2.5): a number in its shortest decimal form, a boolean as true or
        false.
        """
        if self.kind == "number":
            return f"CAST({self.value} AS VARCHAR)" if self.whole else cells.number_text(self.value)
        if self.kind in ("text", "string"):
            return self.value
        if self.kind == "nested":
            return f"CAST(to_json({self.value}) AS VARCHAR)"
        return f"CAST({self.value} AS VARCHAR)"


def clean(name: str, sql: str, type_name: str, value: str) -> tuple[str, Cell]:  # noqa: PLR0911 - one answer a kind
    """SQL that cleans a column of a typed file, and the cell it gives under the alias ``value``."""
    base = type_name.upper()
    if base.endswith("[]") or base.startswith("LIST"):
        return _list(name, sql, base, value)
    if base in _INTEGERS:
        wide = "HUGEINT" if base in ("HUGEINT", "UHUGEINT", "UBIGINT") else "BIGINT"
        return f"CAST({sql} AS {wide})", Cell(name, value, "number", whole=True)
    if base == "FLOAT":
        return f"CAST(nullif(CAST({sql} AS VARCHAR), 'nan') AS DOUBLE)", Cell(name, value, "number")
    if base == "DOUBLE":
        return f"CASE WHEN NOT isnan({sql}) THEN {sql} END", Cell(name, value, "number")
    if base.startswith("DECIMAL"):
        return f"CAST({sql} AS DOUBLE)", Cell(name, value, "number")
    if base == "BOOLEAN":
        return sql, Cell(name, value, "boolean")
    if base in ("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ"):
        return f"date_trunc('second', {sql} AT TIME ZONE 'UTC')", Cell(name, value, "timestamp")
    if base.startswith("TIMESTAMP") or base == "DATE":
        return f"date_trunc('second', CAST({sql} AS TIMESTAMP))", Cell(name, value, "timestamp")
    if base.startswith(("STRUCT", "MAP", "UNION")):
        return sql, Cell(name, value, "nested")
    text = sql if base == "VARCHAR" else f"CAST({sql} AS VARCHAR)"
    return cells.present(text), Cell(name, value, "string")


def _list(name: str, sql: str, base: str, value: str) -> tuple[str, Cell]:
    inner = base[:-2]
    if inner in _INTEGERS or inner in ("FLOAT", "DOUBLE") or inner.startswith("DECIMAL"):
        return f"CAST({sql} AS DOUBLE[])", Cell(name, value, "list", "number")
    if inner == "BOOLEAN":
        return sql, Cell(name, value, "list", "boolean")
    if inner.startswith(("STRUCT", "MAP")) or inner.endswith("[]"):
        return sql, Cell(name, value, "nested")
    return f"CAST({sql} AS VARCHAR[])", Cell(name, value, "list", "string")
