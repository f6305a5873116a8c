"""The compiled loops: which candidates survive, and their order under diversity; for one subject or a hundred thousand.

Both release the interpreter's lock, so that threads work on shards side by side. Every subject is computed on its own
in double precision and in one order of operations: results do not depend on how subjects are cut into shards.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba import types

_I32 = types.Array(types.int32, 1, "C", readonly=True)
_I64 = types.Array(types.int64, 1, "C", readonly=True)
_U8 = types.Array(types.uint8, 1, "C", readonly=True)
_U16 = types.Array(types.uint16, 1, "C", readonly=True)
_F64 = types.Array(types.float64, 1, "C", readonly=True)
_I32_2 = types.Array(types.int32, 2, "C", readonly=True)
_I64_2 = types.Array(types.int64, 2, "C", readonly=True)
_U8_2 = types.Array(types.uint8, 2, "C", readonly=True)
_SCRATCH = types.Array(types.int64, 1, "C")
_OUT = types.Array(types.int32, 2, "C")
_FOUND = types.Array(types.int32, 1, "C")
_TOTAL = types.Array(types.float64, 1, "C")
_COUNTS = types.Array(types.int32, 1, "C")

SURVIVORS = types.void(
    _I32_2, _I32, _U8, _I64, _I32, _U16, _U8, _I32, _I32_2, _I64, _I32, _I32, _U8_2, types.int64, _I32_2,
    _SCRATCH, _SCRATCH, _SCRATCH, types.int64, _OUT, _COUNTS,
)
DIVERSE = types.void(
    _I32_2, _I32, _I64_2, _I32, _F64, _I64, _I64, _F64, types.int64, types.int64, _OUT,
)


@numba.njit(SURVIVORS, cache=True, nogil=True)
def survivors(
    base: Any, order: Any, allowed: Any, history_offsets: Any, history_items: Any, history_types: Any,
    dropped_types: Any, self_items: Any, placed: Any, value_offsets: Any, value_codes: Any, value_owner: Any,
    owner_types: Any, keep_width: int, neighbours: Any, stamps: Any, value_stamps: Any, keep_stamps: Any, epoch: int,
    out: Any, counts: Any,
) -> None:
    """Go down each subject's base list and then ``order``, keeping what is allowed until ``out`` is full.

    ``base`` int32 (S, K) padded with -1; ``order`` int32, the popular items; ``allowed`` uint8 (items,). A subject's
    history is ``history_items[history_offsets[s] : history_offsets[s + 1]]`` with ``history_types``; items of a type
    with ``dropped_types`` set are left out, as are ``self_items[s]`` (-1: none) and ``placed[s]``. Items that share a
    value with the history: ``value_codes[value_offsets[i] : value_offsets[i + 1]]`` are item i's values, each belongs
    to an exclusion ``value_owner``, which counts history of types with ``owner_types[owner, type]`` set; empty arrays
    when there is none. With ``keep_width`` > 0 only items in the first so many ``neighbours`` of the history (or of
    ``self_items``) are kept, if there are any. The three scratch arrays hold numbers below ``epoch`` + 1 on entry;
    afterwards none above ``epoch`` + S. A subject with a self item and an empty base list gets nothing.
    Fills ``out`` int32 (S, depth) with -1 behind the survivors, and ``counts``.
    """
    depth = out.shape[1]
    values = value_codes.shape[0] > 0
    for s in range(base.shape[0]):
        mark = epoch + 1 + s
        kept = False
        if self_items.shape[0] > 0 and self_items[s] >= 0:
            stamps[self_items[s]] = mark
            if keep_width > 0:
                for k in range(keep_width):
                    if neighbours[self_items[s], k] >= 0:
                        keep_stamps[neighbours[self_items[s], k]] = mark
                        kept = True
        for k in range(placed.shape[1]):
            if placed[s, k] >= 0:
                stamps[placed[s, k]] = mark
        for h in range(history_offsets[s], history_offsets[s + 1]):
            item = history_items[h]
            kind = history_types[h]
            if dropped_types[kind]:
                stamps[item] = mark
            if values:
                for v in range(value_offsets[item], value_offsets[item + 1]):
                    if owner_types[value_owner[value_codes[v]], kind]:
                        value_stamps[value_codes[v]] = mark
            if keep_width > 0 and self_items.shape[0] == 0:
                for k in range(keep_width):
                    if neighbours[item, k] >= 0:
                        keep_stamps[neighbours[item, k]] = mark
                        kept = True
        found = 0
        reach = base.shape[1] + order.shape[0]
        if self_items.shape[0] > 0 and (base.shape[1] == 0 or base[s, 0] < 0):
            reach = 0
        for place in range(reach):
            if found == depth:
                break
            item = base[s, place] if place < base.shape[1] else order[place - base.shape[1]]
            if item < 0 or stamps[item] == mark or not allowed[item] or (kept and keep_stamps[item] != mark):
                continue
            stamps[item] = mark
            if values:
                shared = False
                for v in range(value_offsets[item], value_offsets[item + 1]):
                    if value_stamps[value_codes[v]] == mark:
                        shared = True
                        break
                if shared:
                    continue
            out[s, found] = item
            found += 1
        for place in range(found, depth):
            out[s, place] = -1
        counts[s] = found


@numba.njit(DIVERSE, cache=True, nogil=True)
def diverse(
    items: Any, counts: Any, offsets: Any, codes: Any, weights: Any, periods: Any, caps: Any, default_malus: Any,
    n_codes: int, positions: int, out: Any,
) -> None:
    """Fill the first ``positions`` places greedily by base score minus the weighted maluses of all rules.

    ``items`` int32 (S, depth) with ``counts`` survivors each; rule d's values of item i are
    ``codes[offsets[d, i] : offsets[d, i + 1]]``, numbers below ``n_codes`` of which no two rules share one.
    ``periods`` and ``caps``: 0 means unset. A place costs at most one look at every survivor; the scan ends where
    the base score alone cannot win any more.
    """
    rules = weights.shape[0]
    seen = np.zeros(n_codes, np.int64)
    gone = np.zeros(items.shape[1], np.uint8)
    for s in range(items.shape[0]):
        n = counts[s]
        wanted = min(positions, n)
        for r in range(n):
            gone[r] = 0
        first = 0
        for p in range(wanted):
            while gone[first]:
                first += 1
            best = -1
            best_score = 0.0
            for r in range(first, n):
                if gone[r]:
                    continue
                base = 1.0 - r / n
                if best >= 0 and base <= best_score:
                    break
                total = 0.0
                for d in range(rules):
                    start = offsets[d, items[s, r]]
                    end = offsets[d, items[s, r] + 1]
                    window = p if periods[d] == 0 else min(p, periods[d])
                    if start == end:
                        malus = default_malus[d]
                    elif window == 0:
                        malus = 0.0
                    else:
                        cap = window if caps[d] == 0 else caps[d]
                        most = 0
                        for v in range(start, end):
                            most = max(most, seen[codes[v]])
                        malus = min(most, cap) / cap
                    total += weights[d] * malus
                score = base - total
                if best < 0 or score > best_score:
                    best = r
                    best_score = score
            gone[best] = 1
            out[s, p] = items[s, best]
            for d in range(rules):
                for v in range(offsets[d, out[s, p]], offsets[d, out[s, p] + 1]):
                    seen[codes[v]] += 1
                if periods[d] > 0 and p >= periods[d]:
                    left = out[s, p - periods[d]]
                    for v in range(offsets[d, left], offsets[d, left + 1]):
                        seen[codes[v]] -= 1
        for p in range(wanted):
            for d in range(rules):
                for v in range(offsets[d, out[s, p]], offsets[d, out[s, p] + 1]):
                    seen[codes[v]] = 0
        for p in range(wanted, out.shape[1]):
            out[s, p] = -1


@numba.njit(types.int64(_I32_2, _F64, _FOUND, _TOTAL), cache=True, nogil=True)
def blended(listed: Any, weights: Any, found: Any, total: Any) -> int:
    """Add up ``weights[k] / (1 + rank)`` of every item over the lists ``listed`` int32 (seeds, K) padded with -1.

    Fills ``found`` and ``total`` (at least as long as ``listed`` has places) in the order the items are met, without
    those of weight 0, and gives their number. As dear as what is listed, however large the catalogue.
    """
    size = 64
    while size < 2 * listed.size:
        size *= 2
    slots = np.full(size, -1, np.int32)
    count = 0
    for k in range(listed.shape[0]):
        if weights[k] == 0.0:
            continue
        for rank in range(listed.shape[1]):
            item = listed[k, rank]
            if item < 0:
                continue
            slot = (item * 40503) & (size - 1)
            while slots[slot] >= 0 and found[slots[slot]] != item:
                slot = (slot + 1) & (size - 1)
            if slots[slot] < 0:
                slots[slot] = count
                found[count] = item
                total[count] = 0.0
                count += 1
            total[slots[slot]] += weights[k] / (1.0 + rank)
    return count
