"""Walks: the split of A/B tests, conditions, aliases, defaults, generic scenarios, and that every walk ends."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.bucket import group
from scenarios.context import Facts
from scenarios.graph import Graph
from scenarios.resolve import MissingScenario, Resolution, ScenarioLoop, resolve
from scenarios.sources import gather, gather_generic
from scenarios.spec import Definition, PropertyType, Rules
from tests.scenarios.test_check import P, alias, case, define, graph_of, nodes, split, when

CASES = int(os.environ.get("NIGHTLOOM_LAW_CASES", "2000"))
G = "generic_input_to_items"


@pytest.mark.parametrize(("subject", "half"), [
    ("1", "B"), ("2", "B"), ("3", "A"), ("4", "A"), ("42", "A"), ("123456789", "B"),
    ("c3391d83-553b-40e7-818e-fcf658ec397d", "A"),
])
def test_the_split_of_the_contract(subject: str, half: str) -> None:
    assert group("ab-test-id12345", subject) == half


def test_the_split_is_even() -> None:
    halves = [group("any", str(subject)) for subject in range(10_000)]
    assert abs(halves.count("A") - 5000) < 200


def test_evaluated_scenarios_of_the_contract() -> None:
    graph = graph_of(split("home", "classic", "modern", "ab-test-id12345"), case("classic", amt=6), case("modern"))
    found = gather(graph, P, "home", False, Facts(subject="42"))
    assert found.evaluated_scenarios == {"runtime": [
        {"scenario_type": "ab_test", "scenario_name": "home", "to": "A"},
        {"scenario_type": "case", "scenario_name": "classic", "case": {"amt": 6}},
    ]}
    assert found.warnings == () and found.rules(Rules()).amount == 6


def test_every_kind_of_step() -> None:
    graph = graph_of(alias("a", "b"), when("b", "c", "leaf"), split("c", "leaf", "leaf"), case("leaf"))
    found = resolve(graph.lookup, P, "a", Facts(counts={"n_ratings": 4}))
    assert [(step["scenario_type"], step["scenario_name"], step.get("to")) for step in found.steps] == [
        ("alias", "a", "b"), ("condition", "b", "then"), ("ab_test", "c", "A"), ("case", "leaf", None)]
    assert "to" not in found.steps[-1] and found.name == "leaf"
    assert found.warnings == ("A/B test `c` has no user or session to split by: A is taken",)
    other = resolve(graph.lookup, P, "a", Facts(subject="1", counts={"n_ratings": 3}))
    assert [step.get("to") for step in other.steps] == ["b", "else", None]


TYPES = {"year": PropertyType("int16"), "tags": PropertyType("unicode64", repeated=True), "title": PropertyType("text")}


def way(test: dict[str, Any], kind: str, **facts: Any) -> str:
    graph = graph_of(when("x", "yes", "no", "item_to_items", condition_type=kind, **{"if": test}),
                     case("yes", "item_to_items"), case("no", "item_to_items"))
    return resolve(graph.lookup, "item_to_items", "x", Facts(item_types=TYPES, **facts)).name


@pytest.mark.parametrize(("op", "value", "count", "answer"), [
    ("gt", 3, 4, "yes"), ("gt", 3, 3, "no"), ("eq", 0, 0, "yes"), ("in", [1, 2], 2, "yes"), ("lte", 2.5, 2, "yes"),
    ("notempty", None, 0, "yes"), ("gte", "3", 3, "yes"), ("lt", 5, None, "no"), ("notempty", None, None, "no"),
])
def test_counts(op: str, value: Any, count: int | None, answer: str) -> None:
    counts = {} if count is None else {"n_interactions": count}
    assert way({"function_name": "n_interactions", "op": op, "value": value}, "user_function", counts=counts) == answer


@pytest.mark.parametrize(("name", "op", "value", "answer"), [
    ("year", "gt", 2000, "yes"), ("Year", "gt", "2001", "no"), ("tags", "eq", "b", "yes"), ("tags", "in", ["c"], "no"),
    ("tags", "notempty", None, "yes"), ("item_id", "eq", "i1", "yes"), ("item_id", "in", ["i2"], "no"),
    ("item_id", "notempty", None, "yes"), ("title", "notempty", None, "no"), ("nowhere", "eq", 1, "no"),
    ("title", "eq", "x", "no"),
])
def test_properties_of_the_context_item(name: str, op: str, value: Any, answer: str) -> None:
    item = {"year": (2001,), "tags": ("a", "b")}
    assert way({"property_name": name, "op": op, "value": value}, "item_property", item=item, item_id="i1") == answer
    nobody = way({"property_name": name, "op": op, "value": value}, "item_property")
    assert nobody == "no", "a missing operand makes the comparison false"


@pytest.mark.parametrize(("op", "value", "given_parameter", "answer"), [
    ("eq", 5, "5", "yes"), ("eq", 5, 5.0, "yes"), ("eq", "5", 5, "yes"), ("eq", True, "true", "yes"),
    ("eq", 1, True, "no"), ("eq", "x", ["a", "x"], "yes"), ("gt", 5, ["1", "9"], "yes"), ("gt", "5", "6", "yes"),
    ("in", ["a", 2], "2", "yes"), ("in", ["a", 2], "b", "no"), ("notempty", None, "", "no"),
    ("notempty", None, [], "no"), ("notempty", None, {}, "no"), ("notempty", None, 0, "yes"),
    ("notempty", None, {"a": 1}, "yes"), ("notempty", None, None, "no"), ("lt", 5, None, "no"),
    ("eq", "x", {"x": 1}, "no"),
    ("eq", False, False, "yes"), ("lt", 5, "x", "no"), ("eq", "true", True, "yes"),
])
def test_parameters(op: str, value: Any, given_parameter: Any, answer: str) -> None:
    test = {"param_name": "p", "op": op, "value": value}
    assert way(test, "runtime_param", parameters={"p": given_parameter}) == answer


def test_what_is_missing_is_named() -> None:
    graph = graph_of(alias("a", "gone"))
    for name, key in (("a", "gone"), ("nothing", "nothing")):
        with pytest.raises(MissingScenario) as caught:
            resolve(graph.lookup, P, name, Facts())
        assert caught.value.key == key and caught.value.reco_type == P
    with pytest.raises(MissingScenario) as caught:
        gather_generic(Graph(), None, False, Facts())
    assert caught.value.key == G


def test_default_and_runtime() -> None:
    graph = Graph(graph_of(case("d", amt=1, exclude_rated_items=True), case("r", amt=2)).definitions, {P: "d"})
    both = gather(graph, P, "r", False, Facts())
    assert both.evaluated_scenarios is not None and list(both.evaluated_scenarios) == ["runtime", "default"]
    assert both.rules(Rules()) == Rules(amount=2, exclude_rated=True)
    assert gather(graph, P, "", True, Facts()).evaluated_scenarios is None
    assert gather(graph, P, None, False, Facts()).rules(Rules(amount=5)).amount == 5
    assert gather(graph, "item_to_items", None, False, Facts()).rules(Rules()) == Rules()


def test_generic_scenarios() -> None:
    definitions = graph_of(
        case("g", G, reco_type=P, scenario="r"), define("ga", {"scenario_type": "alias", "alias": {
            "scenario_name": "g"}}, G), case("r", amt=2), case("d", amt=1)).definitions
    graph = Graph(definitions, {P: "d", G: "g"})
    named = gather_generic(graph, "ga", False, Facts()).evaluated_scenarios
    assert named is not None and list(named) == ["generic_runtime", "reco_type", "runtime", "default"]
    assert named["reco_type"] == P and [step["scenario_name"] for step in named["generic_runtime"]] == ["ga", "g"]
    by_default = gather_generic(graph, None, True, Facts())
    assert by_default.evaluated_scenarios is not None
    assert list(by_default.evaluated_scenarios) == ["generic_default", "reco_type", "runtime"]
    assert by_default.rules(Rules()).amount == 2 and by_default.rules(Rules()).target is None


def test_shadows_and_leaves() -> None:
    graph = graph_of(split("home", "a", "b"), case("a", amt=1), case("b"), case("c"), alias("gone", "nothing"))
    assert [one.name for one in graph.leaves(P, "home")] == ["a", "b"] and graph.leaves(P, "gone") == ()
    over = graph.shadowed([case("a", amt=2), case("a", amt=3), alias("home", "c")])
    assert [one.name for one in over.leaves(P, "home")] == ["c"]
    assert resolve(over.lookup, P, "a", Facts()).case.rules.amount == 3
    assert resolve(graph.lookup, P, "a", Facts()).case.rules.amount == 1
    assert [one.name for one in graph.cases(P)] == ["a", "b", "c"] and graph.cases("item_to_items") == ()
    rest = Graph(graph.definitions, {P: "home"}).without([(P, "home")])
    assert rest.lookup(P, "home") is None and rest.default(P) is None


@settings(max_examples=CASES, deadline=None)
@given(st.lists(nodes, max_size=8), st.none() | st.text(max_size=4), st.integers(0, 6))
def test_every_walk_ends(listed: list[Definition], subject: str | None, ratings: int) -> None:
    """At a case, at a missing scenario, or at the second visit of one; and at a case only by edges that exist."""
    graph = graph_of(*listed)
    facts = Facts(subject=subject, counts={"n_ratings": ratings})
    for name in "abcdef":
        try:
            found: Resolution = resolve(graph.lookup, P, name, facts)
        except MissingScenario as missing:
            assert graph.lookup(P, missing.name) is None
        except ScenarioLoop as loop:
            assert loop.names[0] == loop.names[-1]
        else:
            assert len({step["scenario_name"] for step in found.steps}) == len(found.steps)
            assert graph.lookup(P, found.name) in graph.leaves(P, name)
            assert found.steps[-1]["case"] == found.case.raw
