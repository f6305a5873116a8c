"""What is learned of an agent: row sets of weights by segment and pattern (decision contract, section 8.6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np

from decisions.patterns import Feature
from models.policies.cells import Mask, Values

ANY = "*"
"""The segment, or the pattern, of a coarser level."""
Key = tuple[str, str]
ROW_SET_ARRAYS = ("weight", "p_best", "n", "mean", "sd", "low", "high")
"""What a row set holds of each arm."""


@dataclass(frozen=True, slots=True, eq=False)
class FeatureFit:
    """The feature model of one segment (8.5): kappa, the evidence of each that was tried, patterns published."""

    segment: str
    kappa: float
    evidence: dict[float, float]
    patterns: int


@dataclass(frozen=True, slots=True, eq=False)
class PointPolicy:
    """Row sets of one point and decision set: R (segment, pattern) keys, K arms in stored order.

    ``weight`` (R, K) adds up to 1 in each row set; ``p_best`` is nan for immature arms. ``n``, ``mean``, ``sd``,
    ``low``, ``high``: count and posterior of each arm, the last two its 90 % interval. ``mature``, ``thin``: bool (K,),
    of the agent level. ``kappa``: prior size of segments (8.4), None where there are no segment rows.
    """

    point: str
    decision_set: str
    arms: tuple[str, ...]
    default: int
    keys: tuple[Key, ...]
    weight: Values
    p_best: Values
    n: Values
    mean: Values
    sd: Values
    low: Values
    high: Values
    mature: Mask
    thin: Mask
    kappa: float | None = None
    fits: tuple[FeatureFit, ...] = ()
    indicators: tuple[str, ...] = ()
    features: tuple[Feature, ...] = ()

    def without_patterns(self) -> PointPolicy:
        """The same policy, its pattern rows dropped."""
        kept = [row for row, (_, pattern) in enumerate(self.keys) if pattern == ANY]
        arrays = {name: getattr(self, name)[kept] for name in ROW_SET_ARRAYS}
        return replace(self, keys=tuple(self.keys[row] for row in kept), **arrays)

    def is_uniform(self) -> bool:
        """Whether every row set gives every arm the same weight."""
        return bool(np.all(self.weight == self.weight[:, :1]))


@dataclass(frozen=True, slots=True, eq=False)
class AgentPolicy:
    """What was learned of an agent, one policy for each point and decision set."""

    points: tuple[PointPolicy, ...]

    def without_patterns(self) -> AgentPolicy:
        """The same policy, all pattern rows dropped."""
        return AgentPolicy(tuple(point.without_patterns() for point in self.points))

    def is_uniform(self) -> bool:
        """Whether all its rows are uniform: then it needs no support, value or patterns to be judged (9)."""
        return all(point.is_uniform() for point in self.points)


COLUMNS = (
    "owner", "agent", "point", "decision_set", "segment", "pattern", "arm", "arm_order", "is_default", "weight",
    "p_best", "n", "mean", "sd", "mature", "version", "valid_from", "run_id",
)  # fmt: skip


def table(
    policy: AgentPolicy, owner: str, agent: str, version: str, valid_from: datetime, run_id: str
) -> dict[str, list[Any]]:
    """The rows of the policy table: the columns of 8.6 by name, in order of point, row set and arm; null for nan."""
    found: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    for one in policy.points:
        sets, arms = len(one.keys), len(one.arms)
        for name, value in (("point", one.point), ("decision_set", one.decision_set)):
            found[name] += [value] * (sets * arms)
        found["segment"] += [segment for segment, _ in one.keys for _ in one.arms]
        found["pattern"] += [pattern for _, pattern in one.keys for _ in one.arms]
        found["arm"] += list(one.arms) * sets
        found["arm_order"] += list(range(arms)) * sets
        found["is_default"] += [order == one.default for order in range(arms)] * sets
        for name in ("weight", "p_best", "n", "mean", "sd"):
            found[name] += [None if np.isnan(value) else value for value in getattr(one, name).ravel().tolist()]
        found["mature"] += one.mature.tolist() * sets
    total = len(found["arm"])
    given = {"owner": owner, "agent": agent, "version": version, "valid_from": valid_from, "run_id": run_id}
    return {name: [given[name]] * total if name in given else values for name, values in found.items()}


def from_weights(
    point: str, decision_set: str, arms: Sequence[str], default: int, keys: Sequence[Key], weight: Values
) -> PointPolicy:
    """A published policy as it serves: of its table only keys and weights (R, K) are known here; the rest is nan."""
    unknown = np.full_like(weight, np.nan)
    told = np.ones(len(arms), dtype=np.bool_)
    return PointPolicy(
        point, decision_set, tuple(arms), default, tuple(keys), weight,
        unknown, unknown, unknown, unknown, unknown, unknown, told, ~told,
    )  # fmt: skip
