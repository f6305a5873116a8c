"""Reads files of JSON lines: objects, lines that hold none apart."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np

from contracts.errors import DropRefused
from transforms import json_lines, lines
from transforms.cells import literal
from transforms.lines import Dialect
from transforms.staged import MAX_LINE, Reject, Staged, drop_staging, head_of, mended, refuse_encoding


def stage_json_lines(con: duckdb.DuckDBPyConnection, path: Path, scratch: Path) -> Staged:
    """Read a file of JSON lines; see ``transforms.staging.stage``."""
    head = head_of(path)
    if head.lstrip()[:1] == b"[":
        raise DropRefused(
            "the file is one JSON array, not JSON lines", rule="unreadable", hint="write one object a line"
        )
    dialect = Dialect("\x01", "", "")
    if _read_lines(con, path):
        records = lines.find_records(np.memmap(path, dtype=np.uint8, mode="r"), dialect, 1, keep_blank=True)
        path = mended(path, records, scratch)
        _read_lines(con, path)
    found = con.execute(
        "SELECT line_byte_position, error_type::VARCHAR, error_message, csv_line FROM reject_errors ORDER BY 1"
    ).fetchall()
    refuse_encoding(found)
    if found:
        raise DropRefused(
            "a line is too long or holds control characters",
            rule="unreadable",
            hint="write one object a line, as UTF-8",
        )
    con.execute("UPDATE staged SET c0 = substr(c0, 2) WHERE rowid = 0 AND c0[1] = chr(65279)")
    rows, bad = (
        int(value)
        for value in con.execute(
            "SELECT count(*) FILTER (good), count(*) FILTER (NOT good) FROM (SELECT json_valid(c0) AND c0[1] = '{' AS "
            "good FROM "
            "(SELECT trim(c0, ' ' || chr(9) || chr(13)) AS c0 FROM staged) WHERE c0 <> '')"
        ).fetchall()[0]
    )
    rejects: tuple[Reject, ...] = ()
    where = "c0 IS NOT NULL"
    if bad:
        where = "CASE WHEN json_valid(c0) THEN json_type(c0) = 'OBJECT' ELSE false END"
        found = con.execute(
            "SELECT rowid + 1, c0 FROM staged WHERE trim(c0, ' ' || chr(9) || chr(13)) <> '' "
            f"AND NOT ({where}) ORDER BY 1"
        ).fetchall()
        rejects = tuple(
            Reject(line, "bad_json", "the line is not a JSON object; write one object a line", raw)
            for line, raw in found
        )
    else:
        where = "trim(c0) <> ''"
    columns, values = json_lines.columns(con, where)
    extracted = f"SELECT rowid, {json_lines.extract(columns)} AS x FROM staged WHERE {where}"
    relation = f"(SELECT rowid AS ordinal{values} FROM ({extracted}))"
    records = lines.find_records(np.zeros(0, dtype=np.uint8), dialect, 1)
    raw_relation = f"(SELECT rowid AS ordinal, c0 FROM staged WHERE {where})"
    return Staged("jsonl", relation, raw_relation, "c0", tuple(column.cell for column in columns), rows, rejects)


def _read_lines(con: duckdb.DuckDBPyConnection, path: Path) -> bool:
    drop_staging(con)
    try:
        con.execute(
            f"CREATE TEMP TABLE staged AS FROM read_csv({literal(str(path))}, columns = {{'c0': 'VARCHAR'}}, "
            "auto_detect = false, "
            "header = false, delim = '\x01', quote = '', escape = '', store_rejects = true, rejects_limit = 0, "
            f"max_line_size = {MAX_LINE})"
        )
    except duckdb.InvalidInputException as error:
        if "state machine" in str(error):
            return True
        raise
    return False
