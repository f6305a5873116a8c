"""A/B tests that are read every night: intervals and p-values that hold however often, and whenever, one looks.

A fixed interval of 95 % that is read every night excludes the truth on some night far more often than once in twenty.
What is here holds for all nights together: the chance that it is ever wrong is at most the level.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, lambertw

Counts = NDArray[np.int64]
Values = NDArray[np.float64]
Verdict = Literal[
    "no decision yet", "A is better", "B is better", "the split is broken: do not trust"
]

A, B = 0, 1
SPLIT_LEVEL = 0.01
"""Chance that a fair split is ever called broken."""
SPLIT_WEIGHT = 100.0
"""How nearly even a broken split is thought to be: what the Dirichlet parameters of Lindon and Malek add up to."""
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

    The interval is the asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas,
    "Time-uniform central limit theory and asymptotic confidence sequences" (Annals of Statistics 52, 2024, theorem
    2.2: Robbins' normal mixture), on the difference of two means in a randomized experiment:
    value +- s sqrt((t r + 1) / (t r) (log(t r + 1) - 2 log(level))) with t subjects, standard error s, and r the best
    choice for ``planned`` subjects. The p-value is the same mixture solved for the level (Johari, Koomen, Pekelis and
    Walsh, "Always valid inference", Operations Research 70, 2022): the interval excludes 0 just when it is below the
    level. Standard errors are of rates shrunk by one converted and one other subject a group (Agresti and Caffo 2000),
    so that they are never zero.
    """
    judged, converted = np.asarray(judged, np.int64), np.asarray(converted, np.int64)
    observed = judged.min(axis=1) > 0
    told = observed & (converted.sum(axis=1) >= LEAST_CONVERTED)
    found = rates(judged, converted)
    value = np.asarray(found[:, B] - found[:, A])
    shrunk = (converted + 1) / (judged + 2)
    error = np.sqrt((shrunk * (1 - shrunk) / np.maximum(judged, 1)).sum(axis=1))
    informed = judged.sum(axis=1) * best_rate(planned, level)
    with np.errstate(invalid="ignore", divide="ignore"):
        width = error * np.sqrt((informed + 1) / informed * (np.log1p(informed) - 2 * np.log(level)))
        squared = np.square(value / error)
        evidence = squared * informed / (informed + 1) / 2 - np.log1p(informed) / 2
    low = np.where(told, np.maximum(value - width, -1), -1.0)
    high = np.where(told, np.minimum(value + width, 1), 1.0)
    p_value = np.where(told, np.exp(-np.maximum(np.nan_to_num(evidence), 0)), 1.0)
    return Difference(value, low, high, p_value)


def best_rate(planned: int, level: float) -> float:
    """The mixture's squared parameter with which the interval is tightest at ``planned`` subjects (Waudby-Smith et
    al. 2024, appendix): ``(-W(-level^2 / e) - 1) / planned`` on the lower branch of Lambert's W.
    """
    return float(-lambertw(-(level**2) * np.exp(-1), -1).real - 1) / planned


def split_p_value(subjects: Counts) -> Values:
    """Always-valid p-value of an even split at each reading, float64 (n,), from int64 (n, 2) subjects.

    Lindon and Malek, "Anytime-valid inference for multinomial count data" (NeurIPS 2022): one over the Bayes factor of
    a Dirichlet mixture around the even split against the even split itself. Exact at any size.
    """
    counts = np.asarray(subjects, np.float64)
    half = SPLIT_WEIGHT / 2
    mixed = betaln(half + counts[:, A], half + counts[:, B]) - betaln(half, half)
    fair = -np.log(2) * counts.sum(axis=1)
    return np.asarray(np.exp(np.minimum(fair - mixed, 0)), dtype=np.float64)


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
