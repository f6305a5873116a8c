"""Several models as one: a weighted sum of their scores, so it is as additive as they are.

Weights are at least 0 and learned on scores of rows that the models had not seen (Breiman 1996, stacked regressions).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.churn.calibrate import sigmoid
from models.churn.scorer import Arrays, CannotFit, Floats, Scorer, prefixed, select_arrays
from models.threads import one_thread

FEWEST_LABELS = 30
_RIDGE = 10.0


@dataclass(frozen=True, slots=True)
class Blend:
    """``parts`` in the order of their names, with the weight of each one's score."""

    parts: tuple[Scorer, ...]
    weights: Floats
    name: str = "blend"

    def contributions(self, matrix: Floats, standard: Floats) -> Floats:
        """Weighted sum of the parts' contributions."""
        out = np.zeros(matrix.shape)
        for part, weight in zip(self.parts, self.weights, strict=True):
            out += weight * part.contributions(matrix, standard)
        return out

    def score(self, matrix: Floats, standard: Floats) -> Floats:
        """Weighted sum of the parts' scores."""
        out = np.zeros(len(matrix))
        for part, weight in zip(self.parts, self.weights, strict=True):
            out += weight * part.score(matrix, standard)
        return out

    def arrays(self) -> Arrays:
        """The weights, and each part's arrays under its name."""
        found: Arrays = {"weights": self.weights}
        for part in self.parts:
            found |= prefixed(part.arrays(), part.name)
        return found

    @staticmethod
    def restore(arrays: Arrays, restorers: Mapping[str, Callable[[Arrays], Scorer]]) -> Blend:
        """The model of these ``arrays()``; ``restorers`` by the parts' names."""
        names = sorted({name.split(".")[0] for name in arrays if "." in name})
        parts = tuple(restorers[name](select_arrays(arrays, name)) for name in names)
        return Blend(parts, np.asarray(arrays["weights"]))


def weigh(scores: Sequence[Floats], label: NDArray[np.int64], snapshot: NDArray[np.int64]) -> Floats:
    """Weights (parts,) of unseen ``scores`` that make ``label`` most likely, with a level for each ``snapshot``.

    Weights of standardized scores are drawn to their mean by a ridge, so that models that say the same share the
    weight. Raises ``CannotFit`` below two parts, or where a label occurs fewer than 30 times.
    """
    from scipy.optimize import minimize

    if len(scores) < 2:
        raise CannotFit("fewer than two models to blend")
    ones = int(label.sum())
    if min(ones, len(label) - ones) < FEWEST_LABELS:
        raise CannotFit(f"fewer than {FEWEST_LABELS} rows of a label to learn weights on")
    matrix = np.column_stack(scores)
    spread = np.maximum(matrix.std(axis=0), 1e-9)
    matrix = matrix / spread
    parts, levels = matrix.shape[1], int(snapshot.max()) + 1

    def loss(point: Floats) -> tuple[float, Floats]:
        weights, level = point[:parts], point[parts:]
        odds = matrix @ weights + level[snapshot]
        away = weights - weights.mean()
        value = np.logaddexp(0.0, odds).sum() - (odds * label).sum() + _RIDGE * (away @ away)
        error = sigmoid(odds) - label
        slope = np.concatenate([matrix.T @ error + 2 * _RIDGE * away, np.bincount(snapshot, error, levels)])
        return float(value) / len(label), slope / len(label)

    start = np.concatenate([np.full(parts, 1.0 / parts), np.zeros(levels)])
    bounds = [(0.0, None)] * parts + [(None, None)] * levels
    with one_thread():
        found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500})
    weights = np.asarray(found.x[:parts])
    if not np.isfinite(weights).all() or weights.sum() <= 0:
        raise CannotFit("no weight of the models tells the labels apart")
    return np.asarray(weights / spread, dtype=np.float64)
