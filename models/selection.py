"""Which model serves: gates that each must pass, then the best of the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
    paired = judgement.headline - baseline.headline
    difference = float(paired.mean())
    error = float(paired.std(ddof=1) / np.sqrt(len(paired))) if len(paired) > 1 else 0.0
    if difference < -2 * error:
        below = f"below popularity by {-difference:.4f}, more than two standard errors ({error:.4f})"
        reason = f"{HEADLINE} {value:.4f} is {below}"
        return Verdict(judgement.model, False, reason, value, difference, error)
    return Verdict(judgement.model, True, "", value, difference, error)


def choose(judgements: Mapping[str, Judgement], candidates: Sequence[str]) -> tuple[str | None, dict[str, Verdict]]:
    """Name of the passing candidate of the greatest headline value (ties: the first), and all verdicts by name.

    None when the baseline itself is missing or nothing passes.
    """
    baseline = judgements.get(BASELINE)
    if baseline is None:
        return None, {name: Verdict(name, False, "there is no baseline to compare with") for name in judgements}
    verdicts = {name: verdict(judgement, baseline) for name, judgement in judgements.items()}
    passing = [name for name in candidates if name in verdicts and verdicts[name].passed]
    return max(passing, key=lambda name: verdicts[name].value, default=None), verdicts
