"""Gates: what a fitted churn model must pass before it may serve (retention contract, section 6)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Limits:
    """Thresholds of the gates."""

    distinct_scores: int = 5
    shared_importance: float = 0.7
    features_for_sharing: int = 5
    standard_errors: float = 2.0


LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate's verdict."""

    name: str
    threshold: float
    value: float
    passed: bool

    def row(self) -> dict[str, Any]:
        """As a dict of JSON values."""
        return asdict(self)


def judge(
    metrics: Iterable[float], shares: Floats, scores: Floats, difference: tuple[float, float], limits: Limits = LIMITS
) -> tuple[Gate, ...]:
    """All gates.

    ``shares`` are importances, ``scores`` held-out probabilities, ``difference`` is AUC over the baseline's with its
    error.
    """
    numbers = np.concatenate([np.asarray(list(metrics), dtype=np.float64), shares, scores])
    unsound = int((~np.isfinite(numbers)).sum())
    distinct = len(np.unique(scores))
    _, times = np.unique(shares, return_counts=True)
    shared = float(times.max() / len(shares)) if len(shares) >= limits.features_for_sharing else 0.0
    gain, spread = difference
    return (
        Gate("finite", 0, unsound, unsound == 0),
        Gate("distinct_scores", limits.distinct_scores, distinct, distinct >= limits.distinct_scores),
        Gate("shared_importance", limits.shared_importance, shared, shared <= limits.shared_importance),
        Gate("auc_over_baseline", -limits.standard_errors * spread, gain, gain >= -limits.standard_errors * spread),
    )
