"""How long until a churn: cumulative hazards over time, alone and several as one, and their score at the horizon.

A hazard at one moment is additive in the terms of no model but Cox's. Each step on the way to it (a tail of the normal
law, a sum over periods, logarithms) is a function of one number, so what its argument is made of is scaled by the slope
of the chord from the argument of a row whose contributions are all 0; then the contributions sum to what the row gets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from models.churn.cox import Cox
from models.churn.scorer import Arrays, Floats, prefixed, select_arrays

LEAST = 1e-9
"""Least cumulative hazard that is told from none."""
MOST = 30.0
"""Greatest cumulative hazard at the horizon: beyond it a churn is as good as certain."""
STEEPEST = 500.0
"""Greatest logarithm of a hazard, so that rows far from all that was learned from stay numbers."""


class Life(Protocol):
    """A fitted survival model."""

    def cumulative(self, matrix: Floats, standard: Floats, times: Floats) -> Floats:
        """Cumulative hazard (n, times) at rising times above 0: survival is exp(-it)."""
        ...

    def parted(self, matrix: Floats, standard: Floats, time: float) -> tuple[Floats, float]:
        """Contributions (n, terms) to the logarithm of the cumulative hazard at ``time``, and that logarithm where all
        contributions are 0.
        """
        ...

    def arrays(self) -> Arrays:
        """Everything needed to restore it."""
        ...


def chord(change: Floats, of: Floats, slope: Floats | float) -> Floats:
    """``change`` / ``of``, both (n,); ``slope``, the limit, where ``of`` is 0."""
    still = np.abs(of) < 1e-12
    return np.where(still, slope, change / np.where(still, 1.0, of))


@dataclass(frozen=True, slots=True)
class CoxLife:
    """Cox's score with Breslow's baseline: ``hazard`` is cumulative at ``times``, a step function."""

    scorer: Cox
    times: Floats
    hazard: Floats

    def cumulative(self, matrix: Floats, standard: Floats, times: Floats) -> Floats:
        """(n, times)."""
        place = np.searchsorted(self.times, times, side="right")
        baseline = np.concatenate([[0.0], self.hazard])[place]
        return np.asarray(np.exp(np.minimum(self.scorer.score(matrix, standard), STEEPEST))[:, None] * baseline)

    def parted(self, matrix: Floats, standard: Floats, time: float) -> tuple[Floats, float]:
        """Exact: hazards are proportional."""
        place = int(np.searchsorted(self.times, time, side="right"))
        baseline = float(self.hazard[place - 1]) if place else 0.0
        return self.scorer.contributions(matrix, standard), float(np.log(max(baseline, LEAST)))

    def arrays(self) -> Arrays:
        """Cox's own, and the baseline."""
        return {**self.scorer.arrays(), "times": self.times, "hazard": self.hazard}

    @staticmethod
    def restore(arrays: Arrays) -> CoxLife:
        """The model of these ``arrays()``."""
        return CoxLife(Cox.restore(arrays), arrays["times"], arrays["hazard"])


@dataclass(frozen=True, slots=True)
class Together:
    """Weighted geometric mean of cumulative hazards of ``parts``, by ``names``; ``weights`` sum to 1."""

    names: tuple[str, ...]
    parts: tuple[Life, ...]
    weights: Floats

    def cumulative(self, matrix: Floats, standard: Floats, times: Floats) -> Floats:
        """(n, times)."""
        return together([part.cumulative(matrix, standard, times) for part in self.parts], self.weights)

    def parted(self, matrix: Floats, standard: Floats, time: float) -> tuple[Floats, float]:
        """Weighted sum of the parts'."""
        out, base = np.zeros(standard.shape), 0.0
        for part, weight in zip(self.parts, self.weights, strict=True):
            shares, none = part.parted(matrix, standard, time)
            out += weight * shares
            base += float(weight) * none
        return out, base

    def arrays(self) -> Arrays:
        """The weights, and each part's arrays under its number and name."""
        found: Arrays = {"weights": self.weights}
        for number, (name, part) in enumerate(zip(self.names, self.parts, strict=True)):
            found |= prefixed(part.arrays(), f"{number}-{name}")
        return found

    @staticmethod
    def restore(arrays: Arrays, restorers: Mapping[str, Callable[[Arrays], Life]]) -> Together:
        """The model of these ``arrays()``; ``restorers`` by the parts' names."""
        heads = sorted({name.split(".")[0] for name in arrays if "." in name})
        names = tuple(head.split("-", 1)[1] for head in heads)
        parts = (restorers[name](select_arrays(arrays, head)) for name, head in zip(names, heads, strict=True))
        return Together(names, tuple(parts), np.asarray(arrays["weights"]))


