"""Metrics against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from models import metrics

ITEMS = np.array([[4, 0, 2], [1, 3, -1]], np.int32)
RELEVANT = csr_matrix(np.array([[1, 0, 1, 0, 0, 1], [0, 0, 1, 0, 0, 0]], np.float32))


def test_hits() -> None:
    assert metrics.hits(ITEMS, RELEVANT).tolist() == [[False, True, True], [False, False, False]]


def test_padding_never_hits() -> None:
    padded = np.array([[-1, -1], [-1, 0]], np.int32)
    assert metrics.hits(padded, csr_matrix(np.array([[0, 1], [1, 0]]))).tolist() == [[False, False], [False, True]]


def test_recall_divides_by_what_could_be_hit() -> None:
    hit = metrics.hits(ITEMS, RELEVANT)
    assert metrics.recall(hit, np.array([3, 1]), 2).tolist() == [0.5, 0]
    assert metrics.recall(hit, np.array([3, 1]), 3).tolist() == pytest.approx([2 / 3, 0])


def test_ndcg_against_the_truncated_ideal() -> None:
    hit = metrics.hits(ITEMS, RELEVANT)
    gained = 1 / np.log2(3) + 1 / np.log2(4)
    assert metrics.ndcg(hit, np.array([3, 1]), 3).tolist() == pytest.approx([gained / (1 + gained), 0])
    assert metrics.ndcg(hit, np.array([3, 1]), 2)[0] == pytest.approx((1 / np.log2(3)) / (1 + 1 / np.log2(3)))
    assert metrics.ndcg(hit, np.array([3, 1]), 10)[0] == pytest.approx(gained / (1 + gained))


def test_a_perfect_list_is_one() -> None:
    hit = np.ones((1, 10), np.bool_)
    assert metrics.ndcg(hit, np.array([10]), 10).tolist() == pytest.approx([1])
    assert metrics.recall(hit, np.array([40]), 10).tolist() == [1]


def test_coverage_and_mean() -> None:
    assert metrics.coverage(ITEMS, 2, 10) == pytest.approx(0.4)
    assert metrics.coverage(ITEMS, 3, 10) == pytest.approx(0.5)
    assert metrics.mean(np.array([1.0, 2.0, 3.0])) == pytest.approx((2, 1 / np.sqrt(3)))
    assert metrics.mean(np.zeros(0)) == (0, 0)
    assert metrics.mean(np.ones(1)) == (1, 0)
