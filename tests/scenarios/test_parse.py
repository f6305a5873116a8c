"""Scenario documents: what may be put, every fault at once with its place, and that it comes back as it was."""

from __future__ import annotations

import copy
import json
import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.case_fields import CASE_FIELDS, GROUPS
from scenarios.parse import parse
from scenarios.spec import (
    GENERIC_TARGETS,
    RECO_TYPES,
    AbTest,
    Alias,
    Block,
    Case,
    Condition,
    Definition,
    Diversity,
    Filter,
    GenericTarget,
    Nested,
    Preselection,
    Problem,
    PropertyExclusion,
    Rules,
)

CASES = int(os.environ.get("NIGHTLOOM_LAW_CASES", "2000"))


def case(**fields: Any) -> dict[str, Any]:
    return {"scenario_type": "case", "case": fields}


def condition(**fields: Any) -> dict[str, Any]:
    body = {"condition_type": "user_function", "if": {"function_name": "n_ratings", "op": "gt", "value": 3},
            "then": "a", "else": "b"}
    return {"scenario_type": "condition", "condition": {**body, **fields}}


def good(document: Any, reco_type: str = "profile_to_items") -> Definition:
    definition, problems = parse(reco_type, "x", document)
    assert problems == [] and definition is not None
    return definition


def rules(reco_type: str = "profile_to_items", /, **fields: Any) -> Rules:
    scenario = good(case(**fields), reco_type).scenario
    assert isinstance(scenario, Case)
    return scenario.rules


def faults(document: Any, reco_type: str = "profile_to_items", name: str = "x") -> list[Problem]:
    definition, problems = parse(reco_type, name, document)
    assert definition is None and problems
    return problems


FULL: dict[str, Any] = {
    "amt": 12,
    "filters": [
        {"property_name": "Year", "op": "GTE", "value": 2020, "disable_preload": True},
        {"property_name": "tags", "op": "in", "value": {"type": "user_property", "value": "Likes"}},
        {"property_name": "since", "op": "lt", "value": {
            "type": "timestamp_now", "options": {"rounding_amount": 3600, "rounding_method": "ceil"}}},
        {"property_name": "sold_out", "op": "empty"},
    ],
    "reranking": [{"property_name": "Brand", "op": "Diversity", "weight": 0.8, "options": {
        "activation_period": 3, "max_activation_count": 2, "default_malus": 0.1, "similarity": "x", "malus": 1}}],
    "exclude_rated_items": True,
    "exclude_items_with_interaction_types": ["view"],
    "exclude_props_of_items_with_interaction_types": [
        {"property_name": "Series", "interaction_types": ["buy", "view"]}],
    "case_sequence": {"sequence": [{"amt": 2, "filters": [{"property_name": "new", "op": "eq", "value": True}]}, {}]},
    "algorithms": " als | item_knn|",
    "candidates_preselection": {"method": "rated_items_nearest_neighbor", "params": {"k": 5}},
    "table": "t",
    "cache_control": {"max_age": 0},
    "model": "m", "system_prompt": "{{ x }}", "max_tokens": 100, "temperature": 0.5,
    "retrieval": {"amt": 10, "algorithms": "als", "property": "title", "filters": [], "reranking": [],
                  "history_injection": {"json_template": "{}"}, "properties_returned": ["title"]},
    "chat_params": {"retrieval": {"amt": 3}},
    "force_session_optimization": {"a": 1},
    "interactions_to_ratings_params": [1, None],
    "advanced_exclude_rated_items": {"enabled": True, "exclude_above_value": 8},
}


def test_every_field_of_a_case() -> None:
    assert set(FULL) == set(CASE_FIELDS)
    assert rules(**FULL) == Rules(
        amount=12,
        filters=(
            Filter("year", "gte", 2020), Filter("tags", "in", Nested("user_property", "likes")),
            Filter("since", "lt", Nested("timestamp_now", "", 3600, "ceil")), Filter("sold_out", "empty"),
        ),
        reranking=(Diversity("brand", 0.8, 3, 2, 0.1),), exclude_rated=True, exclude_types=("view",),
        exclude_properties=(PropertyExclusion("series", ("buy", "view")),),
        sequence=(Block(2, (Filter("new", "eq", True),)), Block()), algorithms=("als", "item_knn"),
        preselection=Preselection("knn", {"k": 5}),
    )


