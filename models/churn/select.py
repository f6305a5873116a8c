"""Choosing among the churn models: each is fitted on older snapshots, judged on the newest, and the best is fitted
again on all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.churn import calibrate, cox, curve, design, gates, hazard, measure, reasons
from models.churn.calibrate import Calibrator
from models.churn.curve import Shape
from models.churn.design import Design
from models.churn.scorer import CannotFit, Floats, Sample, Scorer

MAKERS: dict[str, Callable[[Sample, int], Scorer]] = {"hazard": hazard.fit, "cox": cox.fit}
BASELINE = "recency"
_FOLDS = 4


@dataclass(frozen=True, slots=True)
class Rows:
    """Labelled rows, sorted by snapshot and profile; ``columns`` as ``design.make`` takes them, the rest as in
    ``scorer.Sample``.

    ``ages``: days from each snapshot to the cut-off, newest first. ``draw`` is a fixed number of each profile, for
    folds.
    """

    columns: Mapping[str, NDArray[Any]]
    numbers: tuple[str, ...]
    texts: tuple[str, ...]
    label: NDArray[np.int64]
    duration: NDArray[np.int64]
    event: NDArray[np.bool_]
    snapshot: NDArray[np.int64]
    draw: NDArray[np.int64]
    ages: tuple[int, ...]
    horizon_days: int
    inactivity: bool

    def take(self, mask: NDArray[np.bool_]) -> Rows:
        """These rows, with the snapshots as they were numbered."""
        columns = {name: values[mask] for name, values in self.columns.items()}
        return Rows(
            columns,
            self.numbers,
            self.texts,
            self.label[mask],
            self.duration[mask],
            self.event[mask],
            self.snapshot[mask],
            self.draw[mask],
            self.ages,
            self.horizon_days,
            self.inactivity,
        )


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model ready to score: features to terms, terms to score, score to probability, probability to curve."""

    design: Design
    scorer: Scorer
    calibrator: Calibrator
    shape: Shape

    def probability(self, columns: Mapping[str, NDArray[Any]]) -> Floats:
        """Calibrated probability of label 1: (n,)."""
        matrix = self.design.matrix(columns)
        return self.calibrator.probability(self.scorer.score(matrix, self.design.standard(matrix)))

    def explain(self, columns: Mapping[str, NDArray[Any]]) -> tuple[Floats, Floats]:
        """Probabilities (n,) and contributions to their log-odds (n, features), in the order of ``design.features``.

        A row's contributions sum to logit p less ``base_log_odds``, the log-odds at the training mean of the score.
        This holds for every model: each score is additive over terms and calibration is a line in the log-odds.
        """
        matrix = self.design.matrix(columns)
        terms = self.scorer.contributions(matrix, self.design.standard(matrix)) * self.calibrator.slope
        log_odds = self.base_log_odds + terms.sum(axis=1)
        return calibrate.sigmoid(log_odds), self.design.by_feature(terms)

    @property
    def base_log_odds(self) -> float:
        """Log-odds of a profile whose contributions are all 0."""
        return self.calibrator.level


@dataclass(frozen=True, slots=True)
class Judged:
    """One model on the held-out rows.

    ``metrics`` maps a name to value and standard error (None where there is none).
    """

    name: str
    metrics: dict[str, tuple[float, float | None]]
    probability: Floats
    note: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """The outcome: the best model fitted on all rows, everything judged (baseline last), and the gates.

    ``fitted`` is None when no model could be fitted; ``notes`` says why a model was left out. ``importances`` has an
    entry a feature. ``held_out`` says which rows were held out: ``newest snapshot``, or ``a quarter of the profiles``
    where there was only one.
    """

    fitted: Fitted | None
    name: str
    judged: tuple[Judged, ...] = ()
    gates: tuple[gates.Gate, ...] = ()
    importances: list[dict[str, Any]] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)
    held_out: str = ""
    rows: int = 0
    held_out_rows: int = 0


def fit_calibrated(make: Callable[[Sample, int], Scorer], rows: Rows, ages: Sequence[int], seed: int) -> Fitted:
    """Fit ``make`` on all ``rows``, and its calibration on scores by models that had not seen the scored snapshot.

    ``ages``: days from each snapshot to the date to be scored. With one snapshot the unseen rows are quarters of the
    profiles. Raises ``CannotFit``.
    """
    plan = design.make(rows.columns, rows.numbers, rows.texts)
    if not plan.terms:
        raise CannotFit("no feature varies")
    matrix = plan.matrix(rows.columns)
    sample = Sample(matrix, plan.standard(matrix), rows.label, rows.duration, rows.event, rows.snapshot)
    present, code = np.unique(rows.snapshot, return_inverse=True)
    known_ages = [ages[place] for place in present]
    calibrator = calibrate.fit(
        _unseen_scores(make, sample, code, rows.draw, seed), rows.label, code, known_ages, rows.horizon_days
    )
    scorer = make(sample, seed)
    chance = calibrate.sigmoid(
        np.asarray(calibrator.levels)[code] + calibrator.slope * scorer.score(sample.matrix, sample.standard)
    )
    shape = curve.fit(rows.duration, rows.event, -np.log1p(-chance), rows.horizon_days, within=not rows.inactivity)
    return Fitted(plan, scorer, calibrator, shape)


