"""Which sets of rules a run materializes, under which names, and which not."""

from __future__ import annotations

from typing import Any

from scenarios.canonical import digest
from scenarios.graph import Graph
from scenarios.merge import merge
from scenarios.parse import parse
from scenarios.plan import plan
from scenarios.row_sets import LeftOut, RowSet, row_sets
from scenarios.spec import Case, PropertyType, Rules

P = "profile_to_items"
TYPES = {"year": PropertyType("int16"), "genres": PropertyType("unicode64", True)}
YEAR = {"filters": [{"property_name": "year", "op": "gte", "value": 2000}]}
GENRES = {"reranking": [{"property_name": "genres", "op": "diversity", "weight": 0.5}]}


def graph(cases: dict[str, dict[str, Any]], default: str | None = None, **further: dict[str, Any]) -> Graph:
    documents = {name: {"scenario_type": "case", "case": case} for name, case in cases.items()} | further
    found = {}
    for name, document in documents.items():
        definition, problems = parse(P, name, document)
        assert definition is not None, problems
        found[P, name] = definition
    return Graph(found, {P: default} if default else {})


def made(graph: Graph, published: tuple[str, ...] = ("ease",), most: int = 64) -> tuple[list[RowSet], list[LeftOut]]:
    return row_sets(P, graph, TYPES, published, most)


def test_without_scenarios_there_is_the_list_without_rules() -> None:
    (one,), left_out = made(Graph())
    assert (one.name, one.tables, one.scenarios, one.rules, left_out) == (P, (P,), (), plan(Rules(), TYPES).rules, [])
    assert one.digest == digest(Rules())


def test_cases_stand_alone_and_merged_with_each_leaf_of_the_default() -> None:
    stored = graph(
        {"new": YEAR, "mixed": GENRES, "plain": {"amt": 3}}, "home",
        home={"scenario_type": "ab_test", "ab_test": {"id": "t", "scenario_a": "new", "scenario_b": "alias"}},
        alias={"scenario_type": "alias", "alias": {"scenario_name": "plain"}},
    )
    found, left_out = made(stored)
    assert left_out == []
    assert [one.name for one in found] == [P, f"{P}.new", f"{P}.mixed", f"{P}.mixed+new"]
    # A case that sets only an amount has the rules of no scenario; merged with it nothing changes.
    assert found[0].tables == (P, f"{P}.plain") and found[0].scenarios == ("plain",)
    assert found[1].tables == (f"{P}.new",) and found[1].scenarios == ("new", "plain")
    assert found[3].tables == () and found[3].scenarios == ("mixed", "new")
    mixed, new = (stored.definitions[P, name].scenario for name in ("mixed", "new"))
    assert isinstance(mixed, Case) and isinstance(new, Case)
    assert found[3].digest == plan(merge(None, mixed.rules, new.rules), TYPES).digest


def test_what_cannot_be_materialized_says_why() -> None:
    nested = {"filters": [{"property_name": "year", "op": "eq", "value": {"type": "user_property", "value": "born"}}]}
    unfit = {"reranking": [{"property_name": "title", "op": "diversity"}]}
    stored = graph({"nested": nested, "nobody": {"algorithms": "als|popular"}, "unfit": unfit, "new": YEAR})
    found, left_out = row_sets(P, stored, TYPES | {"title": PropertyType("text")}, ("ease", "content"), 64)
    assert [one.name for one in found] == [P, f"{P}.new"]
    reasons = {one.name: one.reason for one in left_out}
    assert set(reasons) == {f"{P}.nested", f"{P}.nobody", f"{P}.unfit"}
    assert "als" in reasons[f"{P}.nobody"] and "text" in reasons[f"{P}.unfit"]


def test_the_first_allowed_recommender_in_the_order_of_the_run() -> None:
    stored = graph({"one": {"algorithms": "als | content"}, "two": {"algorithms": "popular|ease"}})
    found, _ = made(stored, ("ease", "content", "als"))
    assert {one.name: one.algorithm for one in found} == {P: "ease", f"{P}.one": "content", f"{P}.two": "ease"}


def test_above_the_most_the_default_goes_first_then_names() -> None:
    cases = {f"c{n}": {"filters": [{"property_name": "year", "op": "gt", "value": n}]} for n in range(6)}
    stored = graph(cases, "c5")
    found, left_out = made(stored, most=4)
    assert [one.name for one in found] == [P, f"{P}.c5", f"{P}.c0", f"{P}.c0+c5"]
    assert len(left_out) == 8 and all("(4)" in one.reason for one in left_out)
    assert made(stored, most=0)[0] == []