@pytest.mark.parametrize("reco_type", RECO_TYPES)
def test_a_field_counts_only_where_it_has_an_effect_and_all_come_back(reco_type: str) -> None:
    document = case(**FULL, **({"reco_type": "item_to_items"} if reco_type == "generic_input_to_items" else {}))
    definition = good(document, reco_type)
    assert definition.raw == document and json.dumps(definition.raw) == json.dumps(document)
    assert isinstance(definition.scenario, Case)
    found = definition.scenario.rules
    lists = GROUPS[reco_type] in ("P", "Pv", "S", "Sv", "G", "I", "IP")
    assert (found.filters != ()) is lists and (found.preselection is not None) is lists
    assert (found.amount == 12) is (lists or reco_type == "chat_to_items")
    assert bool(found.reranking) is (lists and not reco_type.endswith("_properties"))
    person = reco_type in ("profile_to_items", "session_to_items", "profile_to_items_w_ctx_items",
                           "session_to_items_w_ctx_items")
    assert bool(found.exclude_rated and found.exclude_types and found.exclude_properties) is person
    assert (found.table == "t") is reco_type.startswith("precomputed_")
    assert (found.max_age == 0) is (reco_type.startswith("precomputed_") or reco_type == "item_to_items")


def test_the_other_kinds() -> None:
    test = good({"scenario_type": "ab_test", "ab_test": {"id": "t", "scenario_a": "a", "scenario_b": "b"},
                 "case": None, "metadata": {"owner": "crm"}, "comment": "ignored"})
    assert test.scenario == AbTest("t", "a", "b") and test.metadata == {"owner": "crm"}
    assert test.scenario_type == "ab_test"
    assert good({"scenario_type": "alias", "alias": {"scenario_name": "y"}}).scenario == Alias("y")
    assert good(condition()).scenario == Condition("user_function", "n_ratings", "gt", 3, "a", "b")
    upper = condition(condition_type="USER_FUNCTION", **{"if": {"function_name": "N_Interactions", "op": "IN",
                                                                "value": ["1", 2.0]}})
    assert good(upper).scenario == Condition("user_function", "n_interactions", "in", (1, 2), "a", "b")
    by_item = condition(condition_type="item_property", **{"if": {"property_name": "Brand", "op": "notempty"}})
    assert good(by_item).scenario == Condition("item_property", "brand", "notempty", None, "a", "b")
    by_param = condition(condition_type="runtime_param", **{"if": {"param_name": "Amt", "op": "lt", "value": "3"}})
    assert good(by_param).scenario == Condition("runtime_param", "Amt", "lt", 3, "a", "b")


@pytest.mark.parametrize("target", GENERIC_TARGETS)
def test_generic_cases(target: str) -> None:
    kind = "generic_input_to_items"
    assert rules(kind, reco_type=target, scenario="s").target == GenericTarget(target, "s")
    assert rules(kind, reco_type=target, scenario="").target == GenericTarget(target)


