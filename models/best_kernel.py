"""The best ``k`` of each row of scores, compiled: a floor from the greatest of groups, then only what reaches it.

The k-th greatest of the maxima of groups is at most the k-th greatest score, so only groups that reach it are looked
at again. Where that floor is zero few scores are informed: what is above zero is taken, and the rest follows by rank.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba import types

WIDEST = 64
"""Scores of a group, at most; a quarter, and so on, where there would be fewer than four groups for each one wanted."""

_F32_2 = types.Array(types.float32, 2, "C")
_READ_F32_2 = types.Array(types.float32, 2, "C", readonly=True)
_READ_U32_2 = types.Array(types.uint32, 2, "C", readonly=True)
_ROW_F32 = types.Array(types.float32, 1, "C", readonly=True)
_ROW_U32 = types.Array(types.uint32, 1, "C", readonly=True)
_I32_2 = types.Array(types.int32, 2, "C")
_READ_I32 = types.Array(types.int32, 1, "C", readonly=True)
_U64 = types.Array(types.uint64, 1, "C")
_F32 = types.Array(types.float32, 1, "C")

LOWEST = np.float32(np.finfo(np.float32).min)
LEAST = np.float32(np.finfo(np.float32).smallest_subnormal)
SIGN, ALL = np.uint32(0x8000_0000), np.uint32(0xFFFF_FFFF)
LESS_SIGN = np.uint32(0x7FFF_FFFF)
INFINITE, MINUS_INFINITE = np.uint32(0x7F80_0000), np.uint32(0xFF80_0000)


@numba.njit(
    [types.void(values, types.int64, types.int64) for values in (_U64, _F32)], cache=True, nogil=True
)
def _least_first(keys: Any, count: int, k: int) -> None:
    """Order ``keys[:count]`` so that the ``k`` least come first, the greatest of them last (Hoare's selection)."""
    low, high, wanted = 0, count - 1, k - 1
    while low < high:
        pivot = keys[(low + high) // 2]
        left, right = low, high
        while left <= right:
            while keys[left] < pivot:
                left += 1
            while keys[right] > pivot:
                right -= 1
            if left <= right:
                keys[left], keys[right] = keys[right], keys[left]
                left += 1
                right -= 1
        if wanted <= right:
            high = right
        elif wanted >= left:
            low = left
        else:
            return


@numba.njit(types.uint64(types.uint32, types.int32), cache=True, nogil=True, inline="always")
def _key(bits: Any, rank: Any) -> Any:
    """A number whose rising order is: score falling, then rank rising."""
    if bits == SIGN:  # minus zero
        bits = np.uint32(0)
    rising = ~bits if bits & SIGN else bits | SIGN
    return (np.uint64(ALL - rising) << np.uint64(32)) | np.uint64(rank)


@numba.njit(types.void(_ROW_F32, types.int64, _F32), cache=True, nogil=True, fastmath={"nnan", "nsz"})
def _maxima(line: Any, width: int, best: Any) -> None:
    """Write over ``best`` the greatest of each ``width`` columns, and of the rest.

    The compiler may take it that nothing is not-a-number, and may thus use vectors; what is, was looked for before.
    """
    for group in range(len(best)):
        part = line[group * width : (group + 1) * width]
        most = np.float32(-np.inf)
        for place in range(len(part)):
            value = part[place]
            most = value if value > most else most
        best[group] = most


@numba.njit(types.boolean(_ROW_U32), cache=True, nogil=True)
def _all_fine(bits: Any) -> Any:
    """False when a score of these bits is not a number, or infinite above zero."""
    wrong = np.uint32(0)
    for column in range(len(bits)):
        seen = bits[column]
        wrong |= np.uint32((seen & LESS_SIGN) >= INFINITE) & np.uint32(seen != MINUS_INFINITE)
    return wrong == 0


@numba.njit(
    types.boolean(_READ_F32_2, _READ_U32_2, _READ_I32, _READ_I32, _I32_2, _F32_2), cache=True, nogil=True
)
def best_of_rows(scores: Any, bits: Any, order: Any, rank: Any, items: Any, values: Any) -> Any:
    """Write the best columns of each row, and their scores, over ``items`` and ``values`` (b, k), filled with -1 and 0.

    ``bits`` are those of ``scores``. False, with the rest unwritten, when a score is not a number, or infinite.
    """
    rows, columns = scores.shape
    k = min(items.shape[1], columns)
    width = WIDEST
    while width > 1 and columns < 4 * k * width:
        width //= 4
    groups = (columns + width - 1) // width
    best, falling = np.empty(groups, np.float32), np.empty(groups, np.float32)
    keys = np.empty(columns, np.uint64)
    for row in range(rows):
        line = scores[row]
        if not _all_fine(bits[row]):
            return False
        _maxima(line, width, best)
        falling[:] = -best
        _least_first(falling, groups, k)
        bound = -falling[k - 1]
        floor = max(bound, LOWEST)
        if bound == 0:
            floor = LEAST
        count = 0
        for group in range(groups):
            if best[group] >= floor:
                for column in range(group * width, min(group * width + width, columns)):
                    if line[column] >= floor:
                        keys[count] = _key(bits[row, column], rank[column])
                        count += 1
        if bound == 0 and count < k:
            for column in order:
                if line[column] == 0:
                    keys[count] = _key(np.uint32(0), rank[column])
                    count += 1
                    if count == k:
                        break
        if count > 4 * k:
            _least_first(keys, count, k)
            count = k
        found = keys[:count]
        found.sort()
        for place in range(min(count, k)):
            column = order[np.int64(found[place] & np.uint64(ALL))]
            items[row, place] = column
            values[row, place] = line[column] + np.float32(0)
    return True
