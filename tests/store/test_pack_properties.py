"""Property columns of the serving pack are what the values say, and are read back as they were."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scenarios.columns import Column
from scenarios.masks import item_mask
from scenarios.spec import Filter, PropertyType
from scenarios.value_types import tokens
from store.pack.properties import DeclaredTypes, write_properties
from store.pack.read import PackedWords

NOTHING = DeclaredTypes()


def columns(folder: Path, items: list[dict[str, Any]], types: DeclaredTypes = NOTHING) -> dict[str, Column]:
    """Columns of items given as their properties; those of the four fields under ``item_*``."""
    with duckdb.connect() as con:
        con.execute(
            "CREATE TABLE items (item_index INTEGER, item_category VARCHAR, item_name VARCHAR, "
            "item_description VARCHAR, item_price BIGINT, properties JSON)"
        )
        fields = ("item_category", "item_name", "item_description", "item_price")
        rows = [
            [at, *(item.get(name) for name in fields), json.dumps({k: v for k, v in item.items() if k not in fields})]
            for at, item in enumerate(items)
        ]
        if rows:
            con.executemany("INSERT INTO items VALUES (?, ?, ?, ?, ?, ?)", rows)
        index = write_properties(con, folder, len(items), types)
    made = {}
    for number, entry in enumerate(index):
        kind = PropertyType(entry["value_type"], entry["repeated"])
        place = folder / "properties"
        words = PackedWords(place, f"{number}_words") if kind.family in ("string", "text") else None
        rows_, values, filled = (np.load(place / f"{number}_{part}.npy") for part in ("rows", "values", "filled"))
        made[entry["name"]] = Column(entry["name"], kind, len(items), rows_, values, filled, words)
    return made


def test_types_follow_the_values(tmp_path: Path) -> None:
    found = columns(tmp_path, [
        {"whole": 3, "mixed": 1, "real": 1.5, "flag": True, "tags": ["b", "a"], "sizes": [3, 12.0], "nothing": None},
        {"whole": -4.0, "mixed": "x", "real": 2, "flag": False, "tags": [], "Tags": ["later"], "sizes": [],
         "item_price": 250, "nested": {"a": 1}, "item_name": ""},
    ])
    kinds = {name: (column.type.value_type, column.type.repeated) for name, column in found.items()}
    assert kinds == {
        "whole": ("int64", False), "mixed": ("unicode255", False), "real": ("float64", False), "flag": ("bool", False),
        "tags": ("unicode255", True), "sizes": ("int64", True), "item_price": ("int64", False),
        "item_name": ("unicode255", False),
    }
    assert found["whole"].of_item(1) == [-4] and found["mixed"].of_item(0) == ["1"]
    assert found["flag"].of_item(1) == [False] and found["sizes"].of_item(0) == [3, 12]
    assert found["tags"].of_item(0) == ["b", "a"]
    assert found["tags"].of_item(1) == ["later"]  # "Tags" stands before "tags"
    assert found["item_name"].filled.tolist() == [0, 0] and found["item_name"].of_item(1) == [""]


def test_declared_types_rule_and_what_does_not_fit_is_left_out(tmp_path: Path) -> None:
    exact = {
        "year": PropertyType("int16"), "title": PropertyType("text"), "code": PropertyType("unicode3"),
        "seen": PropertyType("uint8", True), "later": PropertyType("float32"),
    }
    found = columns(tmp_path, [
        {"year": 1999, "title": "Die ... Hard!", "code": "abc", "seen": [1, 300, 2]},
        {"year": 70000, "title": "...", "code": "abcd", "seen": [-1]},
        {"year": [1999], "title": "", "code": "äöü"},
    ], DeclaredTypes(exact, {"ordered": "number", "kinds": "string[]"}))
    assert found["year"].rows.tolist() == [0] and found["year"].values.dtype == np.int64
    assert found["title"].of_item(0) == ["die", "hard"] and found["title"].filled.tolist() == [1, 1, 0]
    assert [found["code"].of_item(row) for row in range(3)] == [["abc"], [], ["äöü"]]
    assert found["seen"].of_item(0) == [1, 2] and found["seen"].values.dtype == np.uint64
    for name, kind in (("later", "float32"), ("ordered", "float64"), ("kinds", "unicode255")):
        assert found[name].type.value_type == kind and not found[name].filled.any()
    assert found["kinds"].type.repeated


def test_a_run_without_items_has_columns_without_values(tmp_path: Path) -> None:
    assert columns(tmp_path, []) == {}
    declared = columns(tmp_path, [], DeclaredTypes({"title": PropertyType("text")}))
    assert len(declared["title"].values) == 0


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
ANY = st.one_of(
    st.none(), TEXT, st.sampled_from(["a", "A", "ß", "ΣΑΣ", "a b", "_x_", "", "straße STRASSE", "ǅ ﬁ"]),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(ANY, max_size=8), lists=st.lists(st.lists(TEXT, max_size=3), max_size=8),
    numbers=st.lists(st.one_of(st.none(), st.integers(-(2**53), 2**53)), max_size=8),
)
def test_columns_on_disk_are_those_in_memory(
    tmp_path_factory: pytest.TempPathFactory, texts: list[Any], lists: list[Any], numbers: list[Any]
) -> None:
    size = max(len(texts), len(lists), len(numbers))
    given_values = {name: values + [None] * (size - len(values)) for name, values in (
        ("text", texts), ("word", texts), ("list", lists), ("number", numbers),
    )}
    items = [{name: values[at] for name, values in given_values.items() if values[at] is not None}
             for at in range(size)]
    exact = {
        "text": PropertyType("text"), "word": PropertyType("unicode64"), "list": PropertyType("unicode64", True),
        "number": PropertyType("int64"),
    }
    found = columns(tmp_path_factory.mktemp("pack"), items, DeclaredTypes(exact))
    for name, kind in exact.items():
        column, wanted = found[name], Column.of(name, kind, given_values[name])
        np.testing.assert_array_equal(column.filled, wanted.filled)
        for row in range(size):
            if name == "text":  # only which tokens there are counts, not how often or where
                assert column.of_item(row) == sorted(set(wanted.of_item(row)), key=str)
            else:
                assert column.of_item(row) == wanted.of_item(row)
        if column.vocabulary is not None:
            words = sorted({str(value) for row in range(size) for value in wanted.of_item(row)}, key=str.encode)
            assert [column.vocabulary[code] for code in range(len(column.vocabulary))] == words
            assert [column.vocabulary.find(word) for word in words] == list(range(len(words)))
            assert column.vocabulary.find("not there \U0010ffff") == -1
    assert all(
        set(found["text"].of_item(row)) == set(tokens(str(value or "")))
        for row, value in enumerate(given_values["text"])
    )


def test_words_are_searched_in_one_text_of_a_list(tmp_path: Path) -> None:
    items: list[dict[str, Any]] = [{"notes": ["the road", "to sea"]}, {"notes": ["road to sea"]}, {"notes": []}, {}]
    written = columns(tmp_path, items, DeclaredTypes({"notes": PropertyType("text", repeated=True)}))["notes"]
    in_memory = Column.of("notes", PropertyType("text", repeated=True), [item.get("notes") for item in items])
    for column in (written, in_memory, written.patched({3: ["nothing", "sea road"]})):
        asked = ("road sea", "the", "road", "unknown")
        found = {text: item_mask(Filter("notes", "ftsearch", text), column, 4).tolist()[:3] for text in asked}
        assert found == {
            "road sea": [False, True, False], "the": [True, False, False], "road": [True, True, False],
            "unknown": [False, False, False],
        }
    patched = written.patched({3: ["nothing", "sea road"]})
    assert item_mask(Filter("notes", "ftsearch", "sea road"), patched, 4).tolist() == [False, True, False, True]
    assert written.of_item(0) == ["road", "the", "sea", "to"]
    assert written.distinct[0].tolist() == [0, 4, 7, 7, 7]
