"""Writes what reports of agents are made of into the serving pack; ``store.pack.agent_reports`` reads it."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import duckdb

from store.pack.blobs import BlobWriter
from store.pack.strings import ends_and_bytes

_BATCH = 10_000
TABLES = ("decision_reports", "decision_days", "decision_aggregates", "decision_features")
_ROW = "json_array(strftime(date, '%Y-%m-%d'), {fields})"
_LIST = "'[' || string_agg({row}, ',' ORDER BY {order}) || ']'"


def write_agent_reports(target: Path) -> None:
    """Write the reports of ``target/tables`` into ``target/pack``; nothing for a run without these tables."""
    paths = {name: target / "tables" / f"{name}.parquet" for name in TABLES}
    if not all(path.is_file() for path in paths.values()):
        return
    with duckdb.connect() as con:
        for name, path in paths.items():
            con.read_parquet(str(path)).create_view(name)
        for name, query in _queries().items():
            _write(con, target / "pack", name, query)


def _queries() -> dict[str, str]:
    days = _ROW.format(fields="policy, sessions, goals, value")
    sums = _ROW.format(fields="policy, arm, goal, n, x, x2, goals, goals2")
    features = _ROW.format(fields="feature, arm, n, w, w2, wx, wx2")
    return {
        "agent_reports": "SELECT agent AS key, report::VARCHAR AS text FROM decision_reports",
        "agent_days": (
            f"SELECT agent AS key, {_LIST.format(row=days, order='date, policy')} AS text FROM decision_days "
            "GROUP BY agent"
        ),
        # Segments are added up in their order: equal tables give equal bits.
        "agent_sums": (
            "SELECT concat_ws(chr(31), agent, point, feature) AS key, "
            f"{_LIST.format(row=sums, order='date, policy, arm, goal NULLS FIRST')} AS text FROM ("
            "SELECT agent, point, feature, date, policy, arm, goal, sum(n)::BIGINT AS n, "
            "list_sum(list(x ORDER BY segment)) AS x, list_sum(list(x2 ORDER BY segment)) AS x2, "
            "sum(goals)::BIGINT AS goals, sum(goals2)::BIGINT AS goals2 FROM decision_aggregates GROUP BY ALL) "
            "GROUP BY key"
        ),
        "agent_features": (
            "SELECT concat_ws(chr(31), agent, point, decision_set) AS key, "
            f"{_LIST.format(row=features, order='date, feature, arm')} AS text FROM decision_features GROUP BY key"
        ),
    }


def _write(con: duckdb.DuckDBPyConnection, pack: Path, name: str, query: str) -> None:
    counted = con.execute(f"SELECT count(*) FROM ({query})").fetchone()
    rows = int(counted[0]) if counted else 0
    with ExitStack() as stack:
        writers = [stack.enter_context(BlobWriter(pack, blob, rows)) for blob in (f"{name}_keys", name)]
        reader: Any = con.execute(f"SELECT key, text FROM ({query}) ORDER BY key").to_arrow_reader(_BATCH)
        for batch in reader:
            for writer, strings in zip(writers, batch.columns, strict=True):
                writer.write(*ends_and_bytes(strings))
