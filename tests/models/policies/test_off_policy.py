"""Off-policy estimates: the example and the known answers of the contract (10.6), refusals, and unbiasedness."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.off_policy_coverage import coverage
from benchmarks.open_bandit import RANDOM, THOMPSON, compare, read
from models.policies.exposures import NO_ARM, Contexts, Exposures
from models.policies.off_policy import estimate
from models.policies.targets import uniform

WOMEN = Path(__file__).resolve().parents[4] / "shared" / "data" / "open_bandit_women"


def contexts(arms: int, many: int = 1) -> Contexts:
    every = np.ones((many, arms), dtype=np.bool_)
    return Contexts(np.zeros(many, dtype=np.int64), ("(none)",) * many, ("",) * many, every)


def exposures(arm: Any, p: Any, x: Any, arms: int, **more: Any) -> Exposures:
    arm = np.asarray(arm, dtype=np.int64)
    none = np.zeros(len(arm), dtype=np.int64)
    fields: dict[str, Any] = {
        "contexts": contexts(arms), "context": none, "arm": arm, "probability": np.asarray(p, dtype=np.float64),
        "value": np.asarray(x, dtype=np.float64), "fold": none, "half": none, "count": none + 1,
    }  # fmt: skip
    return Exposures(**(fields | more))


def example(times: int) -> Exposures:
    return exposures([0, 1, 0, 1], [0.5, 0.5, 0.25, 0.75], [1, 0, 0, 1], 2, count=np.full(4, times, dtype=np.int64))


TARGET, MODEL = np.array([[0.8, 0.2]]), np.array([[[0.6, 0.4]]])


def test_the_example() -> None:
    """Each row 25 times, as below 100 exposures nothing is estimated: only ESS grows with it."""
    found = estimate(example(25), TARGET, MODEL)
    values = {name: one.value for name, one in found.estimates.items()}
    assert values["dm"] == pytest.approx(0.56)
    assert values["ips"] == pytest.approx(0.466667, abs=5e-7)
    assert values["snips"] == pytest.approx(0.341463, abs=5e-7)
    assert values["dr"] == pytest.approx(0.24, abs=5e-7)
    assert found.support is not None
    assert found.support / 25 == pytest.approx(2.29332, abs=5e-6)
    assert found.largest_weight == pytest.approx(3.2)


def test_standard_errors_are_those_of_the_formulas() -> None:
    found = estimate(example(25), TARGET, MODEL).estimates
    w, x = np.tile([1.6, 0.4, 3.2, 0.2 / 0.75], 25), np.tile([1.0, 0, 0, 1], 25)
    assert found["ips"].error == pytest.approx((w * x).std(ddof=1) / 10)
    snips = (w * x).sum() / w.sum()
    assert found["snips"].error == pytest.approx(np.sqrt((w**2 * (x - snips) ** 2).sum()) / w.sum())
    q = np.tile([0.6, 0.4], 50)
    assert found["dr"].error == pytest.approx((0.56 + w * (x - q)).std(ddof=1) / 10)
    assert found["dm"].error == pytest.approx(0, abs=1e-12)


def test_intervals_are_1_96_errors_wide() -> None:
    rows = exposures([0, 1] * 100, np.full(200, 0.5), [1, 0, 1, 1] * 50, 2)
    for one in estimate(rows, TARGET, MODEL).estimates.values():
        assert one.low == pytest.approx(one.value - 1.96 * one.error)
        assert one.high == pytest.approx(one.value + 1.96 * one.error)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"probability": np.array([0.5, np.nan, 0.25, 0.75])}, "probability missing"),
        ({"probability": np.array([0.5, 0.0, 0.25, 0.75])}, "probability outside (0, 1]"),
        ({"probability": np.array([0.5, 1.01, 0.25, 0.75])}, "probability outside (0, 1]"),
        ({"count": np.array([25, 25, 25, 24])}, "fewer than 100 exposures"),
        ({"arm": np.array([0, 0, 0, 0])}, "arm never logged"),
    ],
)
def test_refusals(change: dict[str, Any], reason: str) -> None:
    from dataclasses import replace

    found = estimate(replace(example(25), **change), TARGET, MODEL)
    assert (found.reason, found.estimates, found.support) == (reason, {}, None)
    assert found.unreliable
    assert not found.supported


def test_an_arm_that_nobody_would_choose_need_not_be_logged() -> None:
    found = estimate(exposures(np.zeros(200), np.full(200, 0.5), np.ones(200), 2), np.array([[1.0, 0.0]]), MODEL)
    assert found.reason is None
    assert found.unreliable, "the mean weight is 2, as half of the log is missing"


def test_an_arm_that_is_no_longer_stored_counts_as_not_chosen() -> None:
    gone = exposures([0, 1, NO_ARM, NO_ARM] * 50, [0.25, 0.25, 0.5, 0.5] * 50, [1, 0, 1, 1] * 50, 2)
    found = estimate(gone, np.array([[0.5, 0.5]]), np.array([[[1.0, 0.0]]]))
    assert found.mean_weight == pytest.approx(1.0)
    assert found.estimates["ips"].value == pytest.approx(0.5)
    assert found.estimates["dr"].value == pytest.approx(0.5)


def test_too_little_support_gives_values_without_intervals() -> None:
    p = np.array([0.5] * 999 + [1e-4])
    found = estimate(exposures([0] * 999 + [1], p, np.ones(1000), 2), np.array([[0.5, 0.5]]), MODEL)
    assert found.unreliable
    assert not found.supported
    assert found.estimates["snips"].value == pytest.approx(1.0)
    assert {(one.low, one.high) for one in found.estimates.values()} == {(None, None)}


def test_a_uniform_log_valued_for_itself() -> None:
    """Weights that do not vary have no error: rounded probabilities are not an alarm."""
    found = estimate(
        exposures([0, 1, 2] * 100, np.full(300, 0.333333), [1, 0, 0] * 100, 3),
        np.full((1, 3), 1 / 3),
        MODEL[..., [0, 1, 1]],
    )
    assert not found.unreliable
    assert found.support == pytest.approx(300)
    assert found.estimates["ips"].value == pytest.approx(1 / 3, abs=1e-5)


def test_equal_rows_may_be_counted_and_order_does_not_matter() -> None:
    rng = np.random.default_rng(4)
    arm = rng.integers(0, 3, 5000)
    p, x = rng.choice([0.2, 0.3, 0.5], 5000), rng.integers(0, 2, 5000)
    context, fold = rng.integers(0, 4, 5000), rng.integers(0, 3, 5000)
    target, means = rng.dirichlet(np.ones(3), 4), rng.uniform(0, 1, (3, 4, 3))
    rows = exposures(arm, p, x, 3, contexts=contexts(3, 4), context=context, fold=fold)
    expected = estimate(rows, target, means)
    order = rng.permutation(5000)
    mixed = exposures(
        arm[order], p[order], x[order], 3, contexts=contexts(3, 4), context=context[order], fold=fold[order]
    )
    assert estimate(mixed, target, means) == expected, "the same bits"
    gathered = rows.gathered()
    assert len(gathered.arm) < 300
    assert gathered.count.sum() == 5000
    w = target[context, arm] / p
    q = means[fold, context, arm]
    dr = (target[None] * means).sum(axis=2)[fold, context] + w * (x - q)
    assert expected.estimates["dr"].value == pytest.approx(dr.mean())
    assert expected.estimates["dr"].error == pytest.approx(dr.std(ddof=1) / 5000**0.5)


def test_the_model_of_other_folds_is_used() -> None:
    rows = exposures([0, 1] * 100, np.full(200, 0.5), [1, 0] * 100, 2, fold=np.arange(200) % 3)
    means = np.array([[[1.0, 0]], [[1.0, 0]], [[0, 1.0]]])
    found = estimate(rows, np.array([[0.5, 0.5]]), means)
    assert found.estimates["dm"].value == pytest.approx(0.5)
    wrong = (np.arange(200) % 3 == 2).mean()
    expected = 0.5 + np.where(np.arange(200) % 3 == 2, np.where(np.arange(200) % 2 == 0, 1, -1), 0)
    assert found.estimates["dr"].error == pytest.approx(expected.std(ddof=1) / 200**0.5)
    assert 0 < wrong < 1


def test_estimates_are_unbiased_and_their_intervals_honest() -> None:
    """Small version of benchmarks/off_policy_coverage.py."""
    found = coverage(runs=120, exposures=2000, seed=1)
    for name in ("ips", "snips", "dr"):
        assert found[name].covered >= 0.9, name
        assert abs(found[name].bias) < 4 * found[name].bias_error, name


real_data = pytest.mark.skipif(not WOMEN.parents[1].exists(), reason="the real data sets are not beside the project")


@cache
def women() -> dict[str, Any]:
    """Both logs, loaded from their files."""
    return read(WOMEN)


@pytest.mark.real
@real_data
def test_logs_are_loaded_whole() -> None:
    for agent, one in women().items():
        assert one.exposures.count.sum() == 10_000, agent
        assert [len(point.arms) for point in one.statistics.points] == [46, 46, 46]
    assert women()[RANDOM].exposures.probability == pytest.approx(1 / 46)


@pytest.mark.real
@real_data
def test_known_answers_of_the_open_bandit_dataset() -> None:
    """Women, logged by Bernoulli Thompson sampling, valued for uniform: refused for want of support."""
    log = women()[THOMPSON].exposures
    found = estimate(log, uniform(log.contexts), np.zeros((1, 3, 46)))
    assert log.probability.min() == pytest.approx(1e-6)
    assert found.mean_weight == pytest.approx(3.13, abs=5e-3)
    assert found.mean_weight_error == pytest.approx(2.17, abs=5e-3)
    assert found.largest_weight == pytest.approx(21_739, abs=0.5)
    assert found.support == pytest.approx(2.1, abs=0.05)
    snips = found.estimates["snips"]
    assert snips.value == pytest.approx(0.00237, abs=5e-6)
    assert 1.96 * snips.error == pytest.approx(0.0041, abs=5e-5)
    assert found.unreliable
    assert not found.supported
    assert abs(found.mean_weight - 1) < 3 * found.mean_weight_error, "the mean weight alone would have passed"  # type: ignore[operator]
    assert snips.low is None


@pytest.mark.real
@real_data
def test_a_policy_valued_on_random_choices_earned_what_was_told() -> None:
    """The Thompson policy's own log agrees with its value on the random log, by every estimator with an interval."""
    found = compare(women())["Thompson policy on the random log"]
    assert not found.valued.unreliable
    assert found.valued.support == pytest.approx(3492, abs=1)
    assert found.mean == pytest.approx(0.0046)
    for name in ("ips", "snips", "dr"):
        one = found.valued.estimates[name]  # type: ignore[index]
        assert one.value == pytest.approx(0.0058, abs=1e-4)
        assert abs(one.value - found.mean) < 1.96 * np.hypot(one.error, found.error)
        assert one.low < found.mean < one.high  # type: ignore[operator]
