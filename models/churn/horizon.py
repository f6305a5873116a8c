"""The horizon: how many days of silence, or how far ahead, a churn is judged over (retention contract, section 13)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FEWEST_GAPS = 30
FEWEST_DAYS = 7
MOST_DAYS = 365


@dataclass(frozen=True, slots=True)
class Horizon:
    """``days`` is the horizon, 0 when history is too short for one; ``figures`` are what it was inferred from."""

    days: int
    figures: dict[str, float]


def gap_quantile(gaps: NDArray[np.int64], times: NDArray[np.int64]) -> int:
    """Gap at rank ceil(0.9 n) of all n gaps ascending, 30 below 30 gaps.

    ``gaps`` rise; ``times`` is how often each occurred.
    """
    count = int(times.sum())
    if count < FEWEST_GAPS:
        return 30
    rank = -(-9 * count // 10)  # ceil(0.9 n) in integers
    return int(gaps[np.searchsorted(np.cumsum(times), rank)])


def infer(gaps: NDArray[np.int64], times: NDArray[np.int64], span_days: int | None, configured: int = 0) -> Horizon:
    """H = min(max(Q, 7), 365, floor(span / 2)), or ``configured`` when that is not 0 and at most span / 2.

    ``span_days``: whole days from the first activity event to the cut-off, None without any event.
    """
    span = span_days or 0
    quantile = gap_quantile(gaps, times)
    figures: dict[str, float] = {"span_days": span, "gaps": int(times.sum()), "gap_quantile_days": quantile}
    if configured:
        figures["configured_days"] = configured
        return Horizon(configured if configured <= span / 2 else 0, figures)
    days = min(max(quantile, FEWEST_DAYS), MOST_DAYS, math.floor(span / 2))
    return Horizon(days if days >= FEWEST_DAYS else 0, figures)
