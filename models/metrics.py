"""Metrics of ranked lists, one value a subject, as in Liang et al. 2018: recall is divided by min(K, relevant)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

Values = NDArray[np.float64]


def hits(items: NDArray[np.int32], relevant: csr_matrix) -> NDArray[np.bool_]:
    """Whether each listed item is relevant, bool (b, k). ``items`` (b, k) padded with -1; ``relevant`` CSR (b, n)."""
    rows, columns = relevant.shape
    wanted = np.repeat(np.arange(rows, dtype=np.int64), np.diff(relevant.indptr)) * columns + relevant.indices
    wanted.sort()
    listed = np.arange(rows, dtype=np.int64)[:, None] * columns + items
    place = np.searchsorted(wanted, listed)
    found = wanted[np.minimum(place, len(wanted) - 1)] == listed if len(wanted) else np.zeros(items.shape, np.bool_)
    return np.asarray(found & (items >= 0), dtype=np.bool_)


def recall(hit: NDArray[np.bool_], relevant: NDArray[Any], k: int) -> Values:
    """Hits in the first ``k`` over min(k, relevant), one value a row; rows must have at least one relevant item."""
    return np.asarray(hit[:, :k].sum(axis=1) / np.minimum(k, relevant), dtype=np.float64)


def ndcg(hit: NDArray[np.bool_], relevant: NDArray[Any], k: int) -> Values:
    """Binary NDCG of the first ``k``, against the ideal list of min(k, relevant) hits."""
    discount = 1 / np.log2(np.arange(2, k + 2))
    ideal = np.concatenate([[0.0], np.cumsum(discount)])
    width = min(k, hit.shape[1])
    gained = (hit[:, :width] * discount[:width]).sum(axis=1)
    return np.asarray(gained / ideal[np.minimum(k, relevant).astype(np.int64)], dtype=np.float64)


def fairness(relevant: NDArray[Any], k: int) -> Values:
    """Weight of each profile's hits in a mean of NDCG: what an ideal list is divided by, of one relevant item 1."""
    ideal = np.cumsum(1 / np.log2(np.arange(2, k + 2)))
    return np.asarray(1 / ideal[np.clip(relevant.astype(np.int64), 1, k) - 1], dtype=np.float64)


def auc(items: NDArray[np.int32], relevant: csr_matrix, candidates: NDArray[np.int64]) -> Values:
    """Share of pairs of a relevant and another item that are ranked the right way, one value a row.

    ``items`` (b, k) padded with -1: rankings; ``candidates`` int64 (b,): items that could be ranked. What was left out
    of a ranking stands after it in no order. NaN in a row where all items are relevant, or none.
    """
    number = np.diff(relevant.indptr).astype(np.float64)
    listed = (items >= 0).sum(axis=1)
    hit = hits(items, relevant)
    found = hit.sum(axis=1)
    place = (hit * np.arange(items.shape[1])).sum(axis=1) + (number - found) * (listed + candidates - 1) / 2
    inverted = place - number * (number - 1) / 2
    pairs = number * (candidates - number)
    return np.where(pairs > 0, 1 - inverted / np.where(pairs > 0, pairs, 1), np.nan)


def coverage(items: NDArray[np.int32], k: int, catalogue: int) -> float:
    """Distinct items in the first ``k`` of all lists over the items that could have been listed."""
    shown = np.unique(items[:, :k])
    return float((shown >= 0).sum() / max(catalogue, 1))


def mean(values: Values) -> tuple[float, float]:
    """Mean and its standard error; the error is zero below two values."""
    if not len(values):
        return 0.0, 0.0
    spread = float(values.std(ddof=1)) / float(np.sqrt(len(values))) if len(values) > 1 else 0.0
    return float(values.mean()), spread
