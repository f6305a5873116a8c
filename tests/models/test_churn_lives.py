"""Whole lives as a night's model: what the survival benchmark chooses, as a score with reasons and curves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from models.churn import calibrate, lives, select, stored, survival
from models.churn.lives import Lives, Together
from models.churn.scorer import CannotFit
from models.churn.select import Fitted, Learner, Rows

HORIZON = 30
DAYS = (1, 7, HORIZON, 60, 365)
pytestmark = pytest.mark.filterwarnings("error")


def subscribers(count: int, snapshots: int = 2, seed: int = 0) -> Rows:
    """Profiles that end by an event: who pays much and is new ends soon; the risk fades with time."""
    draw = np.random.default_rng(seed)
    price, tenure = draw.lognormal(3, 0.6, count), draw.exponential(200, count)
    plan = draw.choice(["month", "year"], count)
    scale = 90 * np.exp(-0.8 * (np.log(price) - 3) + 0.9 * (plan == "year"))
    ends = np.ceil(draw.lognormal(0, 1.2, count) * scale).astype(np.int64)
    parts = []
    for age in (HORIZON * (number + 1) for number in range(snapshots)):
        parts.append((np.minimum(ends, age), ends <= age, tenure + 1000 - age))
    duration, event, since = (np.concatenate(values) for values in zip(*parts, strict=True))
    return Rows(
        {
            "recency_days": draw.exponential(20, count * snapshots),
            "price": np.tile(price, snapshots),
            "tenure": since,
            "gap": np.where(draw.random(count * snapshots) < 0.3, np.nan, since),
            "plan": np.tile(plan, snapshots).astype(object),
        },
        ("recency_days", "price", "tenure", "gap"),
        ("plan",),
        (event & (duration <= HORIZON)).astype(np.int64),
        duration,
        event,
        np.repeat(np.arange(snapshots), count),
        np.tile(np.arange(count), snapshots),
        tuple(HORIZON * (number + 1) for number in range(snapshots)),
        HORIZON,
        False,
    )


@pytest.fixture(scope="module", autouse=True)
def few_ends_are_enough() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(select, "_FEWEST_ENDED", 30)
        yield


@pytest.fixture(scope="module")
def rows() -> Rows:
    return subscribers(700)


@pytest.fixture(scope="module")
def fitted(rows: Rows) -> Fitted:
    return Learner(rows, rows.ages, 0).fitted(select.LIVES)


def scorer_of(fitted: Fitted) -> Lives:
    assert isinstance(fitted.scorer, Lives)
    return fitted.scorer


def sound(model: Fitted, columns: dict[str, NDArray[Any]]) -> None:
    probability, contributions = model.explain(columns)
    assert ((probability > 0) & (probability < 1)).all()
    assert np.isfinite(contributions).all()
    total = model.base_log_odds + contributions.sum(axis=1)
    assert calibrate.sigmoid(total) == pytest.approx(probability, rel=1e-9)
    assert model.probability(columns) == pytest.approx(probability, rel=1e-9)
    curves = model.survival(columns, probability, DAYS)
    assert curves[:, DAYS.index(HORIZON)] == pytest.approx(1 - probability, rel=1e-9)
    assert ((curves >= 0) & (curves <= 1)).all()
    assert (np.diff(curves, axis=1) <= 1e-12).all()


@pytest.mark.parametrize("name", sorted(survival.MAKERS))
def test_contributions_to_a_life_sum_to_its_hazard(name: str, rows: Rows) -> None:
    sample = Learner(rows, rows.ages, 0)._sample
    life = survival.MAKERS[name](sample, 0)
    for time in (0.5, 13.0, 30.0, 500.0):
        shares, base = life.parted(sample.matrix, sample.standard, time)
        hazard = life.cumulative(sample.matrix, sample.standard, np.array([time]))[:, 0]
        told = np.log(np.maximum(hazard, lives.LEAST))
        # a step function of no churn yet is told as the least hazard times the risk
        if name != "cox" or base > np.log(lives.LEAST):
            assert base + shares.sum(axis=1) == pytest.approx(told, abs=1e-8)
    restored = survival.RESTORERS[name](life.arrays())
    again = restored.cumulative(sample.matrix, sample.standard, np.array([5.0, 50.0]))
    assert again.tobytes() == life.cumulative(sample.matrix, sample.standard, np.array([5.0, 50.0])).tobytes()


def test_a_life_by_periods_is_what_its_hazards_give_one_by_one(rows: Rows) -> None:
    sample = Learner(rows, rows.ages, 0)._sample
    life: Any = survival.fit_hazards(sample)
    assert life.scorer.forest is not None
    hazard = np.zeros(len(sample))
    padded = np.column_stack([sample.standard, np.zeros(len(sample))])
    for period, edge in enumerate(life.edges):
        elapsed = np.column_stack([sample.matrix, np.full(len(sample), float(period))])
        log_odds = life.levels[period] + life.slope * life.scorer.score(elapsed, padded)
        hazard -= np.log1p(-calibrate.sigmoid(log_odds))
        told = life.cumulative(sample.matrix, sample.standard, np.array([edge]))[:, 0]
        assert told == pytest.approx(hazard, rel=1e-9)


def test_a_night_publishes_what_the_benchmark_chooses(rows: Rows, fitted: Fitted) -> None:
    sample, life = Learner(rows, rows.ages, 0)._sample, scorer_of(fitted).life
    reach = np.unique(np.append(np.linspace(1, 60, 30), HORIZON).round())
    model = survival.fit(sample, rows.draw, reach)
    assert life.names == model.life.names
    assert life.weights.tolist() == model.life.weights.tolist()
    probability = fitted.probability(rows.columns)
    curves = fitted.survival(rows.columns, probability, DAYS)
    hazard = model.life.cumulative(sample.matrix, sample.standard, np.array(DAYS, dtype=float))
    wanted = hazard * (-np.log1p(-probability) / hazard[:, DAYS.index(HORIZON)])[:, None]
    assert -np.log(curves) == pytest.approx(wanted, rel=1e-9)


def test_it_is_sound_on_plain_extreme_and_few_rows(rows: Rows, fitted: Fitted) -> None:
    sound(fitted, dict(rows.columns))
    for count in (0, 1):
        sound(fitted, {name: values[:count] for name, values in rows.columns.items()})
    extreme = np.array([0.0, -1e300, 1e300, 1e-300, np.nan, 1e15])
    wild: dict[str, NDArray[Any]] = dict.fromkeys(rows.numbers, extreme)
    sound(fitted, wild | {"plan": np.array(["unseen", "", "month", "year", "nul\0l", "ä" * 10_000], dtype=object)})
    few = subscribers(400, 1, seed=3)
    sound(Learner(few, few.ages, 0).fitted(select.LIVES), dict(few.columns))


def test_a_second_fit_and_a_stored_one_give_the_same_bits(rows: Rows, fitted: Fitted) -> None:
    card, arrays = stored.to_card(fitted)
    assert all(values.dtype.kind in "fib" for values in arrays.values())
    with threadpool_limits(4):
        second = stored.to_card(Learner(rows, rows.ages, 0).fitted(select.LIVES))
    assert card == second[0]
    assert {name: values.tobytes() for name, values in arrays.items()} == {
        name: values.tobytes() for name, values in second[1].items()
    }
    restored = stored.restore(json.loads(json.dumps(card)), arrays)
    probability, contributions = fitted.explain(rows.columns)
    assert restored.explain(rows.columns)[1].tobytes() == contributions.tobytes()
    curves = [model.survival(rows.columns, probability, DAYS) for model in (fitted, restored)]
    assert curves[0].tobytes() == curves[1].tobytes()


def test_it_is_judged_beside_the_others_and_taken_when_it_is_best(rows: Rows) -> None:
    choice = select.choose(rows)
    judged = {one.name: one.metrics["brier_at_level"][0] for one in choice.judged if one.name != select.BASELINE}
    assert select.LIVES in judged
    assert choice.name == min(judged, key=judged.__getitem__)


def test_lives_without_an_end_or_told_by_silence_cannot_be_fitted(rows: Rows) -> None:
    endless = replace(rows, label=np.zeros_like(rows.label), event=np.zeros_like(rows.event))
    for hopeless in (endless, replace(rows, inactivity=True), subscribers(40)):
        with pytest.raises(CannotFit):
            Learner(hopeless, hopeless.ages, 0).fitted(select.LIVES)


def test_a_blend_keeps_the_order_of_its_parts(rows: Rows) -> None:
    sample = Learner(rows, rows.ages, 0)._sample
    names = ("log_normal", "cox")
    life = Together(names, tuple(survival.MAKERS[name](sample, 0) for name in names), np.array([0.3, 0.7]))
    times = np.array([3.0, 40.0])
    restored = Together.restore(life.arrays(), survival.RESTORERS)
    assert restored.names == names
    told = life.cumulative(sample.matrix, sample.standard, times)
    assert restored.cumulative(sample.matrix, sample.standard, times).tobytes() == told.tobytes()
    shares, base = life.parted(sample.matrix, sample.standard, 40.0)
    assert base + shares.sum(axis=1) == pytest.approx(np.log(told[:, 1]), abs=1e-9)
