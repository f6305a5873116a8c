"""Checks across definitions: references, circles, fixed tests, declared types, and warnings."""

from __future__ import annotations

import os
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.check import Findings, Known, check, warnings_of
from scenarios.graph import Graph
from scenarios.parse import parse
from scenarios.resolve import references
from scenarios.spec import Definition, PropertyType

CASES = int(os.environ.get("NIGHTLOOM_LAW_CASES", "2000"))
P = "profile_to_items"
ITEMS = {"year": PropertyType("int16"), "brand": PropertyType("unicode64"), "title": PropertyType("text")}
USERS = {"likes": PropertyType("unicode64", repeated=True)}


def define(name: str, document: dict[str, Any], reco_type: str = P) -> Definition:
    definition, problems = parse(reco_type, name, document)
    assert definition is not None, problems
    return definition


def case(name: str, reco_type: str = P, /, **fields: Any) -> Definition:
    return define(name, {"scenario_type": "case", "case": fields}, reco_type)


def alias(name: str, to: str) -> Definition:
    return define(name, {"scenario_type": "alias", "alias": {"scenario_name": to}})


def split(name: str, a: str, b: str, test_id: str = "t") -> Definition:
    return define(name, {"scenario_type": "ab_test", "ab_test": {"id": test_id, "scenario_a": a, "scenario_b": b}})


def when(name: str, then: str, otherwise: str, reco_type: str = P, **body: Any) -> Definition:
    test = {"condition_type": "user_function", "if": {"function_name": "n_ratings", "op": "gt", "value": 3}}
    return define(name, {"scenario_type": "condition",
                         "condition": {**test, **body, "then": then, "else": otherwise}}, reco_type)


def graph_of(*definitions: Definition) -> Graph:
    return Graph().shadowed(definitions)


def found(*definitions: Definition, stored: Graph | None = None, **more: Any) -> Findings:
    return check(definitions, Known(ITEMS, USERS, stored=stored or Graph()), **more)


def test_references_stay_inside_the_reco_type_and_must_exist() -> None:
    here, elsewhere = case("y"), case("y", "item_to_items")
    assert found(alias("x", "y"), stored=graph_of(here)).problems == ()
    (problem,) = found(alias("x", "y"), stored=graph_of(elsewhere)).problems
    assert (problem.fault, problem.key, problem.where) == ("scenario_not_found", "y", "$.alias")
    keys = [p.key for p in found(split("x", "a", "b")).problems]
    assert keys == ["a", "b"]
    keys = [p.key for p in found(when("x", "a", "b"), stored=graph_of(case("b"))).problems]
    assert keys == ["a"]


def test_a_generic_case_crosses_to_its_reco_type() -> None:
    generic = case("g", "generic_input_to_items", reco_type="item_to_items", scenario="y")
    assert found(generic, stored=graph_of(case("y", "item_to_items"))).problems == ()
    assert [p.fault for p in found(generic, stored=graph_of(case("y"))).problems] == ["scenario_not_found"]
    assert found(case("g", "generic_input_to_items", reco_type="item_to_items")).problems == ()


def test_circles_through_any_mix_are_shown() -> None:
    stored = graph_of(split("b", "c", "leaf"), when("c", "leaf", "a"), case("a"), case("leaf"))
    (problem,) = found(alias("a", "b"), stored=stored).problems
    assert problem.fault == "wrong_data_type" and "a -> b -> c -> a" in problem.message
    (itself,) = found(alias("a", "a")).problems
    assert itself.fault == "wrong_data_type" and "a -> a" in itself.message


def test_a_long_chain_is_no_circle_and_no_recursion() -> None:
    chain = [alias(f"n{place}", f"n{place + 1}") for place in range(5000)]
    assert found(*chain, case("n5000")).problems == ()
    (problem,) = found(*chain, alias("n5000", "n0")).problems
    assert "circle" in problem.message


@pytest.mark.parametrize("over", [split("x", "a", "b"), case("x"), alias("x", "a")])
def test_an_ab_test_is_fixed(over: Definition) -> None:
    stored = graph_of(split("x", "a", "b"), case("a"), case("b"))
    problems = found(over, stored=stored).problems
    assert [p.fault for p in problems] == ["wrong_data_type"] and "cannot be changed" in problems[0].message
    assert found(over, stored=stored, preview=True).problems == (), "a preview may shadow it"


def test_other_types_may_be_replaced_also_by_a_test_and_ids_be_shared() -> None:
    stored = graph_of(case("x"), case("a"), case("b"), split("other", "a", "b"))
    assert found(split("x", "a", "b", "t"), stored=stored).problems == ()


@pytest.mark.parametrize(("fields", "where"), [
    ({"filters": [{"property_name": "title", "op": "eq", "value": "x"}]}, "$.case.filters[0]"),
    ({"filters": [{"property_name": "year", "op": "gt", "value": "soon"}]}, "$.case.filters[0]"),
    ({"filters": [{"property_name": "Year", "op": "eq", "value": 1.5}]}, "$.case.filters[0]"),
    ({"filters": [{"property_name": "item_id", "op": "gt", "value": 1}]}, "$.case.filters[0]"),
    ({"reranking": [{"property_name": "brand", "op": "diversity"}, {"property_name": "title", "op": "diversity"}]},
     "$.case.reranking[1]"),
    ({"case_sequence": {"sequence": [{}, {"filters": [{"property_name": "brand", "op": "gt", "value": 1}]}]}},
     "$.case.case_sequence.sequence[1].filters[0]"),
])
def test_rules_against_declared_types(fields: dict[str, Any], where: str) -> None:
    (problem,) = found(case("x", **fields)).problems
    assert (problem.fault, problem.where) == ("wrong_data_type", where)


