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


@dataclass(slots=True)
class _Group:
    """Exposures of one feature (and date): by arm those asked for, those that explored, and all."""

    asked: dict[str, Sums] = field(default_factory=dict)
    explored: dict[str, Sums] = field(default_factory=dict)
    total: dict[str, Sums] = field(default_factory=dict)


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
    groups: dict[tuple[str, date | None], _Group] = {}
    for row in rows:
        asked = row.point == question.point and question.date_from <= row.date <= question.date_thru
        if not asked or row.arm not in question.arms or not _is_of(question.features, row.feature):
            continue
        sums = _sums_of(question, row)
        if sums is None:
            continue
        group = groups.setdefault((row.feature, None if question.aggregated else row.date), _Group())
        _add(group.total, row.arm, sums)
        if row.policy == EXPLORE:
            _add(group.explored, row.arm, sums)
        if row.policy in question.policies:
            _add(group.asked, row.arm, sums)
    return groups


def _is_of(features: Sequence[str] | None, feature: str) -> bool:
    return feature == ALL or (features is not None and (not features or feature in features))


def _sums_of(question: Question, row: Aggregate) -> Sums | None:
    """What a row adds: exposures come from rows without a goal, what they brought from those of the goal asked for."""
    if question.goal is None:
        return Sums(row.n, row.val, row.val_sq, row.goals, row.goals_sq) if row.goal is None else None
    if row.goal is None:
        return Sums(row.n)
    return Sums(0, row.val, row.val_sq, row.goals, row.goals_sq) if row.goal == question.goal else None


def _add(held: dict[str, Sums], arm: str, more: Sums) -> None:
    old = held.get(arm, Sums())
    held[arm] = Sums(
        old.n + more.n,
        old.val + more.val,
        old.val_sq + more.val_sq,
        old.goals + more.goals,
        old.goals_sq + more.goals_sq,
    )


def _items(question: Question, feature: str, day: date | None, group: _Group) -> list[dict[str, Any]]:
    """One item for every arm, the default row first."""
    arms = sorted(question.arms, key=lambda arm: arm != question.default)
    base = group.asked.get(question.default, Sums())
    means = [sums.mean for sums in group.asked.values() if sums.n]
    random = sum(means) / len(means) if means else 0.0
    measure = question.measure
    if question.bonferroni and len(arms) > 1:
        measure = 1 - (1 - measure) / (len(arms) - 1)
    explored = group.explored.get(question.default, Sums())
    return [
        _item(question, feature, day, arm)
        | _counts(group.asked.get(arm, Sums()), group.total.get(arm, Sums()))
        | compare(group.asked.get(arm, Sums()), base, measure)
        | {"lift": _lifts(group.asked.get(arm, Sums()), base, random, arm == question.default)}
        | always_valid_fields(group.explored.get(arm, Sums()), explored, arm == question.default)
        for arm in arms
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
