"""Learning an agent's policy from what was seen: agent, segment and pattern level (decision contract, section 8)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit, ndtri

from decisions.best import best_of_normals
from decisions.patterns import SEPARATOR
from decisions.posterior import (
    INTERVAL,
    MATURE_EXPOSURES,
    THIN_GOALS,
    Betas,
    Posterior,
    Students,
    binary_posterior,
    served_weights,
    valued_posterior,
)
from models.policies.cells import AgentStatistics, Cells, Index, Mask, PointStatistics, Sums, Values
from models.policies.feature_model import KAPPAS, Fitted, Rewards, fit, predict, rewards, shown_by
from models.policies.policy import ANY, ROW_SET_ARRAYS, AgentPolicy, FeatureFit, Key, PointPolicy
from models.policies.shrinkage import LEAST_EXPOSURES, LEAST_SEGMENTS, shrink
from models.threads import one_thread

MODEL_EXPOSURES = 1000
"""Exposures of a segment from which features are learned there."""
PATTERN_EXPOSURES = 30
MOST_PATTERNS = 512


@dataclass(frozen=True, slots=True, eq=False)
class _RowSets:
    """Row sets of one level: keys (R,) and arrays (R, K)."""

    keys: list[Key]
    weight: Values
    p_best: Values
    n: Values
    mean: Values
    sd: Values
    low: Values
    high: Values


@dataclass(frozen=True, slots=True, eq=False)
class _Centre:
    """Where a reward model starts in one segment (K,): prior means, and the noise of a reward (None if binary)."""

    mean: Values
    noise: Values | None


def learn_agent(seen: AgentStatistics, folds: Mask | None = None, halves: Mask | None = None) -> AgentPolicy:
    """The policy of every point and decision set; with ``folds`` (3,) or ``halves`` (2,) only from their sessions.

    Equal statistics give equal bits, in whatever order their cells come.
    """
    with one_thread():
        return AgentPolicy(tuple(learn_point(_part(point, folds, halves), seen.binary) for point in seen.points))


def learn_point(seen: PointStatistics, binary: bool) -> PointPolicy:
    """The row sets of one point: (*, *) first, then segments, then patterns, by name."""
    cells, arms = seen.cells.ordered(), len(seen.arms)
    whole = cells.sums(cells.arm, arms)
    mature = whole.count >= MATURE_EXPOSURES
    moments = whole.moments()
    agent: Posterior = binary_posterior(moments) if binary else valued_posterior(moments)
    levels = [_level([(ANY, ANY)], agent, moments.n, mature, one=True)]
    kappa, fits = None, []
    if isinstance(agent, Betas | Students):
        everywhere = _Centre(agent.mean, agent.variance if isinstance(agent, Students) else None)
        centres = dict.fromkeys(range(len(seen.segments)), everywhere)
        by_segment = cells.sums(cells.segment * arms + cells.arm, len(seen.segments) * arms)
        by_segment = by_segment.reshape(len(seen.segments), arms)
        taking = [at for at in _by_name(seen.segments) if by_segment.count[at].sum() >= LEAST_EXPOSURES]
        if len(taking) >= LEAST_SEGMENTS:
            part = by_segment.at(np.array(taking)).moments()
            shrunken = shrink(agent, moments.n, part)
            kappa = shrunken.kappa
            keys = [(seen.segments[at], ANY) for at in taking]
            levels.append(_level(keys, shrunken.posterior, part.n, mature))
            for row, at in enumerate(taking):
                centres[at] = _Centre(shrunken.prior_mean[row], everywhere.noise)
        for at in _by_name(seen.segments) if seen.indicators else []:
            if by_segment.count[at].sum() >= MODEL_EXPOSURES:
                found, told = _patterns(seen, cells.of_segment(at), at, centres[at], moments.n, mature)
                fits.append(told)
                levels += [found] if found is not None else []
    arrays = {name: np.concatenate([getattr(level, name) for level in levels]) for name in ROW_SET_ARRAYS}
    return PointPolicy(
        point=seen.point,
        decision_set=seen.decision_set,
        arms=seen.arms,
        default=seen.default,
        keys=tuple(key for level in levels for key in level.keys),
        **arrays,
        mature=mature,
        thin=whole.goals < THIN_GOALS,
        kappa=kappa,
        fits=tuple(fits),
        indicators=seen.indicators,
        features=seen.features,
    )


def _part(seen: PointStatistics, folds: Mask | None, halves: Mask | None) -> PointStatistics:
    """The statistics of some folds, or halves, of the sessions."""
    if folds is None and halves is None:
        return seen
    kept = np.ones(len(seen.cells.arm), dtype=np.bool_)
    if folds is not None:
        kept &= folds[seen.cells.fold]
    if halves is not None:
        kept &= halves[seen.cells.half]
    return seen.with_cells(seen.cells.where(kept))


def _by_name(names: tuple[str, ...]) -> list[int]:
    """Positions in the order of the names."""
    return sorted(range(len(names)), key=names.__getitem__)


def _level(keys: list[Key], posterior: Posterior, n: Values, mature: Mask, one: bool = False) -> _RowSets:
    """The row sets of posteriors (R, K), or (K,) with ``one``."""
    best = posterior.best(mature) if mature.any() else np.zeros((*posterior.mean.shape[:-1], 0))
    low, high = posterior.interval()
    p_best = np.full(posterior.mean.shape, np.nan)
    p_best[..., mature] = best
    arrays = (served_weights(best, mature), p_best, n, posterior.mean, posterior.sd, low, high)
    return _RowSets(keys, *(array[None] if one else array for array in arrays))


def _patterns(
    seen: PointStatistics, cells: Cells, segment: int, centre: _Centre, agent_n: Values, mature: Mask
) -> tuple[_RowSets | None, FeatureFit]:
    """The row sets of patterns in one segment, None if arms do not differ by them; and what the fit tells."""
    arms, name = len(seen.arms), seen.segments[segment]
    present = set(cells.pattern.tolist())
    order = [at for at in _by_name(seen.patterns) if at in present]
    place: Index = np.zeros(len(seen.patterns), dtype=np.int64)
    place[order] = np.arange(len(order))
    sums = cells.sums(place[cells.pattern] * arms + cells.arm, len(order) * arms).reshape(len(order), arms)
    patterns = [seen.patterns[at] for at in order]
    shown = shown_by([frozenset(pattern.split(SEPARATOR)) for pattern in patterns], seen.indicators)
    models = fit(_rewards(shown, sums, centre, agent_n))
    evidence = {model.kappa: model.evidence for model in models}
    model = max(models, key=lambda one: one.evidence)
    if model.kappa == KAPPAS[-1]:
        return None, FeatureFit(name, model.kappa, evidence, 0)
    count = sums.count.sum(axis=1)
    frequent = sorted(np.flatnonzero(count >= PATTERN_EXPOSURES).tolist(), key=lambda at: (-count[at], patterns[at]))
    published = sorted(frequent[:MOST_PATTERNS], key=patterns.__getitem__)
    keys = [(name, patterns[at]) for at in published]
    found = _pattern_level(keys, model, shown[published], sums.at(np.array(published, dtype=np.int64)), centre, mature)
    return found, FeatureFit(name, model.kappa, evidence, len(published))


def _rewards(shown: Values, sums: Sums, centre: _Centre, agent_n: Values) -> Rewards:
    if centre.noise is None:
        return rewards(shown, sums, logit(centre.mean), centre.mean * (1 - centre.mean), None, agent_n)
    return rewards(shown, sums, centre.mean, 1 / centre.noise, centre.noise, agent_n)


def _pattern_level(
    keys: list[Key], model: Fitted, shown: Values, sums: Sums, centre: _Centre, mature: Mask
) -> _RowSets:
    """Weights from the part of the model that tells arms apart, means and intervals from the whole of it."""
    own, own_sd, whole, whole_sd = predict(model, shown)
    best = best_of_normals(own[:, mature], own_sd[:, mature]) if mature.any() else np.zeros((len(own), 0))
    p_best = np.full(own.shape, np.nan)
    p_best[:, mature] = best
    reach = ndtri((1 + INTERVAL) / 2) * whole_sd
    mean, low, high, sd = whole, whole - reach, whole + reach, whole_sd
    if centre.noise is None:
        mean, low, high = expit(whole), expit(low), expit(high)
        sd = mean * (1 - mean) * whole_sd
    return _RowSets(keys, served_weights(best, mature), p_best, sums.moments().n, mean, sd, low, high)
