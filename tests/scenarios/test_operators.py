"""The truth table of the filter operators, by type of property and by value."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.columns import Column
from scenarios.masks import item_mask
from scenarios.operators import OPERATORS, bind, holds
from scenarios.spec import Filter, Nested, Problem, PropertyType
from scenarios.url_forms import filter_from
from tests.scenarios import naive
from tests.scenarios.strategies import filters, shops

CASES = int(os.environ.get("NIGHTLOOM_LAW_CASES", "2000"))

TYPES = {
    "sizes": PropertyType("int16", repeated=True), "tags": PropertyType("unicode32", repeated=True),
    "stock": PropertyType("int32"), "brand": PropertyType("unicode64"), "price": PropertyType("float32"),
    "sold_out": PropertyType("bool"), "title": PropertyType("text"), "photo": PropertyType("image_url"),
    "code": PropertyType("bytes16"), "count": PropertyType("uint8"), "notes": PropertyType("text", repeated=True),
}
ITEM = {"sizes": (3, 12), "tags": ("a", "b"), "brand": ("",), "price": (12.5,), "sold_out": (False,),
        "title": ("Die Straße zum Meer",), "notes": ("first one", "second thing")}


def bound(text: Any) -> Filter:
    rule = filter_from(text)
    assert isinstance(rule, Filter), rule
    found = bind(rule, TYPES)
    assert isinstance(found, Filter), found
    return found


def fault(text: Any) -> str:
    rule = filter_from(text)
    found = rule if isinstance(rule, Problem) else bind(rule, TYPES)
    assert isinstance(found, Problem), found
    return found.fault


@pytest.mark.parametrize(("text", "answer"), [
    # the contract's own examples
    ("sizes:gt:10", True), ("sizes:lt:5", True), ("tags:neq:a", False), ("tags:notin:c,d", True),
    ("stock:neq:0", True), ("stock:lte:0", False), ("brand:eq:", True), ("brand:notempty", False),
    # each operator on values, on missing and on lists
    ("sizes:eq:3", True), ("sizes:eq:4", False), ("sizes:neq:4", True), ("sizes:neq:3", False), ("sizes:in:1,12", True),
    ("sizes:in:1,2", False), ("sizes:notin:1,2", True), ("sizes:notin:1,3", False), ("sizes:gte:12", True),
    ("sizes:gt:12", False), ("sizes:lte:3", True), ("sizes:lt:3", False), ("sizes:gt:2.5", True),
    ("sizes:empty", False), ("sizes:notempty", True), ("tags:eq:A", False), ("tags:in:b,c", True),
    ("stock:eq:0", False), ("stock:in:0", False), ("stock:notin:0", True), ("stock:empty", True),
    ("stock:notempty", False), ("stock:gt:-5", False), ("brand:empty", True), ("brand:neq:", False),
    ("brand:in:,x", True), ("price:gt:12.4", True), ("price:lte:12.5", True), ("price:lt:12", False),
    ("price:empty", False), ("sold_out:eq:false", True), ("sold_out:eq:0", True), ("sold_out:neq:FALSE", False),
    ("sold_out:in:true", False), ("sold_out:notempty", True), ("title:ftsearch:STRASSE meer", True),
    ("title:ftsearch:stras", False), ("title:ftsearch:meer berg", False), ("title:notempty", True),
    ("notes:ftsearch:second thing", True), ("notes:ftsearch:first thing", False), ("photo:neq:x", True),
    ("photo:empty", True), ("code:eq:AAE", False), ("count:notin:3", True),
])
def test_values(text: str, answer: bool) -> None:
    rule = bound(text)
    assert holds(rule, ITEM.get(rule.property, ())) is answer


EQUAL, ORDER = {"eq", "neq", "in", "notin"}, {"lt", "lte", "gt", "gte"}
BLANK, WORDS = {"empty", "notempty"}, {"ftsearch"}
ALLOWED = {
    "stock": EQUAL | ORDER | BLANK, "count": EQUAL | ORDER | BLANK, "price": ORDER | BLANK, "brand": EQUAL | BLANK,
    "photo": EQUAL | BLANK, "code": EQUAL | BLANK, "sold_out": EQUAL | BLANK, "title": BLANK | WORDS,
    "item_id": EQUAL, "sizes": EQUAL | ORDER | BLANK, "tags": EQUAL | BLANK, "notes": BLANK | WORDS,
}
LITERAL = {"title": "x", "price": "1", "sold_out": "true", "brand": "x", "code": "AA"}


@pytest.mark.parametrize("name", ALLOWED)
@pytest.mark.parametrize("op", OPERATORS)
def test_operators_by_type(name: str, op: str) -> None:
    text = f"{name}:{op}" if op in BLANK else f"{name}:{op}:{LITERAL.get(name, '1')}"
    rule = filter_from(text)
    assert isinstance(rule, Filter)
    found = bind(rule, TYPES)
    if op in ALLOWED[name]:
        assert isinstance(found, Filter)
    else:
        assert isinstance(found, Problem) and found.fault == "wrong_op_use" and found.key == name


@pytest.mark.parametrize(("given_filter", "expected"), [
    ({"property_name": "stock", "op": "eq", "value": 1.5}, "wrong_data_type"),
    ({"property_name": "stock", "op": "eq", "value": [1]}, "wrong_data_type"),
    ({"property_name": "stock", "op": "in", "value": 1}, "wrong_data_type"),
    ({"property_name": "stock", "op": "in", "value": [1, "x"]}, "wrong_data_type"),
    ({"property_name": "stock", "op": "in", "value": [1, None]}, "wrong_data_type"),
    ({"property_name": "stock", "op": "eq", "value": None}, "wrong_op_use"),
    ({"property_name": "stock", "op": "eq"}, "wrong_op_use"),
    ({"property_name": "stock", "op": "empty", "value": 1}, "wrong_op_use"),
    ({"property_name": "title", "op": "ftsearch", "value": "!?"}, "wrong_data_type"),
    ({"property_name": "title", "op": "ftsearch", "value": ["a"]}, "wrong_data_type"),
    ({"property_name": "title", "op": "ftsearch", "value": {"type": "user_property", "value": "x"}}, "wrong_op_use"),
    ({"property_name": "title", "op": "empty", "value": {"type": "user_property", "value": "x"}}, "wrong_op_use"),
    ({"property_name": "price", "op": "gt", "value": True}, "wrong_data_type"),
    ({"property_name": "brand", "op": "eq", "value": 5}, "wrong_data_type"),
    ({"property_name": "nowhere", "op": "eq", "value": 5}, "property_not_found"),
    ("nowhere:empty", "property_not_found"),
])
def test_faults(given_filter: Any, expected: str) -> None:
    assert fault(given_filter) == expected


@pytest.mark.parametrize("name", ["tags", "notes", "brand", "title"])
@pytest.mark.parametrize("values", [(), ("",), ("a",), ("", "a")])
def test_an_empty_text_is_missing_here_as_in_the_masks(name: str, values: tuple[str, ...]) -> None:
    kind = TYPES[name]
    if len(values) < 2 or kind.repeated:
        column = Column.of(name, kind, [list(values) if kind.repeated else values[0] if values else None])
        for op in ("empty", "notempty"):
            rule = Filter(name, op)  # type: ignore[arg-type]
            assert holds(rule, values) == item_mask(rule, column, 1)[0]


def test_numeric_strings_are_coerced() -> None:
    assert bound({"property_name": "Stock", "op": "IN", "value": ["1", 2.0]}) == Filter("stock", "in", (1, 2))
    assert bound({"property_name": "price", "op": "gt", "value": "1"}).value == 1.0


def test_ids_take_their_canonical_text() -> None:
    assert bound({"property_name": "item_id", "op": "in", "value": [1, "2"]}) == Filter("item_id", "in", ("1", "2"))
    rule = Filter("item_id", "eq", "ab")
    assert bind(rule, {}, item_ids=lambda value: str(value).upper()) == Filter("item_id", "eq", "AB")
    assert isinstance(bind(rule, {}, item_ids=lambda value: None), Problem)


def test_nested_values_wait_and_filled_ones_keep_what_the_property_can_have() -> None:
    waiting = Filter("stock", "gt", Nested("user_property", "x"))
    assert bind(waiting, TYPES) == waiting
    assert bind(Filter("stock", "eq", None, ("5", "no", 6)), TYPES) == Filter("stock", "eq", None, (5, 6))
    assert bind(Filter("stock", "in", None, ("5", "no")), TYPES) == Filter("stock", "in", (5,))


@pytest.mark.parametrize(("op", "some", "none"), [
    ("eq", True, False), ("neq", False, True), ("lt", True, False), ("in", True, False), ("notin", False, True),
])
def test_filled_values(op: Any, some: bool, none: bool) -> None:
    """``eq`` and orderings for some value, ``neq`` for every one; an unresolvable value is an empty list."""
    for values, answer in (((9, 4, 5), some), ((), none)):
        rule = bind(Filter("stock", op, None, values), TYPES)
        assert isinstance(rule, Filter)
        assert holds(rule, (4,)) is answer


@settings(max_examples=CASES // 8, deadline=None)
@given(shops(), filters())
def test_one_value_at_a_time_is_what_the_contract_read_item_by_item_says(shop: naive.Shop, rule: Filter) -> None:
    """The same oracle that the vectorized masks are held against."""
    for item in range(len(shop.items)):
        assert holds(rule, tuple(shop.values(item, rule.property))) is naive.passes(shop, item, rule)


@pytest.mark.parametrize("kind", ["int64", "uint64"])
def test_literals_beyond_the_column_equal_nothing(kind: str) -> None:
    """In lists of any length, and on both sides of the range."""
    column = Column.of("n", PropertyType(kind), [1, 2, None, 3])
    for beyond in ((2**64 - 1, -(2**63)), (2**64 - 1, -(2**63), *range(100, 120))):
        assert item_mask(Filter("n", "in", (2, *beyond)), column, 4).tolist() == [False, True, False, False]
        assert item_mask(Filter("n", "notin", (2, *beyond)), column, 4).tolist() == [True, False, True, True]
    assert item_mask(Filter("n", "lt", 2**64 - 1), column, 4).tolist() == [True, True, False, True]
    assert item_mask(Filter("n", "gt", -(2**63)), column, 4).tolist() == [True, True, False, True]


@settings(max_examples=CASES, deadline=None)
@given(st.lists(st.integers(-3, 3), max_size=4), st.integers(-3, 3), st.lists(st.integers(-3, 3), max_size=3))
def test_opposites_and_unions(values: list[int], one: int, several: list[int]) -> None:
    has = tuple(values)
    answers = {op: holds(Filter("sizes", op, one), has) for op in (*EQUAL, *ORDER) if op not in ("in", "notin")}  # type: ignore[arg-type]
    assert answers["eq"] is not answers["neq"]
    assert answers["lte"] is (answers["lt"] or answers["eq"]) and answers["gte"] is (answers["gt"] or answers["eq"])
    among = holds(Filter("sizes", "in", tuple(several)), has)
    assert among is any(holds(Filter("sizes", "eq", each), has) for each in several)
    assert among is not holds(Filter("sizes", "notin", tuple(several)), has)
    filled = holds(Filter("sizes", "eq", None, tuple(several)), has)
    assert filled is among
    assert holds(Filter("sizes", "empty"), has) is (not values)
