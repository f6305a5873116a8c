"""Item properties in the serving pack: one column of flat arrays a property, from the published items, in SQL.

An item's properties are the keys of its ``properties`` and its category, name, description and price. Names compare
without letter case. A value that does not fit the property's type is left out and counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from scenarios.columns import SEPARATOR, dtype_of
from scenarios.spec import PropertyType
from store.pack.arrays import create_array, flush, save_array
from store.pack.blobs import BlobWriter
from store.pack.strings import ends_and_bytes

FOLDER = "properties"
BATCH = 50_000
FIELDS = ("item_category", "item_name", "item_description", "item_price")
_NUMBERS = ("BIGINT", "UBIGINT", "HUGEINT", "UHUGEINT", "DOUBLE")
_INTEGERS = {
    "int8": "TINYINT", "int16": "SMALLINT", "int32": "INTEGER", "int64": "BIGINT", "int": "BIGINT",
    "uint8": "UTINYINT", "uint16": "USMALLINT", "uint32": "UINTEGER", "uint64": "UBIGINT", "uint": "UBIGINT",
}
_SEPARATOR = "\0"
# As ``scenarios.value_types.tokens`` splits one text; the separator of texts stays as a token of its own.
_TOKEN = re.compile(rf"\w+|{_SEPARATOR}")


@dataclass(frozen=True, slots=True)
class DeclaredTypes:
    """What is known of property types beside the values, by name in lower case.

    ``exact``: by a property definition or a source mapping. ``registered``: the type that deliveries gave a key
    (``string``, ``number``, ``boolean``, or one of these with ``[]``).
    """

    exact: Mapping[str, PropertyType] = field(default_factory=dict)
    registered: Mapping[str, str] = field(default_factory=dict)


def write_properties(
    con: duckdb.DuckDBPyConnection, folder: Path, size: int, types: DeclaredTypes
) -> list[dict[str, Any]]:
    """Write the columns of all properties under ``folder/properties``; returns their index for ``pack.json``.

    ``con`` has the relation ``items`` with ``size`` rows. Property n has ``<n>_rows.npy`` int32, ``<n>_values.npy``,
    ``<n>_filled.npy`` uint8 (size,) as ``scenarios.columns.Column`` takes them, and for strings the blob
    ``<n>_words``. Properties without a type of their own: whole numbers are int64, other numbers float64, everything
    else text of up to 255 characters, which longer values of files are not held to.
    """
    (folder / FOLDER).mkdir(exist_ok=True)
    _gather(con)
    found = _summaries(con)
    index = []
    for number, name in enumerate(sorted(found.keys() | types.exact.keys() | types.registered.keys())):
        kind = _type(name, found.get(name), types)
        left_out = _Column(con, folder / FOLDER, number, name, kind, size, name in types.exact).write()
        index.append({
            "name": name, "value_type": kind.value_type, "repeated": kind.repeated, "left_out": left_out,
        })
    con.execute("DROP TABLE property_values")
    return index


def _gather(con: duckdb.DuckDBPyConnection) -> None:
    """Create ``property_values``: one element of one property of one item; ``listed`` when it came in a list.

    Of two keys that differ in letter case only the first counts. Nested objects have no type and are no values.
    """
    fields = " UNION ALL ".join(
        f"SELECT item_index, '{name}' AS key, '' AS spelled, to_json({name}) AS value FROM items "
        f"WHERE {name} IS NOT NULL"
        for name in FIELDS
    )
    keys = [str(key) for (key,) in con.execute("SELECT DISTINCT unnest(json_keys(properties)) FROM items").fetchall()]
    alike = len({*map(str.lower, keys), *FIELDS}) < len(keys) + len(FIELDS)
    first = "QUALIFY row_number() OVER (PARTITION BY item_index, key ORDER BY spelled) = 1" if alike else ""
    con.execute(f"""
        CREATE OR REPLACE TABLE property_values AS
        WITH given AS (
            {fields}
            UNION ALL
            SELECT item_index, lower(entry.key), entry.key, entry.value
            FROM (SELECT item_index, unnest(map_entries(properties::MAP(VARCHAR, JSON))) AS entry FROM items)
        ),
        kept AS MATERIALIZED (
            SELECT item_index, key, value, json_type(value) AS kind FROM given {first}
        ),
        elements AS (
            SELECT item_index, key, 0 AS position, value, kind, false AS listed FROM kept WHERE kind <> 'ARRAY'
            UNION ALL
            SELECT item_index, key, position, value, json_type(value), true
            FROM (
                SELECT item_index, key, unnest(range(json_array_length(value)::BIGINT))::INTEGER AS position,
                       unnest(json_extract(value, '$[*]')) AS value
                FROM kept WHERE kind = 'ARRAY'
            )
            UNION ALL
            SELECT item_index, key, -1, NULL, NULL, true FROM kept WHERE kind = 'ARRAY'
        )
        SELECT key, item_index, position, listed, kind, value ->> '$' AS text
        FROM elements WHERE value IS NULL OR kind NOT IN ('NULL', 'OBJECT', 'ARRAY')
        ORDER BY key, item_index, position
    """)


def _summaries(con: duckdb.DuckDBPyConnection) -> dict[str, tuple[bool, bool, bool, bool]]:
    """By property: whether some value is a list, all are numbers, all numbers are whole, all are booleans."""
    numbers = f"kind IN {_NUMBERS}"
    rows = con.execute(
        f"SELECT key, bool_or(listed), coalesce(bool_and({numbers}) FILTER (position >= 0), false), "
        f"coalesce(bool_and({_whole()}) FILTER ({numbers}), true), "
        "coalesce(bool_and(kind = 'BOOLEAN') FILTER (position >= 0), false) "
        "FROM property_values GROUP BY key ORDER BY key"
    ).fetchall()
    return {str(key): (listed, number, whole, boolean) for key, listed, number, whole, boolean in rows}


def _whole() -> str:
    return "coalesce(TRY_CAST(text AS DOUBLE) = trunc(TRY_CAST(text AS DOUBLE)) AND abs(TRY_CAST(text AS DOUBLE)) "\
        "<= 9007199254740992, false)"


def _type(name: str, found: tuple[bool, bool, bool, bool] | None, types: DeclaredTypes) -> PropertyType:
    """A property's type: declared exactly, or registered by deliveries, or what its values are."""
    if name in types.exact:
        return types.exact[name]
    listed, number, whole, boolean = found or (False, False, False, False)
    registered = types.registered.get(name)
    if registered is not None:
        listed = registered.endswith("[]")
        number, boolean = registered.startswith("number"), registered.startswith("boolean")
        whole = whole and found is not None
    if number:
        return PropertyType("int64" if whole else "float64", listed)
    return PropertyType("bool" if boolean else "unicode255", listed)


