"""Churn models on made-up customers: sums, restored bits, calibration, curves, and data that cannot teach anything."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.churn import calibrate, cox, curve, design, gates, hazard, lifetimes, measure, reasons, select, stored
from models.churn.forest import Forest
from models.churn.scorer import CannotFit, Sample
from models.churn.select import Rows

HORIZON = 30
SINGLE = sorted(set(select.MAKERS) - {"activity", "bg_nbd"})
"""Models of churn that is told by events; ``test_churn_contract`` has those that need silence."""


def customers(
    count: int, seed: int = 0, snapshots: int = 4, level: float = 0.0, *, inactivity: bool = False
) -> tuple[Rows, NDArray[np.float64]]:
    """Rows whose true probability is known: two features matter, one only in a curved way, one is text, one is missing
    for some.
    """
    draw = np.random.default_rng(seed)
    rows = count * snapshots
    recency, visits, noise = draw.exponential(40, rows), draw.poisson(5, rows).astype(float), draw.normal(size=rows)
    gap = np.where(draw.random(rows) < 0.3, np.nan, draw.exponential(20, rows))
    plan = draw.choice(["a", "b", "c"], rows)
    log_odds = (
        level
        + 0.8 * np.log1p(recency)
        - 2.5
        - 0.15 * visits
        + 0.9 * (plan == "b")
        + 1.2 * ((recency > 20) & (recency < 50))
    )
    truth = 1 / (1 + np.exp(-log_odds))
    label = (draw.random(rows) < truth).astype(np.int64)
    days = np.maximum(1, np.ceil(draw.random(rows) * HORIZON)).astype(np.int64)
    later = HORIZON + 1 + draw.integers(0, 90, rows)
    event = (label == 1) | (draw.random(rows) < 0.4)
    duration = np.where(label == 1, HORIZON if inactivity else days, np.where(event, later, HORIZON + 90))
    columns = {
        "recency_days": recency,
        "visits": visits,
        "noise": noise,
        "gap": gap,
        "plan": plan.astype(object),
        "twin": recency * 1.0,
        "flat": np.full(rows, 3.0),
        "empty": np.full(rows, np.nan),
    }
    snapshot = np.repeat(np.arange(snapshots), count)
    numbers = ("recency_days", "visits", "noise", "gap", "twin", "flat", "empty")
    made = Rows(
        columns,
        numbers,
        ("plan",),
        label,
        duration.astype(np.int64),
        event,
        snapshot,
        np.tile(np.arange(count), snapshots),
        tuple(HORIZON * (n + 1) for n in range(snapshots)),
        HORIZON,
        inactivity,
    )
    return made, truth


def sample_of(rows: Rows) -> Sample:
    plan = design.make(rows.columns, rows.numbers, rows.texts)
    matrix = plan.matrix(rows.columns)
    return Sample(matrix, plan.standard(matrix), rows.label, rows.duration, rows.event, rows.snapshot)


@pytest.fixture(scope="module")
def many() -> tuple[Rows, NDArray[np.float64]]:
    return customers(1500)


# --- design


def test_terms_that_say_nothing_are_dropped_with_the_reason(many: tuple[Rows, NDArray[np.float64]]) -> None:
    plan = design.make(many[0].columns, many[0].numbers, many[0].texts)
    assert plan.dropped == {"twin": "collinear with recency_days", "flat": "constant", "empty": "constant"}
    assert plan.features == ("gap", "noise", "plan", "recency_days", "visits")
    standard = plan.standard(plan.matrix(many[0].columns))
    assert np.isfinite(standard).all()
    assert standard.mean(axis=0) == pytest.approx(0, abs=0.05)


def test_only_the_most_frequent_texts_become_terms() -> None:
    texts = np.array([f"v{n:02d}" for n in range(30) for _ in range(n + 1)], dtype=object)
    plan = design.make({"t": texts}, (), ("t",))
    assert [term.category for term in plan.terms] == [f"v{n:02d}" for n in range(10, 30)]
    assert plan.matrix({"t": np.array(["v29", "unseen"], dtype=object)}).sum(axis=1).tolist() == [1.0, 0.0]


# --- forest


def test_the_forest_in_numpy_is_scikit_learns() -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier

    draw = np.random.default_rng(3)
    matrix = draw.normal(size=(800, 5))
    matrix[draw.random(matrix.shape) < 0.15] = np.nan
    label = (np.nan_to_num(matrix[:, 0]) * np.nan_to_num(matrix[:, 1]) + draw.normal(size=800) > 0).astype(int)
    model = HistGradientBoostingClassifier(max_iter=30, max_leaf_nodes=12, random_state=0, early_stopping=False).fit(
        matrix, label
    )
    forest = Forest.of(model)
    fresh = draw.normal(size=(500, 5))
    fresh[draw.random(fresh.shape) < 0.3] = np.nan
    assert forest.score(fresh) == pytest.approx(model.decision_function(fresh), abs=1e-12)
    roots = forest.base + forest.value[forest.start[:-1]].sum()
    assert forest.contributions(fresh).sum(axis=1) + roots == pytest.approx(forest.score(fresh), abs=1e-12)
    # the root stands for the training rows
    assert roots == pytest.approx(forest.score(matrix).mean(), abs=1e-9)
    restored = Forest.restore(forest.arrays())
    assert (restored.score(fresh) == forest.score(fresh)).all()


# --- both models


@pytest.mark.parametrize("name", SINGLE)
def test_contributions_sum_to_the_calibrated_log_odds(name: str, many: tuple[Rows, NDArray[np.float64]]) -> None:
    rows = many[0]
    fitted = select.fit_calibrated(select.MAKERS[name], rows, rows.ages, 0)
    probability, contributions = fitted.explain(rows.columns)
    log_odds = np.log(probability / (1 - probability))
    assert fitted.base_log_odds + contributions.sum(axis=1) == pytest.approx(log_odds, abs=1e-9)
    assert fitted.probability(rows.columns) == pytest.approx(probability, abs=1e-12)
    # against the training mean: each feature's contributions average to nothing
    assert contributions.mean(axis=0) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("name", SINGLE)
def test_a_restored_model_scores_the_same_bits(name: str, many: tuple[Rows, NDArray[np.float64]]) -> None:
    rows = many[0]
    fitted = select.fit_calibrated(select.MAKERS[name], rows, rows.ages, 0)
    card, arrays = stored.to_card(fitted)
    restored = stored.restore(json.loads(json.dumps(card)), arrays)
    for one, other in zip(fitted.explain(rows.columns), restored.explain(rows.columns), strict=True):
        assert (one == other).all()
    curves = [curve.survival(np.array([0.2, 0.9]), shape, (7, 30, 365)) for shape in (fitted.shape, restored.shape)]
    assert (curves[0] == curves[1]).all()


def test_explaining_one_row(many: tuple[Rows, NDArray[np.float64]]) -> None:
    rows = many[0]
    fitted = select.fit_calibrated(hazard.fit, rows, rows.ages, 0)
    card, arrays = stored.to_card(fitted)
    row = {name: values[0] for name, values in rows.columns.items()}
    row["gap"] = None
    told = stored.explain(card, arrays, row)
    shares = [one["contribution"] for one in told["contributions"]]
    assert told["log_odds"] == pytest.approx(told["base_log_odds"] + sum(shares))
    assert told["churn_score"] == pytest.approx(1 / (1 + np.exp(-told["log_odds"])))
    assert shares == sorted(shares, key=lambda share: -abs(share))


@pytest.mark.parametrize("make", [hazard.fit, cox.fit])
def test_one_outcome_cannot_be_fitted(make: object, many: tuple[Rows, NDArray[np.float64]]) -> None:
    censored = sample_of(many[0])
    censored = replace(censored, label=np.zeros_like(censored.label), event=np.zeros_like(censored.event))
    with pytest.raises(CannotFit):
        make(censored, 0)  # type: ignore[operator]


def test_cox_on_separable_rows_does_not_crash() -> None:
    rows, _ = customers(40, snapshots=1)
    columns = dict(rows.columns) | {"leak": rows.label.astype(float)}
    rows = replace(rows, columns=columns, numbers=(*rows.numbers, "leak"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scorer = cox.fit(sample_of(rows))
    assert np.isfinite(scorer.coefficients).all()


# --- choosing


@pytest.fixture(scope="module")
def chosen(many: tuple[Rows, NDArray[np.float64]]) -> select.Choice:
    return select.choose(many[0])


def test_the_choice_is_calibrated_and_beats_recency(chosen: select.Choice) -> None:
    assert chosen.fitted is not None
    fresh, truth = customers(20_000, seed=9, snapshots=1)
    probability = chosen.fitted.probability(fresh.columns)
    assert measure.calibration_error(fresh.label, probability) < 0.03
    assert abs(probability - truth).mean() < 0.06
    judged = {one.name: one.metrics for one in chosen.judged}
    assert list(judged)[-1] == select.BASELINE
    assert judged[chosen.name]["auc"][0] > judged[select.BASELINE]["auc"][0]
    assert judged[chosen.name]["brier_at_level"][0] == min(
        judged[name]["brier_at_level"][0] for name in select.CANDIDATES if name in judged
    )
    assert all(gate.passed for gate in chosen.gates)
    assert (chosen.held_out, chosen.rows, chosen.held_out_rows) == ("newest snapshot", 6000, 1500)
    assert sum(one["feature_importance"] for one in chosen.importances) == pytest.approx(1)


def test_choosing_twice_gives_the_same_bits(many: tuple[Rows, NDArray[np.float64]], chosen: select.Choice) -> None:
    again = select.choose(many[0])
    assert chosen.fitted is not None
    assert again.fitted is not None
    for one, other in zip(chosen.fitted.explain(many[0].columns), again.fitted.explain(many[0].columns), strict=True):
        assert (one == other).all()


@pytest.mark.parametrize("inactivity", [True, False])
@pytest.mark.parametrize("snapshots", [1, 3])
def test_thirty_profiles_are_enough(snapshots: int, inactivity: bool) -> None:
    rows, _ = customers(30, seed=2, snapshots=snapshots, inactivity=inactivity)
    choice = select.choose(rows)
    assert choice.fitted is not None
    probability = choice.fitted.probability(rows.columns)
    assert ((probability > 0) & (probability < 1)).all()
    assert choice.held_out == ("newest snapshot" if snapshots > 1 else "a quarter of the profiles")


def test_a_newest_snapshot_in_which_nobody_churned_judges_no_model() -> None:
    rows, _ = customers(200, seed=4, snapshots=3)
    stayed = rows.snapshot == 0
    quiet = replace(rows, label=np.where(stayed, 0, rows.label), event=rows.event & ~stayed)
    choice = select.choose(quiet)
    assert choice.held_out == "a quarter of the profiles"
    assert choice.judged[0].metrics["auc"][1] > 0


def test_features_that_do_not_vary_give_no_model() -> None:
    rows, _ = customers(40)
    flat = replace(rows, columns={"recency_days": np.ones(160)}, numbers=("recency_days",), texts=())
    choice = select.choose(flat)
    assert choice.fitted is None
    assert set(choice.notes) == set(select.CANDIDATES)


def test_half_of_the_way_from_the_newest_level_to_the_mean_is_taken() -> None:
    parts = [customers(1200, seed=n, snapshots=1, level=level)[0] for n, level in enumerate((1.0, 1.0, 1.0, -1.0))]
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in ("label", "duration", "event", "draw")
    }
    columns = {name: np.concatenate([part.columns[name] for part in parts]) for name in parts[0].columns}
    rows = replace(
        parts[0],
        columns=columns,
        snapshot=np.repeat(np.arange(4), 1200),
        ages=(90, 180, 270, 360),
        horizon_days=90,
        **joined,
    )
    rows = replace(rows, duration=np.where(rows.label == 1, 90, 180))
    fitted = select.fit_calibrated(hazard.fit, rows, rows.ages, 0)
    levels = fitted.calibrator.levels
    assert levels[0] - levels[3] == pytest.approx(2.0, abs=0.35)
    assert fitted.calibrator.level == pytest.approx(levels[0] / 2 + sum(levels) / 8)
    assert calibrate.level_for(np.array([1.0, 2.0, 6.0]), (60, 30, 90)) == pytest.approx(0.5 * 2 + 0.5 * 3)


def test_a_season_that_is_known_from_last_year_is_half_of_the_forecast() -> None:
    """Last year the level fell from 1 to -1 where it now stands at 2: half of 0, and half of the calm forecast."""
    levels, ages = np.array([2.0, 0.0, -1.0, 1.0]), (90, 180, 365, 455)
    calm = 0.5 * 2 + 0.5 * (2 + 0 - 1) / 3
    assert calibrate.level_for(levels, ages) == pytest.approx(0.5 * calm + 0.5 * (-1 + 2 - 1))
    assert calibrate.level_for(levels[:3], ages[:3]) == pytest.approx(calm)
    assert calibrate.level_for(levels[:1], (365,)) == pytest.approx(2)
    assert calibrate.level_for(np.array([1.0, 3.0]), (365, 730)) == pytest.approx(0.5 * 1 + 0.5 * (1 + 1 - 3))


# --- curve


@given(
    probability=st.lists(st.floats(1e-6, 1 - 1e-6), min_size=1, max_size=5),
    seed=st.integers(0, 50),
    within=st.booleans(),
    days=st.lists(st.integers(1, 2000), min_size=2, max_size=8, unique=True).map(sorted),
)
@settings(max_examples=60, deadline=None)
def test_curves_never_rise_and_meet_the_score_at_the_horizon(
    probability: list[float], seed: int, within: bool, days: list[int]
) -> None:
    draw = np.random.default_rng(seed)
    duration = draw.integers(1 if within else HORIZON, 200, 300)
    shape = curve.fit(duration, draw.random(300) < 0.5, draw.random(300) + 0.01, HORIZON, within=within)
    found = curve.survival(np.array(probability), shape, days)
    assert ((found >= 0) & (found <= 1)).all()
    assert (np.diff(found, axis=1) <= 1e-15).all()
    assert curve.survival(np.array(probability), shape, [HORIZON])[:, 0] == pytest.approx(
        1 - np.array(probability), rel=1e-9
    )


def test_the_curve_follows_what_happens_after_the_horizon() -> None:
    """Risk matters up to the horizon only: afterwards everybody has the same constant hazard, and the power is learned
    to be 0.
    """
    draw = np.random.default_rng(0)
    risk = draw.choice([0.2, 1.5], 20000)
    first = draw.exponential(HORIZON / risk)
    duration = np.where(first < HORIZON, first, HORIZON + draw.exponential(100, len(risk)))
    event = duration < 200
    shape = curve.fit(np.ceil(np.minimum(duration, 200)).astype(np.int64), event, risk, HORIZON, within=True)
    assert shape.power == pytest.approx(0, abs=0.05)
    for one in (0.2, 1.5):
        truth = [np.exp(-one * 0.5), np.exp(-one) * np.exp(-0.7)]
        assert curve.survival(np.array([1 - np.exp(-one)]), shape, [15, 100])[0] == pytest.approx(truth, abs=0.03)


# --- measures, gates, reasons, periods


def test_measures_are_scikit_learns() -> None:
    from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

    draw = np.random.default_rng(0)
    score = np.round(draw.random(500), 1)
    label = (draw.random(500) < score).astype(np.int64)
    assert measure.auc(label, score)[0] == pytest.approx(roc_auc_score(label, score))
    assert measure.brier(label, score)[0] == pytest.approx(brier_score_loss(label, score))
    kept = np.clip(score, 1e-12, 1 - 1e-12)
    assert measure.log_loss(label, score)[0] == pytest.approx(log_loss(label, kept))
    assert measure.calibration_error(np.array([0, 0, 1, 1] * 10), np.full(40, 0.5), 1) == 0


def test_the_standard_error_of_auc_is_its_spread() -> None:
    draw = np.random.default_rng(1)
    found = []
    for _ in range(300):
        label = np.repeat([0, 1], 60)
        found.append(measure.auc(label, draw.normal(size=120) + label))
    values, errors = np.array(found).T
    assert errors.mean() == pytest.approx(values.std(), rel=0.15)
    label, one = np.repeat([0, 1], 60), draw.normal(size=120)
    assert measure.auc_difference(label, one, one) == (0.0, 0.0)


def test_gates_find_what_they_are_for() -> None:
    def failed(
        metrics: list[float], shares: list[float], scores: list[float], difference: tuple[float, float]
    ) -> list[str]:
        return [
            one.name for one in gates.judge(metrics, np.array(shares), np.array(scores), difference) if not one.passed
        ]

    shares, scores = [0.4, 0.3, 0.2, 0.06, 0.04], [0.1, 0.2, 0.3, 0.4, 0.5]
    assert failed([0.8], shares, scores, (0.1, 0.01)) == []
    assert failed([float("nan")], shares, scores, (0.1, 0.01)) == ["finite"]
    assert failed([0.8], shares, [0.1, 0.2, 0.3, 0.4, 0.4], (0.1, 0.01)) == ["distinct_scores"]
    assert failed([0.8], [0.2, 0.2, 0.2, 0.2, 0.2], scores, (0.1, 0.01)) == ["shared_importance"]
    assert failed([0.8], [0.25, 0.25, 0.25, 0.25], scores, (0.1, 0.01)) == []
    assert failed([0.8], shares, scores, (-0.021, 0.01)) == ["auc_over_baseline"]
    assert failed([0.8], shares, scores, (-0.019, 0.01)) == []


def test_the_strongest_reasons_come_first_and_ties_go_by_name() -> None:
    place, share = reasons.strongest(np.array([[0.5, -0.9, 0.5, 0.1]]))
    assert place.tolist() == [[1, 0, 2]]
    assert share.tolist() == [[-0.9, 0.5, 0.5]]
    assert reasons.ranked(("a", "b"), np.array([0.5, 0.5]))[0]["feature_name"] == "a"


@given(
    st.lists(st.tuples(st.integers(1, 40), st.booleans()), min_size=1, max_size=20),
    st.sets(st.integers(1, 35), min_size=1, max_size=6),
)
def test_periods_are_those_of_a_plain_reading(lives: list[tuple[int, bool]], edge_set: set[int]) -> None:
    edges = sorted(edge_set)
    expected = []
    for row, (duration, event) in enumerate(lives):
        for period, edge in enumerate(edges):
            if event and duration <= edge:
                expected.append((row, period, 1))
                break
            if duration < edge:
                break
            expected.append((row, period, 0))
    durations, events = np.array([life[0] for life in lives]), np.array([life[1] for life in lives])
    assert (
        list(zip(*(part.tolist() for part in lifetimes.periods(durations, events, np.array(edges))), strict=True))
        == expected
    )


def test_lifetimes_follow_a_known_hazard() -> None:
    """Two groups with constant hazards of 0.03 and 0.1 a period, censored at random: survival is (1 - h) ** t."""
    draw = np.random.default_rng(0)
    group = draw.integers(0, 2, 4000)
    life = draw.geometric(np.where(group == 1, 0.1, 0.03))
    censored = draw.integers(1, 40, 4000)
    duration, event = np.minimum(life, censored), life <= censored
    plan = design.make({"group": group.astype(float)}, ("group",), ())
    matrix = plan.matrix({"group": group.astype(float)})
    zeros = np.zeros(4000, np.int64)
    sample = Sample(matrix, plan.standard(matrix), zeros, duration, event, zeros)
    model = lifetimes.fit(sample, np.arange(1, 31))
    pair = plan.matrix({"group": np.array([0.0, 1.0])})
    found = model.survival(pair, plan.standard(pair))
    assert (np.diff(found, axis=1) <= 0).all()
    for period in (5, 15, 30):
        assert found[:, period - 1] == pytest.approx([0.97**period, 0.9**period], abs=0.05)
