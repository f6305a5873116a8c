"""Page numbers and cursors (§5)."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.crossing_minds import pages
from serving.crossing_minds.errors import WrongData
from serving.crossing_minds.pages import numbered

keys = st.lists(st.text(max_size=5) | st.integers(-(1 << 53), 1 << 53) | st.none(), max_size=4)


@given(keys, st.text(max_size=5))
def test_a_list_cursor_is_opaque_and_comes_back(key: list[object], tag: str) -> None:
    cursor = pages.write_cursor(tag, key)
    assert re.fullmatch(r"[0-9A-Za-z_-]+", cursor)
    assert pages.read_cursor(cursor, tag) == key
    with pytest.raises(WrongData, match="cursor"):
        pages.read_cursor(cursor, tag + "x")


@given(st.text(max_size=40))
def test_what_no_list_gave_out_is_refused(text: str) -> None:
    if not text:
        assert pages.read_cursor(text, "items") is None and pages.read_ranking_cursor(text, b"x" * 12) == 0
        return
    for read in (lambda: pages.read_cursor(text, "items"), lambda: pages.read_ranking_cursor(text, b"x" * 12)):
        with pytest.raises(WrongData) as refused:
            read()
        assert refused.value.fields["name"] == "WRONG_PARAMETER"


@given(st.integers(0, (1 << 32) - 1), st.dictionaries(st.text(max_size=3), st.integers(0, 99), max_size=3))
def test_a_ranking_cursor_belongs_to_one_run_and_request(offset: int, request: dict[str, int]) -> None:
    digest = pages.ranking_digest("r1", request)
    cursor = pages.write_ranking_cursor(offset, digest)
    assert pages.read_ranking_cursor(cursor, digest) == offset
    assert pages.ranking_digest("r1", {**request, "cursor": "x", "amt": 5}) == pages.ranking_digest(
        "r1", {name: value for name, value in request.items() if name not in ("cursor", "amt")}
    )
    for other in (pages.ranking_digest("r2", request), pages.ranking_digest("r1", {**request, "new": 1})):
        with pytest.raises(WrongData, match="another request"):
            pages.read_ranking_cursor(cursor, other)


def test_pages_by_number() -> None:
    first = numbered({})
    assert (first.page, first.amt, first.offset) == (1, 64, 0)
    third = numbered({"page": "3", "amt": "10"})
    assert (third.offset, third.answer(more=False)) == (20, {"has_next": False, "next_page": 4})
    for query in ({"page": "0"}, {"page": "-1"}, {"amt": "0"}, {"amt": "65"}, {"amt": "x"}, {"page": "1.5"}):
        with pytest.raises(WrongData) as refused:
            numbered(query)
        assert refused.value.fields["name"] == "WRONG_PARAMETER"
