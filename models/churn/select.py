"""Choosing among the churn models: each is fitted on older snapshots, judged on the newest, and the best is fitted
again on all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.churn import (
    activity,
    aft,
    bgnbd,
    blend,
    calibrate,
    cox,
    curve,
    design,
    gates,
    hazard,
    measure,
    reasons,
    survival,
)
from models.churn.calibrate import Calibrator
from models.churn.curve import Shape
from models.churn.design import Design
from models.churn.lives import Lives, log_odds
from models.churn.scorer import CannotFit, Floats, Sample, Scorer

Maker = Callable[[Sample, int], Scorer]

MAKERS: dict[str, Maker] = {
    "hazard": hazard.fit,
    "cox": cox.fit,
    "log_normal": aft.fit,
    "activity": activity.fit,
    "bg_nbd": bgnbd.fit,
}
BLEND = "blend"
LIVES = "lives"
PARTS_ONLY = frozenset({"bg_nbd"})
"""Models that serve within the blend alone: of all features they look at three, which a gate would reject."""
CANDIDATES = (*(name for name in MAKERS if name not in PARTS_ONLY), LIVES, BLEND)
MOST_JUDGED = 40_000
"""Rows that candidates learn from at most while they are compared; the one chosen learns from all."""
BASELINE = "recency"
NEWEST = "newest snapshot"
_FOLDS = 4
_GROUPS = 3
_REACH = 2
_MOMENTS = 30
_FEWEST_JUDGED = 5
_FEWEST_ENDED = 240
"""Lives that ended, ten for each of 24 periods: below, many person-periods cost more than they tell."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Labelled rows, sorted by snapshot and profile; ``columns`` as ``design.make`` takes them, the rest as in
    ``scorer.Sample``.

    ``ages``: days from each snapshot to the cut-off, newest first. ``draw`` is a fixed number of each profile, for
    folds. ``activity``: active days within the horizon, where they are known.
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
    activity: NDArray[np.int64] | None = None

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
            None if self.activity is None else self.activity[mask],
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

    def survival(self, columns: Mapping[str, NDArray[Any]], probability: Floats, days: Sequence[int]) -> Floats:
        """(n, days): chance of not having churned by each day, of rows whose ``probability`` at the horizon is known.

        S(horizon) = 1 - p, and S never rises when ``days`` rise. A model of whole lives has curves of its own.
        """
        if not isinstance(self.scorer, Lives):
            return curve.survival(probability, self.shape, days)
        matrix = self.design.matrix(columns)
        risk, moments = -np.log1p(-probability), np.asarray(days, dtype=np.float64)
        return np.asarray(np.exp(-self.scorer.cumulative(matrix, self.design.standard(matrix), risk, moments)))

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


