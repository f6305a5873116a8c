"""Who did how much with what: the one input of every recommender."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.histories import Histories, places_of

QUANTUM = 2.0**32
"""Weights are whole multiples of 1 / QUANTUM, so that sums of them are exact in any order."""


@dataclass(frozen=True, slots=True, eq=False)
class Interactions:
    """Profiles x items with one stored entry for each pair of a weighted event, rows and columns sorted.

    ``indptr`` int64 (n_profiles + 1) and ``indices`` int32 (entries) are shared by the values: ``weight``,
    ``recent_weight`` and ``strength`` float32, ``events`` int32, ``last_day`` and ``first_day`` int32 (days since
    1970-01-01, of the pair's last and first event). ``day`` is the date that all this is as of.
    ``popularity`` int64 (n_items) is the exact sum of recent weights over profiles, in units of 1 / QUANTUM.
    ``excluded_indptr`` and ``excluded_indices`` are the pairs not to be recommended, with or without such an entry.
    """

    n_profiles: int
    n_items: int
    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    weight: NDArray[np.float32]
    recent_weight: NDArray[np.float32]
    strength: NDArray[np.float32]
    events: NDArray[np.int32]
    last_day: NDArray[np.int32]
    popularity: NDArray[np.int64]
    excluded_indptr: NDArray[np.int64]
    excluded_indices: NDArray[np.int32]
    first_day: NDArray[np.int32]
    day: int

    @classmethod
    def from_columns(
        cls,
        n_profiles: int,
        n_items: int,
        profile_index: NDArray[Any],
        item_index: NDArray[Any],
        weight: NDArray[Any],
        recent_weight: NDArray[Any] | None = None,
        events: NDArray[Any] | None = None,
        last_day: NDArray[Any] | None = None,
        strength: NDArray[Any] | None = None,
        excludes: NDArray[Any] | None = None,
        first_day: NDArray[Any] | None = None,
    ) -> Interactions:
        """Build from equally long columns in any order; the result does not depend on that order.

        ``recent_weight`` defaults to ``weight``, ``events`` to 1, ``last_day`` to 0, ``strength`` to weights of at
        most 1, ``excludes`` to true, ``first_day`` to ``last_day``. A pair without events has no entry; it can only be
        excluded. ``day`` becomes the latest last day.
        Raises ``ValueError`` when an index is out of range, a pair comes twice, or a weight is negative or infinite.
        """
        profile = np.asarray(profile_index, dtype=np.int64)
        item = np.asarray(item_index, dtype=np.int64)
        weights = np.asarray(weight, dtype=np.float64)
        recent = weights if recent_weight is None else np.asarray(recent_weight, dtype=np.float64)
        strengths = np.minimum(weights, 1) if strength is None else np.asarray(strength, dtype=np.float64)
        counts = np.ones(len(profile), np.int32) if events is None else np.asarray(events, dtype=np.int32)
        days = np.zeros(len(profile), np.int32) if last_day is None else np.asarray(last_day, dtype=np.int32)
        barred = np.ones(len(profile), np.bool_) if excludes is None else np.asarray(excludes, dtype=np.bool_)
        begun = days if first_day is None else np.asarray(first_day, dtype=np.int32)
        columns = (profile, item, weights, recent, strengths, counts, days, barred, begun)
        if len({len(column) for column in columns}) != 1:
            raise ValueError("the columns of the interactions differ in length")
        for name, index, size in (("profile_index", profile, n_profiles), ("item_index", item, n_items)):
            if len(index) and not (index.min() >= 0 and index.max() < size):
                raise ValueError(f"{name} must lie in 0..{size - 1}")
        for name, values in (("weight", weights), ("recent_weight", recent), ("strength", strengths)):
            if not (np.isfinite(values).all() and (values >= 0).all()):
                raise ValueError(f"{name} must be finite and not negative")
        key = profile * max(n_items, 1) + item
        order = np.argsort(key, kind="stable")
        if len(key) and not (np.diff(key[order]) > 0).all():
            raise ValueError("a pair of profile and item comes twice")
        out = order if barred.all() else order[barred[order]]
        order = order if (counts > 0).all() else order[counts[order] > 0]
        popularity = np.zeros(n_items, np.int64)
        np.add.at(popularity, item, np.rint(recent * QUANTUM).astype(np.int64))
        return cls(
            n_profiles,
            n_items,
            _ends(profile[order], n_profiles),
            item[order].astype(np.int32),
            weights[order].astype(np.float32),
            recent[order].astype(np.float32),
            strengths[order].astype(np.float32),
            counts[order],
            days[order],
            popularity,
            _ends(profile[out], n_profiles),
            item[out].astype(np.int32),
            begun[order],
            int(days[order].max(initial=0)),
        )

    def dated(self, day: int) -> Interactions:
        """The same as of ``day``, in days since 1970-01-01."""
        return replace(self, day=day)

    @property
    def entries(self) -> int:
        """Number of pairs of profile and item."""
        return len(self.indices)

    def matrix(self, values: NDArray[Any] | None = None) -> csr_matrix:
        """CSR (n_profiles, n_items) of ``values``, one for each entry; ``strength`` by default.

        Models learn from and score strengths: an item wanted ten times says about taste what its last want says, and
        counting it tenfold was worse in every model.
        """
        data = self.strength if values is None else values
        return csr_matrix((data, self.indices, self.indptr), shape=(self.n_profiles, self.n_items))

    def histories(self, rows: NDArray[Any] | None = None) -> Histories:
        """Everything known of each pair of these profiles (of all by default): what recommenders make lists of."""
        chosen = np.arange(self.n_profiles) if rows is None else rows
        places, indptr = places_of(self.indptr, chosen)
        strength = csr_matrix((self.strength[places], self.indices[places], indptr), shape=(len(chosen), self.n_items))
        last, first = (np.maximum(self.day - days[places], 0) for days in (self.last_day, self.first_day))
        values = (self.weight[places], self.recent_weight[places], self.events[places], last, first)
        return Histories(strength, *(column.astype(np.float32, copy=False) for column in values))

    def excluded(self) -> csr_matrix:
        """CSR int8 (n_profiles, n_items) with a stored entry for each pair that is not to be recommended."""
        data = np.ones(len(self.excluded_indices), np.int8)
        return csr_matrix((data, self.excluded_indices, self.excluded_indptr), shape=(self.n_profiles, self.n_items))

    def item_profiles(self) -> NDArray[np.int64]:
        """Number of profiles that interacted with each item, int64 (n_items,)."""
        return np.bincount(self.indices, minlength=self.n_items).astype(np.int64)

    def item_events(self) -> NDArray[np.int64]:
        """Number of events of each item, int64 (n_items,)."""
        total = np.zeros(self.n_items, np.int64)
        np.add.at(total, self.indices, self.events)
        return total

    def popularity_order(self) -> NDArray[np.int32]:
        """Item indices, best first: by recent weight, then profiles, then events, then index. int32 (n_items,)."""
        keys = (np.arange(self.n_items), -self.item_events(), -self.item_profiles(), -self.popularity)
        return np.lexsort(keys).astype(np.int32)


def _ends(rows: NDArray[np.int64], n_rows: int) -> NDArray[np.int64]:
    """CSR row pointers, int64 (n_rows + 1), of sorted row numbers."""
    indptr = np.zeros(n_rows + 1, np.int64)
    np.cumsum(np.bincount(rows, minlength=n_rows), out=indptr[1:])
    return indptr
