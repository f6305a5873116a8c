"""The survival curve of a profile: its score at the horizon, and over time the shape of everybody's hazard.

A profile's own risk rules up to the horizon. Who has lived through it is less like his score said (the risky ones that
stayed have shown that they are not so risky), so past the horizon the risk counts with a power that is learned, as a
rule far below 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_FEWEST_EVENTS = 20
_MOST_KNOTS = 200
_LOWEST_POWER, _HIGHEST_POWER = -0.5, 1.5


@dataclass(frozen=True, slots=True)
class Shape:
    """Cumulative hazard over time, in two pieces joined at the horizon.

    ``hazard`` (rising from 0 to 1) at ``days`` (0 to the horizon) multiplies a profile's risk r = -log(1 - p);
    ``later`` (rising from 0) at ``later_days`` (from the horizon on) multiplies r ** ``power``.
    """

    days: Floats
    hazard: Floats
    later_days: Floats
    later: Floats
    power: float

    def cumulative(self, risk: Floats, days: Sequence[int]) -> Floats:
        """Cumulative hazard (n, days) of profiles with ``risk`` (n,); past the last day known it goes on at the average
        rate so far.
        """
        wanted = np.asarray(days, dtype=np.float64)
        early = np.interp(wanted, self.days, self.hazard)
        start, end = self.later_days[0], self.later_days[-1]
        late = np.interp(wanted, self.later_days, self.later)
        late = np.where(wanted > end, self.later[-1] * (wanted - start) / (end - start), late)
        return np.asarray(risk[:, None] * early + np.power(risk, self.power)[:, None] * late)


def fit(
    duration: NDArray[np.int64], event: NDArray[np.bool_], risk: Floats, horizon_days: int, *, within: bool
) -> Shape:
    """Breslow's cumulative baseline hazard before and after the horizon, with a power of the risk after it.

    ``duration``, ``event`` (n,) as in ``scorer.Sample``; ``risk`` (n,) > 0 is -log(1 - p). With ``within`` churns
    before the horizon have a shape of their own; without (a churn of that definition ends at the horizon at the
    earliest) the hazard is constant there. A piece with fewer than 20 churns has a constant hazard.
    """
    early = event & (duration <= horizon_days)
    days, hazard = np.array([0.0, horizon_days]), np.array([0.0, 1.0])
    if within and early.sum() >= _FEWEST_EVENTS:
        days, raw = _breslow(np.minimum(duration, horizon_days), early, risk, 0, horizon_days)
        hazard = raw / raw[-1]
    alive = duration > horizon_days
    churned = event & alive
    if churned.sum() < _FEWEST_EVENTS:
        return Shape(days, hazard, np.array([horizon_days, 2.0 * horizon_days]), np.array([0.0, 1.0]), 1.0)
    power = _power(np.log(risk[alive]), (duration[alive] - horizon_days).astype(np.float64), event[alive])
    later_days, later = _breslow(duration[alive], event[alive], risk[alive] ** power, horizon_days, int(duration.max()))
    return Shape(days, hazard, later_days, later, power)


def _breslow(
    duration: NDArray[np.int64], event: NDArray[np.bool_], weight: Floats, first: int, last: int
) -> tuple[Floats, Floats]:
    """At most 200 days from ``first`` to ``last``, and the cumulative baseline hazard since ``first`` at each."""
    churned = np.bincount(duration[event], minlength=last + 1).astype(np.float64)
    ending = np.bincount(duration, weight, minlength=last + 1)
    at_risk = np.cumsum(ending[::-1])[::-1]
    cumulative = np.cumsum(np.where(at_risk > 0, churned / np.maximum(at_risk, 1e-12), 0.0))
    days = np.unique(np.linspace(first, last, _MOST_KNOTS).round().astype(np.int64))
    return days.astype(np.float64), cumulative[days] - cumulative[first]


def _power(log_risk: Floats, exposure: Floats, event: NDArray[np.bool_]) -> float:
    """Maximum likelihood power of the risk under a constant hazard, by bisection; its equation is monotone in the
    power.
    """
    wanted = float(log_risk[event].mean())
    low, high = _LOWEST_POWER, _HIGHEST_POWER
    for _ in range(40):
        middle = (low + high) / 2
        weight = exposure * np.exp(middle * (log_risk - log_risk.max()))
        low, high = (middle, high) if (weight * log_risk).sum() / weight.sum() < wanted else (low, middle)
    return (low + high) / 2


def survival(probability: Floats, shape: Shape, days: Sequence[int]) -> Floats:
    """(n, days): probability of not having churned by each day. S(horizon) = 1 - p, and S never rises when ``days``
    rise.
    """
    return np.asarray(np.exp(-shape.cumulative(-np.log1p(-probability), days)))
