"""Ids: types, canonical forms, wrong forms (§5)."""

from __future__ import annotations

import base64
import re
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.id_types import IdType, id_type
from serving.crossing_minds.errors import WrongData
from serving.crossing_minds.identifiers import Ids

WORDS = [
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)), "uuid",
    *(f"{kind}{size}" for kind in ("hex", "urlsafe", "bytes") for size in (1, 2, 7, 32, 64)),
]


def ids_of(kind: IdType) -> st.SearchStrategy[Any]:
    """Ids of a type in every form that clients may write."""
    if kind.numeric:
        numbers = st.integers(*kind.bounds)
        return numbers | numbers.map(str)
    if kind.kind == "uuid":
        texts = st.uuids().map(str)
        return texts | texts.map(str.upper)
    if kind.kind == "hex":
        return st.text("0123456789abcdefABCDEF", min_size=1, max_size=kind.size)
    if kind.kind == "urlsafe":
        letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz._-"
        return st.text(letters, min_size=1, max_size=kind.size)
    raw = st.binary(min_size=1, max_size=kind.size)
    return raw.map(lambda some: base64.urlsafe_b64encode(some).decode().rstrip("="))


@given(st.sampled_from(WORDS).map(id_type).flatmap(lambda kind: st.tuples(st.just(kind), ids_of(kind))))
def test_an_id_comes_back_as_it_went_in(drawn: tuple[IdType, Any]) -> None:
    kind, given_id = drawn
    text = kind.canonical(given_id)
    assert text is not None
    answer = kind.answer(text)
    assert kind.canonical(answer) == text == kind.canonical(text) == str(answer)
    assert re.fullmatch(r"[0-9A-Za-z._-]+", text), "an id needs no quoting in a path"
    if kind.numeric:
        assert answer == int(given_id)
    elif kind.kind == "uuid":
        assert uuid.UUID(text) == uuid.UUID(given_id) and text == text.lower()
    elif kind.kind == "hex":
        assert text == given_id.upper()
    else:
        assert text == given_id


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner, max_size=2)
)


@given(st.sampled_from(WORDS).map(id_type), json_values)
def test_whatever_is_taken_has_one_canonical_form(kind: IdType, value: Any) -> None:
    text = kind.canonical(value)
    assert text is None or (kind.canonical(text) == text and kind.canonical(kind.answer(text)) == text)


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("int8", 128), ("int8", -129), ("uint8", -1), ("uint8", 256), ("uint64", 1 << 64), ("int64", 1 << 63),
        ("uint8", ""), ("uint8", "1.0"), ("uint8", " 1"), ("uint8", "١"), ("uint8", True), ("uint8", 1.5),
        ("uint8", None), ("uint8", [1]), ("uint64", 1e19), ("uint32", "1_000"), ("uint32", "0x1"), ("uint32", "+1"),
        ("uuid", "0b7d2a4e000040008000000000000001"), ("uuid", "{0b7d2a4e-0000-4000-8000-000000000001}"), ("uuid", 5),
        ("uuid", "0b7d2a4e-0000-4000-8000-00000000000g"), ("uuid", "0b7d2a4e-0000-4000-8000-000000000001\n"),
        ("hex2", "abc"), ("hex2", ""), ("hex2", "g"), ("hex2", 12),
        ("urlsafe2", "abc"), ("urlsafe2", ""), ("urlsafe2", "ü"), ("urlsafe2", "a/"), ("urlsafe2", "a\n"),
        ("bytes2", "AAAA"), ("bytes2", ""), ("bytes2", "A"), ("bytes2", "AA=="), ("bytes2", "AB"), ("bytes2", "A+"),
    ],
)
def test_wrong_forms(word: str, value: Any) -> None:
    assert id_type(word).canonical(value) is None


@pytest.mark.parametrize(
    ("word", "value", "answer"),
    [
        ("uint8", 0, 0), ("uint8", "0", 0), ("uint8", "007", 7), ("uint8", 7.0, 7), ("int8", "-0", 0),
        ("int8", -128, -128), ("uint64", (1 << 64) - 1, (1 << 64) - 1), ("hex4", "aBc", "ABC"),
        ("bytes2", "AAA", "AAA"), ("bytes1", "AA", "AA"),
        ("uuid", "0B7D2A4E-0000-4000-8000-00000000000A", "0b7d2a4e-0000-4000-8000-00000000000a"),
    ],
)
def test_canonical_forms(word: str, value: Any, answer: Any) -> None:
    kind = id_type(word)
    text = kind.canonical(value)
    assert text is not None and kind.answer(text) == answer


@pytest.mark.parametrize(
    "word", ["", "int", "int7", "uint128", "hex", "hex0", "hex65", "urlsafe065", "bytes100", "UUID"]
)
def test_what_is_no_type(word: str) -> None:
    with pytest.raises(ValueError, match="no type of ids"):
        id_type(word)


def test_wrong_ids_are_named() -> None:
    ids = Ids(id_type("uuid"), id_type("uint8"), id_type("urlsafe64"))
    with pytest.raises(WrongData) as wrong:
        ids.read_all("item", [1, "2", 300], "items_id")
    assert wrong.value.fields["name"] == "INCORRECT_ITEM_ID_TYPE"
    assert list(wrong.value.fields["query"]) == ["items_id[2]"]
    assert ids.write_all("item", ids.read_all("item", [0, "7"], "items_id")) == [0, 7]
    for noun, name in (("user", "INCORRECT_USER_ID_TYPE"), ("session", "INCORRECT_SESSION_ID_TYPE")):
        with pytest.raises(WrongData) as wrong:
            ids.read(noun, "?")
        assert wrong.value.fields["name"] == name
