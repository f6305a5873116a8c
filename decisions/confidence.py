"""The confidence report: every arm beside the default one, by fixed-horizon tests and always-valid intervals (10.2)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

from decisions import always_valid
from decisions.aggregates import ALL, Aggregate, epoch

QUANTILE = 0.95
LEVELS = (70.0, 80.0, 90.0, 95.0, 97.5)
EXPLORE = "explore"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked. ``arms``: arms of the point and their labels in stored order; ``default``: the row that others are
    compared with. ``features``: None for totals only, empty for all. ``goal``: None for all goals together.
    """

    owner: str
    agent: str
    point: str
    date_from: date
    date_thru: date
    arms: Mapping[str, str]
    default: str
    features: Sequence[str] | None = None
    measure: float = 0.95
    aggregated: bool = True
    goal: str | None = None
    policies: Sequence[str] = (EXPLORE,)
    bonferroni: bool = False


class Sums(NamedTuple):
    """Of exposures: their number n, sums of responses and their squares, of goal events and their squares."""

    n: int = 0
    val: float = 0.0
    val_sq: float = 0.0
    goals: int = 0
    goals_sq: int = 0

    @property
    def mean(self) -> float:
        return self.val / self.n if self.n else 0.0

    @property
    def variance(self) -> float:
        return max(0.0, (self.val_sq - self.val**2 / self.n) / (self.n - 1)) if self.n >= 2 else 0.0


_Tally = list[float]
"""The five sums while they are added up."""


@dataclass(slots=True)
class _Group:
    """Exposures of one feature (and date): by arm those asked for, those that explored, and all."""

    asked: dict[str, _Tally] = field(default_factory=dict)
    explored: dict[str, _Tally] = field(default_factory=dict)
    total: dict[str, _Tally] = field(default_factory=dict)


def report(question: Question, rows: Iterable[Aggregate]) -> dict[str, Any]:
    """The report's JSON object (without ``asOf``) from aggregates, of which those of other points and dates are left
    out.
    """
    groups = _groups(question, rows)
    groups.setdefault((ALL, None if question.aggregated else question.date_from), _Group())
    items = [
        item
        for feature, day in sorted(groups, key=lambda key: (key[0] != ALL, key[0], key[1] or question.date_from))
        for item in _items(question, feature, day, groups[feature, day])
    ]
    return {
        "agent": question.agent,
        "dateFrom": question.date_from.isoformat(),
        "dateThru": question.date_thru.isoformat(),
        "data": {
            "items": items,
            "bLo": min((item["bLo"] for item in items), default=0.0),
            "bHi": max((item["bHi"] for item in items), default=0.0),
        },
    }


def compare(row: Sums, base: Sums, measure: float) -> dict[str, Any]:
    """Mean, bounds and one-sided Welch test of a row against the default row: the fields vMean to confidenceLevel."""
    from scipy.special import stdtr, stdtrit

    deviation = math.sqrt(row.variance)
    reach = float(stdtrit(row.n, QUANTILE)) * deviation / math.sqrt(row.n) if row.n else 0.0
    found = {
        "vMean": row.mean,
        "vVari": row.variance,
        "stdDev": deviation,
        "bLo": row.mean - reach,
        "bHi": row.mean + reach,
    }
    if min(row.n, base.n) < 2 or row.variance + base.variance == 0:
        unknown = {"tScore": None, "dgFree": None, "pValue": -1, "confidence": "0.0"}
        return {**found, **unknown, "signif": False, "confidenceLevel": 0}
    own, other = row.variance / row.n, base.variance / base.n
    score = (row.mean - base.mean) / math.sqrt(own + other)
    freedom = round((own + other) ** 2 / (own**2 / (row.n - 1) + other**2 / (base.n - 1)))
    p_value = float(stdtr(freedom, -score))
    sure = 100 * (1 - p_value)
    return {
        **found,
        "tScore": score,
        "dgFree": freedom,
        "pValue": p_value,
        "confidence": f"{sure:.1f}",
        "signif": 1 - p_value >= measure,
        "confidenceLevel": sum(level <= sure for level in LEVELS),
    }


def lift(mean: float, base: float) -> str:
    """100 (mean / base - 1) as text of one decimal; ``100.0`` if only the base is 0, ``0.0`` if both are."""
    if base == 0:
        return "0.0" if mean == 0 else "100.0"
    return f"{100 * (mean / base - 1):.1f}".replace("-0.0", "0.0") if mean != base else "0.0"


