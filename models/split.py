"""The past and what followed: what recommenders are judged on, and what a second stage learns from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.interactions import Interactions

Mode = Literal["new", "repeat"]
"""Whether lists leave out what profiles have already, and only what is new to them counts."""


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """The past and what followed.

    ``train``: interactions as of the cut. ``relevant``: CSR (n_profiles, n_items), a stored entry for each pair of the
    window after it. ``subjects``: profile indices judged, those with a past and a relevant item known in the past.
    """

    train: Interactions
    relevant: csr_matrix
    subjects: NDArray[np.int64]

    @property
    def known(self) -> NDArray[np.bool_]:
        """Items with an interaction in the past; only those are ranked, and only those count as relevant."""
        return self.train.item_profiles() > 0


def time_split(
    train: Interactions, profile_index: NDArray[Any], item_index: NDArray[Any], most_subjects: int = 20_000
) -> Split:
    """Join the past with the pairs of the following window (any order, repeats allowed).

    Of more than ``most_subjects`` profiles evenly spaced ones are judged: profile indices follow hashed ids, so that
    is a fair sample, and the same one every time.
    """
    known = train.item_profiles() > 0
    item = np.asarray(item_index, dtype=np.int64)
    pairs = np.unique(np.asarray(profile_index, dtype=np.int64)[known[item]] * train.n_items + item[known[item]])
    profile, item = np.divmod(pairs, max(train.n_items, 1))
    relevant = csr_matrix(
        (
            np.ones(len(pairs), np.float32),
            item.astype(np.int32),
            np.searchsorted(profile, np.arange(train.n_profiles + 1)),
        ),
        shape=(train.n_profiles, train.n_items),
    )
    subjects = np.flatnonzero((np.diff(train.indptr) > 0) & (np.diff(relevant.indptr) > 0))
    if len(subjects) > most_subjects:
        subjects = subjects[np.linspace(0, len(subjects) - 1, most_subjects).astype(np.int64)]
    return Split(train, relevant, subjects)


def without(relevant: csr_matrix, excluded: csr_matrix) -> csr_matrix:
    """The stored entries of ``relevant`` that ``excluded`` does not store."""
    rows, columns = relevant.shape
    row = np.repeat(np.arange(rows, dtype=np.int64), np.diff(relevant.indptr))
    seen = np.repeat(np.arange(rows, dtype=np.int64), np.diff(excluded.indptr)) * columns + excluded.indices
    kept = ~np.isin(row * columns + relevant.indices, seen)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(row[kept], minlength=rows))])
    return csr_matrix((relevant.data[kept], relevant.indices[kept], indptr), shape=relevant.shape)
