"""Exact top-k of each row of a block of scores.

The order is total: score falling, then popularity rank, so equal scores never depend on block shape or threads.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.best_kernel import best_of_rows

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]


def top_k(scores: Floats, k: int, order: Ints, rank: Ints) -> tuple[Ints, Floats]:
    """Best ``k`` columns of each row.

    ``scores`` float32 (b, n), C-contiguous, ``-inf`` means never. ``order`` int32 (n,) lists the columns
    by popularity, ``rank`` is its inverse. Returns items int32 (b, k) padded with -1 and scores float32 (b, k) padded
    with 0. Raises ``FloatingPointError`` when a score is not a number, or infinite.
    """
    rows, columns = scores.shape
    items = np.full((rows, k), -1, np.int32)
    values = np.zeros((rows, k), np.float32)
    if rows == 0 or columns == 0 or k == 0:
        return items, values
    scores = np.ascontiguousarray(scores)
    if not best_of_rows(scores, scores.view(np.uint32), order, rank, items, values):
        raise FloatingPointError("a score is not a number, or infinite")
    return items, values
