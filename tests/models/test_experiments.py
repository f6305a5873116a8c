"""A/B tests read every night for two months: how often they are wrong, what they find, and by which formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.stats import beta, norm

from decisions import always_valid, sample_ratio
from models import experiments as ab

NIGHTS, RUNS, LEVEL, PLANNED = 60, 2000, 0.05, 10_000
# Five standard errors of a share of 5 % among so many runs.
SLACK = 5 * math.sqrt(LEVEL * (1 - LEVEL) / RUNS)

Counts = NDArray[np.int64]


def nights(per_night: int, rate_a: float, rate_b: float, share: float = 0.5, runs: int = RUNS) -> tuple[Counts, Counts]:
    """Subjects and converted ones so far, each (runs, nights, 2)."""
    rng = np.random.default_rng([per_night, int(rate_a * 1e6), int(rate_b * 1e6), int(share * 1e6)])
    came = rng.poisson(per_night, (runs, NIGHTS))
    in_b = rng.binomial(came, share)
    judged = np.stack([came - in_b, in_b], axis=-1)
    converted = rng.binomial(judged, [rate_a, rate_b])
    return judged.cumsum(axis=1), converted.cumsum(axis=1)


def read(judged: Counts, converted: Counts, level: float = LEVEL) -> ab.Difference:
    """Every night of every run, each (runs, nights)."""
    found = ab.difference(judged.reshape(-1, 2), converted.reshape(-1, 2), level, PLANNED)
    shape = judged.shape[:2]
    return ab.Difference(*(getattr(found, name).reshape(shape) for name in ("value", "low", "high", "p_value")))


@pytest.mark.parametrize("rate", [0.005, 0.05, 0.5])
@pytest.mark.parametrize("per_night", [10, 100, 2000])
def test_two_equal_groups_are_seldom_told_apart_however_often_one_looks(per_night: int, rate: float) -> None:
    judged, converted = nights(per_night, rate, rate)
    found = read(judged, converted)
    assert (found.p_value < LEVEL).any(axis=1).mean() <= LEVEL + SLACK
    assert np.array_equal(found.p_value < LEVEL, (found.low > 0) | (found.high < 0))


def test_a_fixed_interval_would_tell_them_apart_far_too_often() -> None:
    judged, converted = nights(100, 0.05, 0.05)
    rates = converted / judged
    error = np.sqrt((rates * (1 - rates) / judged).sum(axis=-1))
    with np.errstate(invalid="ignore"):
        crossed = np.abs(rates[..., 1] - rates[..., 0]) > norm.ppf(0.975) * error
    assert crossed.any(axis=1).mean() > 4 * LEVEL  # what this module is for


@pytest.mark.parametrize(("rate_a", "rate_b"), [(0.002, 0.01), (0.02, 0.03), (0.1, 0.3), (0.95, 0.99), (0.5, 0.01)])
@pytest.mark.parametrize("per_night", [10, 300])
def test_the_interval_holds_the_truth_on_all_nights_together(per_night: int, rate_a: float, rate_b: float) -> None:
    found = read(*nights(per_night, rate_a, rate_b))
    truth = rate_b - rate_a
    assert ((found.low > truth) | (found.high < truth)).any(axis=1).mean() <= LEVEL + SLACK


def test_a_difference_is_found_and_told_the_right_way_round() -> None:
    for rate_a, rate_b, word in ((0.05, 0.07, "B is better"), (0.07, 0.05, "A is better")):
        judged, converted = nights(300, rate_a, rate_b, runs=200)
        found = read(judged, converted)
        last = ab.Difference(*(getattr(found, name)[:, -1] for name in ("value", "low", "high", "p_value")))
        said = ab.verdicts(last, ab.split_p_value(judged[:, -1]), LEVEL)
        assert said.count(word) > 180  # type: ignore[arg-type]
        assert set(said) <= {word, "no decision yet", "the split is broken: do not trust"}


def test_a_fair_split_is_seldom_called_broken_and_a_broken_one_is_found() -> None:
    for per_night in (10, 100, 2000):
        fair, _ = nights(per_night, 0.0, 0.0)
        p_value = ab.split_p_value(fair.reshape(-1, 2)).reshape(RUNS, NIGHTS)
        assert (p_value < ab.SPLIT_LEVEL).any(axis=1).mean() <= ab.SPLIT_LEVEL + SLACK
    broken, converted = nights(300, 0.05, 0.5, share=0.47)
    p_value = ab.split_p_value(broken.reshape(-1, 2)).reshape(RUNS, NIGHTS)
    assert (p_value[:, -1] < ab.SPLIT_LEVEL).mean() > 0.99
    found = ab.difference(broken[:, -1], converted[:, -1], LEVEL, PLANNED)
    assert ab.verdicts(found, p_value[:, -1], LEVEL).count("the split is broken: do not trust") > 0.99 * RUNS


def test_the_interval_is_the_papers_boundary() -> None:
    judged, converted = np.array([[4000, 6000]]), np.array([[400, 720]])
    found = ab.difference(judged, converted, LEVEL, PLANNED)
    rho2, t = always_valid.best_rate(PLANNED, LEVEL), 10_000
    shrunk = (converted + 1) / (judged + 2)
    sigma = math.sqrt(t * float((shrunk * (1 - shrunk) / judged).sum()))
    # Waudby-Smith et al., theorem 2.2, as written there.
    margin = sigma * math.sqrt(2 * (t * rho2 + 1) / (t**2 * rho2) * math.log(math.sqrt(t * rho2 + 1) / LEVEL))
    assert found.high[0] - found.low[0] == pytest.approx(2 * margin)
    assert (found.high[0] + found.low[0]) / 2 == pytest.approx(0.02)
    # The mixture itself: the mean of the likelihood ratio over normal effects.
    z, variance = 0.02 / (sigma / math.sqrt(t)), sigma**2 / t
    tau = math.sqrt(sigma**2 * rho2)
    ratio, _ = quad(
        lambda effect: norm.pdf(effect, 0, tau) * math.exp((0.02 * effect - effect**2 / 2) / variance), -0.1, 0.1,
        points=[0.0, 0.02],
    )
    assert z > 0
    assert found.p_value[0] == pytest.approx(1 / ratio, rel=1e-4)


def test_it_is_tightest_where_it_was_planned() -> None:
    judged, converted = np.array([[5000, 5000]]), np.array([[500, 500]])
    widths = [
        float(np.diff([ab.difference(judged, converted, LEVEL, planned).low[0],
                       ab.difference(judged, converted, LEVEL, planned).high[0]])[0])
        for planned in (2_000, 8_000, 10_000, 12_500, 50_000)
    ]
    assert min(widths) == widths[2]


def test_the_split_is_judged_by_the_mixture_of_the_paper() -> None:
    half = sample_ratio.SPLIT_WEIGHT / 2
    mixed, _ = quad(lambda theta: beta.pdf(theta, half, half) * theta**30 * (1 - theta) ** 70, 0, 1)
    assert ab.split_p_value(np.array([[30, 70]]))[0] == pytest.approx(min(1, 0.5**100 / mixed), rel=1e-6)
    assert ab.split_p_value(np.array([[0, 0], [50, 50]])).tolist() == [1.0, 1.0]
    assert ab.split_p_value(np.array([[0, 10**9]]))[0] == 0.0


def test_nothing_is_said_of_nobody_or_next_to_nobody() -> None:
    judged = np.array([[0, 0], [0, 50], [5, 5], [10**9, 10**9]])
    found = ab.difference(judged, np.array([[0, 0], [0, 50], [0, 5], [0, 9]]), LEVEL, PLANNED)
    assert found.low.tolist() == [-1.0] * 4
    assert found.high.tolist() == [1.0] * 4
    assert found.p_value.tolist() == [1.0] * 4
    assert np.isnan(found.value).tolist() == [True, True, False, False]
    assert set(ab.verdicts(found, np.ones(4), LEVEL)) == {"no decision yet"}


COUNT = st.tuples(st.integers(1, 10**7), st.integers(1, 10**7), st.floats(0, 1), st.floats(0, 1))


@given(COUNT, st.floats(0.001, 0.5), st.integers(1, 10**6))
def test_swapping_the_groups_turns_everything_round(
    count: tuple[int, int, float, float], level: float, planned: int
) -> None:
    a, b, share_a, share_b = count
    judged, converted = np.array([[a, b]]), np.array([[round(a * share_a), round(b * share_b)]])
    one = ab.difference(judged, converted, level, planned)
    other = ab.difference(judged[:, ::-1], converted[:, ::-1], level, planned)
    assert one.value[0] == -other.value[0]
    assert (one.low[0], one.high[0]) == pytest.approx((-other.high[0], -other.low[0]))
    assert one.p_value[0] == pytest.approx(other.p_value[0])
    assert -1 <= one.low[0] <= one.value[0] <= one.high[0] <= 1
    assert 0 <= one.p_value[0] <= 1
    assert ab.split_p_value(judged) == pytest.approx(ab.split_p_value(judged[:, ::-1]))
