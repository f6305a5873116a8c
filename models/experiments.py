"""A/B tests that are read every night: intervals and p-values that hold however often, and whenever, one looks.

A fixed interval of 95 % that is read every night excludes the truth on some night far more often than once in twenty.
What is here holds for all nights together: the chance that it is ever wrong is at most the level.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from decisions import always_valid, sample_ratio

Counts = NDArray[np.int64]
Values = NDArray[np.float64]
Verdict = Literal["no decision yet", "A is better", "B is better", "the split is broken: do not trust"]

A, B = 0, 1
SPLIT_LEVEL = 0.01
"""Chance that a fair split is ever called broken."""
LEAST_CONVERTED = 10
"""Converted subjects of both groups together below which nothing is said: the interval rests on a normal limit."""


@dataclass(frozen=True, slots=True, eq=False)
class Difference:
    """Rate of B minus rate of A at each reading, float64 (n,), with its interval and p-value.

    Where a group has no subject yet, ``value`` is nan, the interval is [-1, 1] and the p-value 1.
    """

    value: Values
    low: Values
    high: Values
    p_value: Values


def rates(judged: Counts, converted: Counts) -> Values:
    """Converted over judged, float64 of the same shape; nan where nobody was judged."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(converted / judged, dtype=np.float64)


def difference(judged: Counts, converted: Counts, level: float, planned: int) -> Difference:
    """Compare two groups at each of n readings, int64 (n, 2) subjects and converted ones, group A first.

    Interval and p-value are those of ``decisions.always_valid``, tightest at ``planned`` subjects: the interval
    excludes 0 just when the p-value is below the level. Standard errors are of rates shrunk by one converted and one
    other subject a group (Agresti and Caffo 2000), so that they are never zero.
    """
    judged, converted = np.asarray(judged, np.int64), np.asarray(converted, np.int64)
    observed = judged.min(axis=1) > 0
    told = observed & (converted.sum(axis=1) >= LEAST_CONVERTED)
    found = rates(judged, converted)
    value = np.asarray(found[:, B] - found[:, A])
    shrunk = (converted + 1) / (judged + 2)
    error = np.sqrt((shrunk * (1 - shrunk) / np.maximum(judged, 1)).sum(axis=1))
    subjects, squared_rate = judged.sum(axis=1), always_valid.best_rate(planned, level)
    with np.errstate(invalid="ignore"):
        width = error * always_valid.multiplier(subjects, squared_rate, level)
    evidence = always_valid.p_value(value, error, subjects, squared_rate)
    low = np.where(told, np.maximum(value - width, -1), -1.0)
    high = np.where(told, np.minimum(value + width, 1), 1.0)
    p_value = np.where(told, evidence, 1.0)
    return Difference(value, low, high, p_value)


def split_p_value(subjects: Counts) -> Values:
    """Always-valid p-value of an even split at each reading, float64 (n,), from int64 (n, 2) subjects."""
    return sample_ratio.even_split_p_value(subjects[:, A], subjects[:, B])


def verdicts(found: Difference, split: Values, level: float) -> list[Verdict]:
    """What each reading says in words."""
    return [
        _verdict(value, p_value, broken, level)
        for value, p_value, broken in zip(found.value, found.p_value, split, strict=True)
    ]


def _verdict(value: Any, p_value: Any, split: Any, level: float) -> Verdict:
    if split < SPLIT_LEVEL:
        return "the split is broken: do not trust"
    if p_value >= level:
        return "no decision yet"
    return "B is better" if value > 0 else "A is better"
