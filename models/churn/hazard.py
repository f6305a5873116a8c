"""The discrete-time hazard: the log-odds of churning within a period, a ridge logistic model and a boosted forest half
and half (Tutz & Schmid 2016, ch. 3). With one period, the horizon, it scores profiles; ``lifetimes`` has many.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.churn import bins
from models.churn.forest import Forest
from models.churn.scorer import Arrays, CannotFit, Floats, Sample, prefixed, select_arrays
from models.threads import one_thread

FEWEST_FOR_TREES = 500
FEWEST_LABELS_FOR_TREES = 50
TREES: dict[str, Any] = {
    "max_iter": 240,
    "learning_rate": 0.05,
    "max_leaf_nodes": 4,
    "l2_regularization": 5.0,
    "early_stopping": False,
    "categorical_features": None,
}
"""Many small trees: what they learn is close to additive, and lasts from one season to the next."""


@dataclass(frozen=True, slots=True)
class Hazard:
    """Log-odds = the linear part, halved with a forest's when there were rows enough for one.

    ``center`` holds the mean contributions over the training rows, by term. The base rate of each snapshot is a term of
    the fit only: the level is set by ``calibrate``.
    """

    coefficients: Floats
    forest: Forest | None
    center: Floats
    name: str = "hazard"

    def _uncentered(self, matrix: Floats, standard: Floats) -> Floats:
        linear = standard * self.coefficients
        return linear if self.forest is None else 0.5 * linear + 0.5 * self.forest.contributions(matrix)

    def contributions(self, matrix: Floats, standard: Floats) -> Floats:
        """Exact: the linear part is a sum over terms, the forest's is split along each tree's path
        (``Forest.contributions``).
        """
        return np.asarray(self._uncentered(matrix, standard) - self.center)

    def score(self, matrix: Floats, standard: Floats) -> Floats:
        """Sum of the contributions, without making them one by one."""
        linear = standard @ self.coefficients
        if self.forest is None:
            return np.asarray(linear - self.center.sum())
        forest = self.forest.score(matrix) - self.forest.root
        return np.asarray(0.5 * linear + 0.5 * forest - self.center.sum())

    def arrays(self) -> Arrays:
        """Coefficients, center and the forest's arrays."""
        forest = prefixed(self.forest.arrays(), "forest") if self.forest else {}
        return {"coefficients": self.coefficients, "center": self.center, **forest}

    @staticmethod
    def restore(arrays: Arrays) -> Hazard:
        """The model of these ``arrays()``."""
        forest = select_arrays(arrays, "forest")
        return Hazard(arrays["coefficients"], Forest.restore(forest) if forest else None, arrays["center"])


def fit(sample: Sample, seed: int = 0) -> Hazard:
    """Fit on the labels at the horizon. Raises ``CannotFit`` when only one label occurs."""
    return _fit(sample, seed, trees=_enough(sample), weight=_balance(sample))


def fit_periods(sample: Sample, seed: int = 0) -> Hazard:
    """Fit on person-periods (``snapshot`` numbers the period), whose hazards are rare and differ by nature."""
    return _fit(sample, seed, trees=_enough(sample))


def fit_linear(sample: Sample, seed: int = 0) -> Hazard:
    """The linear part alone. Raises ``CannotFit`` when only one label occurs."""
    return _fit(sample, seed, trees=False)


def rarer(sample: Sample) -> int:
    """Rows of the rarer label: what there is to learn from, however often the other one is repeated."""
    ones = int(sample.label.sum())
    return min(ones, len(sample) - ones)


def _enough(sample: Sample) -> bool:
    return len(sample) >= FEWEST_FOR_TREES and rarer(sample) >= FEWEST_LABELS_FOR_TREES


def _fit(sample: Sample, seed: int, *, trees: bool, weight: Floats | None = None) -> Hazard:
    if rarer(sample) == 0:
        raise CannotFit("all rows have the same label")
    with one_thread():
        coefficients = _linear(sample)
        forest = _boosted(sample, seed, weight) if trees else None
        bare = Hazard(coefficients, forest, np.zeros(len(coefficients)))
        return Hazard(coefficients, forest, bare.contributions(sample.matrix, sample.standard).mean(axis=0))


def _balance(sample: Sample) -> Floats:
    """A weight for each row, such that every snapshot has the same share of churns.

    Trees have no intercept for each snapshot as the linear part has. Without weights they find the season in whatever
    grows with time, such as tenure, and carry it to where it does not belong.
    """
    present, code = np.unique(sample.snapshot, return_inverse=True)
    overall = sample.label.mean()
    share = (np.bincount(code, sample.label, len(present)) / np.bincount(code, minlength=len(present)))[code]
    ones, zeros = overall / np.maximum(share, 1e-9), (1 - overall) / np.maximum(1 - share, 1e-9)
    return np.asarray(np.where(sample.label == 1, ones, zeros), dtype=np.float64)


def _linear(sample: Sample) -> Floats:
    """Ridge logistic coefficients, (terms,).

    Each snapshot has an intercept of its own, ten times less shrunk than the terms.
    """
    from sklearn.linear_model import LogisticRegression

    levels = np.unique(sample.snapshot)
    dummies = (sample.snapshot[:, None] == levels[None, :]) * 10.0 if len(levels) > 1 else np.empty((len(sample), 0))
    ridge = 5.0 + 0.015 * rarer(sample)
    model = LogisticRegression(C=1.0 / ridge, solver="newton-cholesky", max_iter=200)
    model.fit(np.hstack([sample.standard, dummies]), sample.label)
    return np.ascontiguousarray(model.coef_[0][: sample.standard.shape[1]])


def _boosted(sample: Sample, seed: int, weight: Floats | None) -> Forest:
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(min_samples_leaf=max(20, rarer(sample) // 75), random_state=seed, **TREES)
    return bins.grow(model, sample.matrix, sample.label, weight)
