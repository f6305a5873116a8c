"""The vectorized top-k against sorting, for every kind of tie."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.best_kernel import WIDEST
from models.ranking import top_k


def slow_top_k(scores: np.ndarray[Any, Any], k: int, rank: np.ndarray[Any, Any]) -> tuple[Any, Any]:
    items = np.full((len(scores), k), -1)
    values = np.zeros((len(scores), k), np.float32)
    for row, line in enumerate(scores):
        best = [column for column in np.lexsort((rank, -line)) if line[column] > -np.inf][:k]
        items[row, : len(best)] = best
        values[row, : len(best)] = line[best]
    return items, values


def check(scores: np.ndarray[Any, Any], k: int, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(scores.shape[1]).astype(np.int32)
    rank = np.argsort(order).astype(np.int32)
    items, values = top_k(scores, k, order, rank)
    expected_items, expected_values = slow_top_k(scores, k, rank)
    np.testing.assert_array_equal(items, expected_items)
    np.testing.assert_array_equal(values, expected_values)


@settings(max_examples=150, deadline=None)
@given(
    rows=st.integers(1, 6),
    columns=st.integers(1, 700),
    k=st.integers(1, 12),
    levels=st.sampled_from([1, 2, 5, 10**6]),
    low=st.sampled_from([-1.0, 0.0]),
    zeros=st.sampled_from([0.0, 0.5, 0.99, 1.0]),
    never=st.sampled_from([0.0, 0.3, 0.97, 1.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_equals_sorting(
    rows: int, columns: int, k: int, levels: int, low: float, zeros: float, never: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    scores = (rng.integers(0, levels + 1, (rows, columns)) / levels * (1 - low) + low).astype(np.float32)
    scores[rng.random(scores.shape) < zeros] = rng.choice(np.float32([0.0, -0.0]))
    scores[rng.random(scores.shape) < never] = -np.inf
    check(scores, k, seed)


@pytest.mark.parametrize("columns", [WIDEST * 80, WIDEST * 80 + 1, WIDEST * 81 - 1])
@pytest.mark.parametrize("k", [3, 20, 100])
def test_best_items_in_one_group_and_in_the_tail(columns: int, k: int) -> None:
    scores = np.zeros((4, columns), np.float32)
    scores[0, :WIDEST] = np.arange(WIDEST) + 1
    scores[1, -WIDEST:] = np.arange(WIDEST) + 1
    scores[2] = -np.arange(columns)
    scores[3] = -np.inf
    scores[3, ::97] = 0
    check(scores, k, 1)


def test_extreme_scores() -> None:
    scores = np.zeros((2, 1000), np.float32)
    scores[0, [3, 500, 999]] = [np.finfo(np.float32).max, np.finfo(np.float32).min, np.finfo(np.float32).tiny]
    scores[1] = np.finfo(np.float32).min
    check(scores, 5, 2)


def test_nothing_asked_or_nothing_there() -> None:
    order = np.arange(0, dtype=np.int32)
    assert top_k(np.zeros((2, 0), np.float32), 3, order, order)[0].tolist() == [[-1] * 3] * 2
    order = np.arange(4, dtype=np.int32)
    assert top_k(np.zeros((2, 4), np.float32), 0, order, order)[0].shape == (2, 0)


@pytest.mark.parametrize("columns", [10, 1000, 1003])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_score_that_is_not_finite_is_an_error(columns: int, bad: float) -> None:
    order = np.arange(columns, dtype=np.int32)
    for place in (0, columns - 1):
        scores = np.zeros((3, columns), np.float32)
        scores[1, place] = bad
        with pytest.raises(FloatingPointError):
            top_k(scores, 4, order, order)
