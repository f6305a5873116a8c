"""A survival model of whole durations: the discrete-time hazard over many periods (Tutz & Schmid 2016, ch. 3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.churn import calibrate, hazard
from models.churn.hazard import Hazard
from models.churn.scorer import CannotFit, Floats, Sample


def periods(
    duration: NDArray[Any], event: NDArray[np.bool_], edges: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Person-periods of right-censored durations: (row, period, label), one entry for every period a row was at risk
    in.

    Period k is (edges[k - 1], edges[k]], the first from 0. A row churning in period k has label 1 there; one censored
    within it counts as having lived through it only when its duration reaches the period's end.
    """
    reached = np.searchsorted(edges, duration, side="left")  # period in which the duration ends
    complete = np.searchsorted(edges, duration, side="right")  # periods lived through when censored
    lived = np.where(event & (reached < len(edges)), reached + 1, np.minimum(complete, len(edges)))
    row = np.repeat(np.arange(len(duration)), lived)
    period = np.arange(len(row)) - np.repeat(np.cumsum(lived) - lived, lived)
    label = (event[row] & (period == reached[row])).astype(np.int64)
    return row.astype(np.int64), period.astype(np.int64), label


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """A survival model of durations from person-periods: log-odds in period k are levels[k] + slope x score.

    ``edges`` are the ends of the periods, rising; the forest sees the period as one more term, so effects may change
    with time.
    """

    scorer: Hazard
    slope: float
    levels: Floats
    edges: Floats

    def survival(self, matrix: Floats, standard: Floats) -> Floats:
        """(n, periods): probability of living past each edge."""
        return np.asarray(np.exp(-self._cumulative(matrix, standard)))

    def cumulative(self, matrix: Floats, standard: Floats, times: Floats) -> Floats:
        """Cumulative hazard (n, times), linear between the edges, and beyond the last one at the average rate."""
        known = np.column_stack([np.zeros(len(matrix)), self._cumulative(matrix, standard)])
        edges = np.concatenate([[0.0], self.edges])
        place = np.clip(np.searchsorted(edges, times, side="left"), 1, len(edges) - 1)
        part = (np.asarray(times) - edges[place - 1]) / (edges[place] - edges[place - 1])
        inside = known[:, place - 1] + np.clip(part, 0.0, 1.0) * (known[:, place] - known[:, place - 1])
        return np.asarray(inside * np.maximum(np.asarray(times) / edges[-1], 1.0))

    def _cumulative(self, matrix: Floats, standard: Floats) -> Floats:
        hazards = np.empty((len(matrix), len(self.edges)))
        padded = np.column_stack([standard, np.zeros(len(standard))])
        for period, level in enumerate(self.levels):
            elapsed = np.column_stack([matrix, np.full(len(matrix), float(period))])
            hazards[:, period] = calibrate.sigmoid(level + self.slope * self.scorer.score(elapsed, padded))
        return np.asarray(np.cumsum(-np.log1p(-hazards), axis=1))


def fit(sample: Sample, edges: NDArray[Any], seed: int = 0) -> Lifetimes:
    """Fit on durations and events of ``sample`` (not its labels or snapshots) over the periods of ``edges``."""
    row, period, label = periods(sample.duration, sample.event, edges)
    expanded = Sample(
        np.asfortranarray(np.column_stack([sample.matrix[row], period.astype(np.float64)])),
        np.column_stack([sample.standard[row], np.zeros(len(row))]),
        label,
        np.ones_like(label),
        label == 1,
        period,
    )
    scorer = hazard.fit_periods(expanded, seed)
    score = scorer.score(expanded.matrix, expanded.standard)
    level = calibrate.fit(score, label, period, [0] * len(edges))
    return Lifetimes(scorer, level.slope, np.asarray(level.levels), np.asarray(edges, dtype=np.float64))


def edges_of(duration: NDArray[Any], event: NDArray[np.bool_], most: int = 24) -> NDArray[Any]:
    """At most ``most`` ends of periods with about as many churns each, rising. Raises ``CannotFit`` without a churn."""
    times = duration[event]
    if not len(times):
        raise CannotFit("nobody churned")
    shares = np.arange(1, most + 1) / most
    edges = np.unique(np.quantile(times, shares, method="inverted_cdf"))
    return edges[edges > 0] if (edges > 0).any() else np.array([1])