def always_valid_fields(row: Sums, base: Sums, is_base: bool) -> dict[str, Any]:
    """avLo, avHi and avSignif from explore rows; nulls where nothing can be told."""
    if is_base:
        return {"avLo": 0.0, "avHi": 0.0, "avSignif": False}
    found = None
    if min(row.n, base.n) >= 2:
        error = math.sqrt(row.variance / row.n + base.variance / base.n)
        found = always_valid.interval(row.mean - base.mean, error, row.n + base.n)
    if found is None:
        return {"avLo": None, "avHi": None, "avSignif": False}
    return {"avLo": found.low, "avHi": found.high, "avSignif": found.significant}


def _groups(question: Question, rows: Iterable[Aggregate]) -> dict[tuple[str, date | None], _Group]:
    """One pass over the rows: there may be hundreds of thousands."""
    groups: dict[tuple[str, date | None], _Group] = {}
    policies, features = set(question.policies), _wanted(question.features)
    first, last, goal = question.date_from, question.date_thru, question.goal
    for row in rows:
        point, day, policy, arm, _, feature, of_goal, n, *sums = row
        if point != question.point or not first <= day <= last or arm not in question.arms:
            continue
        if features is not None and feature not in features:
            continue
        if goal is None:
            if of_goal is not None:
                continue
            added = (n, *sums)
        elif of_goal is None:
            # Exposures are told by rows without a goal, what they brought by those of the goal.
            added = (n, 0, 0, 0, 0)
        elif of_goal == goal:
            added = (0, *sums)
        else:
            continue
        key = (feature, None if question.aggregated else day)
        group = groups.get(key) or groups.setdefault(key, _Group())
        _add(group.total, arm, added)
        if policy == EXPLORE:
            _add(group.explored, arm, added)
        if policy in policies:
            _add(group.asked, arm, added)
    return groups


def _wanted(features: Sequence[str] | None) -> frozenset[str] | None:
    """The features that are asked for, None for all."""
    if features is None:
        return frozenset({ALL})
    return frozenset({ALL, *features}) if features else None


def _add(held: dict[str, _Tally], arm: str, more: Sequence[float]) -> None:
    tally = held.get(arm)
    if tally is None:
        held[arm] = list(more)
        return
    for at, value in enumerate(more):
        tally[at] += value


def _sums(held: Mapping[str, _Tally], arm: str) -> Sums:
    tally = held.get(arm)
    if tally is None:
        return Sums()
    return Sums(int(tally[0]), float(tally[1]), float(tally[2]), int(tally[3]), int(tally[4]))


def _items(question: Question, feature: str, day: date | None, group: _Group) -> list[dict[str, Any]]:
    """One item for every arm, the default row first."""
    arms = sorted(question.arms, key=lambda arm: arm != question.default)
    asked = {arm: _sums(group.asked, arm) for arm in arms}
    base = asked.get(question.default, Sums())
    means = [sums.mean for sums in asked.values() if sums.n]
    random = sum(means) / len(means) if means else 0.0
    measure = question.measure
    if question.bonferroni and len(arms) > 1:
        measure = 1 - (1 - measure) / (len(arms) - 1)
    explored = _sums(group.explored, question.default)
    return [
        _item(question, feature, day, arm)
        | _counts(row, _sums(group.total, arm))
        | compare(row, base, measure)
        | {"lift": _lifts(row, base, random, arm == question.default)}
        | always_valid_fields(_sums(group.explored, arm), explored, arm == question.default)
        for arm, row in asked.items()
    ]


def _item(question: Question, feature: str, day: date | None, arm: str) -> dict[str, Any]:
    shown = day or question.date_from
    keys = {
        "owner": question.owner,
        "agent": question.agent,
        "point": question.point,
        "choice": arm,
        "label": question.arms.get(arm) or arm,
        "seg": ALL,
        "feature": feature,
        "goal": question.goal,
        "date": shown.isoformat(),
        "ts": epoch(shown),
    }
    return keys if day is None else keys | {"policy": ",".join(question.policies)}


def _counts(row: Sums, total: Sums) -> dict[str, Any]:
    return {
        "count": row.n,
        "val": row.val,
        "valSq": row.val_sq,
        "goals": row.goals,
        "goalsSq": row.goals_sq,
        "totals": {
            "count": total.n,
            "goals": total.goals,
            "val": total.val,
            "goalsPerDecision": total.goals / total.n if total.n else 0.0,
            "valPerDecision": total.mean,
            "valPerGoal": total.val / total.goals if total.goals else None,
        },
    }


def _lifts(row: Sums, base: Sums, random: float, is_base: bool) -> dict[str, str]:
    beside = lift(row.mean, random) if random != 0 else "0.0"
    return {"default": "0.0" if is_base else lift(row.mean, base.mean), "random": beside}