def test_a_condition_against_declared_types() -> None:
    def of(**test: Any) -> Findings:
        return found(when("x", "x1", "x1", "item_to_items", condition_type="item_property", **{"if": test}),
                     case("x1", "item_to_items"))

    assert of(property_name="year", op="gt", value=2000) == Findings((), {})
    assert of(property_name="item_id", op="notempty") == Findings((), {})
    assert [p.fault for p in of(property_name="brand", op="gt", value=1).problems] == ["wrong_data_type"]
    assert of(property_name="test", op="eq", value=1).warnings == {("item_to_items", "x"): ("Missing property `test`",)}


def remarks(definition: Definition, **known: Any) -> tuple[str, ...]:
    return warnings_of(definition, Known(ITEMS, USERS, **known))


def test_warnings() -> None:
    undeclared = case("x", filters=[{"property_name": "Test", "op": "gt", "value": "x"}],
                      reranking=[{"property_name": "test", "op": "diversity"}],
                      exclude_props_of_items_with_interaction_types=[
                          {"property_name": "test2", "interaction_types": []}])
    assert remarks(undeclared) == ("Missing property `test2`", "Missing property `test`")
    assert remarks(undeclared, item_names={"test", "test2"}) == ()
    nested = case("x", filters=[
        {"property_name": "brand", "op": "in", "value": {"type": "user_property", "value": "Likes"}},
        {"property_name": "brand", "op": "in", "value": {"type": "user_property", "value": "hates"}},
        {"property_name": "brand", "op": "neq", "value": {"type": "item_property", "value": "brand"}}])
    assert remarks(nested) == ("Missing user property `hates`",
                               "Nested value item_property has no context item on profile_to_items")
    assert remarks(nested, user_names=["hates"]) == remarks(nested)[1:]
    assert remarks(case("x", algorithms="als|magic"), algorithms={"als"}) == ("Algorithm `magic` is not trained",)
    assert remarks(case("x", algorithms="als|magic")) == ()
    assert remarks(case("x", candidates_preselection={"method": "other"})) == (
        "Preselection by method `other` has no effect",)
    options = {"similarity": 1, "malus": 2}
    no_effect = case("x", "item_to_items", table="t", exclude_rated_items=None, force_session_optimization={},
                     reranking=[{"property_name": "brand", "op": "diversity", "options": options}])
    assert remarks(no_effect) == (
        "Field `table` has no effect on item_to_items",
        "Field `force_session_optimization` has no effect on item_to_items",
        "Option `similarity` of reranking has no effect", "Option `malus` of reranking has no effect")
    assert remarks(when("x", "a", "b", "item_to_items"), stored=graph_of(case("a", "item_to_items"), case(
        "b", "item_to_items"))) == ("item_to_items has no n_ratings to compare",)


def test_a_stored_scenario_shows_what_has_gone_since() -> None:
    assert remarks(alias("x", "gone")) == ("Missing scenario `gone`",)
    assert found(alias("x", "gone"), preview=True) == Findings((), {(P, "x"): ("Missing scenario `gone`",)})


def test_a_preview_still_refuses_circles_and_illegal_rules() -> None:
    problems = found(alias("a", "b"), preview=True, stored=graph_of(alias("b", "a"))).problems
    assert [p.fault for p in problems] == ["wrong_data_type"]
    illegal = case("x", filters=[{"property_name": "title", "op": "eq", "value": "x"}])
    assert [p.fault for p in found(illegal, preview=True).problems] == ["wrong_data_type"]


names = st.sampled_from("abcdef")
nodes = st.one_of(
    st.builds(alias, names, names), st.builds(split, names, names, names), st.builds(when, names, names, names),
    st.builds(case, names),
)


@settings(max_examples=CASES, deadline=None)
@given(st.lists(nodes, max_size=8))
def test_circles_are_found_exactly_when_there_are_any(listed: list[Definition]) -> None:
    graph = graph_of(*listed)

    def comes_back(start: str) -> bool:
        waiting, seen = [start], set()
        while waiting:
            definition = graph.lookup(P, waiting.pop())
            for _kind, name in references(definition) if definition else ():
                if name == start:
                    return True
                if name not in seen:
                    seen.add(name)
                    waiting.append(name)
        return False

    problems = found(*graph.definitions.values(), preview=True).problems
    assert bool(problems) is any(comes_back(name) for name in "abcdef")
    for problem in problems:
        way = problem.message.split(": ")[1].split(" -> ")
        assert way[0] == way[-1] and len(set(way)) == len(way) - 1
        for here, there in pairwise(way):
            definition = graph.lookup(P, here)
            assert definition is not None and (P, there) in references(definition)
