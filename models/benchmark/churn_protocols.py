"""Protocols under which churn models are compared, ours and the references in one run on the same rows.

``churn``: of events up to a date a night's training learns, and whoever was active before it is told the chance of
silence over the horizon that follows. ``survival``: durations and whether they ended, in five stratified folds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.benchmark import churn_references, survival_references
from models.benchmark.protocols import Figures, Tell
from models.churn import design, measure, select, survival, survival_measures
from models.churn.scorer import CannotFit, Sample
from models.churn.select import Rows
from models.churn.survival_measures import Censoring

Floats = NDArray[np.float64]
Columns = Mapping[str, NDArray[Any]]
_FOLDS = 5


@dataclass(frozen=True, slots=True, eq=False)
class ChurnData:
    """``rows``: what a night learns from. ``columns`` and ``label`` (n,): every profile at the date, and whether it was
    silent afterwards. ``visits``: of each, visits after the first, time of the latest and of watching since the first,
    in days.
    """

    rows: Rows
    columns: Columns
    label: NDArray[np.int64]
    visits: tuple[Floats, Floats, Floats]


def churn_figures(
    data: ChurnData, tell: Tell, only: Sequence[str] = (), peers: Sequence[str] = (), seed: int = 0
) -> list[Figures]:
    """AUC, Brier score, log-loss and calibration error of the references and of what a night would publish; and of the
    models of ours named by ``only``. ``peers``: parts of the names of the references, all by default.
    """
    found = []
    for name, forecast in _asked(churn_references.FORECASTS, peers).items():
        tell(name)
        found.append(_churn_figures(name, True, data, forecast, {}))
    tell("the night's choice")
    notes: dict[str, Any] = {}

    def published() -> Floats:
        choice = select.choose(data.rows, seed)
        notes.update(
            model=choice.name, judged={one.name: {name: value for name, (value, _) in one.metrics.items()}
                                       for one in choice.judged},
            left_out=choice.notes, gates={gate.name: gate.passed for gate in choice.gates},
        )
        if choice.fitted is None:
            raise CannotFit(f"no model could be fitted: {choice.notes}")
        return choice.fitted.probability(data.columns)

    found.append(_churn_figures("night's choice", False, data, lambda _: published(), notes))
    if only:
        learner = select.Learner(data.rows, data.rows.ages, seed)
        for name in only:
            tell(name)
            found.append(_churn_figures(name, False, data, partial(_alone, learner, name), {}))
    return found


def _asked(references: Mapping[str, Any], peers: Sequence[str]) -> dict[str, Any]:
    return {name: one for name, one in references.items() if not peers or any(part in name for part in peers)}


def _alone(learner: select.Learner, name: str, data: ChurnData) -> Floats:
    return learner.fitted(name).probability(data.columns)


def _churn_figures(
    name: str, reference: bool, data: ChurnData, forecast: Callable[[ChurnData], Floats], notes: dict[str, Any]
) -> Figures:
    started = time.perf_counter()
    try:
        chance = forecast(data)
    except CannotFit as reason:
        chance = np.full(len(data.label), data.rows.label.mean())
        notes["not_fitted"] = str(reason)
    seconds = time.perf_counter() - started
    return Figures(
        "churn", "silence", name, reference, measure.all_of(data.label, chance), len(data.label), seconds, 0.0, notes,
        measure.auc_shares(data.label, chance),
    )


@dataclass(frozen=True, slots=True, eq=False)
class SurvivalData:
    """Features of each row, ``duration`` (n,) in whole units and whether it ended in a churn (``event``)."""

    columns: Columns
    numbers: tuple[str, ...]
    texts: tuple[str, ...]
    duration: NDArray[np.int64]
    event: NDArray[np.bool_]


def survival_figures(
    data: SurvivalData, tell: Tell, peers: Sequence[str] = (), seed: int = 0
) -> list[Figures]:
    """Concordance, integrated Brier score to the 95 % quantile of time, and at two moments AUC, at the first of them
    calibration error: means over five folds with their standard errors.
    """
    from sklearn.model_selection import StratifiedKFold

    times = np.arange(1, max(int(np.quantile(data.duration, 0.95)), 1) + 1, dtype=np.float64)
    if len(times) > 200:
        times = np.unique(np.linspace(1, times[-1], 200).round())
    moments = _moments(data, times)
    # where next to nothing is censored there is nothing to stratify by
    kinds = data.event if (~data.event).sum() >= _FOLDS else np.ones(len(data.event), np.bool_)
    splits = list(StratifiedKFold(_FOLDS, shuffle=True, random_state=seed).split(data.duration, kinds))
    chosen: list[dict[str, Any]] = []

    def ours(train: Sample, test: Sample, at: Floats) -> Floats:
        fold = np.random.default_rng(seed).permutation(len(train))
        model = survival.fit(train, fold, at, seed)
        chosen.append({"model": model.name, "unseen": model.scores, "weights": model.weights, "left_out": model.notes})
        return model.survival(test.matrix, test.standard, at)

    found = []
    for name, forecast in {**_asked(survival_references.FORECASTS, peers), "nightloom": ours}.items():
        folds: list[dict[str, float]] = []
        pooled = np.empty(len(data.duration))
        started = time.perf_counter()
        for number, (train, test) in enumerate(splits):
            tell(f"{name}: fold {number + 1} of {_FOLDS}")
            known, unknown = _samples(data, train, test)
            curves = forecast(known, unknown, times)
            pooled[test] = 1 - curves[:, np.searchsorted(times, moments[0])]
            folds.append(_survival_scores(known, unknown, curves, times, moments))
        seconds = time.perf_counter() - started
        each = {metric: np.array([fold[metric] for fold in folds]) for metric in folds[0]}
        metrics: dict[str, tuple[float, float | None]] = {
            metric: (float(values.mean()), float(values.std(ddof=1) / np.sqrt(_FOLDS)))
            for metric, values in each.items()
        }
        censoring = Censoring.of(data.duration, data.event)
        error = survival_measures.calibration_at(data.duration, data.event, pooled, moments[0], censoring)
        metrics[f"pooled_calibration_error@{moments[0]:g}"] = (error, None)
        notes = {"folds": chosen} if name == "nightloom" else {}
        found.append(
            Figures("survival", "lives", name, name != "nightloom", metrics, len(data.duration), seconds, 0.0, notes,
                    each["c_index"])
        )
    return found


def _moments(data: SurvivalData, times: Floats) -> tuple[float, float]:
    """12 and 24 where durations look like months, else the quartile and the median of the churns."""
    if 36 <= times[-1] <= 120:
        return 12.0, 24.0
    first, second = np.quantile(data.duration[data.event], (0.25, 0.5), method="inverted_cdf")
    place = np.searchsorted(times, (first, second)).clip(0, len(times) - 1)
    return float(times[place[0]]), float(times[place[1]])


def _samples(data: SurvivalData, train: NDArray[np.int64], test: NDArray[np.int64]) -> tuple[Sample, Sample]:
    plan = design.make({name: values[train] for name, values in data.columns.items()}, data.numbers, data.texts)
    parts = []
    for rows in (train, test):
        matrix = plan.matrix({name: values[rows] for name, values in data.columns.items()})
        zeros = np.zeros(len(rows), np.int64)
        parts.append(Sample(matrix, plan.standard(matrix), zeros, data.duration[rows], data.event[rows], zeros))
    return parts[0], parts[1]


def _survival_scores(
    train: Sample, test: Sample, curves: Floats, times: Floats, moments: tuple[float, float]
) -> dict[str, float]:
    censoring = Censoring.of(train.duration, train.event)
    risks = [1 - curves[:, np.searchsorted(times, moment)] for moment in moments]
    scores = {
        "c_index": measure.c_index(test.duration, test.event, risks[1]) or 0.5,
        "integrated_brier": survival_measures.integrated_brier(test.duration, test.event, curves, times, censoring),
    }
    for moment, risk in zip(moments, risks, strict=True):
        scores[f"auc@{moment:g}"] = survival_measures.auc_at(test.duration, test.event, risk, moment, censoring)
    scores[f"calibration_error@{moments[0]:g}"] = survival_measures.calibration_at(
        test.duration, test.event, risks[0], moments[0], censoring
    )
    return scores