class _Column:
    def __init__(
        self, con: duckdb.DuckDBPyConnection, folder: Path, number: int, name: str, kind: PropertyType, size: int,
        exact: bool,
    ) -> None:
        self.con = con
        self.folder = folder
        self.number = number
        self.type = kind
        self.size = size
        self.value = _value(kind, exact)
        lists = "" if kind.repeated else " AND NOT listed"
        self.given = {"name": name}
        self.source = f"property_values WHERE key = $name AND position >= 0{lists}"

    def write(self) -> int:
        """Write the arrays; returns how many values do not fit the type."""
        total, fitting = self._counts()
        filled = np.zeros(self.size, np.uint8)
        if self.type.family == "text":
            self._tokens()
            self._words("property_words")
            ends = f" UNION ALL SELECT DISTINCT item_index, position, {SEPARATOR} FROM property_words"
            query = "SELECT item_index, code, false FROM (SELECT w.item_index, w.position, v.code " \
                f"FROM property_words AS w JOIN vocabulary AS v USING (text){ends if self.type.repeated else ''}) " \
                "ORDER BY item_index, position, code"
            self._arrays(query, filled)
            for batch in self._batches(
                f"SELECT DISTINCT item_index FROM {self.source} AND text <> '' ORDER BY item_index", self.given
            ):
                filled[batch.column(0).to_numpy()] = 1
        elif self.type.family == "string":
            source = f"(SELECT item_index, position, {self.value} AS text FROM {self.source})"
            self._words(f"{source} WHERE text IS NOT NULL", self.given)
            self._arrays(
                f"SELECT w.item_index, v.code, w.text <> '' FROM {source} AS w JOIN vocabulary AS v USING (text) "
                "ORDER BY w.item_index, w.position", filled, self.given,
            )
        else:
            self._arrays(
                f"SELECT item_index, value, true FROM (SELECT item_index, position, {self.value} AS value "
                f"FROM {self.source}) WHERE value IS NOT NULL ORDER BY item_index, position", filled, self.given,
            )
        save_array(self.folder / f"{self.number}_filled.npy", filled)
        self.con.execute("DROP TABLE IF EXISTS property_words")
        self.con.execute("DROP TABLE IF EXISTS vocabulary")
        return total - fitting

    def _counts(self) -> tuple[int, int]:
        row = self.con.execute(
            f"SELECT (SELECT count(*) FROM property_values WHERE key = $name AND position >= 0), "
            f"(SELECT count({self.value}) FROM {self.source})", self.given,
        ).fetchone()
        assert row is not None
        return int(row[0]), int(row[1])

    def _batches(self, query: str, given: Mapping[str, Any] | None = None) -> Iterator[pa.RecordBatch]:
        yield from self.con.execute(query, dict(given or {})).to_arrow_reader(BATCH)

    def _tokens(self) -> None:
        """Create ``property_words``: each distinct token of each element. Split as a query is, many texts at once."""
        self.con.execute("CREATE OR REPLACE TABLE property_words (item_index INTEGER, position INTEGER, text VARCHAR)")
        cursor = self.con.cursor()
        reader = cursor.execute(
            f"SELECT item_index, position, replace(text, chr(0), ' ') FROM {self.source} ORDER BY item_index, position",
            self.given,
        ).to_arrow_reader(BATCH)
        for batch in reader:
            found = _TOKEN.findall(_SEPARATOR.join(batch.column(2).to_pylist()).casefold())
            words = pa.array(found, pa.string())
            ends = np.asarray(pc.equal(words, _SEPARATOR))
            place = np.cumsum(ends)[~ends]
            rows = pa.table({
                "item_index": batch.column(0).take(pa.array(place)),
                "position": batch.column(1).take(pa.array(place)),
                "text": words.filter(pa.array(~ends)),
            })
            self.con.register("token_rows", rows)
            self.con.execute("INSERT INTO property_words SELECT DISTINCT item_index, position, text FROM token_rows")
            self.con.unregister("token_rows")
        cursor.close()

    def _words(self, source: str, given: Mapping[str, Any] | None = None) -> None:
        """Create ``vocabulary`` of the distinct texts of ``source``, coded by their bytes' order, and write its
        blob.
        """
        self.con.execute(
            "CREATE OR REPLACE TABLE vocabulary AS SELECT text, (row_number() OVER (ORDER BY text) - 1)::INTEGER AS "
            f"code FROM (SELECT DISTINCT text FROM {source})", dict(given or {}),
        )
        row = self.con.execute("SELECT count(*) FROM vocabulary").fetchone()
        assert row is not None
        with BlobWriter(self.folder, f"{self.number}_words", int(row[0])) as writer:
            for batch in self._batches("SELECT text FROM vocabulary ORDER BY code"):
                writer.write(*ends_and_bytes(batch.column(0)))

    def _arrays(self, query: str, filled: NDArray[np.uint8], given: Mapping[str, Any] | None = None) -> None:
        """Write rows and values of a query of (item_index, value, whether it fills the item)."""
        row = self.con.execute(f"SELECT count(*) FROM ({query})", dict(given or {})).fetchone()
        assert row is not None
        rows = create_array(self.folder / f"{self.number}_rows.npy", (int(row[0]),), np.int32)
        values = create_array(self.folder / f"{self.number}_values.npy", (int(row[0]),), dtype_of(self.type))
        at = 0
        for batch in self._batches(query, given):
            end = at + batch.num_rows
            rows[at:end] = batch.column(0).to_numpy()
            values[at:end] = batch.column(1).to_numpy(zero_copy_only=False)
            filled[rows[at:end][batch.column(2).to_numpy(zero_copy_only=False)]] = 1
            at = end
        flush(rows)
        flush(values)


def _value(kind: PropertyType, exact: bool) -> str:
    """SQL of an element's value under a type, NULL where it does not fit."""
    family = kind.family
    if family == "int":
        target = _INTEGERS[kind.value_type]
        wide = f"TRY_CAST(text AS {target})"
        whole = f"CASE WHEN {_whole()} THEN TRY_CAST(TRY_CAST(text AS DOUBLE) AS {target}) END"
        return f"CASE WHEN kind = 'DOUBLE' THEN {whole} WHEN kind IN {_NUMBERS} THEN {wide} END"
    if family == "float":
        return f"CASE WHEN kind IN {_NUMBERS} AND isfinite(TRY_CAST(text AS DOUBLE)) THEN text::DOUBLE END"
    if family == "bool":
        return "CASE WHEN kind = 'BOOLEAN' THEN (text = 'true')::BIGINT END"
    limit = kind.value_type.removeprefix("unicode")
    if exact and family == "string" and limit.isdigit():
        return f"CASE WHEN length(text) <= {int(limit)} THEN text END"
    return "text"
