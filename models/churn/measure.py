"""How good probabilities of churn are: discrimination, accuracy, calibration, and the spread of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

_C_INDEX_ROWS = 20_000


def _placements(label: Labels, score: Floats) -> tuple[Floats, Floats]:
    """For each 1 the share of 0s below it, for each 0 the share of 1s above it (ties count half)."""
    from scipy.stats import rankdata

    ones, zeros = score[label == 1], score[label == 0]
    together = rankdata(np.concatenate([ones, zeros]))
    above = (together[: len(ones)] - rankdata(ones)) / max(len(zeros), 1)
    below = 1 - (together[len(ones) :] - rankdata(zeros)) / max(len(ones), 1)
    return above, below


def auc(label: Labels, score: Floats) -> tuple[float, float]:
    """Area under the ROC curve and its standard error (DeLong 1988); 0.5 and 0 with one label only."""
    if label.min(initial=1) == label.max(initial=0):
        return 0.5, 0.0
    above, below = _placements(label, score)
    return float(above.mean()), float(np.sqrt(_variance(above) + _variance(below)))


def auc_difference(label: Labels, one: Floats, other: Floats) -> tuple[float, float]:
    """AUC of ``one`` less that of ``other`` on the same rows, and the error of the difference (paired DeLong)."""
    if label.min(initial=1) == label.max(initial=0):
        return 0.0, 0.0
    (above, below), (above_other, below_other) = _placements(label, one), _placements(label, other)
    spread = float(np.sqrt(_variance(above - above_other) + _variance(below - below_other)))
    return float(above.mean() - above_other.mean()), spread


def auc_shares(label: Labels, score: Floats) -> Floats:
    """(n,) values whose mean is the AUC and whose squared standard error, also of differences between two scores, is
    DeLong's.
    """
    if label.min(initial=1) == label.max(initial=0):
        return np.full(len(label), 0.5)
    above, below = _placements(label, score)
    out = np.empty(len(label))
    for value, part in ((1, above), (0, below)):
        out[label == value] = part.mean() + (part - part.mean()) * len(label) / len(part)
    return out


def _variance(values: Floats) -> float:
    return float(values.var(ddof=1)) / len(values) if len(values) > 1 else 0.0


def brier(label: Labels, probability: Floats) -> tuple[float, float]:
    """Mean squared error and its standard error."""
    errors = (label - probability) ** 2
    return float(errors.mean()), float(np.sqrt(_variance(errors)))


def brier_at_level(label: Labels, probability: Floats) -> tuple[float, float]:
    """Brier score after one shift of all log-odds that makes their mean chance the share of 1s.

    Compares models apart from the base rate, which is forecast alike for all of them and is luck in one window.
    """
    kept = np.clip(probability, 1e-12, 1 - 1e-12)
    odds = np.log(kept) - np.log1p(-kept)
    low, high = -60.0, 60.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if (1 / (1 + np.exp(-odds - middle))).mean() < label.mean() else (low, middle)
    return brier(label, 1 / (1 + np.exp(-odds - (low + high) / 2)))


def log_loss(label: Labels, probability: Floats) -> tuple[float, float]:
    """Mean negative log-likelihood and its standard error; probabilities are kept 1e-12 from 0 and 1."""
    kept = np.clip(probability, 1e-12, 1 - 1e-12)
    losses = -np.where(label == 1, np.log(kept), np.log1p(-kept))
    return float(losses.mean()), float(np.sqrt(_variance(losses)))


def calibration_error(label: Labels, probability: Floats, bins: int = 10) -> float:
    """Mean distance of observed from predicted share over ``bins`` bins of equal size by probability."""
    order = np.argsort(probability, kind="stable")
    gaps = [
        abs(float(label[part].mean() - probability[part].mean())) * len(part)
        for part in np.array_split(order, bins)
        if len(part)
    ]
    return float(sum(gaps) / max(len(label), 1))


def c_index(duration: NDArray[np.int64], event: NDArray[np.bool_], score: Floats) -> float | None:
    """Harrell's concordance of ``score`` with earlier churn, on the first 20,000 rows; None without a pair."""
    from lifelines.utils import concordance_index

    rows = slice(0, _C_INDEX_ROWS)
    try:
        return float(concordance_index(duration[rows], -score[rows], event[rows]))
    except ZeroDivisionError:
        return None


def integrated_brier(
    duration: NDArray[np.int64], event: NDArray[np.bool_], survival_at: Callable[[list[int]], Floats], horizon_days: int
) -> float:
    """Mean Brier score of the survival curve over ten days spread up to the horizon, within which every row was
    observed.
    """
    days = sorted({max(1, round(horizon_days * part / 10)) for part in range(1, 11)})
    alive = ~(event[:, None] & (duration[:, None] <= np.asarray(days)[None, :]))
    return float(((alive - survival_at(days)) ** 2).mean())


def all_of(label: Labels, probability: Floats) -> dict[str, tuple[float, float | None]]:
    """AUC, Brier (also at the level of these rows), log-loss and calibration error, each with its standard error or
    None.
    """
    return {
        "auc": auc(label, probability),
        "brier": brier(label, probability),
        "brier_at_level": brier_at_level(label, probability),
        "log_loss": log_loss(label, probability),
        "calibration_error": (calibration_error(label, probability), None),
    }


def plain(values: dict[str, Any]) -> dict[str, float]:
    """Only the values of ``all_of``."""
    return {name: float(pair[0]) for name, pair in values.items()}
