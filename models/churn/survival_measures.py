"""How good survival curves are where many lives are not over yet: concordance, Brier score, AUC and calibration, each
row weighted by the inverse of its chance not to have been censored (Graf 1999, Uno 2007).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_LEAST = 1e-3


@dataclass(frozen=True, slots=True)
class Censoring:
    """Kaplan-Meier of the time to censoring: ``free`` is the chance of not being censored up to and at ``times``."""

    times: Floats
    free: Floats

    @staticmethod
    def of(duration: NDArray[Any], event: Flags) -> Censoring:
        """Where churn and censoring fall on the same time, the churn came first."""
        times, place = np.unique(duration, return_inverse=True)
        ending = np.bincount(place, minlength=len(times))
        at_risk = np.cumsum(ending[::-1])[::-1]
        churned = np.bincount(place[event], minlength=len(times))
        censored = ending - churned
        factor = 1 - censored / np.maximum(at_risk - churned, 1)
        return Censoring(times.astype(np.float64), np.cumprod(factor))

    def after(self, moments: Any) -> Floats:
        """Chance of not being censored up to and at each moment, at least 1/1000."""
        place = np.searchsorted(self.times, moments, side="right")
        return np.asarray(np.maximum(np.concatenate([[1.0], self.free])[place], _LEAST))

    def before(self, moments: Any) -> Floats:
        """The same, without the moment itself."""
        place = np.searchsorted(self.times, moments, side="left")
        return np.asarray(np.maximum(np.concatenate([[1.0], self.free])[place], _LEAST))


def brier_at(duration: NDArray[Any], event: Flags, survival: Floats, moment: float, censoring: Censoring) -> Floats:
    """Weighted squared errors (n,) of ``survival`` (n,) at one moment."""
    gone, alive = (duration <= moment) & event, duration > moment
    return np.asarray(
        gone / censoring.before(duration) * survival**2 + alive / censoring.after(moment) * (1 - survival) ** 2
    )


def integrated_brier(
    duration: NDArray[Any], event: Flags, survival: Floats, times: Floats, censoring: Censoring
) -> float:
    """Mean over ``times`` (rising; trapezoids) of the Brier score of ``survival`` (n, times)."""
    each = [
        float(brier_at(duration, event, survival[:, place], float(moment), censoring).mean())
        for place, moment in enumerate(times)
    ]
    return each[0] if len(times) == 1 else float(np.trapezoid(each, times) / (times[-1] - times[0]))


def auc_at(duration: NDArray[Any], event: Flags, risk: Floats, moment: float, censoring: Censoring) -> float:
    """Chance that who churned within ``moment`` was told a higher ``risk`` (n,) than who lived past it; 0.5 without
    either.
    """
    gone, alive = (duration <= moment) & event, duration > moment
    if not gone.any() or not alive.any():
        return 0.5
    ordered, ones = np.sort(risk[alive]), risk[gone]
    below = (np.searchsorted(ordered, ones, "left") + np.searchsorted(ordered, ones, "right")) / 2 / len(ordered)
    return float(np.average(below, weights=1 / censoring.before(duration[gone])))


def calibration_at(
    duration: NDArray[Any], event: Flags, risk: Floats, moment: float, censoring: Censoring, bins: int = 10
) -> float:
    """Mean distance of the observed from the predicted share of churns within ``moment``, over bins of equal size."""
    gone, alive = (duration <= moment) & event, duration > moment
    weight = gone / censoring.before(duration) + alive / censoring.after(moment)
    total = 0.0
    for part in np.array_split(np.argsort(risk, kind="stable"), bins):
        if weight[part].sum() > 0:
            total += abs(float(np.average(gone[part], weights=weight[part]) - risk[part].mean())) * len(part)
    return total / max(len(risk), 1)
