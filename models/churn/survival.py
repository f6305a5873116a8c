"""Models of whole lives: how long until a churn, from durations of which many are not over yet.

Cox, log-normal times, discrete hazards and a blend of them, judged on rows that they had not seen, by the integrated
Brier score with inverse-censoring weights; the best is the model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.churn import aft, cox, lifetimes
from models.churn.lives import STEEPEST, CoxLife, Life, Together, together
from models.churn.scorer import Arrays, CannotFit, Floats, Sample, thinned
from models.churn.survival_measures import Censoring, integrated_brier

BLEND = "blend"
MOST_JUDGED = 10_000
"""Rows that models learn from at most while they are compared; the one chosen learns from all."""
_FOLDS = 3
_STEPS = 10


@dataclass(frozen=True, slots=True)
class Survival:
    """The model chosen, by ``name``. ``scores``: integrated Brier score of each candidate on unseen rows; ``weights``
    of the blend; ``notes`` says why a model was left out. ``unseen`` (n, times): cumulative hazards of the training
    rows by the chosen kind of model, fitted without them.
    """

    name: str
    life: Together
    unseen: Floats
    scores: dict[str, float]
    weights: dict[str, float] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)

    def survival(self, matrix: Floats, standard: Floats, times: Floats) -> Floats:
        """(n, times): probability of living past each of the rising ``times``; rows never rise."""
        return np.asarray(np.exp(-self.life.cumulative(matrix, standard, times)))


def fit_cox(sample: Sample, seed: int = 0) -> CoxLife:
    """Cox with Breslow's baseline. Raises ``CannotFit``."""
    scorer = cox.fit(sample, seed)
    risk = np.exp(np.minimum(scorer.score(sample.matrix, sample.standard), STEEPEST))
    times, place = np.unique(sample.duration, return_inverse=True)
    ending = np.bincount(place, risk, len(times))
    at_risk = np.cumsum(ending[::-1])[::-1]
    churned = np.bincount(place[sample.event], minlength=len(times))
    return CoxLife(scorer, times.astype(np.float64), np.cumsum(churned / np.maximum(at_risk, 1e-300)))


def fit_hazards(sample: Sample, seed: int = 0) -> lifetimes.Lifetimes:
    """Discrete hazards over at most 24 periods of about as many churns each."""
    return lifetimes.fit(sample, lifetimes.edges_of(sample.duration, sample.event), seed)


MAKERS: Mapping[str, Callable[[Sample, int], Life]] = {
    "cox": fit_cox, "log_normal": aft.fit, "hazard": fit_hazards,
}
RESTORERS: Mapping[str, Callable[[Arrays], Life]] = {
    "cox": CoxLife.restore, "log_normal": aft.LogNormal.restore, "hazard": lifetimes.Lifetimes.restore,
}


def fit(sample: Sample, fold: NDArray[np.int64], times: Floats, seed: int = 0) -> Survival:
    """Choose among the models and their blend by unseen rows, and fit what is chosen on all of them.

    ``fold`` (n,) is any fixed number of a row, of which three folds are made; ``times``: rising times above 0 over
    which the Brier score is integrated. Raises ``CannotFit`` when no model can be fitted.
    """
    fold = fold % _FOLDS
    notes: dict[str, str] = {}
    unseen: dict[str, Floats] = {}
    for name, make in MAKERS.items():
        hazard = np.empty((len(sample), len(times)))
        try:
            for number in np.unique(fold):
                rows = fold == number
                life = make(thinned(sample.take(~rows), MOST_JUDGED), seed)
                hazard[rows] = life.cumulative(sample.matrix[rows], sample.standard[rows], times)
        except CannotFit as reason:
            notes[name] = str(reason)
            continue
        unseen[name] = hazard
    censoring = Censoring.of(sample.duration, sample.event)

    def score(hazard: Floats) -> float:
        return integrated_brier(sample.duration, sample.event, np.exp(-hazard), times, censoring)

    scores = {name: score(hazard) for name, hazard in unseen.items()}
    weights: dict[str, float] = {}
    if len(unseen) > 1:
        weights, scores[BLEND] = _weigh(unseen, score)
    for name in sorted(scores or MAKERS, key=lambda name: (scores.get(name, 0.0), name)):
        try:
            shares = weights if name == BLEND else {name: 1.0}
            parts, each = tuple(MAKERS[part](sample, seed) for part in shares), np.array(list(shares.values()))
            life = Together(tuple(shares), parts, each)
            known = together([unseen[part] for part in shares], each) if scores else life.cumulative(
                sample.matrix, sample.standard, times
            )
            return Survival(name, life, known, scores, weights, notes)
        except CannotFit as reason:
            notes[name] = str(reason)
    raise CannotFit("; ".join(f"{name}: {reason}" for name, reason in notes.items()))


def _weigh(unseen: Mapping[str, Floats], score: Callable[[Floats], float]) -> tuple[dict[str, float], float]:
    """Weights in tenths with the least score: from equal shares a tenth at a time goes where it helps most."""
    names, hazards = list(unseen), list(unseen.values())
    tenths = np.full(len(names), _STEPS // len(names))
    tenths[: _STEPS - int(tenths.sum())] += 1
    one = np.eye(len(names), dtype=np.int64)
    best = score(together(hazards, tenths / _STEPS))
    for _ in range(2 * _STEPS):
        moves = [
            (score(together(hazards, moved / _STEPS)), giver, taker)
            for giver in range(len(names))
            for taker in range(len(names))
            if giver != taker and tenths[giver] > 0
            for moved in [tenths - one[giver] + one[taker]]
        ]
        value, giver, taker = min(moves)
        if value >= best:
            break
        best = value
        tenths[giver] -= 1
        tenths[taker] += 1
    return {name: float(part) / _STEPS for name, part in zip(names, tenths, strict=True) if part}, best
