"""Which model serves: gates that each must pass, then the best of the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from models.evaluate import HEADLINE, Judgement

BASELINE = "popular"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether one model may serve, and why not; ``value`` is its headline, ``difference`` that to the baseline."""

    model: str
    passed: bool
    reason: str
    value: float = 0.0
    difference: float = 0.0
    difference_error: float = 0.0


def verdict(judgement: Judgement, baseline: Judgement) -> Verdict:
    """Gate one model: not more than two standard errors below popularity, profile by profile on the same cut.

    Without any judged profile nothing speaks against a model, but nothing for it either: only the baseline passes.
    """
    value = judgement[HEADLINE].value
    if judgement.model == baseline.model:
        return Verdict(judgement.model, True, "", value)
    if not len(judgement.headline):
        return Verdict(judgement.model, False, "no profile to judge it on: nobody came back after the cut", value)
    difference, error = paired(judgement, baseline)
    if difference < -2 * error:
        below = f"below popularity by {-difference:.4f}, more than two standard errors ({error:.4f})"
        reason = f"{HEADLINE} {value:.4f} is {below}"
        return Verdict(judgement.model, False, reason, value, difference, error)
    return Verdict(judgement.model, True, "", value, difference, error)


@dataclass(frozen=True, slots=True)
class Selection:
    """The model that is ``chosen`` (None when nothing passes), all verdicts by name, and what became of the model that
    served before: ``change`` is empty when it is the same one, or when there was none.
    """

    chosen: str | None
    verdicts: Mapping[str, Verdict]
    change: Mapping[str, Any] = field(default_factory=dict)


def choose(
    judgements: Mapping[str, Judgement], candidates: Sequence[str], incumbent: str = "",
    frozen: Mapping[str, float] | None = None,
) -> Selection:
    """The passing candidate of the greatest headline value (ties: the first).

    It takes the place of an ``incumbent``, the model that served before, unless that passes and the ``frozen`` window
    (headline values by model on one that stays the same from night to night) says otherwise: a challenger that is
    behind there has to be ahead here by more than two standard errors, profile by profile.
    """
    baseline = judgements.get(BASELINE)
    if baseline is None:
        verdicts = {name: Verdict(name, False, "there is no baseline to compare with") for name in judgements}
        return Selection(None, verdicts)
    verdicts = {name: verdict(judgement, baseline) for name, judgement in judgements.items()}
    passing = [name for name in candidates if name in verdicts and verdicts[name].passed]
    best = max(passing, key=lambda name: verdicts[name].value, default=None)
    if best is None or not incumbent or best == incumbent:
        return Selection(best, verdicts)
    change: dict[str, Any] = {"from": incumbent, "best": best, "to": best}
    if incumbent not in judgements:
        why = f"{incumbent} could not be judged tonight"
    elif incumbent not in passing:
        why = verdicts[incumbent].reason
    else:
        ahead, error = paired(judgements[best], judgements[incumbent])
        change |= {"ahead": ahead, "standard_error": error}
        why = f"{best} is ahead by {ahead:.4f} ± {error:.4f} in {HEADLINE} on what followed the rolling cut"
        known = frozen or {}
        if best in known and incumbent in known:
            there = known[best] - known[incumbent]
            change |= {"ahead_frozen": there}
            why += f", by {there:+.4f} on the frozen window"
            if there < 0 and ahead <= 2 * error:
                change["to"] = incumbent
                why += ", which is not enough to take its place"
    return Selection(change["to"], verdicts, {**change, "reason": why})


def paired(one: Judgement, other: Judgement) -> tuple[float, float]:
    """Mean difference of the headline, profile by profile, and its standard error (0 with fewer than two)."""
    difference = one.headline - other.headline
    if len(difference) < 2:
        return (float(difference.mean()) if len(difference) else 0.0), 0.0
    return float(difference.mean()), float(difference.std(ddof=1) / np.sqrt(len(difference)))
