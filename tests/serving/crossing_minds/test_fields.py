"""Values of queries and bodies (§5)."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.crossing_minds import fields
from serving.crossing_minds.errors import WrongData


def refused(name: str, read: Any, *arguments: Any) -> None:
    with pytest.raises(WrongData) as wrong:
        read(*arguments)
    assert wrong.value.fields["name"] == name
    assert set(wrong.value.fields["query"]) == {"x"}


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("False", False), ("1", True), ("0", False), ("TRUE", True)]
)
def test_flags(text: str, value: bool) -> None:
    assert fields.flag(text, "x") is value
    assert fields.flag(value, "x") is value
    assert fields.flag(None, "x", True) is True


@pytest.mark.parametrize("value", ["yes", 2, 1.0, [], "t"])
def test_no_flags(value: Any) -> None:
    refused("WRONG_PARAMETER", fields.flag, value, "x")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (0, 0.0), (1.5, 1.5), ("12", 12.0), ("-1e3", -1000.0), (-1.5e11, -1.5e11), (3.5e9, 3.5e9), (None, 99.0),
        ("2026-01-01", 1767225600.0), ("2026-01-01T00:00:00Z", 1767225600.0),
        ("2026-01-01T02:00:00+02:00", 1767225600.0),
    ],
)
def test_times(value: Any, seconds: float) -> None:
    assert fields.timestamp(value, "x", 99.0) == seconds


@pytest.mark.parametrize("value", [math.nan, math.inf, "nan", "inf", "-Infinity", "", "soon", True, [], {}, "1_0"])
def test_what_is_no_time(value: Any) -> None:
    refused("WRONG_DATA_TYPE", fields.timestamp, value, "x", 0.0)


def test_bounds_of_times_and_ratings() -> None:
    refused("WRONG_PARAMETER", fields.timestamp, 3.6e9, "x", 0.0)
    refused("WRONG_PARAMETER", fields.rating, 0.5, "x")
    refused("WRONG_PARAMETER", fields.rating, 10.5, "x")
    for value in (math.nan, math.inf, None, "7", True, []):
        refused("WRONG_DATA_TYPE", fields.rating, value, "x")
    assert fields.rating(7.1, "x") == pytest.approx(7.1) and fields.rating(1, "x") == 1.0


@given(st.integers(-100, 100))
def test_whole_numbers(value: int) -> None:
    for form in (value, str(value), float(value)):
        if 0 <= value <= 64:
            assert fields.integer(form, "x", 0, 64, 10) == value
        else:
            refused("WRONG_PARAMETER", fields.integer, form, "x", 0, 64, 10)
    assert fields.integer(None, "x", 0, 64, 10) == fields.integer("", "x", 0, 64, 10) == 10


@pytest.mark.parametrize("value", ["1.5", 1.5, "x", True, [], "1" * 50, "٣"])
def test_no_whole_numbers(value: Any) -> None:
    refused("WRONG_PARAMETER", fields.integer, value, "x", 0, 64, 10)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
)


@given(json_values)
def test_readers_take_any_json_or_refuse_it(value: Any) -> None:
    for read in (
        lambda: fields.integer(value, "x", 0, 9, 1), lambda: fields.number(value, "x", 0, 1, 0),
        lambda: fields.rating(value, "x"),
        lambda: fields.flag(value, "x"), lambda: fields.text(value, "x"), lambda: fields.texts(value, "x"),
        lambda: fields.an_object(value, "x"), lambda: fields.objects({"x": value}, "x"),
        lambda: fields.timestamp(value, "x", 0.0),
    ):
        try:
            read()
        except WrongData as wrong:
            assert wrong.status == 400
