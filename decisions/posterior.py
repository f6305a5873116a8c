"""Posteriors of the mean reward of arms (decision contract, sections 8.2 and 8.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from decisions.best import best_of_betas, best_of_students

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]

GREATEST_PRIOR = 1000.0
INTERVAL = 0.9
MATURE_EXPOSURES = 100
THIN_GOALS = 40


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Effective count n, mean m and sample variance s^2 of one shape, float64."""

    n: Values
    mean: Values
    variance: Values


def moments(w: Values, w2: Values, s1: Values, s2: Values) -> Moments:
    """n = W^2 / W2, m = S1 / W, s^2 = max(0, S2 / W - m^2) n / (n - 1), 0 if n <= 1 (8.2); all 0 without exposures."""
    weight, squares = np.where(w > 0, w, 1.0), np.where(w > 0, w2, 1.0)
    n = np.where(w > 0, np.square(w) / squares, 0.0)
    mean = s1 / weight
    spread = np.maximum(s2 / weight - np.square(mean), 0)
    return Moments(n, mean, np.where(n > 1, spread * n / np.maximum(n - 1, 1e-12), 0.0))


class Posterior(Protocol):
    """Independent posteriors of arms, any shape (..., K)."""

    @property
    def mean(self) -> Values:
        """Posterior mean of each arm."""

    @property
    def sd(self) -> Values:
        """Posterior standard deviation of each arm; nan where it does not exist."""

    def interval(self) -> tuple[Values, Values]:
        """The 5 % and 95 % quantile of each arm."""

    def best(self, arms: Mask) -> Values:
        """P(best) among the arms of this mask (K,), in their order."""


@dataclass(frozen=True, slots=True, eq=False)
class Betas:
    """Beta(a, b)."""

    a: Values
    b: Values

    @property
    def mean(self) -> Values:
        return np.asarray(self.a / (self.a + self.b))

    @property
    def sd(self) -> Values:
        total = self.a + self.b
        return np.asarray(np.sqrt(self.a * self.b / (total + 1)) / total)

    def interval(self) -> tuple[Values, Values]:
        from scipy.special import betaincinv

        tail = (1 - INTERVAL) / 2
        return np.asarray(betaincinv(self.a, self.b, tail)), np.asarray(betaincinv(self.a, self.b, 1 - tail))

    def best(self, arms: Mask) -> Values:
        return best_of_betas(self.a[..., arms], self.b[..., arms])


@dataclass(frozen=True, slots=True, eq=False)
class Students:
    """Student-t with ``freedom`` degrees; ``variance`` is sigma'^2, that of a single reward."""

    location: Values
    scale: Values
    freedom: Values
    variance: Values

    @property
    def mean(self) -> Values:
        return self.location

    @property
    def sd(self) -> Values:
        beyond = np.where(self.freedom > 2, self.freedom - 2, np.nan)
        return np.asarray(self.scale * np.sqrt(self.freedom / beyond))

    def interval(self) -> tuple[Values, Values]:
        from scipy.special import stdtrit

        reach = self.scale * stdtrit(self.freedom, (1 + INTERVAL) / 2)
        return np.asarray(self.location - reach), np.asarray(self.location + reach)

    def best(self, arms: Mask) -> Values:
        return best_of_students(self.location[..., arms], self.scale[..., arms], self.freedom[..., arms])


@dataclass(frozen=True, slots=True, eq=False)
class Constant:
    """Rewards that never varied: nothing is known of any arm that would tell it from the others."""

    mean: Values

    @property
    def sd(self) -> Values:
        return np.full_like(self.mean, np.nan)

    def interval(self) -> tuple[Values, Values]:
        return self.sd, self.sd

    def best(self, arms: Mask) -> Values:
        able = int(arms.sum())
        return np.full((*self.mean.shape[:-1], able), 1.0 / max(able, 1))


def binary_posterior(seen: Moments) -> Betas:
    """Agent-level Beta posteriors (K,): prior mean mu_0 is that of all arms together, its size n_0 = 1 / min(mu_0, 1 -
    mu_0), at most 1000.
    """
    total = float(seen.n.sum())
    mean = (float(np.sum(seen.n * seen.mean)) + 0.5) / (total + 1)
    size = min(GREATEST_PRIOR, 1 / min(mean, 1 - mean))
    return updated_beta(np.float64(mean), np.float64(size), seen)


def updated_beta(prior_mean: Values | np.float64, prior_size: Values | np.float64, seen: Moments) -> Betas:
    """Beta(size mean + n m, size (1 - mean) + n (1 - m)), of the shape of ``seen``."""
    won = seen.n * seen.mean
    return Betas(
        np.asarray(prior_size * prior_mean + won),
        np.asarray(prior_size * (1 - prior_mean) + np.maximum(seen.n - won, 0)),
    )


def valued_posterior(seen: Moments) -> Students | Constant:
    """Agent-level Student posteriors (K,): prior mean and variance are those of all rewards together, its size is 1."""
    total = float(seen.n.sum())
    mean = float(np.sum(seen.n * seen.mean)) / total if total > 0 else 0.0
    squares = np.maximum(seen.n - 1, 0) * seen.variance + seen.n * np.square(seen.mean - mean)
    variance = float(np.sum(squares)) / (total - 1) if total > 1 else 0.0
    if variance <= 0:
        return Constant(np.full(seen.n.shape, mean))
    return updated_student(np.float64(mean), np.float64(1), np.float64(variance), seen)


def updated_student(
    prior_mean: Values | np.float64, prior_size: Values | np.float64, prior_variance: Values | np.float64, seen: Moments
) -> Students:
    """Normal-inverse-gamma update with ``prior_size`` for both counts of the prior, of the shape of ``seen``."""
    size = prior_size + seen.n
    location = (prior_size * prior_mean + seen.n * seen.mean) / size
    squares = (
        prior_size * prior_variance
        + np.maximum(seen.n - 1, 0) * seen.variance
        + prior_size * seen.n * np.square(seen.mean - prior_mean) / size
    )
    variance = squares / size
    return Students(np.asarray(location), np.asarray(np.sqrt(variance / size)), np.asarray(size), np.asarray(variance))


def served_weights(p_best: Values, mature: Mask) -> Values:
    """pi of every arm from P(best) of the mature ones (..., M): an immature arm gets 1/K, the mature ones share the
    rest in proportion. float64 (..., K).
    """
    arms = len(mature)
    found = np.full((*p_best.shape[:-1], arms), 1.0 / arms)
    found[..., mature] = p_best * (int(mature.sum()) / arms)
    return found
