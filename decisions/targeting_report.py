"""The targeting-features report: which features tell visitors apart in what suits them (decision contract, 10.3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decisions.aggregates import ALL, FeatureSums
from decisions.patterns import SEPARATOR
from decisions.posterior import (
    Betas,
    Moments,
    Posterior,
    Students,
    binary_posterior,
    moments,
    updated_beta,
    updated_student,
    valued_posterior,
)

PRIOR = 100.0
"""Exposures that the agent level counts for within a feature."""
LEVELS = (20, 40, 60, 80, 95)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: the arms of the agent's point with their labels, in stored order, and whether rewards are
    binary.
    """

    agent: str
    date_from: date
    date_thru: date
    arms: Mapping[str, str]
    binary: bool


def report(question: Question, rows: Iterable[FeatureSums]) -> dict[str, Any]:
    """The report's JSON object (without ``asOf``) from the sums of the days asked for; features of most value first."""
    held = _by_feature(list(question.arms), rows)
    everyone = held.pop(ALL, np.zeros((len(FeatureSums._fields) - 2, len(question.arms))))
    seen = _moments(everyone)
    agent: Posterior = binary_posterior(seen) if question.binary else valued_posterior(seen)
    items = [_item(question, feature, sums, everyone, agent) for feature, sums in sorted(held.items())]
    items.sort(key=lambda item: (-item["decisionValue"], item["feature"]))
    scores = [choice["score"] for item in items for choice in item["choices"]]
    return {
        "agent": question.agent,
        "dateFrom": question.date_from.isoformat(),
        "dateThru": question.date_thru.isoformat(),
        "data": {
            "items": items,
            "bLo": min(scores, default=0.0),
            "bHi": max(scores, default=0.0),
            "totals": {
                "decisions": int(everyone[0].sum()),
                "choices": _choices(question.arms, everyone[0], agent.mean),
            },
        },
    }


def scores(within: Moments, agent_mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n m + 100 mu_k) / (n + 100) of every arm."""
    return np.asarray((within.n * within.mean + PRIOR * agent_mean) / (within.n + PRIOR))


def stability(within: Moments, agent: Posterior) -> float:
    """How sure it is which arm is best with the feature, 0 (no idea) to 100."""
    arms = len(within.n)
    if isinstance(agent, Betas):
        posterior: Posterior = updated_beta(agent.mean, np.float64(PRIOR), within)
    elif isinstance(agent, Students):
        posterior = updated_student(agent.mean, np.float64(PRIOR), agent.variance, within)
    else:
        return 0.0
    best = float(posterior.best(np.ones(arms, dtype=np.bool_)).max())
    return 100 * max(0.0, (best - 1 / arms) / (1 - 1 / arms)) if arms > 1 else 0.0


def _by_feature(arms: Sequence[str], rows: Iterable[FeatureSums]) -> dict[str, NDArray[np.float64]]:
    """Sums (count, w, w2, s1, s2) x arms of every feature."""
    place = {arm: at for at, arm in enumerate(arms)}
    held: dict[str, NDArray[np.float64]] = {}
    for feature, arm, *sums in rows:
        if arm in place:
            found = held.setdefault(feature, np.zeros((len(sums), len(arms))))
            found[:, place[arm]] += sums
    return held


def _moments(sums: NDArray[np.float64]) -> Moments:
    return moments(*sums[1:])


def _item(
    question: Question, feature: str, sums: NDArray[np.float64], everyone: NDArray[np.float64], agent: Posterior
) -> dict[str, Any]:
    within = _moments(sums)
    found = scores(within, agent.mean)
    traffic = float(sums[0].sum() / everyone[0].sum()) if everyone[0].sum() else 0.0
    stable = stability(within, agent)
    return {
        "feature": feature,
        "label": feature,
        "labelText": feature.replace(SEPARATOR, " and "),
        "type": "feature",
        "isCombination": SEPARATOR in feature,
        "decisions": int(sums[0].sum()),
        "percentTraffic": traffic,
        "choices": _choices(question.arms, sums[0], found),
        "averageResponseValue": float(found.mean()),
        "decisionValue": decision_value(traffic, found.tolist()),
        "stability": stable,
        "stabilityLevel": sum(level <= stable for level in LEVELS),
    }


def decision_value(traffic: float, found: Sequence[float]) -> float:
    """Share of traffic x (the best score less the mean of the others)."""
    if len(found) < 2:
        return 0.0
    best = max(found)
    return traffic * (best - (sum(found) - best) / (len(found) - 1))


def _choices(arms: Mapping[str, str], counts: NDArray[np.float64], found: NDArray[np.float64]) -> list[dict[str, Any]]:
    return [
        {"choice": arm, "label": label or arm, "count": int(count), "score": float(score)}
        for (arm, label), count, score in zip(arms.items(), counts, found, strict=True)
    ]
