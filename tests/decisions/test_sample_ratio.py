"""Sample-ratio test: the example of the contract (10.5), merged cells, and its false alarms."""

from __future__ import annotations

import numpy as np
import pytest

from decisions.sample_ratio import LEVEL, sample_ratio

EXPECTED = [3068.8, 5560.8, 1370.4]


@pytest.mark.parametrize(
    ("counts", "statistic", "p_value", "passed"),
    [((3000, 5600, 1400), 2.4581, 0.2926, True), ((3000, 5470, 1530), 21.6125, None, False)],
)
def test_the_examples(counts: tuple[int, ...], statistic: float, p_value: float | None, passed: bool) -> None:
    found = sample_ratio(counts, EXPECTED)
    assert (found.statistic, found.freedom) == (pytest.approx(statistic, abs=5e-5), 2)
    assert p_value is None or found.p_value == pytest.approx(p_value, abs=5e-5)
    assert found.passed is passed


def test_one_degree_of_freedom_at_the_threshold() -> None:
    count = 500 + (10.83 * 250) ** 0.5
    found = sample_ratio([count, 1000 - count], [500, 500])
    assert found.statistic == pytest.approx(10.83)
    assert found.p_value == pytest.approx(LEVEL, abs=5e-6)


def test_rare_arms_are_merged() -> None:
    found = sample_ratio([90, 4, 4, 2], [88, 4, 4, 4])
    assert found.freedom == 1
    assert found.statistic == pytest.approx((90 - 88) ** 2 / 88 + (10 - 12) ** 2 / 12)
    few = sample_ratio([50, 48, 2], [50, 49, 1])
    assert (few.freedom, few.statistic) == (1, pytest.approx(0.0)), "what stays rare joins the smallest other arm"


@pytest.mark.parametrize("counts", [([], []), ([7], [7]), ([1, 2], [2, 1])])
def test_nothing_to_test_passes(counts: tuple[list[float], list[float]]) -> None:
    assert sample_ratio(*counts).passed


def test_fair_draws_rarely_fail_and_unfair_ones_do() -> None:
    rng = np.random.default_rng(5)
    p = np.array([0.7, 0.2, 0.06, 0.04])
    fair = [sample_ratio(rng.multinomial(2000, p), 2000 * p).p_value for _ in range(2000)]
    assert np.mean(np.array(fair) < 0.05) == pytest.approx(0.05, abs=0.015)
    assert not sample_ratio(rng.multinomial(20_000, [0.67, 0.23, 0.06, 0.04]), 20_000 * p).passed
