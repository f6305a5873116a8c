"""The reward model of indicators, fitted in one segment (decision contract, section 8.5).

eta(z, k) = a_k + beta . z~ + D_k . z~. Arms meet only in beta, so the matrix of second derivatives is an arrow: a block
for each arm and one of beta. It is solved by blocks, whose size is the number of indicators, not that of parameters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from models.policies.cells import Sums, Values
from models.policies.shrinkage import prior_sizes

KAPPAS = (100.0, 300.0, 1000.0, 3000.0, 10_000.0)
GRADIENT = 1e-8
ROUNDS = 100
HALVINGS = 40


@dataclass(frozen=True, slots=True, eq=False)
class Rewards:
    """What the model is fitted on: P patterns x K arms, and where its arms are thought to lie.

    ``shown`` (P, J): which indicators each pattern has, 0 or 1. ``weight``, ``first``, ``second`` (P, K): sums of v,
    v x and v x^2 with row weights v = w W / W2 of the arm. ``centre`` (K,): a_k before looking (log-odds where binary);
    ``curvature`` (K,): V_k, information of one exposure. ``noise`` (K,): variance of a reward, None where binary.
    ``agent_n`` (K,): exposures of the arm in the agent, n_k.
    """

    shown: Values
    weight: Values
    first: Values
    second: Values
    centre: Values
    curvature: Values
    noise: Values | None
    agent_n: Values


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """The mode at one kappa: ``arm`` (K, 1 + J) holds a_k and D_k, ``common`` (J,) is beta; ``middle`` (J,) was taken
    from every z. Covariances: of an arm's own parameters (K, 1 + J, 1 + J), with beta (K, 1 + J, J), of beta (J, J).
    """

    kappa: float
    evidence: float
    arm: Values
    common: Values
    middle: Values
    arm_covariance: Values
    cross_covariance: Values
    common_covariance: Values


def rewards(
    shown: Values, seen: Sums, centre: Values, curvature: Values, noise: Values | None, agent_n: Values
) -> Rewards:
    """Sums (P, K) with the row weights of 8.5: each arm's w scaled by its W / W2."""
    w, w2 = seen.w.sum(axis=0), seen.w2.sum(axis=0)
    scale = np.where(w2 > 0, w / np.where(w2 > 0, w2, 1.0), 0.0)
    return Rewards(shown, seen.w * scale, seen.s1 * scale, seen.s2 * scale, centre, curvature, noise, agent_n)


def fit(data: Rewards) -> list[Fitted]:
    """The modes at every kappa; the one with the largest evidence is to be served, none if that is the last."""
    return [_fit(data, kappa) for kappa in KAPPAS]


def predict(model: Fitted, shown: Values) -> tuple[Values, Values, Values, Values]:
    """For patterns (P, J): mean and deviation of zeta = a_k + D_k . z~, which tell the arms apart, and of eta, which
    adds what is common to them; each (P, K).
    """
    centred = shown - model.middle
    design = np.column_stack([np.ones(len(shown)), centred])
    own = design @ model.arm.T
    variance = np.einsum("pi,kij,pj->pk", design, model.arm_covariance, design)
    shared = np.einsum("pi,ij,pj->p", centred, model.common_covariance, centred)
    cross = np.einsum("pi,kij,pj->pk", design, model.cross_covariance, centred)
    whole = own + (centred @ model.common)[:, None]
    spread = np.sqrt(np.maximum(variance + 2 * cross + shared[:, None], 0))
    return own, np.sqrt(variance), whole, spread


