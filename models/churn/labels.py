"""From a probability to what is shown of it: the label, and the expected days (retention contract, section 13)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LABELS = ("low", "mid", "high", "very-high")
MOST_DAYS = 3650


def label(probability: Floats, thresholds: tuple[float, float, float]) -> NDArray[np.str_]:
    """``low`` below the first threshold, ``mid`` below the second, ``high`` below the third, else ``very-high``; shape
    as given.
    """
    return np.asarray(LABELS)[np.searchsorted(np.asarray(thresholds), probability, side="right")]


def expected_days(probability: Floats, horizon_days: int) -> NDArray[np.int32]:
    """ceil(H ln 2 / -ln(1 - p)): median days at a constant hazard, at most 3650; 0 for p = 1."""
    with np.errstate(divide="ignore"):
        days = horizon_days * np.log(2.0) / -np.log1p(-probability)
    # the quotient of two logarithms may miss a whole number by a few units in the last place
    return np.asarray(np.minimum(np.ceil(days * (1 - 1e-12)), MOST_DAYS), dtype=np.int32)
