"""Intervals of a difference that hold however often, and whenever, one looks (decision contract, section 10.4).

Robbins' normal mixture in its asymptotic form: Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central
limit theory and asymptotic confidence sequences" (Annals of Statistics 52, 2024, theorem 2.2). With n subjects and
standard error s the interval is value +- s sqrt((n r + 1) / (n r) (log(n r + 1) - 2 log(level))), r being the squared
parameter of the mixture, chosen for the size at which the interval shall be tightest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Values = NDArray[np.float64]

LEVEL = 0.05
PLANNED = 5000
"""Exposures of both arms at which the interval of a decision report is tightest."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Of a difference; ``significant`` if it excludes 0."""

    low: float
    high: float

    @property
    def significant(self) -> bool:
        return self.low > 0 or self.high < 0


def rate(planned: float = PLANNED, level: float = LEVEL) -> float:
    """rho^2: the mixture's squared parameter, in closed form nearly the best one for ``planned`` subjects."""
    evidence = -2 * math.log(level)
    return (evidence + math.log(evidence + 1)) / planned


def best_rate(planned: float, level: float) -> float:
    """The squared parameter that is best for ``planned`` subjects (Waudby-Smith et al. 2024, appendix):
    ``(-W(-level^2 / e) - 1) / planned`` on the lower branch of Lambert's W.
    """
    from scipy.special import lambertw

    return float(-lambertw(-(level**2) * math.exp(-1), -1).real - 1) / planned


def multiplier(subjects: ArrayLike, squared_rate: float, level: float = LEVEL) -> Values:
    """What a standard error is multiplied with for half the width of the interval; infinite without subjects."""
    informed = np.asarray(subjects, dtype=np.float64) * squared_rate
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.sqrt((informed + 1) / informed * (np.log1p(informed) - 2 * math.log(level)))
    return np.where(informed > 0, found, np.inf)


def p_value(value: ArrayLike, error: ArrayLike, subjects: ArrayLike, squared_rate: float) -> Values:
    """The level at which the interval just reaches 0 (Johari, Koomen, Pekelis and Walsh, "Always valid inference",
    Operations Research 70, 2022): below a level just when the interval of that level excludes 0; 1 where unknown.
    """
    informed = np.asarray(subjects, dtype=np.float64) * squared_rate
    with np.errstate(divide="ignore", invalid="ignore"):
        squared = np.square(np.asarray(value, np.float64) / np.asarray(error, np.float64))
        evidence = squared * informed / (informed + 1) / 2 - np.log1p(informed) / 2
    return np.asarray(np.exp(-np.maximum(np.nan_to_num(evidence), 0)))


def interval(value: float, error: float, subjects: float) -> Interval | None:
    """The interval of a decision report at 95 %; None where an error is not known (no variance, nothing seen)."""
    if not error > 0 or subjects <= 0:
        return None
    half = error * float(multiplier(subjects, rate()))
    return Interval(value - half, value + half)
