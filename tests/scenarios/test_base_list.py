"""Base lists: the blend of neighbours, held against its definition item by item."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from scenarios import base_list

ITEMS = 40
LISTS = st.lists(st.lists(st.integers(0, ITEMS - 1), max_size=6, unique=True), min_size=1, max_size=12)


@given(LISTS, st.lists(st.sampled_from([0.0, 0.5, 1.0, 3.0]), min_size=12, max_size=12))
def test_a_blend_adds_up_what_each_seed_counts(lists: list[list[int]], kinds: list[float]) -> None:
    neighbours = np.full((ITEMS, 6), -1, np.int32)
    for seed, listed in enumerate(lists):
        neighbours[seed, : len(listed)] = listed
    weights = base_list.session_weights(kinds[: len(lists)])
    wanted: dict[int, float] = {}
    for weight, listed in zip(weights.tolist(), lists, strict=True):
        for rank, item in enumerate(listed):
            if weight:
                wanted[item] = wanted.get(item, 0.0) + weight / (1.0 + rank)
    items, scores = base_list.blend(neighbours, list(range(len(lists))), weights)
    assert dict(zip(items.tolist(), scores.tolist(), strict=True)) == wanted
    popularity = np.arange(ITEMS, dtype=np.int32)[::-1].copy()
    listed, _ = base_list.ordered(items, scores, popularity)
    assert listed.tolist() == sorted(wanted, key=lambda item: (-wanted[item], popularity[item]))


def test_a_blend_of_nothing_is_empty() -> None:
    items, scores = base_list.blend(np.full((3, 4), -1, np.int32), [0, 2], np.ones(2))
    assert len(items) == len(scores) == 0
    items, _ = base_list.blend(np.zeros((3, 4), np.int32), [], np.ones(0))
    assert len(items) == 0
