"""P(an arm has the highest mean), from the posteriors of the arms (decision contract, section 8.3).

The integral of f_k prod_{j != k} F_j is taken by quadrature, nothing is drawn: on panels between break points of every
arm, so that the narrowest and the widest posterior are both resolved, with Gauss-Legendre nodes in each. Distribution
functions are summed up from the densities at the same nodes. Beta posteriors are integrated in the log-odds, where they
are never sharper than exponential tails, however small or large their counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

Values = NDArray[np.float64]

NODES = 5
REACH = 6.5
"""Standard deviations of a normal posterior that its break points reach to; beyond lies less than 1e-10."""
STEPS = 10
"""Panels from the middle of an arm to its reach."""
ROOM = 2_000_000
"""Values held at once in an array of arm x node."""


def best_of_betas(a: ArrayLike, b: ArrayLike) -> Values:
    """P(best) of independent Beta posteriors, float64 of the shape given, (..., arms); sums to 1 over the arms.

    Raises ``ValueError`` where a parameter is not positive and finite.
    """
    first, second = _rows(a), _rows(b)
    _demand((first > 0) & (second > 0) & np.isfinite(first + second), "Beta parameters must be positive and finite")
    return _best(_Betas(first, second)).reshape(np.shape(a))


def best_of_students(location: ArrayLike, scale: ArrayLike, freedom: ArrayLike) -> Values:
    """P(best) of independent Student-t posteriors, float64 of the shape given, (..., arms); sums to 1 over the arms.

    Raises ``ValueError`` where a scale is not positive or there is less than 1 degree of freedom.
    """
    place, width, degrees = _rows(location), _rows(scale), _rows(freedom)
    sound = (width > 0) & (degrees >= 1) & np.isfinite(place + width + degrees)
    _demand(sound, "a Student posterior needs a finite location, a positive scale and at least 1 degree of freedom")
    return _best(_Students(place, width, degrees)).reshape(np.shape(location))


def best_of_normals(mean: ArrayLike, deviation: ArrayLike) -> Values:
    """P(best) of independent Normal posteriors, float64 of the shape given, (..., arms); sums to 1 over the arms.

    Raises ``ValueError`` where a deviation is not positive.
    """
    place, width = _rows(mean), _rows(deviation)
    _demand((width > 0) & np.isfinite(place + width), "a Normal posterior needs a finite mean and a positive deviation")
    return _best(_Normals(place, width)).reshape(np.shape(mean))


class _Posteriors(Protocol):
    """Posteriors of n cases and k arms."""

    def breaks(self) -> Values:
        """Rising points that resolve each posterior, (n, k, points)."""

    def take(self, cases: NDArray[np.intp], arms: NDArray[np.intp]) -> _Posteriors:
        """The cases (m,), each with these arms of it (m, j)."""

    def density(self, at: Values) -> Values:
        """Densities (n, k, nodes) at points (n, nodes)."""

    def distribution(self, at: Values) -> Values:
        """Distribution functions (n, k) at one point a case (n,)."""


@dataclass(frozen=True, slots=True, eq=False)
class _Betas:
    """In the log-odds s of the mean: density t^a (1 - t)^b / B(a, b) at t = 1 / (1 + exp(-s))."""

    a: Values
    b: Values

    def breaks(self) -> Values:
        from scipy.special import zeta

        steps, a, b = _steps(), self.a[..., None], self.b[..., None]
        # From the mode log(a / b): the left side is as wide as the logarithm of a Gamma(a), from normal (many counts)
        # to exponential (few), but for what Gamma(b) adds, whose other tail is never wider than 1; likewise the right.
        first, second = zeta(2.0, a), zeta(2.0, b)
        left = np.sqrt(first + np.minimum(second, 1)) * (1 + 1.3 / (1 + a))
        right = np.sqrt(second + np.minimum(first, 1)) * (1 + 1.3 / (1 + b))
        return np.asarray(np.log(a) - np.log(b) + np.where(steps < 0, left, right) * steps)

    def take(self, cases: NDArray[np.intp], arms: NDArray[np.intp]) -> _Betas:
        return _Betas(self.a[cases[:, None], arms], self.b[cases[:, None], arms])

    def density(self, at: Values) -> Values:
        from scipy.special import betaln

        tail = np.log1p(np.exp(-np.abs(at)))
        log_t, log_rest = np.minimum(at, 0) - tail, -np.maximum(at, 0) - tail
        power = self.a[..., None] * log_t[:, None, :] + self.b[..., None] * log_rest[:, None, :]
        return np.asarray(np.exp(power - betaln(self.a, self.b)[..., None]))

    def distribution(self, at: Values) -> Values:
        from scipy.special import betainc, betaincc, betaln, expit

        point = at[:, None]
        below = np.where(point <= 0, betainc(self.a, self.b, expit(point)), betaincc(self.b, self.a, expit(-point)))
        # Where t is below the least double, its distribution is t^a / (a B).
        deep = np.exp(np.minimum(self.a * point - np.log(self.a) - betaln(self.a, self.b), 0))
        return np.asarray(np.where(point < -600, deep, below))


@dataclass(frozen=True, slots=True, eq=False)
class _Students:
    location: Values
    scale: Values
    freedom: Values

    def breaks(self) -> Values:
        steps, freedom = _steps(), self.freedom[..., None]
        # Nearly the quantiles of t at normal quantiles x: sqrt(v (exp(x^2 / v) - 1)).
        reach = np.sign(steps) * np.sqrt(freedom * np.expm1(np.square(steps) / freedom))
        return np.asarray(self.location[..., None] + self.scale[..., None] * reach)

    def take(self, cases: NDArray[np.intp], arms: NDArray[np.intp]) -> _Students:
        at = (cases[:, None], arms)
        return _Students(self.location[at], self.scale[at], self.freedom[at])

    def density(self, at: Values) -> Values:
        from scipy.special import betaln

        freedom = self.freedom[..., None]
        apart = (at[:, None, :] - self.location[..., None]) / self.scale[..., None]
        constant = -betaln(freedom / 2, 0.5) - np.log(freedom) / 2 - np.log(self.scale[..., None])
        return np.asarray(np.exp(constant - (freedom + 1) / 2 * np.log1p(np.square(apart) / freedom)))

    def distribution(self, at: Values) -> Values:
        from scipy.special import stdtr

        return np.asarray(stdtr(self.freedom, (at[:, None] - self.location) / self.scale))


@dataclass(frozen=True, slots=True, eq=False)
class _Normals:
    mean: Values
    deviation: Values

    def breaks(self) -> Values:
        return np.asarray(self.mean[..., None] + self.deviation[..., None] * _steps())

    def take(self, cases: NDArray[np.intp], arms: NDArray[np.intp]) -> _Normals:
        return _Normals(self.mean[cases[:, None], arms], self.deviation[cases[:, None], arms])

    def density(self, at: Values) -> Values:
        apart = (at[:, None, :] - self.mean[..., None]) / self.deviation[..., None]
        return np.asarray(np.exp(-np.square(apart) / 2) / (np.sqrt(2 * np.pi) * self.deviation[..., None]))

    def distribution(self, at: Values) -> Values:
        from scipy.special import ndtr

        return np.asarray(ndtr((at[:, None] - self.mean) / self.deviation))


def _rows(values: ArrayLike) -> Values:
    """As (cases, arms)."""
    found = np.asarray(values, dtype=np.float64)
    return found.reshape(-1, found.shape[-1])


def _demand(sound: NDArray[np.bool_], message: str) -> None:
    if not np.all(sound):
        raise ValueError(message)


def _best(posteriors: _Posteriors) -> Values:
    """(n, k) P(best): arms that cannot be best (all of them below where the highest arm begins) get 0."""
    breaks = posteriors.breaks()
    cases, arms, points = breaks.shape
    able = breaks[..., -1] > breaks[..., 0].max(axis=1, keepdims=True)
    able[np.arange(cases), breaks[..., 0].argmax(axis=1)] = True
    order = np.argsort(~able, axis=1, kind="stable")
    rivals = able.sum(axis=1)
    found = np.zeros((cases, arms))
    for width in np.unique(rivals):
        alike = np.flatnonzero(rivals == width)
        batch = max(1, ROOM // int(width * width * points * NODES))
        for start in range(0, len(alike), batch):
            chosen = alike[start : start + batch]
            columns = order[chosen, :width]
            part = breaks[chosen[:, None], columns]
            found[chosen[:, None], columns] = _integrated(posteriors.take(chosen, columns), part)
    return found


def _integrated(posteriors: _Posteriors, breaks: Values) -> Values:
    """(n, k) P(best) of a few cases, from break points (n, k, points)."""
    cases, arms, _ = breaks.shape
    if arms == 1:
        return np.ones((cases, 1))
    nodes, weights, upto = _gauss()
    lowest = breaks[..., 0].max(axis=1)
    edges = np.sort(np.maximum(breaks.reshape(cases, -1), lowest[:, None]), axis=1)
    widths = np.diff(edges, axis=1)
    at = edges[:, :-1, None] + widths[..., None] * nodes
    density = posteriors.density(at.reshape(cases, -1))
    panels = density.reshape(cases, arms, -1, NODES) * widths[:, None, :, None]
    mass = panels @ weights
    before = posteriors.distribution(lowest)[..., None] + np.cumsum(mass, axis=2) - mass
    below = np.maximum(before[..., None] + panels @ upto, np.finfo(np.float64).tiny)
    # prod F is the distribution of the best; f / F is the chance that it is this arm which ends there.
    found = (panels / below * np.prod(below, axis=1, keepdims=True)) @ weights
    found = np.maximum(found.sum(axis=2), 0)
    return np.asarray(found / found.sum(axis=1, keepdims=True))


@cache
def _steps() -> Values:
    """Break points of a standard normal."""
    return np.linspace(-REACH, REACH, 2 * STEPS + 1)


@cache
def _gauss() -> tuple[Values, Values, Values]:
    """Gauss-Legendre nodes and weights of [0, 1]; and (j, i): the weight of node j in the integral up to node i."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    nodes, weights = (nodes + 1) / 2, weights / 2
    powers = np.arange(1, NODES + 1)
    values = nodes[:, None] ** (powers - 1)
    integrals = nodes[:, None] ** powers / powers
    return nodes, weights, np.asarray(np.linalg.solve(values.T, integrals.T), dtype=np.float64)
