"""Writes the policies of a run into its serving pack; ``store.pack.policies`` reads them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from contracts.published import TABLE_BY_NAME
from store.pack.arrays import create_array, flush, save_array
from store.pack.blobs import BlobWriter
from store.pack.policies import NAME
from store.pack.strings import ends_and_bytes

RESETS = "policy_resets.json"
_BATCH = 50_000
_KEY = "concat_ws(chr(31), agent, version, point, decision_set, segment, pattern)"


def write_policies(target: Path) -> None:
    """Write the policies of ``target/tables`` into ``target/pack``: rows of ``policies`` and ``policy_archive``,
    ``policy_features``, and from ``policy_versions`` who serves what.

    Nothing is written for a run without these tables. Equal tables give equal bytes.
    """
    paths = {name: target / "tables" / f"{name}.parquet" for name in ("policies", "policy_archive", "policy_features",
                                                                     "policy_versions")}
    if not all(path.is_file() for path in paths.values()):
        return
    with duckdb.connect() as con:
        for name, path in paths.items():
            con.read_parquet(str(path)).create_view(name)
        columns = ", ".join(column.name for column in TABLE_BY_NAME["policies"].columns)
        con.execute(
            f"CREATE TEMP TABLE policy_rows AS SELECT {_KEY} AS key, list(arm ORDER BY arm_order) AS arms, "
            f"list(weight ORDER BY arm_order) AS weights FROM (SELECT {columns} FROM policies UNION ALL "
            f"SELECT {columns} FROM policy_archive WHERE version IN (SELECT version FROM policy_versions "
            "WHERE state <> 'held')) GROUP BY key"
        )
        _write_rows(con, target / "pack")
        resets = target / "pack" / RESETS
        facts = {
            "served": _served(con), "versions": _versions(con), "encodings": _encodings(con),
            "resets": json.loads(resets.read_text()) if resets.is_file() else {},
        }
    (target / "pack" / NAME).write_text(json.dumps(facts, sort_keys=True) + "\n")


def write_resets(pack: Path, resets: Mapping[str, datetime]) -> None:
    """Note in a pack's folder since when each agent's events counted that was ever reset (naive UTC)."""
    told = {agent: at.isoformat() for agent, at in resets.items()}
    (pack / RESETS).write_text(json.dumps(told, sort_keys=True) + "\n")


def _write_rows(con: duckdb.DuckDBPyConnection, pack: Path) -> None:
    counted = con.execute("SELECT count(*), coalesce(sum(len(weights)), 0) FROM policy_rows").fetchone()
    assert counted is not None
    rows, total = int(counted[0]), int(counted[1])
    weights = create_array(pack / "policy_weights.npy", (total,), np.float64)
    lengths = np.zeros(rows + 1, np.uint64)
    row = at = 0
    query = "SELECT key, array_to_string(arms, ' ') AS arms, weights FROM policy_rows ORDER BY key"
    with ExitStack() as stack:
        writers = [stack.enter_context(BlobWriter(pack, name, rows)) for name in ("policy_keys", "policy_arms")]
        reader: Any = con.execute(query).to_arrow_reader(_BATCH)
        for batch in reader:
            for writer, strings in zip(writers, batch.columns, strict=False):
                writer.write(*ends_and_bytes(strings))
            found = batch.column(2)
            values = found.flatten().to_numpy()
            weights[at : at + len(values)] = values
            at += len(values)
            lengths[row + 1 : row + 1 + batch.num_rows] = found.value_lengths().to_numpy()
            row += batch.num_rows
    flush(weights)
    save_array(pack / "policy_starts.npy", np.cumsum(lengths, dtype=np.uint64))


def _served(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    return dict(con.execute("SELECT agent, version FROM policy_versions WHERE state = 'serving'").fetchall())


def _versions(con: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    return dict(
        con.execute(
            "SELECT agent, list(version ORDER BY valid_from DESC, version DESC) FROM policy_versions "
            "WHERE state <> 'held' GROUP BY agent"
        ).fetchall()
    )


def _encodings(con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    found: dict[str, Any] = {}
    rows = con.execute(
        "SELECT concat_ws(chr(31), agent, version, point), indicator, feature, numeric, cuts FROM policy_features "
        "ORDER BY agent, version, point, indicator"
    ).fetchall()
    for key, indicator, feature, numeric, cuts in rows:
        one = found.setdefault(key, {"indicators": [], "features": []})
        one["indicators"].append(indicator)
        if [feature, numeric, cuts] not in one["features"]:
            one["features"].append([feature, numeric, cuts])
    return found