def _unseen_scores(
    make: Callable[[Sample, int], Scorer], sample: Sample, code: NDArray[np.int64], draw: NDArray[np.int64], seed: int
) -> Floats:
    """Score of each row by a model fitted without the row's fold; 0, the mean score, where that cannot be fitted."""
    fold = code if code.max(initial=0) > 0 else draw % _FOLDS
    scores = np.zeros(len(sample))
    for number in np.unique(fold):
        unseen = fold == number
        try:
            scorer = make(sample.take(~unseen), seed)
        except CannotFit:
            continue
        scores[unseen] = scorer.score(sample.matrix[unseen], sample.standard[unseen])
    return scores


def baseline_rows(rows: Rows) -> Rows:
    """The same rows with recency alone."""
    return Rows(
        {BASELINE: rows.columns["recency_days"]},
        (BASELINE,),
        (),
        rows.label,
        rows.duration,
        rows.event,
        rows.snapshot,
        rows.draw,
        rows.ages,
        rows.horizon_days,
        rows.inactivity,
    )


def choose(
    rows: Rows, seed: int = 0, limits: gates.Limits = gates.LIMITS, step: Callable[[str], None] = lambda _: None
) -> Choice:
    """Judge every model on held-out rows, take the one with the least Brier score, fit it on all rows and judge the
    gates.

    ``step`` is told what is being done. Models that cannot be fitted are left out with the reason.
    """
    held_out, known, ages, how = _split(rows)
    test, train = rows.take(held_out), rows.take(known)
    judged: list[Judged] = []
    notes: dict[str, str] = {}
    for name, make in MAKERS.items():
        step(f"judging {name}")
        try:
            judged.append(_judge(name, fit_calibrated(make, train, ages, seed), test))
        except CannotFit as reason:
            notes[name] = str(reason)
    baseline = _judge_baseline(train, test, ages, seed)
    for best in sorted(judged, key=lambda one: one.metrics["brier"][0]):
        step(f"fitting {best.name}")
        try:
            fitted = fit_calibrated(MAKERS[best.name], rows, rows.ages, seed)
        except CannotFit as reason:
            notes[best.name] = str(reason)
            continue
        shares = reasons.importances(fitted.explain(rows.columns)[1])
        difference = measure.auc_difference(test.label, best.probability, baseline.probability)
        verdict = gates.judge(
            (value for value, _ in best.metrics.values()), shares, best.probability, difference, limits
        )
        return Choice(
            fitted,
            best.name,
            (*judged, baseline),
            verdict,
            reasons.ranked(fitted.design.features, shares),
            notes,
            how,
            len(rows.label),
            len(test.label),
        )
    return Choice(None, "", (*judged, baseline), (), [], notes, how, len(rows.label), len(test.label))


def _split(rows: Rows) -> tuple[NDArray[np.bool_], NDArray[np.bool_], tuple[int, ...], str]:
    """Rows held out, rows to fit on, ages of the snapshots as the held-out one sees them, and how it was done."""
    newest = rows.snapshot == int(np.argmin(rows.ages))
    older = ~newest
    enough = older.any() and 0 < rows.label[older].sum() < older.sum()
    if enough:
        return newest, older, tuple(age - min(rows.ages) for age in rows.ages), "newest snapshot"
    held_out = rows.draw % _FOLDS == 0
    return held_out, ~held_out, rows.ages, "a quarter of the profiles"


def _judge(name: str, fitted: Fitted, test: Rows) -> Judged:
    probability = fitted.probability(test.columns)
    metrics: dict[str, tuple[float, float | None]] = measure.all_of(test.label, probability)
    concordance = measure.c_index(test.duration, test.event, probability)
    if concordance is not None:
        metrics["c_index"] = (concordance, None)
    if not test.inactivity:

        def survival(days: list[int]) -> Floats:
            return curve.survival(probability, fitted.shape, days)

        metrics["integrated_brier"] = (
            measure.integrated_brier(test.duration, test.event, survival, test.horizon_days),
            None,
        )
    return Judged(name, metrics, probability)


def _judge_baseline(train: Rows, test: Rows, ages: Sequence[int], seed: int) -> Judged:
    """Recency alone, calibrated like the models; the base rate where recency does not vary."""
    try:
        return _judge(
            BASELINE, fit_calibrated(hazard.fit_linear, baseline_rows(train), ages, seed), baseline_rows(test)
        )
    except CannotFit as reason:
        rate = float(train.label.mean()) if len(train.label) else 0.5
        flat = np.full(len(test.label), rate)
        return Judged(BASELINE, dict(measure.all_of(test.label, flat)), flat, str(reason))
