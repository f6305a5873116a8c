"""Texts of a URL as rules: the contract's table, and that writing and reading a filter are inverse."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scenarios.metadata_filter import MetadataFilter
from scenarios.operators import OPERATORS, bind
from scenarios.spec import Diversity, Filter, Nested, Problem, PropertyType
from scenarios.url_forms import filter_from, metadata_filter_from, rerank_from, text_of

CASES = int(os.environ.get("NIGHTLOOM_LAW_CASES", "2000"))
TYPES = {
    "price": PropertyType("float32"), "stock": PropertyType("int32"), "brand": PropertyType("unicode64"),
    "name": PropertyType("unicode64"), "title": PropertyType("unicode255"), "sold_out": PropertyType("bool"),
    "body": PropertyType("text"),
}


def bound(text: str) -> Filter | Problem:
    rule = filter_from(text)
    return rule if isinstance(rule, Problem) else bind(rule, TYPES)


@pytest.mark.parametrize(("text", "rule"), [
    ("price:gt:12.5", Filter("price", "gt", 12.5)),
    ("brand:in:acme,zenith", Filter("brand", "in", ("acme", "zenith"))),
    ("sold_out:empty", Filter("sold_out", "empty")),
    ("sold_out:empty:", Filter("sold_out", "empty")),
    ("title:eq:a:b", Filter("title", "eq", "a:b")),
    ("name:eq:", Filter("name", "eq", "")),
    ("PRICE:GTE:3", Filter("price", "gte", 3.0)),
    ("name:in:", Filter("name", "in", ("",))),
    ("body:ftsearch:a:b, c", Filter("body", "ftsearch", "a:b, c")),
])
def test_filters(text: str, rule: Filter) -> None:
    assert bound(text) == rule


@pytest.mark.parametrize(("text", "fault"), [
    ("stock:gt", "wrong_op_use"), ("name:eq", "wrong_op_use"), ("brand:in", "wrong_op_use"),
    ("price:gt:", "wrong_data_type"), ("stock:eq:", "wrong_data_type"), ("price:geq:1", "wrong_data_type"),
    ("sold_out:empty:x", "wrong_op_use"), ("price", "wrong_data_type"), ("", "wrong_data_type"),
    (":eq:1", "wrong_data_type"), ("price::1", "wrong_data_type"), ("stock:in:1,", "wrong_data_type"),
    ("stock:eq:1.5", "wrong_data_type"), ("price:eq:1", "wrong_op_use"), ("nowhere:eq:1", "property_not_found"),
])
def test_filters_that_are_refused(text: str, fault: str) -> None:
    found = bound(text)
    assert isinstance(found, Problem) and found.fault == fault


def test_equality_of_a_number_with_nothing_is_wrong_data() -> None:
    """``price:eq:`` of the contract's table, on a number that may be compared for equality."""
    found = bind(filter_from("price:eq:"), {"price": PropertyType("int16")})  # type: ignore[arg-type]
    assert isinstance(found, Problem) and found.fault == "wrong_data_type"


def test_objects_and_texts_mix() -> None:
    texts: list[Any] = ["price:gt:12.5", {"property_name": "Price", "op": "GT", "value": 12.5, "disable_preload": True}]
    assert len({filter_from(one) if isinstance(one, dict) else bound(one) for one in texts}) == 1
    assert rerank_from({"property_name": "brand", "op": "Diversity"}) == rerank_from("brand:diversity")
    assert isinstance(filter_from(5), Problem) and isinstance(rerank_from(None), Problem)


@pytest.mark.parametrize(("text", "rule"), [
    ("brand:diversity", Diversity("brand")), ("brand:diversity:", Diversity("brand")),
    ("brand:diversity:0.5", Diversity("brand", 0.5)), ("Brand:DIVERSITY:1", Diversity("brand", 1.0)),
    ("brand:diversity::activation_period:3", Diversity("brand", 1.0, 3)),
    ("brand:diversity:0.8:max_activation_count:2:default_malus:0.1", Diversity("brand", 0.8, None, 2, 0.1)),
    ("genres:diversity:0.5:activation_period:1:max_activation_count:1:default_malus:1",
     Diversity("genres", 0.5, 1, 1, 1.0)),
    ("brand:diversity:1:similarity:x:rank_scores:true", Diversity("brand")),
])
def test_rerankings(text: str, rule: Diversity) -> None:
    assert rerank_from(text) == rule


@pytest.mark.parametrize("text", [
    "brand", "brand:", "", ":diversity", "brand:model_diversity", "brand:diversity:0", "brand:diversity:-1",
    "brand:diversity:x", "brand:diversity:nan", "brand:diversity:1:", "brand:diversity:1:activation_period",
    "brand:diversity:1:activation_period:0", "brand:diversity:1:activation_period:1.5",
    "brand:diversity:1:max_activation_count:x", "brand:diversity:1:default_malus:-1", "brand:diversity:1:colour:3",
])
def test_rerankings_that_are_refused(text: str) -> None:
    found = rerank_from(text)
    assert isinstance(found, Problem) and found.fault == "wrong_data_type"


