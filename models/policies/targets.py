"""The probabilities with which policies would choose in the contexts of a log, and what they expect there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from decisions.assignment import floor
from models.policies.cells import Index, PointStatistics, Values
from models.policies.exposures import Contexts
from models.policies.policy import ANY, PointPolicy


def uniform(contexts: Contexts) -> Values:
    """Every candidate alike, float64 (C, K)."""
    return np.asarray(contexts.candidates / contexts.candidates.sum(axis=1, keepdims=True), dtype=np.float64)


def always_default(contexts: Contexts, points: Sequence[PointStatistics]) -> Values:
    """The default arm, where it is no candidate the first candidate, float64 (C, K)."""
    rows = np.arange(len(contexts.point))
    default = np.array([point.default for point in points], dtype=np.int64)[contexts.point]
    arm = np.where(contexts.candidates[rows, default], default, contexts.candidates.argmax(axis=1))
    found = np.zeros(contexts.candidates.shape)
    found[rows, arm] = 1.0
    return found


def exploit(contexts: Contexts, policies: Sequence[PointPolicy | None]) -> Values:
    """q of policies, one for each point or None (uniform), float64 (C, K): the weights of the row set that serves each
    context, over its candidates, with the floor put under them (4.3).
    """
    arms = contexts.candidates.sum(axis=1)
    shares = np.zeros(contexts.candidates.shape)
    for at, policy in enumerate(policies):
        here = np.flatnonzero(contexts.point == at)
        if policy is None or not len(here):
            continue
        rows = serving_rows(contexts, policy, here)
        served = np.append(policy.weight, np.zeros((1, len(policy.arms))), axis=0)[rows]
        shares[here, : len(policy.arms)] = served * contexts.candidates[here, : len(policy.arms)]
    total = shares.sum(axis=1, keepdims=True)
    shares = np.where(total > 0, shares / np.where(total > 0, total, 1.0), uniform(contexts))
    least = np.array([0.0, *(floor(k) for k in range(1, contexts.candidates.shape[1] + 1))])[arms][:, None]
    return np.asarray(np.where(contexts.candidates, least + (1 - arms[:, None] * least) * shares, 0.0))


def expected(contexts: Contexts, policies: Sequence[PointPolicy | None]) -> Values:
    """The posterior mean of every arm in the row set that serves each context, float64 (C, K); 0 without one."""
    found = np.zeros(contexts.candidates.shape)
    for at, policy in enumerate(policies):
        here = np.flatnonzero(contexts.point == at)
        if policy is None or not len(here):
            continue
        rows = serving_rows(contexts, policy, here)
        found[here, : len(policy.arms)] = np.append(policy.mean, np.zeros((1, len(policy.arms))), axis=0)[rows]
    return found


def serving_rows(contexts: Contexts, policy: PointPolicy, here: np.ndarray[tuple[int], np.dtype[np.intp]]) -> Index:
    """The row set of ``policy`` that serves each of these contexts: (segment, pattern), else (segment, *), else (*, *),
    else -1.
    """
    at = {key: row for row, key in enumerate(policy.keys)}
    coarsest = at.get((ANY, ANY), -1)
    found = [
        at.get((segment, pattern), at.get((segment, ANY), coarsest))
        for segment, pattern in ((contexts.segment[row], contexts.pattern[row]) for row in here.tolist())
    ]
    return np.array(found, dtype=np.int64)