def together(hazards: list[Floats], weights: Floats) -> Floats:
    """Weighted geometric mean of cumulative hazards."""
    out = np.zeros_like(hazards[0])
    for hazard, weight in zip(hazards, weights, strict=True):
        out += weight * np.log(np.maximum(hazard, LEAST))
    return np.asarray(np.exp(out))


@dataclass(frozen=True, slots=True)
class Lives:
    """A score from whole lives: the log-odds of a churn within ``horizon`` days.

    ``base`` is the logarithm of the cumulative hazard where all contributions of ``life`` are 0; ``center`` holds the
    mean contributions to the log-odds over the training rows.
    """

    life: Together
    horizon: float
    base: float
    center: Floats
    name: str = "lives"

    @staticmethod
    def of(life: Together, horizon: float, matrix: Floats, standard: Floats) -> Lives:
        """The score of ``life``, centered on these training rows."""
        bare = Lives(life, horizon, life.parted(matrix[:0], standard[:0], horizon)[1], np.zeros(standard.shape[1]))
        return Lives(life, horizon, bare.base, bare.contributions(matrix, standard).mean(axis=0))

    def contributions(self, matrix: Floats, standard: Floats) -> Floats:
        """What each term adds to the log-odds."""
        shares, base = self.life.parted(matrix, standard, self.horizon)
        log_hazard = shares.sum(axis=1)
        change = log_odds(np.exp(np.minimum(base + log_hazard, STEEPEST))) - log_odds(np.exp(base))
        rate = float(np.exp(base))
        return np.asarray(shares * chord(change, log_hazard, rate / -np.expm1(-rate))[:, None] - self.center)

    def score(self, matrix: Floats, standard: Floats) -> Floats:
        """Sum of the contributions, without making them one by one."""
        hazard = self.life.cumulative(matrix, standard, np.array([self.horizon]))[:, 0]
        return np.asarray(log_odds(hazard) - log_odds(np.exp(self.base)) - self.center.sum())

    def cumulative(self, matrix: Floats, standard: Floats, risk: Floats, days: Floats) -> Floats:
        """Cumulative hazard (n, days) of rows whose hazard at the horizon is known to be ``risk`` (n,)."""
        moments = np.unique(np.append(days, self.horizon))
        hazard = np.maximum(self.life.cumulative(matrix, standard, moments), LEAST)
        at_horizon = hazard[:, np.searchsorted(moments, self.horizon)]
        return np.asarray((risk / at_horizon)[:, None] * hazard[:, np.searchsorted(moments, days)])

    def arrays(self) -> Arrays:
        """The horizon, the center and the life's arrays."""
        law = np.array([self.horizon, self.base])
        return {"law": law, "center": self.center, **prefixed(self.life.arrays(), "life")}

    @staticmethod
    def restore(arrays: Arrays, restorers: Mapping[str, Callable[[Arrays], Life]]) -> Lives:
        """The model of these ``arrays()``; ``restorers`` of the parts of its life, by name."""
        horizon, base = (float(value) for value in arrays["law"])
        return Lives(Together.restore(select_arrays(arrays, "life"), restorers), horizon, base, arrays["center"])


def log_odds(hazard: Floats) -> Floats:
    """Log-odds of a churn before a moment with this cumulative ``hazard``, shape as given."""
    kept = np.clip(hazard, LEAST, MOST)
    return np.asarray(kept + np.log(-np.expm1(-kept)))
