"""How unlike the items of one list are: the mean share of values that two of them do not have in common."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba import types
from numpy.typing import NDArray

_LISTS = types.Array(types.int32, 2, "C", readonly=True)
_OFFSETS = types.Array(types.int64, 1, "C", readonly=True)
_CODES = types.Array(types.int32, 1, "C", readonly=True)
_OUT = types.Array(types.float64, 1, "C")


def unlikeness(lists: NDArray[np.int32], offsets: NDArray[np.int64], codes: NDArray[np.int32]) -> NDArray[np.float64]:
    """Mean over the pairs of each list of 1 - Jaccard of their values, float64 (b,); 0 below two items.

    ``lists`` int32 (b, k) padded with -1 at the end; item i has the distinct values ``codes[offsets[i] :
    offsets[i + 1]]``, rising. Two items without any value are alike.
    """
    found = np.zeros(len(lists), np.float64)
    _unlikeness(np.ascontiguousarray(lists), offsets, codes, found)
    return found


@numba.njit(types.void(_LISTS, _OFFSETS, _CODES, _OUT), cache=True, nogil=True)
def _unlikeness(lists: Any, offsets: Any, codes: Any, out: Any) -> None:
    for row in range(lists.shape[0]):
        total = 0.0
        pairs = 0
        for a in range(lists.shape[1]):
            if lists[row, a] < 0:
                break
            for b in range(a):
                one, one_end = offsets[lists[row, a]], offsets[lists[row, a] + 1]
                other, other_end = offsets[lists[row, b]], offsets[lists[row, b] + 1]
                every = one_end - one + other_end - other
                common = 0
                while one < one_end and other < other_end:
                    if codes[one] == codes[other]:
                        common += 1
                        one += 1
                        other += 1
                    elif codes[one] < codes[other]:
                        one += 1
                    else:
                        other += 1
                pairs += 1
                if every > 0:
                    total += 1.0 - common / (every - common)
        out[row] = total / pairs if pairs > 0 else 0.0
