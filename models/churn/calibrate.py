"""From a score to a probability: one slope, and a level for each snapshot, learned on rows that the score was not
fitted on.

The level moves with the season and with the age of the business, so that of the date to be scored is a forecast:
see ``level_for``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_SLOPE_RIDGE = 10.0
_LEVEL_RIDGE = 1.0
_YEAR = 365
_LAST_YEAR = 372


@dataclass(frozen=True, slots=True)
class Calibrator:
    """logit p = level + slope x score. ``levels`` holds the level of each snapshot, newest first."""

    slope: float
    levels: tuple[float, ...]
    level: float

    def log_odds(self, score: Floats) -> Floats:
        """Calibrated log-odds, shape as given."""
        return np.asarray(self.level + self.slope * score)

    def probability(self, score: Floats) -> Floats:
        """Calibrated probability, shape as given."""
        return sigmoid(self.log_odds(score))


def sigmoid(value: Floats) -> Floats:
    """1 / (1 + exp(-x)), never exactly 0 or 1."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(value, -30.0, 30.0))))


def fit(score: Floats, label: NDArray[np.int64], snapshot: NDArray[np.int64], ages: Sequence[int]) -> Calibrator:
    """Learn slope and levels by penalized maximum likelihood (Platt 2000, with a level a snapshot).

    ``score`` must come from models that had not seen these rows. ``ages`` are the days from each snapshot to the date
    to be scored. The slope is drawn to 1 and the levels to their mean, each by the weight of a few rows, so that tiny
    samples stay sane.
    """
    slope, levels = _newton(score, label.astype(np.float64), snapshot, len(ages))
    return Calibrator(slope, tuple(float(level) for level in levels), level_for(levels, ages))


def level_for(levels: Floats, ages: Sequence[int]) -> float:
    """Level at the date to be scored, a forecast from those of the snapshots.

    Half the newest, which knows the trend, and half the mean of the last year, to which a season is pulled back.
    Where there are snapshots a year before the date and a year before the newest, half of that and half the season's
    level with the drift of a year since: last year's, and what the newest has gained on its own last year. Either half
    errs where the other does not; ``benchmarks/churn_levels.py`` compares the rules on made-up shops.
    """
    known = np.asarray(ages)
    newest = int(np.argmin(known))
    calm = 0.5 * levels[newest] + 0.5 * levels[known <= _LAST_YEAR].mean()
    season = int(np.argmin(np.abs(known - _YEAR)))
    before = int(np.argmin(np.abs(known - known[season] - known[newest])))
    near = max(int(known[newest]) / 4, 7)
    if abs(known[season] - _YEAR) > near or abs(known[before] - known[season] - known[newest]) > near:
        return float(calm)
    if before == season:
        return float(calm)
    return float(0.5 * calm + 0.5 * (levels[season] + levels[newest] - levels[before]))


def _newton(score: Floats, label: Floats, snapshot: NDArray[np.int64], count: int) -> tuple[float, Floats]:
    """Minimize the penalized log-loss over (slope, levels); the Hessian is an arrow, small and positive definite."""
    rate = min(max(label.mean(), 1e-3), 1 - 1e-3) if len(label) else 0.5
    slope, levels = 1.0, np.full(count, np.log(rate / (1 - rate)))
    for _ in range(50):
        chance = sigmoid(levels[snapshot] + slope * score)
        weight = chance * (1 - chance)
        mean = levels.mean()
        gradient = np.concatenate(
            [
                [((chance - label) * score).sum() + _SLOPE_RIDGE * (slope - 1)],
                np.bincount(snapshot, chance - label, count) + _LEVEL_RIDGE * (levels - mean),
            ]
        )
        hessian = np.zeros((count + 1, count + 1))
        hessian[0, 0] = (weight * score * score).sum() + _SLOPE_RIDGE
        hessian[0, 1:] = hessian[1:, 0] = np.bincount(snapshot, weight * score, count)
        hessian[1:, 1:] = np.diag(np.bincount(snapshot, weight, count) + _LEVEL_RIDGE) - _LEVEL_RIDGE / count
        step = np.linalg.solve(hessian + 1e-9 * np.eye(count + 1), gradient)
        step *= min(1.0, 4.0 / max(np.abs(step).max(), 1e-300))
        slope, levels = slope - float(step[0]), levels - step[1:]
        if np.abs(step).max() < 1e-10:
            break
    return max(slope, 0.05), levels
