"""Values of data and literals of filters take a declared type, or are refused."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.spec import Problem, PropertyType
from scenarios.value_types import VALUE_TYPES, fit, literal, parse_type, property_name, tokens

CASES = int(os.environ.get("NIGHTLOOM_LAW_CASES", "2000"))


@pytest.mark.parametrize(("word", "meant"), [
    ("int", "int64"), ("uint", "uint64"), ("float", "float64"), ("bytes", "bytes64"), ("unicode", "unicode255"),
    ("int8", "int8"), ("bytes1", "bytes1"), ("unicode255", "unicode255"), ("text", "text"), ("image_url", "image_url"),
    ("bool", "bool"), ("float32", "float32"),
])
def test_words_of_types(word: str, meant: str) -> None:
    assert parse_type(word, True) == PropertyType(meant, True)


@pytest.mark.parametrize("word", ["int7", "int08", "uint128", "float16", "bytes0", "bytes65", "unicode256", "unicode0",
                                  "string", "", "INT8", "bool1", "text8", None, 7, "unicode٣"])
def test_other_words_are_refused(word: Any) -> None:
    found = parse_type(word)
    assert isinstance(found, Problem) and found.fault == "wrong_data_type"


def test_every_type_has_a_family() -> None:
    families = {PropertyType(word).family for word in VALUE_TYPES}
    assert families == {"int", "float", "string", "bool", "text"}


@pytest.mark.parametrize(("value_type", "value", "kept"), [
    ("int8", 127, 127), ("int8", -128, -128), ("int8", 3.0, 3), ("uint8", 255, 255), ("uint64", 2**64 - 1, 2**64 - 1),
    ("int64", -(2**63), -(2**63)), ("float64", 2, 2.0), ("float32", 3.4e38, 3.4e38), ("bool", False, False),
    ("unicode3", "äöü", "äöü"), ("unicode3", "", ""), ("bytes2", "AAE", "AAE"), ("bytes1", "", ""),
    ("text", "x" * 5000, "x" * 5000), ("image_url", "https://a/b.png", "https://a/b.png"), ("int8", None, None),
])
def test_values_that_fit(value_type: str, value: Any, kept: Any) -> None:
    found = fit(value, PropertyType(value_type))
    assert found == kept and type(found) is type(kept)


@pytest.mark.parametrize(("value_type", "value"), [
    ("int8", 128), ("int8", -129), ("uint8", 256), ("uint8", -1), ("int64", 2**63), ("uint64", 2**64), ("int8", 1.5),
    ("int8", "1"), ("int8", True), ("int8", [1]), ("float32", 3.5e38), ("float64", float("nan")),
    ("float64", float("inf")), ("float64", "1.5"), ("float64", True), ("bool", 1), ("bool", "true"),
    ("unicode3", "abcd"), ("unicode3", 5), ("unicode3", "\ud800"), ("bytes2", "AAEC"), ("bytes2", "A"),
    ("bytes2", "AA=="), ("bytes2", "AA/"), ("text", 5), ("text", {}), ("image_url", 1),
])
def test_values_that_do_not_fit(value_type: str, value: Any) -> None:
    found = fit(value, PropertyType(value_type), "$.x")
    assert isinstance(found, Problem) and found.fault == "wrong_data_type" and found.where == "$.x"


def test_repeated_values() -> None:
    kind = PropertyType("unicode8", repeated=True)
    assert fit(["a", "b"], kind) == ["a", "b"] and fit([], kind) == []
    assert isinstance(fit("a", kind), Problem)
    unfit = fit(["a", None], kind, "$.tags")
    assert isinstance(unfit, Problem) and unfit.where == "$.tags[1]"


@pytest.mark.parametrize(("value_type", "value", "ordering", "found"), [
    ("int8", "12", False, 12), ("int8", 12.0, False, 12), ("int8", "12.0", False, 12), ("int8", 1000, False, 1000),
    ("int8", 1.5, False, None), ("int8", "1.5", False, None), ("int8", 1.5, True, 1.5), ("int8", "1e400", True, None),
    ("int8", "", False, None), ("int8", "nan", True, None), ("int8", "1_0", False, None), ("int8", "٣", False, None),
    ("int8", True, False, None), ("int64", 2**64, False, None), ("int64", "9" * 500, False, None),
    ("float32", "12.5", True, 12.5), ("float32", 3, True, 3.0), ("float32", " 3", True, None),
    ("bool", "TRUE", False, True), ("bool", "0", False, False), ("bool", 1, False, True), ("bool", 2, False, None),
    ("bool", "yes", False, None), ("unicode5", "longer than five", False, "longer than five"),
    ("unicode5", 5, False, None), ("bytes4", "AAE", False, "AAE"), ("bytes4", "=", False, None),
])
def test_literals(value_type: str, value: Any, ordering: bool, found: Any) -> None:
    kept = literal(value, PropertyType(value_type), ordering=ordering)
    assert kept == found and type(kept) is type(found)


def test_names_of_properties() -> None:
    assert property_name("Colour.2_x-y") == "Colour.2_x-y"
    for wrong in ("", "a b", "ä", "x" * 65, "item_id", "USER_ID", None, 5, "a\n"):
        assert isinstance(property_name(wrong), Problem), wrong


def test_tokens_are_folded_runs_of_letters_digits_and_underscore() -> None:
    assert tokens("Die STRASSE-Straße, no_1!") == ["die", "strasse", "strasse", "no_1"]
    assert tokens("!? -") == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3), max_leaves=6,
)


@settings(max_examples=CASES, deadline=None)
@given(st.sampled_from(sorted(VALUE_TYPES)), st.booleans(), JSON)
def test_a_value_that_fits_fits_again_unchanged(value_type: str, repeated: bool, value: Any) -> None:
    kind = PropertyType(value_type, repeated)
    kept = fit(value, kind)
    if not isinstance(kept, Problem):
        assert fit(kept, kind) == kept
        assert kept == value
    literal(value, kind)
    literal(value, kind, ordering=True)
