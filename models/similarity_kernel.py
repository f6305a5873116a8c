"""Sums of the similarities of a history's items, compiled: straight into dense rows, with no sparse product between."""

from __future__ import annotations

from typing import Any

import numba
from numba import types

_REALS = types.Array(types.float32, 1, "C", readonly=True)
_ITEMS = types.Array(types.int32, 1, "C", readonly=True)
_ENDS = types.Array(types.int64, 1, "C", readonly=True)
_OUT = types.Array(types.float32, 2, "C")


@numba.njit(types.void(_ENDS, _ITEMS, _REALS, _ENDS, _ITEMS, _REALS, _OUT), cache=True, nogil=True)
def add_similar(
    ends: Any, items: Any, strength: Any, near_ends: Any, near_items: Any, near: Any, out: Any
) -> None:
    """Add to each row of ``out`` (b, n_items) its history times the similarities: both CSR, entries in their order."""
    for row in range(len(ends) - 1):
        target = out[row]
        for entry in range(ends[row], ends[row + 1]):
            weight, item = strength[entry], items[entry]
            for place in range(near_ends[item], near_ends[item + 1]):
                target[near_items[place]] += weight * near[place]
