"""Segments learn from the agent, as much as they differ little from it (decision contract, section 8.4)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from decisions.posterior import Betas, Moments, Students, updated_beta, updated_student
from models.policies.cells import Values

LEAST_EXPOSURES = 100
LEAST_SEGMENTS = 2
MAIN_EFFECT_PRIOR = 100.0
LEAST_KAPPA, GREATEST_KAPPA = 100.0, 10_000.0


@dataclass(frozen=True, slots=True, eq=False)
class Shrunken:
    """Posteriors of S segments, (S, K): around ``prior_mean`` (S, K) with prior size ``kappa``."""

    posterior: Betas | Students
    prior_mean: Values
    kappa: float
    heterogeneity: float
    """Q: how much segments differ from the prior, about (S - 1)(K - 1) if they differ by chance."""


def shrink(agent: Betas | Students, agent_n: Values, seen: Moments) -> Shrunken:
    """Segment posteriors from the agent level (K,), its counts n_k (K,), and what S >= 2 segments saw (S, K)."""
    segments, arms = seen.n.shape
    size = seen.n.sum(axis=1)
    usual = np.sum(seen.n * agent.mean, axis=1) / size
    own = (np.sum(seen.n * seen.mean, axis=1) + MAIN_EFFECT_PRIOR * usual) / (size + MAIN_EFFECT_PRIOR)
    if isinstance(agent, Betas):
        prior = expit(logit(agent.mean) + (logit(own) - logit(usual))[:, None])
        variance = prior * (1 - prior)
    else:
        prior = agent.mean + (own - usual)[:, None]
        variance = np.broadcast_to(agent.variance, prior.shape)
    differ = float(np.sum(seen.n * np.square(seen.mean - prior) / variance))
    informed = (1 - 1 / segments) * (1 - 1 / arms) * float(size.sum())
    excess = max(0.0, (differ - (segments - 1) * (arms - 1)) / informed) if informed > 0 else 0.0
    kappa = min(GREATEST_KAPPA, max(LEAST_KAPPA, 1 / excess)) if excess > 0 else GREATEST_KAPPA
    sizes = prior_sizes(kappa, agent_n)
    if isinstance(agent, Betas):
        posterior: Betas | Students = updated_beta(prior, sizes, seen)
    else:
        posterior = updated_student(prior, sizes, agent.variance, seen)
    return Shrunken(posterior, np.asarray(prior), kappa, differ)


def prior_sizes(kappa: float, agent_n: Values) -> Values:
    """kappa_k = min(kappa, n_k); 1 for an arm that was never shown, whose prior would be nothing."""
    return np.maximum(np.minimum(kappa, agent_n), 1.0)