class Learner:
    """Models of one set of rows, each fitted once, and their scores of unseen rows, made once.

    ``ages``: days from each snapshot to the date to be scored. Unseen rows are those of other snapshots, in at most
    three groups; with one snapshot, quarters of the profiles. Raises ``CannotFit`` when no feature varies.
    """

    def __init__(self, rows: Rows, ages: Sequence[int], seed: int) -> None:
        self._rows, self._seed = rows, seed
        self._design = design.make(rows.columns, rows.numbers, rows.texts)
        if not self._design.terms:
            raise CannotFit("no feature varies")
        matrix = self._design.matrix(rows.columns)
        # who falls silent long after the horizon tells little of it, and effects do not stay in proportion for so long
        watched = _REACH * rows.horizon_days if rows.inactivity else int(rows.duration.max(initial=0))
        self._sample = Sample(
            matrix,
            self._design.standard(matrix),
            rows.label,
            np.minimum(rows.duration, watched),
            rows.event & (rows.duration <= watched),
            rows.snapshot,
            rows.activity if rows.inactivity else None,
            self._design.names,
            float(rows.horizon_days),
        )
        present, self._code = np.unique(rows.snapshot, return_inverse=True)
        self._ages = [ages[place] for place in present]
        self._scorers: dict[str, Scorer] = {}
        self._unseen: dict[str, Floats] = {}

    def fitted(self, name: str) -> Fitted:
        """The model ``name`` (of ``CANDIDATES``) fitted on all rows, and its calibration on scores by models that had
        not seen the scored rows. Raises ``CannotFit``.
        """
        if name == LIVES:
            return self.lived()
        return self.blended() if name == BLEND else self.calibrated(*self._learned(name, MAKERS[name]))

    def lived(self) -> Fitted:
        """The model of whole lives that ``survival`` chooses, as a score at the horizon. Raises ``CannotFit``."""
        rows, sample = self._rows, self._sample
        if rows.inactivity:
            raise CannotFit("churn is told by silence, which no life is long enough to see coming")
        if len(np.unique(rows.draw[rows.event])) < _FEWEST_ENDED:
            raise CannotFit(f"fewer than {_FEWEST_ENDED} lives ended")
        reach = max(int(rows.duration.max(initial=0)), rows.horizon_days)
        spread = np.linspace(rows.horizon_days / _MOMENTS, reach, _MOMENTS)
        moments = np.unique(np.append(spread, rows.horizon_days).round().clip(1))
        # all rows of a profile end in the same churn: who has seen one has seen the others
        model = survival.fit(sample, rows.draw, moments, self._seed)
        scorer = Lives.of(model.life, float(rows.horizon_days), sample.matrix, sample.standard)
        known = log_odds(model.unseen[:, np.searchsorted(moments, rows.horizon_days)])
        return self.calibrated(scorer, known - log_odds(np.exp(scorer.base)) - scorer.center.sum())

    def blended(self) -> Fitted:
        """All models that can be fitted as one. Raises ``CannotFit`` where they are fewer than two."""
        parts, unseen = [], []
        for name in sorted(MAKERS):
            try:
                scorer, scores = self._learned(name, MAKERS[name])
            except CannotFit:
                continue
            parts.append(scorer)
            unseen.append(scores)
        weights = blend.weigh(unseen, self._rows.label, self._code)
        if (weights > 0).sum() < 2:
            raise CannotFit("one model has all the weight")
        together = np.sum([weight * scores for weight, scores in zip(weights, unseen, strict=True)], axis=0)
        return self.calibrated(blend.Blend(tuple(parts), weights), together)

    def calibrated(self, scorer: Scorer, unseen: Floats) -> Fitted:
        """``scorer`` with slope and levels learned on its ``unseen`` scores of the rows, and the curve's shape."""
        rows, sample = self._rows, self._sample
        calibrator = calibrate.fit(unseen, rows.label, self._code, self._ages)
        score = scorer.score(sample.matrix, sample.standard)
        chance = calibrate.sigmoid(np.asarray(calibrator.levels)[self._code] + calibrator.slope * score)
        shape = curve.fit(rows.duration, rows.event, -np.log1p(-chance), rows.horizon_days, within=not rows.inactivity)
        return Fitted(self._design, scorer, calibrator, shape)

    def learn(self, make: Maker) -> tuple[Scorer, Floats]:
        """A model of all rows, and the score of each row by one that was fitted without the row's fold; 0, the mean
        score, where that cannot be fitted.
        """
        sample = self._sample
        scorer = make(sample, self._seed)
        fold = self._code % _GROUPS if self._code.max(initial=0) > 0 else self._rows.draw % _FOLDS
        scores = np.zeros(len(sample))
        for number in np.unique(fold):
            unseen = fold == number
            try:
                other = make(sample.take(~unseen), self._seed)
            except CannotFit:
                continue
            scores[unseen] = other.score(sample.matrix[unseen], sample.standard[unseen])
        return scorer, scores

    def _learned(self, name: str, make: Maker) -> tuple[Scorer, Floats]:
        if name not in self._scorers:
            self._scorers[name], self._unseen[name] = self.learn(make)
        return self._scorers[name], self._unseen[name]


