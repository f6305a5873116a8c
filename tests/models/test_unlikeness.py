"""Unlikeness of lists against its definition, written out."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.unlikeness import unlikeness

VALUES = st.lists(st.sets(st.integers(0, 6), max_size=4), min_size=5, max_size=5)


@given(values=VALUES, lists=st.lists(st.permutations(range(5)).map(lambda order: order[:4]), min_size=1, max_size=3),
       kept=st.integers(0, 4))
def test_it_is_the_mean_share_of_values_not_in_common(
    values: list[set[int]], lists: list[list[int]], kept: int
) -> None:
    offsets = np.concatenate([[0], np.cumsum([len(one) for one in values])]).astype(np.int64)
    codes = np.array([code for one in values for code in sorted(one)], np.int32)
    items = np.full((len(lists), 4), -1, np.int32)
    items[:, :kept] = np.array(lists, np.int32)[:, :kept]
    expected = []
    for row in items.tolist():
        pairs = list(combinations([values[item] for item in row if item >= 0], 2))
        shares = [1 - len(a & b) / len(a | b) if a | b else 0.0 for a, b in pairs]
        expected.append(sum(shares) / len(shares) if shares else 0.0)
    np.testing.assert_allclose(unlikeness(items, offsets, codes), expected, atol=1e-12)
