"""Lists of many sessions at once: the neighbours of their newest items, blended."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

DECAY = 0.9
BLOCK = 500
"""Sessions blended at once. Memory: all neighbours of all their items."""


def sessions(
    neighbours: NDArray[np.int32], popular: NDArray[np.int32], offsets: NDArray[np.int64], seeds: NDArray[np.int32],
    weights: NDArray[np.float64],
) -> NDArray[np.int32]:
    """Items of each session by falling sum over its seeds k of weight_k * 0.9^k / (1 + rank among k's neighbours).

    ``neighbours`` int32 (n_items, width) padded with -1; ``popular`` int32: items best first, by which equal scores go
    (items that are not in it go last); session s has ``seeds[offsets[s] : offsets[s + 1]]``, the newest first, with
    their ``weights``. Returns int32 (sessions, longest list), padded with -1. The formula is that of section 9 of the
    scenario contract.
    """
    rank = np.full(len(neighbours), len(popular), np.int64)
    rank[popular] = np.arange(len(popular))
    blocks = [
        _blend(neighbours, rank, offsets[start : start + BLOCK + 1], seeds, weights)
        for start in range(0, len(offsets) - 1, BLOCK)
    ]
    widest = max((block.shape[1] for block in blocks), default=0)
    return np.vstack([
        np.empty((0, widest), np.int32),
        *(np.pad(block, ((0, 0), (0, widest - block.shape[1])), constant_values=-1) for block in blocks),
    ])


def _blend(
    neighbours: NDArray[np.int32], rank: NDArray[np.int64], offsets: NDArray[np.int64], seeds: NDArray[np.int32],
    weights: NDArray[np.float64],
) -> NDArray[np.int32]:
    amount, span = len(offsets) - 1, slice(int(offsets[0]), int(offsets[-1]))
    counts = np.diff(offsets)
    owner = np.repeat(np.arange(amount), counts)
    place = np.arange(len(owner)) - np.repeat(offsets[:-1] - offsets[0], counts)
    near = neighbours[seeds[span]]
    share = (weights[span] * DECAY**place)[:, None] / (1.0 + np.arange(near.shape[1]))
    present = near >= 0
    pairs, which = np.unique((owner[:, None] * len(neighbours) + near)[present], return_inverse=True)
    scores = np.zeros(len(pairs))
    np.add.at(scores, which, share[present])
    row, item = np.divmod(pairs, len(neighbours))
    order = np.lexsort((item, rank[item], -scores, row))
    row, item = row[order], item[order]
    lengths = np.bincount(row, minlength=amount)
    found = np.full((amount, int(lengths.max(initial=0))), -1, np.int32)
    found[row, np.arange(len(row)) - np.repeat(np.cumsum(lengths) - lengths, lengths)] = item
    return found
