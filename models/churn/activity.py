"""How often a profile will be active: a boosted forest of the number of active days within the horizon (Poisson).

That number tells more than whether it is zero: who comes twelve times is further from silence than who comes once. The
score is minus the logarithm of the expected number, so it is additive over the trees.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.churn import bins
from models.churn.forest import Forest
from models.churn.hazard import FEWEST_FOR_TREES, FEWEST_LABELS_FOR_TREES, TREES, rarer
from models.churn.scorer import Arrays, CannotFit, Floats, Sample, prefixed, select_arrays
from models.threads import one_thread


@dataclass(frozen=True, slots=True)
class Activity:
    """Minus the log-rate of a forest. ``center`` holds the mean contributions over the training rows, by term."""

    forest: Forest
    center: Floats
    name: str = "activity"

    def contributions(self, matrix: Floats, standard: Floats) -> Floats:  # noqa: ARG002 (trees need raw values only)
        """What each term adds along the trees' paths (``Forest.contributions``)."""
        return np.asarray(-self.forest.contributions(matrix) - self.center)

    def score(self, matrix: Floats, standard: Floats) -> Floats:  # noqa: ARG002
        """Sum of the contributions, without making them one by one."""
        return np.asarray(self.forest.root - self.forest.score(matrix) - self.center.sum())

    def arrays(self) -> Arrays:
        """Center and the forest's arrays."""
        return {"center": self.center, **prefixed(self.forest.arrays(), "forest")}

    @staticmethod
    def restore(arrays: Arrays) -> Activity:
        """The model of these ``arrays()``."""
        return Activity(Forest.restore(select_arrays(arrays, "forest")), arrays["center"])


def fit(sample: Sample, seed: int = 0) -> Activity:
    """Fit on ``sample.activity``, relative to the mean of each snapshot so that trees do not learn the season.

    Raises ``CannotFit`` without that number, with rows too few for trees, or when nobody was active in a snapshot.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor

    if sample.activity is None:
        raise CannotFit("churn is told by events, not by silence")
    if len(sample) < FEWEST_FOR_TREES or rarer(sample) < FEWEST_LABELS_FOR_TREES:
        raise CannotFit("too few rows for trees")
    present, code = np.unique(sample.snapshot, return_inverse=True)
    active = np.bincount(code, sample.activity, len(present)) / np.bincount(code, minlength=len(present))
    if (active <= 0).any():
        raise CannotFit("nobody was active in a snapshot")
    mean = active[code]
    model = HistGradientBoostingRegressor(
        loss="poisson", min_samples_leaf=max(20, rarer(sample) // 75), random_state=seed, **TREES
    )
    with one_thread():
        forest = bins.grow(model, sample.matrix, sample.activity / mean, mean)
        bare = Activity(forest, np.zeros(sample.matrix.shape[1]))
        return Activity(forest, bare.contributions(sample.matrix, sample.standard).mean(axis=0))
