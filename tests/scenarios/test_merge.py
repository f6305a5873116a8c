"""Merging sources, the canonical writing of rules and its digest, and nested values."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.binding import bind_rules
from scenarios.canonical import digest, normal, rerank_text, text
from scenarios.context import Facts
from scenarios.merge import merge, over
from scenarios.nested import fill, has_nested
from scenarios.parse import parse
from scenarios.spec import (
    Block,
    Case,
    Diversity,
    Filter,
    GenericTarget,
    Nested,
    Preselection,
    PropertyExclusion,
    PropertyType,
    Rules,
)
from tests.scenarios.strategies import TYPES

CASES = int(os.environ.get("NIGHTLOOM_LAW_CASES", "2000"))

named = st.sampled_from(["brand", "genres", "year"])
rerankings = st.sampled_from([
    Diversity(name, weight, period)
    for name in ("brand", "genres", "year") for weight in (0.5, 1.0) for period in (None, 3)
])
kinds = st.sampled_from([(), ("view",), ("buy", "view"), ("view", "view")])
POOL = (
    Filter("year", "eq", 1), Filter("year", "gt", 2), Filter("year", "eq", None, (1, 2)), Filter("price", "lt", 0.5),
    Filter("brand", "in", ("a", "ä", "")), Filter("brand", "in", ()), Filter("brand", "neq", "1"),
    Filter("year", "in", (2, 1, 3)), Filter("sold", "eq", True), Filter("sold", "empty"), Filter("sold", "notempty"),
    Filter("title", "ftsearch", "the road"), Filter("genres", "notin", ("x", "y")), Filter("item_id", "eq", "i1"),
    Filter("year", "gt", Nested("timestamp_now", "", 60)), Filter("brand", "eq", Nested("user_property", "brand")),
)
conditions = st.sampled_from(POOL)
everything = st.builds(
    Rules,
    amount=st.sampled_from([None, 0, 1, 2]),
    filters=st.lists(conditions, max_size=3).map(tuple),
    reranking=st.lists(rerankings, max_size=3).map(tuple),
    exclude_rated=st.sampled_from([None, False, True]),
    exclude_types=kinds,
    exclude_properties=st.lists(st.builds(PropertyExclusion, named, kinds), max_size=2).map(tuple),
    sequence=st.sampled_from([None, (Block(1),), (Block(2, POOL[:2]), Block()), (Block(), Block(0, POOL[3:4]))]),
    algorithms=st.sampled_from([None, ("als",), ("knn", "als"), ("als", "als")]),
    preselection=st.sampled_from([None, Preselection("knn"), Preselection("other")]),
    table=st.sampled_from([None, "t"]),
    max_age=st.sampled_from([None, 0, 5]),
    target=st.sampled_from([None, GenericTarget("item_to_items")]),
)


def test_the_example_of_the_contract() -> None:
    runtime = Rules(amount=10, reranking=(Diversity("brand", 0.8),))
    default = Rules(filters=(Filter("year", "gte", 2020),), exclude_rated=True,
                    reranking=(Diversity("brand", 0.2), Diversity("colour", 0.3)))
    assert merge(Rules(amount=4), runtime, default) == Rules(
        amount=4, filters=(Filter("year", "gte", 2020),), exclude_rated=True,
        reranking=(Diversity("brand", 0.8), Diversity("colour", 0.3)))


def test_what_is_added_and_what_is_replaced() -> None:
    high = Rules(filters=(Filter("a", "empty"),), exclude_types=("x",), exclude_rated=False, algorithms=("als",),
                 exclude_properties=(PropertyExclusion("p", ("x",)),), sequence=(Block(1),), table="t")
    low = Rules(filters=(Filter("b", "empty"),), exclude_types=("y",), exclude_rated=True, algorithms=("knn",),
                exclude_properties=(PropertyExclusion("p", ("y",)),), sequence=(Block(2),), max_age=5)
    found = merge(None, high, low)
    assert found.filters == high.filters + low.filters and found.exclude_types == ("x", "y")
    assert found.exclude_properties == high.exclude_properties + low.exclude_properties
    assert (found.exclude_rated, found.algorithms, found.sequence) == (False, ("als",), (Block(1),))
    assert (found.table, found.max_age) == ("t", 5)
    assert merge(None, None, None) == Rules()


def test_a_zero_is_set() -> None:
    assert merge(Rules(amount=0), Rules(amount=5), None).amount == 0


@settings(max_examples=CASES, deadline=None)
@given(everything, everything, everything)
def test_merging_is_associative_and_nothing_changes_nothing(a: Rules, b: Rules, c: Rules) -> None:
    assert over(over(a, b), c) == over(a, over(b, c)) == merge(a, b, c)
    assert over(a, Rules()) == a == over(Rules(), a)
    assert merge(a, None, c) == over(a, c)


def shuffled(rules: Rules, chance: random.Random) -> Rules:
    """The same meaning in another order, with repeats and other letter case."""
    def mixed(values: tuple[Any, ...], repeat: bool = True) -> tuple[Any, ...]:
        listed = list(values)
        if repeat and listed:
            listed.append(chance.choice(listed))
        chance.shuffle(listed)
        return tuple(listed)

    def turned(rule: Filter) -> Filter:
        value = mixed(rule.value) if isinstance(rule.value, tuple) else rule.value
        value_set = None if rule.value_set is None else mixed(rule.value_set)
        return replace(rule, property=rule.property.upper(), value=value, value_set=value_set)

    return replace(
        rules,
        amount=chance.choice([None, 3]),
        filters=mixed(tuple(map(turned, rules.filters))),
        reranking=mixed(rules.reranking, repeat=False),
        exclude_rated=rules.exclude_rated or chance.choice([None, False]),
        exclude_types=mixed(rules.exclude_types),
        exclude_properties=mixed(rules.exclude_properties),
        algorithms=None if rules.algorithms is None else mixed(rules.algorithms),
        table=chance.choice([None, "other"]), max_age=chance.choice([None, 7]),
        preselection=chance.choice([None, Preselection("other")]) if (
            rules.preselection is None or rules.preselection.method != "knn") else Preselection("knn", {"k": 1}),
    )


@settings(max_examples=CASES, deadline=None)
@given(everything, st.randoms(use_true_random=False))
def test_equal_meanings_have_equal_digests(rules: Rules, chance: random.Random) -> None:
    other = shuffled(rules, chance)
    assert text(other) == text(rules) and digest(other) == digest(rules)
    assert normal(normal(rules)) == normal(rules) and digest(normal(rules)) == digest(rules)
    assert normal(rules).amount == rules.amount


@settings(max_examples=CASES, deadline=None)
@given(everything, conditions, rerankings)
def test_other_rules_have_other_digests(rules: Rules, another: Filter, reranking: Diversity) -> None:
    known = {text(replace(Rules(), filters=(one,))) for one in rules.filters}
    if text(Rules(filters=(another,))) not in known:
        assert digest(replace(rules, filters=(*rules.filters, another))) != digest(rules)
    assert digest(replace(rules, reranking=(*rules.reranking, reranking))) != digest(rules), "weights add up"
    assert digest(replace(rules, exclude_rated=not rules.exclude_rated)) != digest(rules)


def of(case: dict[str, Any]) -> Rules:
    definition, problems = parse("profile_to_items", "x", {"scenario_type": "case", "case": case})
    assert definition is not None and isinstance(definition.scenario, Case), problems
    bound, faults, _ = bind_rules(definition.scenario.rules, TYPES)
    assert faults == []
    return bound


def test_ways_to_put_the_same_case() -> None:
    one = of({"filters": [{"property_name": "Year", "op": "EQ", "value": "2"},
                          {"property_name": "price", "op": "gt", "value": 1}],
              "reranking": [{"property_name": "BRAND", "op": "diversity"}], "amt": 4, "exclude_rated_items": False})
    two = of({"filters": [{"property_name": "price", "op": "Gt", "value": "1.0", "disable_preload": True},
                          {"property_name": "year", "op": "eq", "value": 2.0}], "cache_control": {"max_age": 5},
              "reranking": [{"property_name": "brand", "op": "Diversity", "weight": 1,
                             "options": {"default_malus": 0, "malus": 3}}]})
    assert digest(one) == digest(two)
    assert digest(of({})) == digest(Rules()) == digest(of({"reranking": [], "filters": []}))
    assert text(Rules()).startswith('{"algorithms":null,')


def test_the_digest_of_no_rules_stands_still() -> None:
    """Manifests of kept runs hold digests: the writing may not change unnoticed."""
    assert digest(Rules()) == "339fa58290947f7592d15b8274f4728225615375752b76667a9d4eba2bc48c8c"
    rules = Rules(filters=(Filter("price", "gt", 1.5),), reranking=(Diversity("brand", 0.5, 3),), exclude_rated=True)
    assert digest(rules) == "ec2a8b47cd8c082f2e2dc4c5ceb998129723d0476fbfb7f4fcde27f57828ce4f"


def test_rerankings_are_ordered_by_their_writing() -> None:
    rules = Rules(reranking=(Diversity("b"), Diversity("a", 0.5), Diversity("a", 0.25)))
    assert normal(rules).reranking == tuple(sorted(rules.reranking, key=rerank_text))


def test_minus_zero_is_zero() -> None:
    assert digest(Rules(filters=(Filter("price", "gt", -0.0),))) == digest(Rules(filters=(Filter("price", "gt", 0.0),)))


# Nested values

FACTS = Facts(now=1000.9, item_id="i7", user={"likes": ("x", "y"), "nothing": ()}, item={"year": (3,)})


@pytest.mark.parametrize(("nested", "values"), [
    (Nested("user_property", "likes"), ("x", "y")), (Nested("item_property", "year"), (3,)),
    (Nested("item_id"), ("i7",)), (Nested("item_property", "item_id"), ("i7",)), (Nested("timestamp_now"), (1000,)),
    (Nested("timestamp_now", "", 60), (960,)), (Nested("timestamp_now", "", 60, "ceil"), (1020,)),
    (Nested("timestamp_now", "", 1000, "ceil"), (1000,)),
])
def test_nested_values_are_filled(nested: Nested, values: tuple[Any, ...]) -> None:
    rules = Rules(filters=(Filter("a", "eq", nested),), sequence=(Block(1, (Filter("b", "in", nested),)),))
    assert has_nested(rules)
    filled, warnings = fill(rules, FACTS)
    assert warnings == () and not has_nested(filled) and filled.sequence is not None
    assert filled.filters == (Filter("a", "eq", None, values),)
    assert filled.sequence[0].filters == (Filter("b", "in", None, values),)


@pytest.mark.parametrize("nested", [
    Nested("user_property", "nothing"), Nested("user_property", "undeclared"), Nested("item_property", "none"),
])
def test_an_unresolvable_value_is_an_empty_list_with_a_warning(nested: Nested) -> None:
    filled, warnings = fill(Rules(filters=(Filter("a", "neq", nested),)), FACTS)
    assert filled.filters == (Filter("a", "neq", None, ()),)
    assert len(warnings) == 1 and nested.name in warnings[0] and "`a`" in warnings[0]
    assert fill(Rules(filters=(Filter("a", "eq", Nested("item_id")),)), Facts())[1] != ()


def test_rules_without_nested_values_are_left_alone() -> None:
    rules = Rules(filters=(Filter("year", "eq", 1),))
    assert fill(rules, FACTS)[0] is rules and not has_nested(rules)


def test_filled_lists_become_the_list_of_in() -> None:
    filled, _ = fill(Rules(filters=(Filter("genres", "in", Nested("user_property", "likes")),)), FACTS)
    bound, problems, _ = bind_rules(filled, {"genres": PropertyType("unicode64", repeated=True)})
    assert problems == [] and bound.filters == (Filter("genres", "in", ("x", "y")),)


def test_every_problem_of_rules_with_its_place() -> None:
    rules = Rules(
        filters=(Filter("year", "eq", 1), Filter("year", "eq", "x"), Filter("gone", "empty")),
        reranking=(Diversity("title"), Diversity("gone")),
        sequence=(Block(1, (Filter("brand", "gt", 1),), (Diversity("gone"),)),),
        exclude_properties=(PropertyExclusion("gone", ("view",)), PropertyExclusion("brand", ("view",))),
    )
    bound, problems, warnings = bind_rules(rules, TYPES)
    assert [(p.fault, p.where) for p in problems] == [
        ("wrong_data_type", "filters[1]"), ("property_not_found", "filters[2]"), ("wrong_op_use", "reranking[0]"),
        ("property_not_found", "reranking[1]"), ("wrong_op_use", "case_sequence.sequence[0].filters[0]"),
        ("property_not_found", "case_sequence.sequence[0].reranking[0]")]
    assert warnings == ["Missing property `gone`"]
    assert bound.exclude_properties == (PropertyExclusion("brand", ("view",)),)