def _fit(data: Rewards, kappa: float) -> Fitted:
    _, parts = data.shown.shape
    arms = len(data.centre)
    total = data.weight.sum()
    middle = (data.weight.sum(axis=1) @ data.shown) / total if total > 0 else np.zeros(parts)
    centred = data.shown - middle
    design = np.column_stack([np.ones(len(centred)), centred])
    products = (design[:, :, None] * design[:, None, :]).reshape(len(design), -1)
    prior = np.column_stack(
        [
            prior_sizes(kappa, data.agent_n) * data.curvature,
            np.repeat(kappa * data.curvature[:, None], parts, axis=1),
        ]
    )
    common_prior = float(np.mean(data.curvature))
    start = np.zeros((arms, 1 + parts))
    start[:, 0] = data.centre
    arm, common = start.copy(), np.zeros(parts)

    def objective(arm: Values, common: Values) -> float:
        eta = design @ arm.T + (centred @ common)[:, None]
        penalty = np.sum(prior * np.square(arm - start)) + common_prior * np.sum(np.square(common))
        return _log_likelihood(data, eta) - float(penalty) / 2

    reached = objective(arm, common)
    for _ in range(ROUNDS):
        slope, bend = _derivatives(data, design @ arm.T + (centred @ common)[:, None])
        arm_gradient = slope.T @ design - prior * (arm - start)
        common_gradient = slope.sum(axis=1) @ centred - common_prior * common
        if max(np.abs(arm_gradient).max(), np.abs(common_gradient).max(initial=0)) < GRADIENT:
            break
        arrow = _Arrow.of(bend, products, prior, common_prior, parts)
        arm_step, common_step = arrow.solve(arm_gradient, common_gradient)
        length = 1.0
        for _ in range(HALVINGS):
            found = objective(arm + length * arm_step, common + length * common_step)
            if found >= reached - 1e-12 * abs(reached):
                break
            length /= 2
        arm, common, reached = arm + length * arm_step, common + length * common_step, found
        if max(np.abs(length * arm_step).max(), np.abs(length * common_step).max(initial=0)) < 1e-14:
            break
    _, bend = _derivatives(data, design @ arm.T + (centred @ common)[:, None])
    arrow = _Arrow.of(bend, products, prior, common_prior, parts)
    priors = float(np.sum(np.log(prior))) + parts * np.log(common_prior)
    evidence = reached + priors / 2 - arrow.log_determinant() / 2
    own, cross, shared = arrow.covariances()
    return Fitted(kappa, float(evidence), arm, common, middle, own, cross, shared)


def _log_likelihood(data: Rewards, eta: Values) -> float:
    if data.noise is None:
        return float(np.sum(data.first * eta - data.weight * np.logaddexp(0, eta)))
    squares = data.second - 2 * eta * data.first + data.weight * np.square(eta)
    return float(np.sum(-squares / (2 * data.noise) - data.weight * np.log(2 * np.pi * data.noise) / 2))


def _derivatives(data: Rewards, eta: Values) -> tuple[Values, Values]:
    """First, and negative second, derivatives of the log-likelihood by eta, (P, K) each."""
    if data.noise is None:
        chance = expit(eta)
        return data.first - data.weight * chance, data.weight * chance * (1 - chance)
    return (data.first - data.weight * eta) / data.noise, np.asarray(data.weight / data.noise)


@dataclass(frozen=True, slots=True, eq=False)
class _Arrow:
    """A positive matrix [[blocks, edge], [edge', corner]]: blocks (K, B, B), edge (K, B, J), corner (J, J)."""

    blocks: Values
    edge: Values
    corner: Values
    across: Values
    """blocks^-1 edge"""
    rest: Values
    """corner - sum edge' blocks^-1 edge"""

    @staticmethod
    def of(bend: Values, products: Values, prior: Values, common_prior: float, parts: int) -> _Arrow:
        arms, width = prior.shape
        seen = (bend.T @ products).reshape(arms, width, width)
        edge = seen[:, :, 1:]
        corner = seen[:, 1:, 1:].sum(axis=0) + common_prior * np.eye(parts)
        blocks = seen + prior[:, :, None] * np.eye(width)
        across = np.asarray(np.linalg.solve(blocks, edge), dtype=np.float64)
        rest = corner - np.einsum("kbi,kbj->ij", edge, across)
        return _Arrow(blocks, edge, corner, across, rest)

    def solve(self, own: Values, common: Values) -> tuple[Values, Values]:
        """The solution for a right-hand side (K, B), (J,)."""
        direct = np.linalg.solve(self.blocks, own[:, :, None])[:, :, 0]
        shared = np.linalg.solve(self.rest, common - np.einsum("kbi,kb->i", self.edge, direct))
        return direct - self.across @ shared, np.asarray(shared)

    def log_determinant(self) -> float:
        return float(np.linalg.slogdet(self.blocks)[1].sum() + np.linalg.slogdet(self.rest)[1])

    def covariances(self) -> tuple[Values, Values, Values]:
        """Blocks of the inverse: arms' own (K, B, B), with the common part (K, B, J), and its own (J, J)."""
        shared = np.linalg.inv(self.rest)
        cross = -self.across @ shared
        own = np.linalg.inv(self.blocks) - cross @ np.swapaxes(self.across, 1, 2)
        return np.asarray(own), np.asarray(cross), np.asarray(shared)


def shown_by(patterns: list[frozenset[str]], indicators: tuple[str, ...]) -> NDArray[np.float64]:
    """(P, J): 1 where a pattern has an indicator."""
    return np.array([[float(name in pattern) for name in indicators] for pattern in patterns]).reshape(
        len(patterns), len(indicators)
    )
