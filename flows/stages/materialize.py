"""Materialize: the lists of every subject under the rules of stored scenarios, by the code that a lookup runs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from contracts.manifest import PublishedTable
from contracts.progress import Progress
from contracts.settings import Settings
from flows.stages.documents import RunDocuments
from flows.stages.publish import insert_rows
from models.threads import over_shards
from scenarios.canonical import text
from scenarios.evaluate import ROW_DEPTH, evaluate
from scenarios.history import History
from scenarios.row_sets import RECO_TYPES, LeftOut, RowSet, row_sets
from store import disk
from store.exports import export_table
from store.pack.read import ServingPack
from store.pack.rows import RowIndex, Rows, RowsWriter, write_row_index
from store.scenario_rows import ScenarioRows

SESSIONS = "session_to_items"
AT_LOOKUP = "a session is known only at lookup"
SHARD = 2048
"""Subjects evaluated at once. Memory: their survivors, 256 items each, for every thread."""


@dataclass(frozen=True, slots=True)
class Materialized:
    """What was written: tables, the row index for the manifest, rows (subjects times sets of rules), and the rules.

    ``of_sessions`` are rules that nothing can be materialized for, because a session is known only at lookup.
    """

    tables: tuple[PublishedTable, ...]
    index: tuple[RowIndex, ...]
    rows: int
    row_sets: tuple[RowSet, ...]
    left_out: tuple[LeftOut, ...]
    of_sessions: tuple[RowSet, ...]


def materialize(target: Path, documents: RunDocuments, settings: Settings, progress: Progress) -> Materialized:
    """Write ``pack/rows`` with its index in ``pack.json`` and the tables ``scenario_rows`` and ``scenario_tables``.

    The row of a cold profile holds popular items. A lookup that knows events of it, which taught no model anything,
    starts from these instead and must not read the row.

    ``target`` has the serving pack and the tables ``profiles`` and ``items``. No result depends on the threads.
    """
    pack = ServingPack(target / "pack")
    planned, left_out = _plan(pack, documents, settings)
    of_sessions = _of_sessions(pack, documents, settings)
    index = tuple(
        RowIndex(number, one.reco_type, one.digest, one.name, one.tables) for number, one in enumerate(planned)
    )
    item_ids = _ids(target, "items", "item_id")
    subject_ids = {"item_to_items": item_ids, "profile_to_items": _ids(target, "profiles", "profile_id")}
    facts: list[dict[str, Any]] = []
    total = 0
    with disk.storage_errors("write the materialized rows"):
        table = ScenarioRows(target, subject_ids, item_ids)
        for one, place in zip(planned, index, strict=True):
            progress.step("materialize", place.number, len(planned), one.name)
            _evaluate(pack, target / "pack", one, place.number, settings.pipeline.threads)
            rows = Rows(target / "pack", place)
            subjects = subjects_of(pack, one)
            table.add(rows, subjects)
            lengths = rows.lengths[subjects].astype(np.int64)
            total += len(subjects)
            facts.append(_fact(one) | {
                "rules_digest": one.digest, "materialized": True, "reason": "", "subjects": len(subjects),
                "mean_length": float(lengths.sum() / len(lengths)) if len(lengths) else None,
                "empty": int((lengths == 0).sum()), "algorithm": one.algorithm, "rules": json.loads(text(one.rules)),
            })
        written = table.close()
        facts += [_fact(one) | {"materialized": False, "reason": one.reason} for one in left_out]
        facts += [
            _fact(one) | {"materialized": False, "reason": AT_LOOKUP, "rules": json.loads(text(one.rules))}
            for one in of_sessions
        ]
        write_row_index(target / "pack", index)
        with duckdb.connect() as con:
            insert_rows(con, "scenario_tables", facts)
            tables = (written, export_table(con, "scenario_tables", target))
    progress.step("materialize", len(planned), len(planned))
    return Materialized(tables, index, total, tuple(planned), tuple(left_out), of_sessions)


def subjects_of(pack: ServingPack, one: RowSet) -> NDArray[np.int64]:
    """Rows of the subjects with a list to start from: every profile, and every item with neighbours."""
    base = pack.base(one.reco_type, one.algorithm)
    if one.reco_type == "profile_to_items":
        return np.arange(len(base))
    return np.flatnonzero((base >= 0).any(axis=1))


def _plan(
    pack: ServingPack, documents: RunDocuments, settings: Settings
) -> tuple[list[RowSet], list[LeftOut]]:
    """Everything to write, by reco type and name, and what is not written."""
    planned: list[RowSet] = []
    left_out: list[LeftOut] = []
    for reco_type in RECO_TYPES:
        wanted, rest = row_sets(
            reco_type, documents.graph, pack.property_types, pack.algorithms(reco_type), settings.scenarios.max_rows
        )
        planned += wanted
        left_out += rest
    return sorted(planned, key=lambda one: (one.reco_type, one.name)), left_out


def _of_sessions(pack: ServingPack, documents: RunDocuments, settings: Settings) -> tuple[RowSet, ...]:
    """Rules of stored scenarios for sessions, none when there is no such scenario."""
    if not documents.graph.cases(SESSIONS):
        return ()
    found, _ = row_sets(
        SESSIONS, documents.graph, pack.property_types, pack.algorithms("item_to_items"), settings.scenarios.max_rows
    )
    return tuple(sorted(found, key=lambda one: one.name))


def _evaluate(pack: ServingPack, folder: Path, one: RowSet, number: int, threads: int) -> None:
    """Write the rows of one set of rules, shard by shard."""
    catalogue = pack.catalogue()
    base = pack.base(one.reco_type, one.algorithm)
    of_items = one.reco_type == "item_to_items"
    cold = np.asarray(pack.lists_cold, np.bool_)
    writer = RowsWriter(folder, number, len(base), ROW_DEPTH, catalogue.size)

    def work(start: int, stop: int) -> None:
        some = base[start:stop]
        if not of_items and cold[start:stop].any():
            # Who has no list of their own starts from nothing: popular items follow, as at lookup.
            some = np.where(cold[start:stop, None], np.int32(-1), some)
        found = evaluate(
            catalogue, one.rules, some,
            History.none(stop - start) if of_items else pack.history(slice(start, stop)),
            self_items=np.arange(start, stop, dtype=np.int32) if of_items else None,
        )
        writer.put(start, found.items, found.lengths)

    over_shards(work, len(base), SHARD, threads)
    writer.close()


def _fact(one: RowSet | LeftOut) -> dict[str, Any]:
    return {"reco_type": one.reco_type, "table_name": one.name, "scenarios": list(one.scenarios)}


def _ids(target: Path, table: str, column: str) -> pa.Array:
    """Ids of a table, which are in the order of the arrays."""
    return pq.read_table(target / "tables" / f"{table}.parquet", columns=[column]).column(0).combine_chunks()
