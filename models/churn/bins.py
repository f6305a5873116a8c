"""Columns in at most 255 bins, as boosting wants them.

scikit-learn bins by itself, but with weights takes a pass over the rows for each edge of each column, which is ten
times the work of growing a small forest. Edges at plain quantiles serve as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.churn.forest import Forest

Floats = NDArray[np.float64]

MOST_BINS = 255


@dataclass(frozen=True, slots=True)
class Bins:
    """``edges`` of each column, rising: a value is in bin k when it is above edge k - 1 and at most edge k."""

    edges: tuple[Floats, ...]

    @staticmethod
    def of(matrix: Floats) -> Bins:
        """Edges between the values of each column of ``matrix`` (n, terms), where these are at most 255, else at their
        quantiles; missing values (NaN) do not count.
        """
        return Bins(tuple(_edges(matrix[:, place]) for place in range(matrix.shape[1])))

    def codes(self, matrix: Floats) -> Floats:
        """(n, terms): the number of each value's bin, NaN where it is missing."""
        out = np.empty(matrix.shape, order="F")
        for place, edges in enumerate(self.edges):
            values = matrix[:, place]
            out[:, place] = np.where(np.isnan(values), np.nan, np.searchsorted(edges, values, side="left"))
        return out

    def thresholds(self, term: NDArray[np.int32], code: Floats) -> Floats:
        """Values that part columns ``term`` where ``code`` parts the numbers of their bins; both (n,)."""
        out = np.array(code)
        for place, edges in enumerate(self.edges):
            here = (term == place) & np.isfinite(code)
            out[here] = edges[code[here].astype(np.int64)]
        return out


def grow(model: Any, matrix: Floats, target: NDArray[Any], weight: Floats | None) -> Forest:
    """The forest of scikit-learn's boosted trees ``model`` fitted on rows of ``matrix`` (n, terms) with ``target``."""
    bins = Bins.of(matrix)
    return Forest.of(model.fit(bins.codes(matrix), target, sample_weight=weight), bins.thresholds)


def _edges(column: Floats) -> Floats:
    known = np.sort(column[~np.isnan(column)])
    values = np.unique(known)
    if len(values) <= MOST_BINS:
        return np.asarray(values[1:] / 2 + values[:-1] / 2)
    shares = np.arange(1, MOST_BINS) / MOST_BINS
    return np.unique(np.quantile(known, shares, method="averaged_inverted_cdf"))