def fit_calibrated(make: Maker, rows: Rows, ages: Sequence[int], seed: int) -> Fitted:
    """Fit ``make`` on all ``rows``, with its calibration (see ``Learner``). Raises ``CannotFit``."""
    learner = Learner(rows, ages, seed)
    return learner.calibrated(*learner.learn(make))


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
    """Judge every model on held-out rows, take the one with the least Brier score at the level of these rows, fit it
    on all rows and judge the gates.

    ``step`` is told what is being done. Models that cannot be fitted are left out with the reason.
    """
    held_out, known, ages, how = _split(rows)
    test, train = rows.take(held_out), rows.take(known)
    if how == NEWEST:
        train = _as_known(train, ages)
    if len(train.label) > MOST_JUDGED:
        train = train.take(_spaced(len(train.label), MOST_JUDGED))
    judged: list[Judged] = []
    notes: dict[str, str] = {}
    for name, fitted in _fitted(train, ages, seed, CANDIDATES, notes, lambda name: step(f"judging {name}")):
        judged.append(_judge(name, fitted, test))
    baseline = _judge_baseline(train, test, ages, seed)
    ranking = {one.name: one for one in sorted(judged, key=lambda one: one.metrics["brier_at_level"][0])}
    for name, fitted in _fitted(rows, rows.ages, seed, ranking, notes, lambda name: step(f"fitting {name}")):
        best = ranking[name]
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


def _fitted(
    rows: Rows, ages: Sequence[int], seed: int, names: Iterable[str], notes: dict[str, str], step: Callable[[str], None]
) -> Iterator[tuple[str, Fitted]]:
    """The models of ``names`` that can be fitted, as they are asked for; ``notes`` is told of the others."""
    try:
        learner = Learner(rows, ages, seed)
    except CannotFit as reason:
        notes |= dict.fromkeys(names, str(reason))
        return
    for name in names:
        step(name)
        try:
            yield name, learner.fitted(name)
        except CannotFit as reason:
            notes[name] = str(reason)


def _as_known(rows: Rows, ages: Sequence[int]) -> Rows:
    """The rows with durations as they were known at the snapshot that is held out, ``ages`` days later."""
    known = np.asarray(ages)[rows.snapshot]
    return replace(
        rows, duration=np.minimum(rows.duration, known), event=rows.event & (rows.duration <= known)
    )


def _spaced(rows: int, most: int) -> NDArray[np.bool_]:
    """A mask of ``most`` evenly spaced rows, so that every snapshot keeps its share."""
    mask = np.zeros(rows, np.bool_)
    mask[np.linspace(0, rows - 1, most).round().astype(np.int64)] = True
    return mask


def _split(rows: Rows) -> tuple[NDArray[np.bool_], NDArray[np.bool_], tuple[int, ...], str]:
    """Rows held out, rows to fit on, ages of the snapshots as the held-out one sees them, and how it was done."""
    newest = rows.snapshot == int(np.argmin(rows.ages))
    older = ~newest
    # where hardly anybody of the newest churned, or hardly anybody stayed, no model can be told from another there
    if min(_rarer(rows.label[older]), _rarer(rows.label[newest]) - _FEWEST_JUDGED + 1) > 0:
        return newest, older, tuple(age - min(rows.ages) for age in rows.ages), NEWEST
    held_out = rows.draw % _FOLDS == 0
    return held_out, ~held_out, rows.ages, "a quarter of the profiles"


def _rarer(label: NDArray[np.int64]) -> int:
    """How often the rarer label occurs."""
    return int(min(label.sum(), len(label) - label.sum()))


def _judge(name: str, fitted: Fitted, test: Rows) -> Judged:
    probability = fitted.probability(test.columns)
    metrics: dict[str, tuple[float, float | None]] = measure.all_of(test.label, probability)
    concordance = measure.c_index(test.duration, test.event, probability)
    if concordance is not None:
        metrics["c_index"] = (concordance, None)
    if not test.inactivity:

        def curves(days: list[int]) -> Floats:
            return fitted.survival(test.columns, probability, days)

        metrics["integrated_brier"] = (
            measure.integrated_brier(test.duration, test.event, curves, test.horizon_days),
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