@pytest.mark.parametrize(("document", "where"), [
    ({"case": {}}, "$.scenario_type"), ({"scenario_type": "Case", "case": {}}, "$.scenario_type"),
    ({"scenario_type": ["case"], "case": {}}, "$.scenario_type"), ([], "$"), ("text", "$"), (None, "$"),
    ({"scenario_type": "case"}, "$.case"), ({"scenario_type": "case", "case": []}, "$.case"),
    ({"scenario_type": "case", "case": {}, "alias": {"scenario_name": "y"}}, "$.alias"),
    ({"scenario_type": "alias", "alias": {"scenario_name": ""}}, "$.alias.scenario_name"),
    ({"scenario_type": "ab_test", "ab_test": {"id": 5, "scenario_a": "a", "scenario_b": "b"}}, "$.ab_test.id"),
    ({"scenario_type": "ab_test", "ab_test": {"id": "5", "scenario_a": "a"}}, "$.ab_test.scenario_b"),
    ({"scenario_type": "case", "case": {}, "metadata": 5}, "$.metadata"),
    (case(amount=5), "$.case.amount"), (case(reco_type="item_to_items"), "$.case.reco_type"),
    (case(amt=65), "$.case.amt"), (case(amt=-1), "$.case.amt"), (case(amt="6"), "$.case.amt"),
    (case(amt=True), "$.case.amt"), (case(filters={}), "$.case.filters"),
    (case(filters=[{"property_name": "x", "op": "empty"}] * 11), "$.case.filters"),
    (case(filters=[{"property_name": "x", "op": "is", "value": 1}]), "$.case.filters[0].op"),
    (case(filters=[{"property_name": "x", "op": "eq"}]), "$.case.filters[0]"),
    (case(filters=["x:eq:1"]), "$.case.filters[0]"),
    (case(filters=[{"property_name": "x", "op": "eq", "value": {"type": "clock"}}]), "$.case.filters[0].value.type"),
    (case(filters=[{"property_name": "x", "op": "gt", "value": {
        "type": "timestamp_now", "options": {"rounding_amount": 0}}}]),
     "$.case.filters[0].value.options.rounding_amount"),
    (case(filters=[{"property_name": "x", "op": "notempty", "value": {"type": "item_id"}}]), "$.case.filters[0]"),
    (case(filters=[{"property_name": "x", "op": "eq", "value": 2**64}]), "$.case.filters[0].value"),
    (case(filters=[{"property_name": "x", "op": "eq", "value": float("nan")}]), "$"),
    (case(interactions_to_ratings_params={"a": [float("inf")]}), "$"), (case(chat_params={"\ud800": 1}), "$"),
    (case(reranking=[{"property_name": "x", "op": "diversity", "weight": 0}]), "$.case.reranking[0].weight"),
    (case(reranking=[{"property_name": "x", "op": "model_diversity"}]), "$.case.reranking[0].op"),
    (case(reranking=[{"op": "diversity"}]), "$.case.reranking[0].property_name"),
    (case(reranking=[{"property_name": "x", "op": "diversity", "options": {"activation_period": 0}}]),
     "$.case.reranking[0].options.activation_period"),
    (case(exclude_rated_items=1), "$.case.exclude_rated_items"),
    (case(exclude_items_with_interaction_types=["x"] * 51), "$.case.exclude_items_with_interaction_types"),
    (case(exclude_items_with_interaction_types=[""]), "$.case.exclude_items_with_interaction_types[0]"),
    (case(exclude_props_of_items_with_interaction_types=[{"property_name": "x"}]),
     "$.case.exclude_props_of_items_with_interaction_types[0].interaction_types"),
    (case(case_sequence={"sequence": [{}, {}, {}]}), "$.case.case_sequence.sequence"),
    (case(case_sequence={"sequence": [{"amount": 3}]}), "$.case.case_sequence.sequence[0].amount"),
    (case(case_sequence=[]), "$.case.case_sequence"), (case(algorithms=["als"]), "$.case.algorithms"),
    (case(cache_control={"max_age": -1}), "$.case.cache_control.max_age"), (case(table=5), "$.case.table"),
    (case(retrieval={"amt": 65}), "$.case.retrieval.amt"), (case(max_tokens="5"), "$.case.max_tokens"),
    (condition(condition_type="time"), "$.condition.condition_type"),
    (condition(condition_type=["x"]), "$.condition.condition_type"),
    (condition(then=""), "$.condition.then"), (condition(**{"else": 5}), "$.condition.else"),
    (condition(**{"if": None}), "$.condition.if"),
    (condition(**{"if": {"function_name": "n_clicks", "op": "gt", "value": 3}}), "$.condition.if.function_name"),
    (condition(**{"if": {"function_name": "n_ratings", "op": "neq", "value": 3}}), "$.condition.if.op"),
    (condition(**{"if": {"function_name": "n_ratings", "op": "eq", "value": 3.5}}), "$.condition.if.value"),
    (condition(**{"if": {"function_name": "n_ratings", "op": "gt"}}), "$.condition.if.value"),
    (condition(**{"if": {"function_name": "n_ratings", "op": "in", "value": 3}}), "$.condition.if.value"),
    (condition(**{"if": {"function_name": "n_ratings", "op": "eq", "value": {"type": "item_id"}}}),
     "$.condition.if.value"),
])
def test_what_is_refused(document: Any, where: str) -> None:
    problems = faults(document)
    assert where in [problem.where for problem in problems]
    assert {problem.fault for problem in problems} == {"wrong_data_type"}