@pytest.mark.parametrize(("given_filter", "metadata", "answer"), [
    ("ui.slots:gte:3", {"ui": {"slots": 3}}, True), ("ui.slots:gte:3", {"ui": {"slots": 2}}, False),
    ("owner:eq:crm", {"owner": "crm"}, True), ("owner:eq:crm", {}, False), ("owner:eq:crm", {"owner": None}, False),
    ("n:eq:3", {"n": 3}, True), ("n:eq:3", {"n": "3"}, True), ("n:eq:3", {"n": 3.0}, True),
    ("n:eq:1", {"n": True}, False), ("n:eq:true", {"n": True}, True), ("n:eq:null", {"n": None}, True),
    ("n:lt:b", {"n": "a"}, True), ("n:lt:10", {"n": "9"}, False), ("n:lt:10", {"n": 9}, True),
    ("n:lt:x", {"n": 9}, False), ("n:lt:10", {"n": [9]}, False), ("n:gt:", {"n": "a"}, True),
    ("a\\.b:eq:1", {"a.b": 1}, True), ("a\\\\.b:eq:1", {"a\\": {"b": 1}}, True), ("a:eq:x:y", {"a": "x:y"}, True),
    ("a.b:eq:1", {"a": 5}, False), ("a:EQ:[1]", {"a": [1]}, True),
    ({"keys": ["ui", "slots"], "op": "gte", "value": 3}, {"ui": {"slots": 4}}, True),
    ({"keys": ["a.b"], "op": "eq", "value": {"x": 1}}, {"a.b": {"x": 1}}, True),
    ({"keys": ["n"], "op": "lt", "value": 3}, {"n": True}, False),
])
def test_metadata(given_filter: Any, metadata: dict[str, Any], answer: bool) -> None:
    found = metadata_filter_from(given_filter)
    assert isinstance(found, MetadataFilter)
    assert found.holds(metadata) is answer


@pytest.mark.parametrize("given_filter", [
    "a", "a:eq", ":eq:1", "a..b:eq:1", "a\\x:eq:1", "a\\", "a:neq:1", ".a:eq:1", "a.:eq:1", 5, {"keys": [], "op": "eq"},
    {"keys": ["a"], "op": "eq"}, {"keys": ["a"], "op": "in", "value": 1}, {"keys": [5], "op": "eq", "value": 1},
    {"keys": ["a"], "value": 1},
])
def test_metadata_that_is_refused(given_filter: Any) -> None:
    found = metadata_filter_from(given_filter)
    assert isinstance(found, Problem) and found.fault == "wrong_data_type"


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
numbers = st.integers(-(2**63), 2**64 - 1)
finite = st.floats(allow_nan=False, allow_infinity=False, width=64)
plain = words.filter(lambda text: "," not in text)


def of(name: str, op: str, value: Any) -> Filter:
    return Filter(name, op, value)  # type: ignore[arg-type]


rules = st.one_of(
    st.builds(of, st.sampled_from(["brand", "name"]), st.sampled_from(["eq", "neq"]), words),
    st.builds(of, st.just("brand"), st.sampled_from(["in", "notin"]),
              st.lists(plain, min_size=1, max_size=4).map(tuple)),
    st.builds(of, st.just("stock"), st.sampled_from(["eq", "neq", "lt", "lte", "gt", "gte"]), numbers),
    st.builds(of, st.just("stock"), st.sampled_from(["in", "notin"]),
              st.lists(numbers, min_size=1, max_size=4).map(tuple)),
    st.builds(of, st.just("price"), st.sampled_from(["lt", "lte", "gt", "gte"]), finite),
    st.builds(of, st.just("sold_out"), st.sampled_from(["eq", "neq"]), st.booleans()),
    st.builds(of, st.sampled_from(sorted(TYPES)), st.sampled_from(["empty", "notempty"]), st.none()),
)


@settings(max_examples=CASES, deadline=None)
@given(rules)
@example(Filter("brand", "in", ("",)))
@example(Filter("stock", "gt", 2.5))
def test_reading_what_was_written_gives_the_same_filter(rule: Filter) -> None:
    text = text_of(rule)
    assert text is not None
    read = filter_from(text)
    assert isinstance(read, Filter), read
    assert bind(read, TYPES) == bind(rule, TYPES)


@settings(max_examples=CASES, deadline=None)
@given(st.text(max_size=24) | st.builds(":".join, st.lists(st.sampled_from(
    ["brand", "diversity", "1", "", *OPERATORS, "activation_period", "a,b"]), max_size=6)))
def test_any_text_is_a_rule_or_a_problem(text: str) -> None:
    assert isinstance(filter_from(text), Filter | Problem)
    assert isinstance(rerank_from(text), Diversity | Problem)
    assert isinstance(metadata_filter_from(text), MetadataFilter | Problem)


def test_what_has_no_text() -> None:
    assert text_of(Filter("brand", "in", ("a,b",))) is None
    assert text_of(Filter("brand", "eq", Nested("item_id"))) is None
    assert text_of(Filter("brand", "in", ())) is None
