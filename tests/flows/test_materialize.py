"""Materialized rows are what an evaluation gives, however many threads made them, and are published as they are."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from benchmarks.synthetic_run import write_run
from contracts.progress import Silent
from contracts.settings import Pipeline, Scenarios, Settings
from flows.stages.documents import RunDocuments
from flows.stages.materialize import Materialized, materialize
from scenarios.evaluate import evaluate
from scenarios.graph import Graph
from scenarios.history import History
from scenarios.parse import parse
from store.layout import Layout
from store.pack.read import ServingPack

PROFILES, ITEMS = 2500, 300
PROPERTIES = """
    ('{"brand":"b' || (i % 23) || '","tags":["t' || (i % 7) || '","t' || (i % 5) || '"],"year":' || (1990 + i % 30)
    || '}')::JSON
"""
CASES: dict[tuple[str, str], dict[str, Any]] = {
    ("profile_to_items", "recent"): {"filters": [{"property_name": "year", "op": "gte", "value": 2010}]},
    ("profile_to_items", "mixed"): {
        "exclude_rated_items": True,
        "reranking": [{"property_name": "tags", "op": "diversity", "weight": 0.7}],
    },
    ("profile_to_items", "other-brands"): {
        "exclude_props_of_items_with_interaction_types": [{"property_name": "brand", "interaction_types": ["view"]}]
    },
    ("profile_to_items", "two-parts"): {
        "case_sequence": {"sequence": [
            {"amt": 3, "filters": [{"property_name": "tags", "op": "eq", "value": "t1"}]},
            {"reranking": [{"property_name": "brand", "op": "diversity"}]},
        ]},
    },
    ("profile_to_items", "nobody"): {"filters": [{"property_name": "year", "op": "gt", "value": 3000}]},
    ("item_to_items", "cheap"): {"filters": [{"property_name": "item_price", "op": "lt", "value": 700}]},
}


def stored() -> RunDocuments:
    found = {}
    for (reco_type, name), case in CASES.items():
        definition, problems = parse(reco_type, name, {"scenario_type": "case", "case": case})
        assert definition is not None, problems
        found[reco_type, name] = definition
    return RunDocuments(Graph(found, {"profile_to_items": "recent"}))


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(
        Layout(tmp_path_factory.mktemp("home")), "r1", PROFILES, ITEMS, 10, properties=PROPERTIES
    )


def run(bare: Path, target: Path, threads: int = 2, most: int = 64) -> Materialized:
    shutil.copytree(bare, target)
    settings = Settings(pipeline=Pipeline(threads=threads), scenarios=Scenarios(max_rows=most))
    return materialize(target, stored(), settings, Silent())


@pytest.fixture(scope="module")
def made(bare: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Materialized]:
    target = tmp_path_factory.mktemp("made") / "r1"
    return target, run(bare, target)


def test_every_row_is_the_list_of_an_evaluation(made: tuple[Path, Materialized]) -> None:
    target, outcome = made
    pack = ServingPack(target / "pack")
    catalogue = pack.catalogue()
    assert {one.name for one in outcome.row_sets} >= {f"{reco_type}.{name}" for reco_type, name in CASES}
    assert not outcome.left_out
    for one in outcome.row_sets:
        rows = pack.materialized[one.reco_type, one.digest]
        of_items = one.reco_type == "item_to_items"
        base = pack.base(one.reco_type)
        for subject in np.random.default_rng(3).integers(0, len(base), 40).tolist():
            span = slice(subject, subject + 1)
            cold = not of_items and pack.lists_cold[subject]
            found = evaluate(
                catalogue, one.rules, np.full((1, 0), -1, np.int32) if cold else base[span],
                History.none(1) if of_items else pack.history(span),
                self_items=np.array([subject], np.int32) if of_items else None,
            )
            assert rows.length(subject) == found.lengths[0]
            listed = [item for item in found.items[0].tolist() if item >= 0]
            assert rows.part(subject, 0, min(64, rows.length(subject))) == listed
    assert pack.tables["profile_to_items.nobody"].lengths.max() == 0
    assert pack.tables["profile_to_items"].lengths.min() > 10  # backfilled beyond the ten of its list
    assert set(pack.tables) == {"profile_to_items", "item_to_items", *(f"{kind}.{name}" for kind, name in CASES)}


def test_analysts_see_the_same_rows(made: tuple[Path, Materialized]) -> None:
    target, outcome = made
    pack = ServingPack(target / "pack")
    with duckdb.connect() as con:
        con.execute(f"CREATE VIEW t AS SELECT * FROM '{target}/tables/scenario_tables.parquet'")
        con.execute(f"CREATE VIEW r AS SELECT * FROM '{target}/tables/scenario_rows/*.parquet'")
        counted = con.execute(
            "SELECT table_name, rules_digest, count(*), avg(length), count(*) FILTER (length = 0) FROM r GROUP BY ALL"
        ).fetchall()
        said = con.execute(
            "SELECT table_name, rules_digest, subjects, mean_length, empty FROM t WHERE materialized"
        ).fetchall()
        assert sorted(counted) == sorted(said) and len(said) == len(outcome.row_sets)
        assert sum(row[2] for row in said) == outcome.rows == outcome.tables[0].rows
        assert con.execute("SELECT bool_and(len(item_ids) = least(length, 64)) FROM r").fetchone() == (True,)
        misfit = con.execute(
            f"SELECT count(*) FROM (SELECT unnest(item_ids) AS item_id FROM r WHERE table_name LIKE '%recent') "
            f"JOIN '{target}/tables/items.parquet' USING (item_id) WHERE (properties ->> '$.year')::INT < 2010"
        ).fetchone()
        assert misfit == (0,)
        for table, subject, items in con.execute(
            "SELECT table_name, subject_id, item_ids FROM r WHERE hash(subject_id, table_name) % 200 = 0 "
            "AND table_name NOT LIKE '%+%' ORDER BY ALL"
        ).fetchall():
            row = pack.item_row(subject) if table.startswith("item") else pack.profile_row(subject)
            part = pack.tables[table].part(row, 0, len(items))
            assert part is not None and [pack.item_ids[item].decode() for item in part] == items


def digests(target: Path) -> dict[str, str]:
    files = sorted(path for path in target.rglob("*") if path.is_file())
    return {str(path.relative_to(target)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_threads_change_no_byte(made: tuple[Path, Materialized], bare: Path, tmp_path: Path) -> None:
    run(bare, tmp_path / "r1", threads=1)
    assert digests(tmp_path / "r1") == digests(made[0])


def test_above_the_most_lookups_evaluate(bare: Path, tmp_path: Path) -> None:
    outcome = run(bare, tmp_path / "r1", most=2)
    assert {one.name for one in outcome.row_sets} == {
        "item_to_items", "item_to_items.cheap", "profile_to_items", "profile_to_items.recent"
    }
    assert all("(2)" in one.reason for one in outcome.left_out) and len(outcome.left_out) == 8
    none = run(bare, tmp_path / "r2", most=0)
    assert none.rows == 0 and none.tables[0].rows == 0
    assert ServingPack(tmp_path / "r2" / "pack").materialized == {}
