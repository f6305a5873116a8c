"""A survival model of whole durations: the discrete-time hazard over many periods (Tutz & Schmid 2016, ch. 3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.churn import calibrate, hazard
from models.churn.forest import Forest
from models.churn.hazard import Hazard
from models.churn.lives import LEAST, chord
from models.churn.scorer import Arrays, CannotFit, Floats, Sample, prefixed, select_arrays, thinned

MOST_CELLS = 3_000_000
"""Person-periods times terms that are learned from at most."""


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
    with time. ``drift`` (periods,) is what that term gives by itself, in the mean over the training rows.
    """

    scorer: Hazard
    slope: float
    levels: Floats
    edges: Floats
    drift: Floats

    def survival(self, matrix: Floats, standard: Floats) -> Floats:
        """(n, periods): probability of living past each edge."""
        return np.asarray(np.exp(-self.cumulative(matrix, standard, self.edges)))

    def cumulative(self, matrix: Floats, standard: Floats, times: Floats) -> Floats:
        """Cumulative hazard (n, times), linear between the edges, and beyond the last one at the average rate."""
        shares = self._shares(np.asarray(times, dtype=np.float64))
        out = np.zeros((len(matrix), shares.shape[1]))
        for period, score in enumerate(self._scores(matrix, standard, _used(shares))):
            out += _hazard(self.levels[period] + self.slope * score)[:, None] * shares[period]
        return out

    def parted(self, matrix: Floats, standard: Floats, time: float) -> tuple[Floats, float]:
        """As ``lives.Life`` has it. What the period's own term gives beyond its ``drift`` is shared by the other terms
        as they are large.
        """
        shares = self._shares(np.array([time]))[:, 0]
        out, hazard, base = np.zeros(standard.shape), np.zeros(len(matrix)), 0.0
        for period, found in enumerate(self._contributions(matrix, standard, _used(shares[:, None]))):
            terms, extra = found[:, :-1], found[:, -1] - self.drift[period]
            size = np.abs(terms) + 1e-12
            terms = terms + size * (extra / size.sum(axis=1))[:, None]
            score = terms.sum(axis=1)
            none = np.array([self.levels[period] + self.slope * self.drift[period]])
            here, there = _hazard(none + self.slope * score), _hazard(none)
            out += terms * (shares[period] * chord(here - there, score, self.slope * calibrate.sigmoid(none)))[:, None]
            hazard += shares[period] * here
            base += float(shares[period] * there[0])
        base = max(base, LEAST)
        logs = np.log(np.maximum(hazard, LEAST)) - np.log(base)
        return out * chord(logs, hazard - base, 1 / base)[:, None], float(np.log(base))

    def _shares(self, times: Floats) -> Floats:
        """(periods, times): how much of each period's hazard has been lived by each time."""
        edges = np.concatenate([[0.0], self.edges])
        part = (times[None, :] - edges[:-1, None]) / np.diff(edges)[:, None]
        return np.asarray(np.clip(part, 0.0, 1.0) * np.maximum(times / edges[-1], 1.0))

    def _scores(self, matrix: Floats, standard: Floats, periods: int) -> Iterator[Floats]:
        """Scores (n,) in each of the first periods."""
        linear = standard @ self.scorer.coefficients[:-1]
        for forest in _along(self.scorer.forest, matrix, periods, lambda some, rows: some.score(rows) - some.root):
            yield (linear if forest is None else 0.5 * (linear + forest)) - self.scorer.center.sum()

    def _contributions(self, matrix: Floats, standard: Floats, periods: int) -> Iterator[Floats]:
        """What each term, the last of which is the period, adds to the score in each of the first periods."""
        linear = np.column_stack([standard * self.scorer.coefficients[:-1], np.zeros(len(standard))])
        for forest in _along(self.scorer.forest, matrix, periods, Forest.contributions):
            yield (linear if forest is None else 0.5 * (linear + forest)) - self.scorer.center

    def arrays(self) -> Arrays:
        """The scorer's arrays, and what is known of each period."""
        periods = {"levels": self.levels, "edges": self.edges, "drift": self.drift, "slope": np.array([self.slope])}
        return {**periods, **prefixed(self.scorer.arrays(), "scorer")}

    @staticmethod
    def restore(arrays: Arrays) -> Lifetimes:
        """The model of these ``arrays()``."""
        scorer = Hazard.restore(select_arrays(arrays, "scorer"))
        return Lifetimes(scorer, float(arrays["slope"][0]), arrays["levels"], arrays["edges"], arrays["drift"])


def _used(shares: Floats) -> int:
    """How many of the first periods are needed."""
    return int(np.flatnonzero(shares.any(axis=1)).max(initial=-1)) + 1


def _hazard(log_odds: Floats) -> Floats:
    """Cumulative hazard of a period whose churn has these log-odds."""
    return np.asarray(np.logaddexp(0.0, np.clip(log_odds, -30.0, 30.0)))


def _along(
    forest: Forest | None, matrix: Floats, periods: int, of: Callable[[Forest, Floats], Floats]
) -> Iterator[Floats | None]:
    """``of`` the forest and rows in each of the first periods, the period being the last term.

    From one period to the next only trees that part them are asked again.
    """
    if forest is None:
        yield from [None] * periods
        return
    rows = np.empty((len(matrix), matrix.shape[1] + 1), order="F")
    rows[:, :-1], rows[:, -1] = matrix, 0.0
    found = of(forest, rows)
    parting = np.where(forest.term == matrix.shape[1], np.floor(forest.threshold) + 1, -1)
    for period in range(periods):
        trees = np.logical_or.reduceat(parting == period, forest.start[:-1])
        if period and trees.any():
            some = forest.only(trees)
            before = of(some, rows)
            rows[:, -1] = period
            found = found + (of(some, rows) - before)
        rows[:, -1] = period
        yield found


def fit(sample: Sample, edges: NDArray[Any], seed: int = 0) -> Lifetimes:
    """Fit on durations and events of ``sample`` (not its labels or snapshots) over the periods of ``edges``, on as many
    evenly spaced rows as make 3 million person-periods times terms at most.
    """
    lived = np.minimum(np.searchsorted(edges, sample.duration, side="left") + 1, len(edges)).sum()
    cells = int(lived) * max(sample.matrix.shape[1], 1)
    sample = thinned(sample, max(int(len(sample) * min(MOST_CELLS / max(cells, 1), 1.0)), 1))
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
    own = scorer.contributions(expanded.matrix, expanded.standard)[:, -1]
    drift = np.bincount(period, own, len(edges)) / np.maximum(np.bincount(period, minlength=len(edges)), 1)
    return Lifetimes(scorer, level.slope, np.asarray(level.levels), np.asarray(edges, dtype=np.float64), drift)


def edges_of(duration: NDArray[Any], event: NDArray[np.bool_], most: int = 24) -> NDArray[Any]:
    """At most ``most`` ends of periods with about as many churns each, rising. Raises ``CannotFit`` without a churn."""
    times = duration[event]
    if not len(times):
        raise CannotFit("nobody churned")
    shares = np.arange(1, most + 1) / most
    edges = np.unique(np.quantile(times, shares, method="inverted_cdf"))
    return edges[edges > 0] if (edges > 0).any() else np.array([1])
