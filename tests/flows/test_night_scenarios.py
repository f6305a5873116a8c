"""Scenarios in a night: rows of stored cases, a new run when they change, and what each costs."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from flows.desk import open_desk
from flows.night import Order, Outcome, night
from flows.stages import publish
from store import runs
from store.layout import Layout
from store.snapshot import Snapshot

P, RELATED, SESSION = "profile_to_items", "item_to_items", "session_to_items"
CASES: dict[str, dict[str, Any]] = {
    f"{P}/mixed": {
        "filters": [{"property_name": "item_category", "op": "notempty"}],
        "reranking": [{"property_name": "item_category", "op": "diversity", "weight": 0.8}],
    },
    f"{P}/other-model": {"algorithms": "als | popular"},
    f"{P}/dear": {"filters": [{"property_name": "item_price", "op": "gte", "value": 3000}]},
    f"{P}/own": {"filters": [
        {"property_name": "item_category", "op": "eq", "value": {"type": "user_property", "value": "kind"}}
    ]},
    f"{SESSION}/fresh": {"exclude_rated_items": True},
    f"{RELATED}/near": {"filters": [{"property_name": "item_price", "op": "lt", "value": 3000}]},
}
ONLY_AT_LOOKUP = (f"{P}/own", f"{SESSION}/fresh")


def put(home: Path, name: str, document: dict[str, Any], kind: str = "scenario") -> None:
    with open_desk(home) as desk:
        desk.journal.put_document(kind, name, json.dumps(document), "tester")


@pytest.fixture(scope="module")
def scenes(
    first_night: tuple[Path, Outcome], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Outcome, Outcome]:
    """A shop whose second night had scenarios; both outcomes."""
    home = tmp_path_factory.mktemp("scenes") / "home"
    shutil.copytree(first_night[0], home)
    for name, case in CASES.items():
        put(home, name, {"scenario_type": "case", "case": case})
    put(home, f"{P}/home", {"scenario_type": "ab_test", "ab_test": {
        "id": "t", "scenario_a": "dear", "scenario_b": "mixed"}})
    put(home, P, {"name": "home"}, "scenario_default")
    put(home, "item_name", {"property_name": "item_name", "value_type": "text", "repeated": False}, "item_property")
    with open_desk(home) as desk:
        return home, first_night[1], night(desk)


def view(home: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(Layout(home).analytics), read_only=True) as con:
        return con.execute(query).fetchall()


def test_scenarios_alone_make_a_new_run_with_their_rows(scenes: tuple[Path, Outcome, Outcome]) -> None:
    home, before, outcome = scenes
    assert outcome.made and outcome.run_id != before.run_id
    pack = Snapshot.open(Layout(home), outcome.run_id).pack
    stored = {name.replace("/", ".") for name in CASES if name not in ONLY_AT_LOOKUP}
    assert {P, RELATED, *stored} == set(pack.tables)
    manifest = runs.read_manifest(Layout(home).run(outcome.run_id))
    assert [one["digest"] for one in manifest.notes["materialized"]] == [one.digest for one in pack.row_index]
    assert pack.property_types["item_name"].value_type == "text"
    assert pack.algorithms(P)[1:] and {"als", "popular"} <= set(pack.algorithms(P))
    assert pack.base(P, "popular").shape == pack.lists.items.shape
    said = view(home, "SELECT table_name, materialized FROM scenario_tables ORDER BY 1")
    assert [name for name, made in said if not made] == [
        f"{P}.own", f"{P}.own+dear", f"{P}.own+mixed", SESSION, f"{SESSION}.fresh"
    ]
    prices = view(home, f"SELECT min(item_price) FROM (SELECT unnest(item_ids) AS item_id FROM scenario_rows "
                        f"WHERE table_name LIKE '{P}.%dear%') JOIN items USING (item_id)")
    assert prices[0][0] >= 3000
    assert view(home, "SELECT count(DISTINCT run_id) FROM history.scenario_rows") == [(2,)]


def test_every_rule_is_judged_beside_no_rule(scenes: tuple[Path, Outcome, Outcome]) -> None:
    home = scenes[0]
    rows = view(home, "SELECT reco_type, table_name, metric, value, difference, subjects FROM scenario_evaluation")
    assert {name for _, name, *_ in rows} >= {P, f"{P}.dear", f"{P}.other-model", f"{P}.dear+mixed", RELATED,
                                             f"{RELATED}.near", SESSION, f"{SESSION}.fresh"}
    values = {(name, metric): (value, difference) for _, name, metric, value, difference, _ in rows}
    for (name, metric), (value, difference) in values.items():
        kind = name.partition(".")[0]
        assert 0 <= value <= 1 and math.isclose(difference, value - values[kind, metric][0], abs_tol=1e-12)
    assert values[f"{P}.mixed", "diversity@10"][1] > 0
    assert values[P, "full@10"][0] == 1
    # Without rules it is what the recommender itself was judged by.
    judged = view(home, "SELECT value FROM evaluation WHERE algorithm = 'rec' AND serving AND metric = 'ndcg@10' "
                        "AND mode = 'new'")
    assert math.isclose(values[P, "ndcg@10"][0], judged[0][0], abs_tol=1e-12)


def test_nothing_new_and_a_changed_case(
    scenes: tuple[Path, Outcome, Outcome], tmp_path: Path, nightly: Callable[..., Outcome]
) -> None:
    home = tmp_path / "home"
    shutil.copytree(scenes[0], home)
    assert not nightly(home).made
    put(home, f"{P}/dear", {"scenario_type": "case", "case": {"amt": 5}})
    outcome = nightly(home)
    assert outcome.made and outcome.run_id != scenes[2].run_id
    layout = Layout(home)
    now = Snapshot.open(layout, outcome.run_id).pack
    assert now.tables[f"{P}.dear"] is now.tables[P]
    old = Snapshot.open(layout, scenes[2].run_id).pack.tables[f"{P}.dear"]
    with open_desk(home) as desk, desk.journal.lease("pipeline") as lease:
        publish.rollback(desk, scenes[2].run_id, lease, who="tester")
    assert Snapshot.open(layout, scenes[2].run_id).pack.tables[f"{P}.dear"].index == old.index


def test_made_again_it_is_the_same(
    scenes: tuple[Path, Outcome, Outcome], tmp_path: Path, nightly: Callable[..., Outcome]
) -> None:
    home = tmp_path / "home"
    shutil.copytree(scenes[0], home)
    settings = home / "definitions" / "settings.toml"
    settings.write_text(settings.read_text().replace("[pipeline]", "[pipeline]\nthreads = 1"))
    again = nightly(home, Order(force=True))  # a run that differed would be refused
    assert again.run_id == scenes[2].run_id
