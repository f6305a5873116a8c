"""The page on policies names every column, gate and flag; its examples are read and run."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import yaml

from contracts.published import TABLE_BY_NAME
from transforms import sql
from transforms.decision_log_mapping import FIELDS, parse_log

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "policies.md").read_text(encoding="utf-8")


def test_the_mapping_is_one_and_the_shipped_ones_are_too() -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)
    log, problems = parse_log(yaml.safe_load(block), "page")
    assert log is not None and not problems
    shipped = sorted((ROOT / "definitions" / "decision_logs").glob("*.yaml"))
    assert len(shipped) == 2
    for path in shipped:
        assert parse_log(yaml.safe_load(path.read_text()), path.name)[1] == []


def test_every_column_of_a_log_is_named() -> None:
    named = set(re.findall(r"`(\w+)`", PAGE))
    assert set(FIELDS["decisions"]) | set(FIELDS["goals"]) <= named


def test_every_gate_and_flag_is_named() -> None:
    flags = set(re.findall(r"'(\w+)' AS flag|SELECT agent, '(\w+)',", sql.read("decision_flags")))
    names = {one or other for one, other in flags}
    assert names == {"gap", "out_of_order", "mixed_ts", "too_many_combinations", "segment_cap"}
    for name in names | {f"G{at}" for at in range(1, 8)}:
        assert f"`{name}`" in PAGE, name


def test_the_queries_are_of_columns_that_there_are() -> None:
    (block,) = re.findall(r"```sql\n(.*?)```", PAGE, flags=re.DOTALL)
    with duckdb.connect() as con:
        for table in TABLE_BY_NAME.values():
            columns = ", ".join(f"{column.name} {column.type}" for column in table.columns)
            con.execute(f"CREATE TABLE {table.name} ({columns})")
        for query in filter(None, map(str.strip, block.split(";"))):
            con.execute(query)
