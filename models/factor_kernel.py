"""What the histories of profiles add to their normal equations, compiled: each item's factors are read once a round."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba import types

_ROWS = types.Array(types.float32, 2, "C", readonly=True)
_REALS = types.Array(types.float32, 1, "C", readonly=True)
_ITEMS = types.Array(types.int32, 1, "C", readonly=True)
_ENDS = types.Array(types.int64, 1, "C", readonly=True)
_OUT = types.Array(types.float32, 2, "C")


# The order of a sum is the compiler's, so that it may use vectors: always the same on one machine.
@numba.njit(
    types.void(_ENDS, _ITEMS, _REALS, _ROWS, _ROWS, _OUT),
    cache=True, nogil=True, fastmath={"reassoc", "nsz", "contract"},
)
def add_projected(ends: Any, items: Any, extra: Any, factors: Any, x: Any, out: Any) -> None:
    """Add ``Y' E Y x`` of each row to ``out``: Y the factors of the row's items, E their ``extra`` confidence."""
    for row in range(len(ends) - 1):
        own, target = x[row], out[row]
        for entry in range(ends[row], ends[row + 1]):
            other = factors[items[entry]]
            size = np.float32(0)
            for number in range(len(own)):
                size += other[number] * own[number]
            size *= extra[entry]
            for number in range(len(target)):
                target[number] += size * other[number]
