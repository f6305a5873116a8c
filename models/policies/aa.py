"""Placebo tests: are intervals of an agent's exposures honest? (decision contract, section 10.7)"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr

from models.policies.cells import Values

PLACEBOS = 400
MOST_EXPOSURES = 50_000
LEVEL = 0.05
GREATEST_SHARE = LEVEL + 3 * (LEVEL * (1 - LEVEL) / PLACEBOS) ** 0.5
LEAST_EXPOSURES = 1000
"""Explore exposures below which the check says nothing."""


@dataclass(frozen=True, slots=True)
class Placebo:
    """The share of placebo comparisons that found a difference where there is none, and from how many exposures."""

    exposures: int
    share: float

    @property
    def passed(self) -> bool:
        return self.exposures < LEAST_EXPOSURES or self.share <= GREATEST_SHARE


def placebo_share(count: Values, total: Values, squares: Values) -> float:
    """Share of R placebos whose two-sided Welch test between labels is below 0.05.

    Each (R, 2): number of exposures of a label, their sum of x and of x^2. Labels of one exposure or none, or without
    any variance, find no difference.
    """
    size = np.maximum(count, 2)
    mean = total / size
    variance = np.maximum(squares - total * mean, 0) / (size - 1) / size
    error = variance.sum(axis=1)
    told = (error > 0) & (count.min(axis=1) >= 2)
    if not told.any():
        return 0.0
    difference, error, variance = (mean[:, 0] - mean[:, 1])[told], error[told], variance[told]
    freedom = np.square(error) / np.sum(np.square(variance) / (size[told] - 1), axis=1)
    p_value = 2 * stdtr(freedom, -np.abs(difference) / np.sqrt(error))
    return float(np.sum(p_value < LEVEL)) / len(count)