def test_all_faults_are_told_at_once() -> None:
    document = case(amt=99, filterz=[], filters=[{"op": "eq"}, {"property_name": "x", "op": "??", "value": 1}],
                    case_sequence={"sequence": [{"filters": [{"property_name": "y", "op": "in", "value": 3}]}]})
    places = {problem.where for problem in faults(document)}
    assert places == {"$.case.amt", "$.case.filterz", "$.case.filters[0].property_name", "$.case.filters[1].op",
                      "$.case.case_sequence.sequence[0].filters[0]"}
    assert "did you mean filters?" in str(faults(document)[1])


def test_names_and_reco_types() -> None:
    assert [p.fault for p in faults(case(), name="a b")] == ["wrong_parameter"]
    assert [p.fault for p in faults(case(), name="x" * 65)] == ["wrong_parameter"]
    assert [p.fault for p in faults(case(), "profile_to_item")] == ["wrong_data_type"]
    assert parse("profile_to_items", "A.b_c-9", case())[1] == []


def test_nulls_are_unset() -> None:
    assert rules(**dict.fromkeys(CASE_FIELDS)) == Rules()
    assert rules(case_sequence={"sequence": []}) == Rules() and rules(algorithms=" | ") == Rules()


def test_sequences_have_no_limit_of_filters() -> None:
    many = [{"property_name": "x", "op": "empty"}] * 11
    found = rules(case_sequence={"sequence": [{"filters": many}]}).sequence
    assert found is not None and len(found[0].filters) == 11


def test_a_deep_document_is_refused_not_followed() -> None:
    deep: Any = 1
    for _ in range(5000):
        deep = {"a": [deep]}
    assert faults(case(chat_params=deep))[0].where == "$"


leaves = st.none() | st.booleans() | st.integers(-3, 70) | st.floats() | st.sampled_from(
    ["", "x", "diversity", "eq", "in", "case", "alias", "timestamp_now", "user_property", "item_to_items", "|"])
keys = st.sampled_from(["property_name", "op", "value", "weight", "options", "sequence", "amt", "filters", "type",
                        "reranking", "max_age", "id", "scenario_a", "scenario_name", "then", "else", "if", "method"])
junk = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4), max_leaves=8
)
documents = st.builds(
    lambda kind, body, case_body, extra: {**extra, "scenario_type": kind, kind if isinstance(kind, str) else "x": {
        **case_body, **body} if kind == "case" else body},
    st.sampled_from(["case", "ab_test", "condition", "alias", "nothing"]),
    st.dictionaries(keys, junk, max_size=5),
    st.dictionaries(st.sampled_from(sorted(CASE_FIELDS)), junk, max_size=4),
    st.dictionaries(st.sampled_from(["metadata", "alias", "other"]), junk, max_size=2),
)


@settings(max_examples=CASES // 4, deadline=None)
@given(st.sampled_from(RECO_TYPES), documents | junk)
def test_any_document_is_a_definition_or_has_problems(reco_type: str, document: Any) -> None:
    before = copy.deepcopy(document)
    definition, problems = parse(reco_type, "x", document)
    assert (definition is None) is bool(problems)
    assert repr(document) == repr(before), "what was put is not touched"
    assert all(problem.where.startswith("$") and problem.message for problem in problems)
    if definition is not None:
        assert parse(reco_type, "x", definition.raw)[0] == definition
        hash(definition)
