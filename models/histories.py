"""Rows of what profiles did before a date, with everything known of each pair: what lists are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

Values = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Histories:
    """``strength``: CSR float32 (b, n_items), what models score. Beside each of its entries, float32: ``weight`` and
    ``recent_weight`` (sums of decayed event weights), ``events``, and the days since the last and the first of them.
    """

    strength: csr_matrix
    weight: Values
    recent_weight: Values
    events: Values
    last_age: Values
    first_age: Values

    @classmethod
    def of(cls, strength: csr_matrix) -> Histories:
        """Of rows of which only strengths are known, such as sessions: one event each, just now."""
        data = np.asarray(strength.data, dtype=np.float32)
        now = np.zeros(len(data), np.float32)
        return cls(strength, data, data, np.ones(len(data), np.float32), now, now)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and items."""
        return int(self.strength.shape[0]), int(self.strength.shape[1])

    def __getitem__(self, rows: Any) -> Histories:
        """Some of the rows: a slice, row numbers, or a mask."""
        places, indptr = places_of(self.strength.indptr, np.arange(self.shape[0])[rows])
        return self.entries(places, self.strength.indices[places], indptr, self.shape[1])

    def entries(self, places: NDArray[Any], indices: NDArray[Any], indptr: NDArray[Any], columns: int) -> Histories:
        """These entries under other row ends and item numbers."""
        strength = csr_matrix((self.strength.data[places], indices, indptr), shape=(len(indptr) - 1, columns))
        values = (self.weight, self.recent_weight, self.events, self.last_age, self.first_age)
        return Histories(strength, *(column[places] for column in values))

    def rows(self) -> NDArray[np.intp]:
        """Row of each entry."""
        return np.repeat(np.arange(self.strength.shape[0]), np.diff(self.strength.indptr))


def places_of(indptr: NDArray[Any], rows: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the entries of these CSR rows are, one row after the other, and their new row ends."""
    counts = indptr[rows + 1] - indptr[rows]
    ends = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return np.repeat(indptr[rows] - ends[:-1], counts) + np.arange(ends[-1]), ends
