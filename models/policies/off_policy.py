"""What a policy would have earned, from exposures that another policy logged (decision contract, section 10.6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from models.policies.cells import Values
from models.policies.exposures import NO_ARM, Exposures

Estimator = Literal["dm", "ips", "snips", "dr"]
Refusal = Literal["probability missing", "probability outside (0, 1]", "fewer than 100 exposures", "arm never logged"]

Z = 1.96
LEAST_EXPOSURES = 100
LEAST_SUPPORT = 0.05
"""Effective sample size below this share of the exposures is no support."""
MEAN_WEIGHT_ERRORS = 3.0
ROUNDING = 1e-4
"""What probabilities rounded to a millionth (10.5, 13) may move a mean weight that does not vary."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value per exposure, its standard error, and the interval value +- 1.96 SE (None where it is unreliable)."""

    value: float
    error: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Valuation:
    """One target policy valued by every estimator; ``estimates`` is empty and ``reason`` set where it was refused.

    ``support``: effective sample size (sum w)^2 / sum w^2. ``mean_weight`` with ``mean_weight_error``: the mean of
    w = target / logged probability, 1 if the log is right. ``unreliable``: support below 5 % of the exposures, or a
    mean weight more than three errors from 1. ``assumed``: the log's probabilities were assumed.
    """

    exposures: int
    estimates: Mapping[Estimator, Estimate]
    support: float | None
    mean_weight: float | None
    mean_weight_error: float | None
    largest_weight: float | None
    unreliable: bool
    assumed: bool
    reason: Refusal | None = None

    @property
    def supported(self) -> bool:
        """Whether the effective sample size is at least 5 % of the exposures (gate G3)."""
        return self.support is not None and self.support >= LEAST_SUPPORT * self.exposures


def estimate(exposures: Exposures, target: Values, means: Values) -> Valuation:
    """Value ``target`` on ``exposures`` by direct method, IPS, self-normalized IPS and doubly robust.

    ``target`` (C, K): pi(a | x), each row adding up to 1 over the candidates of its context; or (F, C, K): for
    exposures of fold f the policy that was learned without that fold, which values what learning yields on sessions
    it has not seen. ``means`` (F, C, K): the modelled reward of every arm in every context, fitted likewise (F may be
    1). Sums are taken over ``exposures.gathered()``.
    """
    rows = exposures.gathered()
    target = target if target.ndim == 3 else target[None]
    folds = max(len(target), len(means))
    target, means = (np.broadcast_to(one, (folds, *one.shape[1:])) for one in (target, means))
    total = int(rows.count.sum())
    reason = _refusal(rows, target, total)
    if reason is not None:
        return Valuation(total, {}, None, None, None, None, True, exposures.assumed, reason)
    return _valued(rows, target, means, total)


def _refusal(rows: Exposures, target: Values, total: int) -> Refusal | None:
    if np.isnan(rows.probability).any():
        return "probability missing"
    if not ((rows.probability > 0) & (rows.probability <= 1)).all():
        return "probability outside (0, 1]"
    if total < LEAST_EXPOSURES:
        return "fewer than 100 exposures"
    points = rows.contexts.point
    logged = np.zeros((int(points.max(initial=0)) + 1, target.shape[2]), dtype=np.bool_)
    known = rows.arm != NO_ARM
    logged[points[rows.context[known]], rows.arm[known]] = True
    seen = np.zeros(len(points), dtype=np.bool_)
    seen[rows.context] = True
    return "arm never logged" if ((target > 0).any(axis=0) & ~logged[points])[seen].any() else None


def _valued(rows: Exposures, target: Values, means: Values, total: int) -> Valuation:
    count, fold = rows.count.astype(np.float64), np.minimum(rows.fold, len(means) - 1)
    at, known = (fold, rows.context, rows.arm), rows.arm != NO_ARM
    weight = np.where(known, target[at], 0.0) / rows.probability
    expected = np.einsum("fck,fck->fc", target, means)[fold, rows.context]
    left = np.where(known, rows.value - means[at], 0.0)
    weights, squares = float(np.sum(count * weight)), float(np.sum(count * np.square(weight)))
    support = weights**2 / squares if squares > 0 else 0.0
    mean_weight, weight_error = _mean(weight, count, total)
    unreliable = support < LEAST_SUPPORT * total or not near_one(mean_weight, weight_error)
    found = {
        "dm": _mean(expected, count, total),
        "ips": _mean(weight * rows.value, count, total),
        "snips": _self_normalized(weight, rows.value, count, weights),
        "dr": _mean(expected + weight * left, count, total),
    }
    estimates: dict[Estimator, Estimate] = {}
    for name in ("dm", "ips", "snips", "dr"):
        value, error = found[name]
        low, high = (None, None) if unreliable else (value - Z * error, value + Z * error)
        estimates[name] = Estimate(value, error, low, high)
    largest = float(weight.max())
    return Valuation(total, estimates, support, mean_weight, weight_error, largest, bool(unreliable), rows.assumed)


def near_one(mean_weight: float, error: float) -> bool:
    """Whether a mean weight is within three standard errors of 1, but for the rounding of logged probabilities."""
    return abs(mean_weight - 1) <= MEAN_WEIGHT_ERRORS * error + ROUNDING


def _mean(values: Values, count: Values, total: int) -> tuple[float, float]:
    """Mean, and sd / sqrt(n), of values that occur ``count`` times."""
    mean = float(np.sum(count * values)) / total
    variance = float(np.sum(count * np.square(values - mean))) / max(total - 1, 1)
    return mean, float(np.sqrt(variance / total))


def _self_normalized(weight: Values, value: Values, count: Values, weights: float) -> tuple[float, float]:
    """Sum w r / sum w, and sqrt(sum w^2 (r - value)^2) / sum w."""
    if weights <= 0:
        return 0.0, 0.0
    mean = float(np.sum(count * (weight * value))) / weights
    return mean, float(np.sqrt(np.sum(count * np.square(weight * (value - mean))))) / weights
