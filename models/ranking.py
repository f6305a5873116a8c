"""Exact top-k of a block of scores, vectorized over its rows.

The order is total: score falling, then popularity rank, so equal scores never depend on block shape or threads.
The idea: the k-th largest of the maxima of strided groups bounds the k-th largest score from below; only groups that
reach it are looked at again. A row whose bound is exactly zero has few informed scores; the rest follows in popularity
order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

GROUP = 16
NOTHING = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
SLOW_ROWS = 64

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]
Keys = NDArray[np.uint64]


def top_k(scores: Floats, k: int, order: Ints, rank: Ints) -> tuple[Ints, Floats]:
    """Best ``k`` columns of each row.

    ``scores`` float32 (b, n), C-contiguous, ``-inf`` means never. ``order`` int32 (n,) lists the columns
    by popularity, ``rank`` is its inverse. Returns items int32 (b, k) padded with -1 and scores float32 (b, k) padded
    with 0.
    """
    rows, columns = scores.shape
    items = np.full((rows, k), -1, np.int32)
    values = np.zeros((rows, k), np.float32)
    if rows == 0 or columns == 0 or k == 0:
        return items, values
    groups = columns // GROUP
    if groups <= 2 * k:
        _check(scores)
        _rank_whole(scores, np.arange(rows), items, values, order, rank)
        return items, values
    grouped = scores[:, : groups * GROUP].reshape(rows, GROUP, groups)
    best = grouped.max(axis=1)
    _check(best)
    _check(scores[:, groups * GROUP :])
    bound = np.partition(best, groups - k, axis=1)[:, groups - k]
    sparse = bound == 0
    floor = np.where(sparse, np.float32(np.finfo(np.float32).smallest_subnormal), bound)
    floor = np.maximum(floor, np.finfo(np.float32).min)
    reached = best >= floor[:, None]
    hits = np.count_nonzero(reached, axis=1)
    tied = hits > 4 * k + 64
    reached[tied] = False
    keys = _candidate_keys(scores, grouped, reached, floor, rank)
    kept = min(k, keys.shape[1])
    _write(keys[:, :kept], items[:, :kept], values[:, :kept], order)
    again = tied
    short = np.flatnonzero(sparse & ~tied & (items[:, k - 1] < 0))
    if len(short):
        again = tied.copy()
        again[short[~_continue_with_zeros(scores, short, items, order)]] = True
    if again.any():
        _rank_whole(scores, np.flatnonzero(again), items, values, order, rank)
    return items, values


def _check(scores: Floats) -> None:
    """Maxima are enough to check: not-a-number survives them."""
    if scores.size and not (scores < np.inf).all():
        raise FloatingPointError("a score is not a number, or infinite")


def _keys(values: Floats, ranks: NDArray[Any]) -> Keys:
    """Unsigned numbers whose rising order is: score falling, then rank rising. ``-inf`` becomes NOTHING."""
    bits = (values + np.float32(0)).view(np.uint32)  # adding zero turns -0.0 into 0.0
    rising = np.where(bits >> 31, ~bits, bits | np.uint32(0x8000_0000))
    keys: Keys = (np.uint64(0xFFFF_FFFF) - rising.astype(np.uint64)) << np.uint64(32) | ranks.astype(np.uint64)
    keys[np.isneginf(values)] = NOTHING
    return keys


def _write(keys: Keys, items: Ints, values: Floats, order: Ints) -> None:
    """Decode sorted keys into items and values, both of the keys' shape."""
    found = keys != NOTHING
    rising = (np.uint64(0xFFFF_FFFF) - (keys >> np.uint64(32))).astype(np.uint32)
    bits = np.where(rising >> 31, rising & np.uint32(0x7FFF_FFFF), ~rising)
    values[...] = np.where(found, bits.view(np.float32), np.float32(0))
    ranks = np.where(found, keys & np.uint64(0xFFFF_FFFF), np.uint64(0)).astype(np.int64)
    items[...] = np.where(found, order[ranks], -1)


def _candidate_keys(scores: Floats, grouped: Floats, reached: NDArray[np.bool_], floor: Floats, rank: Ints) -> Keys:
    """Sorted keys (b, widest) of all scores of at least ``floor`` in the groups reached, and in the ungrouped tail."""
    rows, _, groups = grouped.shape
    row, group = np.nonzero(reached)
    inside = grouped[row, :, group]
    hit, member = np.nonzero(inside >= floor[row][:, None])
    tail_start = groups * GROUP
    tail_row, tail_column = np.nonzero(scores[:, tail_start:] >= floor[:, None])
    where = np.concatenate([row[hit], tail_row])
    column = np.concatenate([member * groups + group[hit], tail_column + tail_start])
    found = np.concatenate([inside[hit, member], scores[tail_row, tail_column + tail_start]])
    # Rows come sorted within both parts; a stable sort joins them.
    if len(tail_row):
        joined = np.argsort(where, kind="stable")
        where, column, found = where[joined], column[joined], found[joined]
    counts = np.bincount(where, minlength=rows)
    position = np.arange(len(where)) - np.repeat(np.cumsum(counts) - counts, counts)
    keys: Keys = np.full((rows, int(counts.max(initial=0))), NOTHING, np.uint64)
    keys[where, position] = _keys(found, rank[column])
    keys.sort(axis=1)
    return keys


def _continue_with_zeros(scores: Floats, rows: NDArray[np.intp], items: Ints, order: Ints) -> NDArray[np.bool_]:
    """Fill the free places of ``rows`` with items of score exactly zero, by popularity. Returns which are full."""
    k = items.shape[1]
    free = np.count_nonzero(items[rows] < 0, axis=1)
    full = np.zeros(len(rows), np.bool_)
    pending = np.arange(len(rows))
    width = 4 * k
    while len(pending):
        width = min(width, len(order))
        zero = scores[rows[pending][:, None], order[None, :width]] == 0
        nth = np.cumsum(zero, axis=1)
        enough = nth[:, -1] >= free[pending]
        chosen = pending[enough]
        row, column = np.nonzero(zero[enough] & (nth[enough] <= free[chosen][:, None]))
        place = k - free[chosen][row] + nth[enough][row, column] - 1
        items[rows[chosen][row], place] = order[column]
        full[chosen] = True
        if width == len(order):
            break
        pending, width = pending[~enough], 4 * width
    return full


def _rank_whole(scores: Floats, rows: NDArray[np.intp], items: Ints, values: Floats, order: Ints, rank: Ints) -> None:
    """Sort whole rows: exact for any scores, used for narrow matrices and for rows with very many ties."""
    kept = min(items.shape[1], scores.shape[1])
    items[rows], values[rows] = -1, 0
    for start in range(0, len(rows), SLOW_ROWS):
        part = rows[start : start + SLOW_ROWS]
        keys = _keys(scores[part], rank[None, :])
        if kept < keys.shape[1]:
            keys = np.partition(keys, kept - 1, axis=1)[:, :kept]
        keys.sort(axis=1)
        some_items = np.empty(keys.shape, np.int32)
        some_values = np.empty(keys.shape, np.float32)
        _write(keys, some_items, some_values, order)
        items[part, :kept], values[part, :kept] = some_items, some_values
