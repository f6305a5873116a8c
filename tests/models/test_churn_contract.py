"""What every churn model keeps to: alone, in the blend and for whole lives; on plain rows and on hopeless ones."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from models.churn import calibrate, curve, design, labels, reasons, select, stored, survival, survival_measures
from models.churn.lives import Life
from models.churn.scorer import CannotFit, Sample
from models.churn.select import Fitted, Learner, Rows

HORIZON = 30
NAMES = (*select.MAKERS, select.BLEND)
"""Models of churn that is told by silence; ``test_churn_lives`` has the one that needs events."""
pytestmark = pytest.mark.filterwarnings("error")


def rows_of(count: int, snapshots: int = 3, seed: int = 0) -> Rows:
    """Customers told by silence: who was active lately and often stays."""
    draw = np.random.default_rng(seed)
    size = count * snapshots
    recency, visits = draw.exponential(40, size), draw.poisson(5, size).astype(float)
    odds = 0.9 * np.log1p(recency) - 2.0 - 0.2 * visits
    label = (draw.random(size) < 1 / (1 + np.exp(-odds))).astype(np.int64)
    later = label.astype(bool) | (draw.random(size) < 0.4)
    return Rows(
        {
            "recency_days": recency,
            "active_days": visits + 1,
            "tenure_days": recency + 25 * visits,
            "gap": np.where(draw.random(size) < 0.3, np.nan, draw.exponential(20, size)),
            "plan": draw.choice(["a", "b"], size).astype(object),
        },
        ("recency_days", "active_days", "tenure_days", "gap"),
        ("plan",),
        label,
        np.where(label == 1, HORIZON, np.where(later, HORIZON + draw.integers(1, 60, size), HORIZON + 60)),
        later,
        np.repeat(np.arange(snapshots), count),
        np.tile(np.arange(count), snapshots),
        tuple(HORIZON * (n + 1) for n in range(snapshots)),
        HORIZON,
        True,
        np.where(label == 1, 0, 1 + draw.poisson(0.3 * visits)),
    )


def with_columns(rows: Rows, **more: NDArray[Any]) -> Rows:
    return replace(rows, columns=dict(rows.columns) | more, numbers=(*rows.numbers, *more))


@pytest.fixture(scope="module")
def plain() -> Rows:
    return rows_of(400)


@pytest.fixture(scope="module")
def fitted(plain: Rows) -> dict[str, Fitted]:
    learner = Learner(plain, plain.ages, 0)
    return {name: learner.fitted(name) for name in NAMES}


def sound(model: Fitted, columns: dict[str, NDArray[Any]], rows: int) -> None:
    """Everything a night publishes of these rows is a number where it must be one, and agrees with itself."""
    probability, contributions = model.explain(columns)
    assert probability.shape == (rows,)
    assert contributions.shape == (rows, len(model.design.features))
    assert ((probability > 0) & (probability < 1)).all()
    assert np.isfinite(contributions).all()
    total = model.base_log_odds + contributions.sum(axis=1)
    assert calibrate.sigmoid(total) == pytest.approx(probability, rel=1e-9)
    assert model.probability(columns) == pytest.approx(probability, rel=1e-9)
    curves = curve.survival(probability, model.shape, (1, HORIZON, 10 * HORIZON))
    assert ((curves >= 0) & (curves <= 1)).all()
    assert (np.diff(curves, axis=1) <= 1e-12).all()
    assert curves[:, 1] == pytest.approx(1 - probability, rel=1e-9)
    days = labels.expected_days(probability, HORIZON)
    assert ((days >= 0) & (days <= 3650)).all()
    assert reasons.strongest(contributions)[0].shape[0] == rows


@pytest.mark.parametrize("name", NAMES)
def test_a_second_fit_gives_the_same_bits_for_any_number_of_threads(
    name: str, plain: Rows, fitted: dict[str, Fitted]
) -> None:
    first = stored.to_card(fitted[name])
    with threadpool_limits(4):
        second = stored.to_card(Learner(plain, plain.ages, 0).fitted(name))
    assert first[0] == second[0]
    assert first[1].keys() == second[1].keys()
    for key, values in first[1].items():
        assert values.tobytes() == second[1][key].tobytes(), key


@pytest.mark.parametrize("name", NAMES)
def test_plain_rows(name: str, plain: Rows, fitted: dict[str, Fitted]) -> None:
    sound(fitted[name], dict(plain.columns), 1200)
    probability = fitted[name].probability(plain.columns)
    assert probability[plain.label == 1].mean() > probability[plain.label == 0].mean() + 0.1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rows", [0, 1])
def test_no_row_and_one_row(name: str, rows: int, plain: Rows, fitted: dict[str, Fitted]) -> None:
    columns = {key: values[:rows] for key, values in plain.columns.items()}
    sound(fitted[name], columns, rows)


@pytest.mark.parametrize("name", NAMES)
def test_unseen_categories_missing_and_extreme_values(name: str, fitted: dict[str, Fitted]) -> None:
    extreme = np.array([0.0, -1e300, 1e300, 1e-300, np.nan, 1e15])
    columns: dict[str, NDArray[Any]] = dict.fromkeys(fitted[name].design.names[:4], extreme)
    columns["plan"] = np.array(["unseen", "", "a", "b", "nul\0l", "ä" * 10_000], dtype=object)
    sound(fitted[name], columns, 6)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_stored_is_plain_arrays_and_scores_the_same_bits(
    name: str, plain: Rows, fitted: dict[str, Fitted]
) -> None:
    card, arrays = stored.to_card(fitted[name])
    assert all(values.dtype.kind in "fib" for values in arrays.values())
    restored = stored.restore(json.loads(json.dumps(card)), arrays)
    for one, other in zip(fitted[name].explain(plain.columns), restored.explain(plain.columns), strict=True):
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("name", NAMES)
def test_constant_and_collinear_features_change_nothing_but_their_mention(name: str, plain: Rows) -> None:
    recency = plain.columns["recency_days"]
    crowded = with_columns(
        plain, flat=np.full(len(recency), 7.0), empty=np.full(len(recency), np.nan), twin=recency.copy(),
        nearly=recency * (1 + 1e-7 * np.arange(len(recency)) % 3),
    )
    model = Learner(crowded, crowded.ages, 0).fitted(name)
    assert {"flat", "empty", "twin", "nearly"} <= model.design.dropped.keys()
    sound(model, dict(crowded.columns), 1200)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("churned", [False, True])
def test_all_censored_and_all_churned_cannot_be_fitted(name: str, churned: bool, plain: Rows) -> None:
    label = np.full_like(plain.label, int(churned))
    one_sided = replace(
        plain, label=label, event=label == 1, duration=np.full_like(plain.duration, HORIZON),
        activity=np.zeros_like(label) + (not churned),
    )
    if churned and name in {"cox", "log_normal"}:
        one_sided = replace(one_sided, event=np.zeros(len(label), np.bool_))
    with pytest.raises(CannotFit):
        Learner(one_sided, one_sided.ages, 0).fitted(name)
    choice = select.choose(one_sided)
    assert choice.fitted is None or all(0 < p < 1 for p in choice.fitted.probability(plain.columns))


@pytest.mark.parametrize("count", [1, 2, 5, 12, 30])
@pytest.mark.parametrize("snapshots", [1, 4])
def test_few_rows_give_a_sound_model_or_a_reason(count: int, snapshots: int) -> None:
    rows = rows_of(count, snapshots, seed=3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        choice = select.choose(rows)
    if choice.fitted is None:
        assert set(choice.notes) == set(select.CANDIDATES)
    else:
        sound(choice.fitted, dict(rows.columns), count * snapshots)
    assert all(choice.notes.values())


def test_more_features_than_rows() -> None:
    rows = rows_of(20, 2, seed=5)
    draw = np.random.default_rng(0)
    wide = with_columns(rows, **{f"noise_{n:03d}": draw.normal(size=40) for n in range(120)})
    choice = select.choose(wide)
    assert choice.fitted is not None
    sound(choice.fitted, dict(wide.columns), 40)


def test_values_beyond_reason_in_training(plain: Rows) -> None:
    wild = with_columns(plain, wild=np.where(np.arange(1200) % 5 == 0, 1e300, -1e-300 * np.arange(1200)))
    choice = select.choose(wild)
    assert choice.fitted is not None
    sound(choice.fitted, dict(wild.columns), 1200)


def test_the_blend_takes_no_weight_below_zero_and_all_of_the_parts(fitted: dict[str, Fitted]) -> None:
    blend: Any = fitted["blend"].scorer
    assert tuple(part.name for part in blend.parts) == tuple(sorted(select.MAKERS))
    assert (blend.weights >= 0).all()
    assert blend.weights.sum() > 0


# --- whole lives


def lives(count: int, seed: int = 0) -> tuple[Sample, NDArray[np.int64]]:
    draw = np.random.default_rng(seed)
    risk, noise = draw.normal(size=count), draw.normal(size=count)
    life = np.ceil(draw.exponential(20 * np.exp(-risk))).astype(np.int64)
    censored = draw.integers(1, 40, count)
    columns = {"risk": risk, "noise": noise}
    plan = design.make(columns, ("risk", "noise"), ())
    matrix = plan.matrix(columns)
    zeros = np.zeros(count, np.int64)
    return (
        Sample(matrix, plan.standard(matrix), zeros, np.minimum(life, censored), life <= censored, zeros),
        draw.permutation(count),
    )


LIVES: dict[str, Callable[[Sample, int], Life]] = dict(survival.MAKERS)
TIMES = np.arange(1.0, 31.0)


@pytest.mark.parametrize("name", sorted(LIVES))
def test_lives_are_deterministic_and_never_rise(name: str) -> None:
    sample, _ = lives(600)
    first = LIVES[name](sample, 0).cumulative(sample.matrix, sample.standard, TIMES)
    with threadpool_limits(4):
        second = LIVES[name](sample, 0).cumulative(sample.matrix, sample.standard, TIMES)
    assert first.tobytes() == second.tobytes()
    assert (first >= 0).all()
    assert np.isfinite(first).all()
    assert (np.diff(first, axis=1) >= -1e-12).all()
    risky, safe = sample.matrix[:, 0] > 1, sample.matrix[:, 0] < -1
    assert first[risky, -1].mean() > 2 * first[safe, -1].mean()


@pytest.mark.parametrize("name", sorted(LIVES))
def test_lives_that_all_go_on_cannot_be_fitted(name: str) -> None:
    sample, _ = lives(100)
    with pytest.raises(CannotFit):
        LIVES[name](replace(sample, event=np.zeros(100, np.bool_)), 0)


def test_the_best_of_lives_is_near_the_truth() -> None:
    sample, fold = lives(1500)
    model = survival.fit(sample, fold, TIMES)
    assert model.scores[model.name] == min(model.scores.values())
    assert sum(model.weights.values()) == pytest.approx(1)
    fresh, _ = lives(2000, seed=9)
    censoring = survival_measures.Censoring.of(fresh.duration, fresh.event)
    told = model.survival(fresh.matrix, fresh.standard, TIMES)
    assert survival_measures.calibration_at(fresh.duration, fresh.event, 1 - told[:, 9], 10, censoring) < 0.05
    assert survival_measures.auc_at(fresh.duration, fresh.event, 1 - told[:, 9], 10, censoring) > 0.75
    with pytest.raises(CannotFit, match=r"cox: .*; log_normal: .*; hazard: "):
        survival.fit(replace(sample, event=np.zeros(1500, np.bool_)), fold, TIMES)


def test_measures_with_nothing_censored_are_the_plain_ones() -> None:
    from sklearn.metrics import roc_auc_score

    draw = np.random.default_rng(0)
    duration, risk = draw.integers(1, 30, 500), np.round(draw.random(500), 2)
    event = np.ones(500, np.bool_)
    censoring = survival_measures.Censoring.of(duration, event)
    gone = duration <= 10
    assert survival_measures.auc_at(duration, event, risk, 10, censoring) == pytest.approx(roc_auc_score(gone, risk))
    errors = survival_measures.brier_at(duration, event, 1 - risk, 10, censoring)
    assert errors.mean() == pytest.approx(((gone - risk) ** 2).mean())


def test_censoring_weights_are_lifelines_kaplan_meier() -> None:
    from lifelines import KaplanMeierFitter

    sample, _ = lives(400)
    # churns come before censorings of the same time, so censorings are moved a little later for the library
    late = sample.duration + np.where(sample.event, 0.0, 0.5)
    theirs = KaplanMeierFitter().fit(late, ~sample.event).survival_function_at_times(TIMES + 0.5).to_numpy()
    ours = survival_measures.Censoring.of(sample.duration, sample.event).after(TIMES)
    assert ours == pytest.approx(np.maximum(theirs, 1e-3))
