"""Scores of a boosted forest for many rows: compiled, because every candidate of every list goes through all trees.

Trees are not walked: each of their tests is made for a block of rows at once, in vectors, and strikes out the leaves
that are no longer reached; the first that is left is where a row ends. C. Lucchese et al., "QuickScorer: a fast
algorithm to rank documents with additive ensembles of regression trees", SIGIR 2015.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba import types
from numpy.typing import NDArray

from models.churn.forest import Forest

MOST_LEAVES = 32
"""Bits of the word that says which leaves of a tree a row can still end in."""
BLOCK = 256
"""Rows tested at once: their terms stay in the first cache."""

_ROWS = types.Array(types.float32, 2, "C", readonly=True)
_INTS = types.Array(types.int32, 1, "C", readonly=True)
_REALS32 = types.Array(types.float32, 1, "C", readonly=True)
_REALS = types.Array(types.float64, 1, "C", readonly=True)
_BITS = types.Array(types.boolean, 1, "C", readonly=True)
_INTS_OUT = types.Array(types.int32, 1, "C")
_OUT = types.Array(types.float64, 1, "C")


def forest_scores(forest: Forest, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
    """What ``forest.score`` gives for float32 rows (n, terms): float64 (n,)."""
    if not _small(forest):
        return forest.score(matrix.astype(np.float64))
    threshold = forest.threshold.astype(np.float32)
    # A float32 is at most a float64 exactly when it is at most the next float32 that is not above it.
    threshold = np.where(threshold > forest.threshold, np.nextafter(threshold, np.float32(-np.inf)), threshold)
    out = np.full(len(matrix), forest.base)
    parts: list[Any] = [np.ascontiguousarray(array).view(np.ndarray) for array in (
        forest.start, forest.term, forest.left, forest.right, threshold, forest.missing_left, forest.value
    )]
    score: Any = _score
    score(np.ascontiguousarray(matrix), *parts, out)
    return out


def _small(forest: Forest) -> bool:
    """Whether no tree has more leaves than a word has bits. There may be nodes behind the last tree."""
    before = np.concatenate([[0], np.cumsum(forest.term < 0)])
    return bool(np.diff(before[forest.start]).max(initial=0) <= MOST_LEAVES)


@numba.njit(types.void(types.int64, types.int64, _INTS, _INTS, _INTS, _INTS_OUT, _INTS_OUT), cache=True, nogil=True)
def _leaf_spans(root: int, end: int, term: Any, left: Any, right: Any, first: Any, count: Any) -> None:
    """Write, for each node of a tree, the number of its first leaf from the left, and how many leaves are below it."""
    for node in range(end - 1, root - 1, -1):
        if term[node] < 0:
            count[node - root] = 1
        else:
            count[node - root] = count[left[node]] + count[right[node]]
    first[0] = 0
    for node in range(root, end):
        if term[node] >= 0:
            first[left[node]] = first[node - root]
            first[right[node]] = first[node - root] + count[left[node]]


@numba.njit(
    types.void(_ROWS, _INTS, _INTS, _INTS, _INTS, _REALS32, _BITS, _REALS, _OUT), cache=True, nogil=True
)
def _score(
    matrix: Any, start: Any, term: Any, left: Any, right: Any, threshold: Any, missing: Any, value: Any, out: Any
) -> None:
    nodes, total = len(term), len(matrix)
    first, count = np.empty(nodes, np.int32), np.empty(nodes, np.int32)
    strike, leaf_value = np.empty(nodes, np.uint32), np.empty((len(start) - 1, MOST_LEAVES))
    for tree in range(len(start) - 1):
        root, end = start[tree], start[tree + 1]
        _leaf_spans(root, end, term, left, right, first, count)
        for node in range(root, end):
            if term[node] < 0:
                leaf_value[tree, first[node - root]] = value[node]
            else:
                below = (np.uint64(1) << np.uint64(count[left[node]])) - np.uint64(1)
                strike[node] = np.uint32(~(below << np.uint64(first[node - root])) & np.uint64(0xFFFF_FFFF))
    columns = np.empty((matrix.shape[1], BLOCK), np.float32)
    alive, lowest = np.empty(BLOCK, np.uint32), np.empty(BLOCK, np.float32)
    exponent = lowest.view(np.int32)
    for begin in range(0, total, BLOCK):
        size = min(BLOCK, total - begin)
        for row in range(size):
            for column in range(matrix.shape[1]):
                columns[column, row] = matrix[begin + row, column]
        sums = out[begin : begin + size]
        for tree in range(len(start) - 1):
            alive[:] = np.uint32(0xFFFF_FFFF)
            for node in range(start[tree], start[tree + 1]):
                if term[node] < 0:
                    continue
                own, limit, kept = columns[term[node]], threshold[node], strike[node]
                if missing[node]:
                    for row in range(BLOCK):
                        alive[row] &= kept if own[row] > limit else np.uint32(0xFFFF_FFFF)
                else:
                    for row in range(BLOCK):
                        alive[row] &= np.uint32(0xFFFF_FFFF) if own[row] <= limit else kept
            for row in range(BLOCK):  # the exponent of a power of two is the number of its bit
                lowest[row] = np.float32(alive[row] & (~alive[row] + np.uint32(1)))
            ends = leaf_value[tree]
            for row in range(size):
                sums[row] += ends[(exponent[row] >> 23) - 127]
