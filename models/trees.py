"""Scores of a boosted forest for many rows: compiled, because every candidate of every list goes through all trees."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba import types
from numpy.typing import NDArray

from models.churn.forest import Forest

_ROWS = types.Array(types.float32, 2, "C", readonly=True)
_INTS = types.Array(types.int32, 1, "C", readonly=True)
_REALS = types.Array(types.float64, 1, "C", readonly=True)
_BITS = types.Array(types.boolean, 1, "C", readonly=True)
_OUT = types.Array(types.float64, 1, "C")


def forest_scores(forest: Forest, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
    """What ``forest.score`` gives for float32 rows (n, terms), C-contiguous: float64 (n,)."""
    out = np.full(len(matrix), forest.base)
    nodes = (forest.start, forest.term, forest.left, forest.right, forest.threshold, forest.value)
    start, term, left, right, threshold, value = (np.ascontiguousarray(array).view(np.ndarray) for array in nodes)
    missing = np.ascontiguousarray(forest.missing_left).view(np.ndarray)
    _score(np.ascontiguousarray(matrix), start, term, left, right, threshold, value, missing, out)
    return out


@numba.njit(
    types.void(_ROWS, _INTS, _INTS, _INTS, _INTS, _REALS, _REALS, _BITS, _OUT), cache=True, nogil=True
)
def _score(
    matrix: Any, start: Any, term: Any, left: Any, right: Any, threshold: Any, value: Any, missing: Any, out: Any
) -> None:
    for row in range(matrix.shape[0]):
        total = out[row]
        for tree in range(len(start) - 1):
            root = start[tree]
            node = root
            while term[node] >= 0:
                here = matrix[row, term[node]]
                if here <= threshold[node] or (missing[node] and np.isnan(here)):
                    node = root + left[node]
                else:
                    node = root + right[node]
            total += value[node]
        out[row] = total
