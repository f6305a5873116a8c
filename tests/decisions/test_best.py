"""P(best): the examples of the contract (8.3), high-precision references, and laws that hold for any posterior."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from decisions.best import best_of_betas, best_of_normals, best_of_students

TOLERANCE = 1e-4


def reference(arms: list[Any], points: int = 20_001) -> np.ndarray[Any, Any]:
    """By the midpoint rule in u = F_k(t): each arm on twenty thousand points of its own quantiles."""
    u = (np.arange(points) + 0.5) / points
    found = []
    for k, arm in enumerate(arms):
        t = arm.ppf(u)
        others = np.ones_like(u)
        for j, other in enumerate(arms):
            if j != k:
                others *= other.cdf(t)
        found.append(others.mean())
    return np.array(found)


def test_the_binary_example() -> None:
    found = best_of_betas([121, 151, 91], [886.770, 856.770, 716.770])
    assert found.tolist() == pytest.approx([0.0241, 0.9673, 0.0086], abs=5e-5)


def test_the_valued_example() -> None:
    found = best_of_students([2.100693, 2.599556], [0.299328, 0.312388], [401, 501])
    assert found.tolist() == pytest.approx([0.1249, 0.8751], abs=5e-5)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([1, 2, 3], [3, 2, 1]),
        ([0.5, 0.5], [0.5, 2.0]),
        ([3, 30, 300], [30, 300, 3000]),
        ([0.3, 4, 900], [4, 30, 9000]),
        ([1e5 + 900, 1e5, 40], [9e5, 9e5, 400]),
        ([12, 10, 9, 3], [1e6, 1e6, 1.1e6, 5e4]),
        ([50, 51, 3], [0.6, 0.9, 0.2]),
        ([0.05, 0.02, 1], [40, 900, 800]),
        ([0.3, 0.3], [0.2, 0.1]),
    ],
)
def test_betas_against_a_fine_sum(a: list[float], b: list[float]) -> None:
    expected = reference([stats.beta(*pair) for pair in zip(a, b, strict=True)])
    assert best_of_betas(a, b) == pytest.approx(expected, abs=TOLERANCE)


@pytest.mark.parametrize(
    ("place", "scale", "freedom"),
    [
        ([0, 0, 1], [1, 2, 0.01], [1, 1, 1]),
        ([0, 0.5], [1, 1], [1, 30]),
        ([0, 1, 2, 2.5], [1, 0.1, 3, 0.001], [3, 5, 1.5, 400]),
        ([100, 101], [1, 1e4], [2, 2]),
        ([1e6, 1e6 + 1], [1, 1], [1e8, 1e8]),
    ],
)
def test_students_against_a_fine_sum(place: list[float], scale: list[float], freedom: list[float]) -> None:
    arms = [stats.t(df, loc, width) for loc, width, df in zip(place, scale, freedom, strict=True)]
    assert best_of_students(place, scale, freedom) == pytest.approx(reference(arms), abs=TOLERANCE)


@settings(deadline=None)
@given(st.floats(-5, 5), st.floats(1e-3, 1e3), st.floats(1e-3, 1e3))
def test_two_normals_have_a_closed_form(apart: float, first: float, second: float) -> None:
    scale = float(np.hypot(first, second))
    found = best_of_normals([0.0, apart * scale], [first, second])
    assert found[1] == pytest.approx(stats.norm.cdf(apart), abs=TOLERANCE)


@settings(deadline=None)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 300), st.floats(1, 1000))
def test_two_betas_of_whole_numbers_have_a_closed_form(a: int, b: int, c: int, d: float) -> None:
    """P(second > first) is a finite sum where the second's first parameter is whole (Evan Miller, 2010)."""
    from scipy.special import betaln

    i = np.arange(c)
    exact = float(np.sum(np.exp(betaln(a + i, b + d) - np.log(d + i) - betaln(1 + i, d) - betaln(a, b))))
    assert best_of_betas([a, c], [b, d])[1] == pytest.approx(exact, abs=TOLERANCE)


@pytest.mark.parametrize("count", [1e4, 1e6, 1e8])
@pytest.mark.parametrize("rate", [0.5, 0.1, 1e-3, 1e-6])
def test_any_number_of_exposures(count: float, rate: float) -> None:
    """Apart by a few deviations only: nearly Normal where there are successes enough."""
    a = np.array([count * rate + shift * np.sqrt(count * rate) for shift in (0.0, 0.5, 1.0)]) + 0.01
    b = count - a
    found = best_of_betas(a, b)
    assert found.sum() == pytest.approx(1, abs=1e-12)
    if count * rate >= 1e4:
        spread = np.sqrt(a * b / count**3)
        assert found == pytest.approx(best_of_normals(a / count, spread), abs=2e-3)
    else:
        draws = np.random.default_rng(1).beta(a, b, size=(400_000, 3))
        assert found == pytest.approx(np.bincount(draws.argmax(axis=1), minlength=3) / 400_000, abs=4e-3)


def test_arms_without_any_success() -> None:
    """Where a is next to nothing the log of a mean is exponential with rate a: the highest wins in proportion to a."""
    assert best_of_betas([1e-6, 1e-6, 2e-6], [1e8] * 3) == pytest.approx([0.25, 0.25, 0.5], abs=TOLERANCE)
    assert best_of_betas([1e8] * 2, [1e-6, 3e-6]) == pytest.approx([0.75, 0.25], abs=TOLERANCE)
    # All or nothing on either side: a mean is 1 with chance a / (a + b), and the nearer to 1 the less b is.
    a, b = np.array([1e-5, 5e-6]), np.array([2e-3, 1e-3])
    ones = a / (a + b)
    exact = ones[0] * (1 - ones[1]) + ones[0] * ones[1] * b[1] / b.sum()
    exact += (1 - ones[0]) * (1 - ones[1]) * a[0] / a.sum()
    assert best_of_betas(a, b)[0] == pytest.approx(exact, abs=TOLERANCE)


def test_a_hundred_arms() -> None:
    rng = np.random.default_rng(2)
    a = rng.integers(5, 60, 100).astype(float)
    b = 1000 - a + rng.uniform(0, 500, 100)
    # Closer near the top, where the best of a hundred lies: u = 1 - (1 - v)^3.
    v = (np.arange(600) + 0.5) / 600
    u, du = 1 - (1 - v) ** 3, 3 * (1 - v) ** 2
    t = np.concatenate([stats.beta.ppf(u, a[k], b[k])[None] for k in range(100)])
    cdf = np.ones((100, u.size))
    for j in range(100):
        others = stats.beta.cdf(t, a[j], b[j])
        others[j] = 1
        cdf *= others
    assert best_of_betas(a, b) == pytest.approx((cdf * du).mean(axis=1), abs=TOLERANCE)
    equal = best_of_betas(np.full(100, 20.0), np.full(100, 900.0))
    assert equal == pytest.approx(np.full(100, 0.01), abs=1e-9)


posteriors = st.lists(st.tuples(st.floats(1e-3, 1e7), st.floats(1e-3, 1e7)), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None)
@given(posteriors, st.randoms(use_true_random=False))
def test_laws_of_any_betas(arms: list[tuple[float, float]], random: Any) -> None:
    found = best_of_betas(*np.array(arms).T)
    assert found.sum() == pytest.approx(1, abs=1e-12)
    assert (found >= 0).all()
    order = list(range(len(arms)))
    random.shuffle(order)
    assert best_of_betas(*np.array(arms)[order].T) == pytest.approx(found[order], abs=1e-9)
    # Taking the other outcome for a success, the best becomes the worst: with two arms, the other.
    if len(arms) == 2:
        assert best_of_betas(*np.array(arms).T[::-1]) == pytest.approx(found[::-1], abs=TOLERANCE)
    # One more arm takes from the others, and gives to none.
    more = best_of_betas(*np.array([*arms, (30.0, 70.0)]).T)
    assert (more[:-1] <= found + TOLERANCE).all()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(1e-4, 1e4), st.floats(1, 1e4)), min_size=2, max_size=6))
def test_laws_of_any_students(arms: list[tuple[float, float, float]]) -> None:
    place, scale, freedom = np.array(arms).T
    found = best_of_students(place, scale, freedom)
    assert found.sum() == pytest.approx(1, abs=1e-12)
    assert best_of_students(7 + 3 * place, 3 * scale, freedom) == pytest.approx(found, abs=TOLERANCE)
    if len(arms) == 2:
        chance, _ = integrate.quad(
            lambda x: stats.t.cdf((np.tan(x) * scale[0] + place[0] - place[1]) / scale[1], freedom[1])
            * stats.t.pdf(np.tan(x), freedom[0]) * (1 + np.tan(x) ** 2),
            -np.pi / 2, np.pi / 2, points=[np.arctan((place[1] - place[0]) / scale[0])], limit=200,
        )  # fmt: skip
        assert found[0] == pytest.approx(chance, abs=TOLERANCE)


def test_many_cases_at_once_are_the_same_as_one_by_one() -> None:
    """Bit by bit: what an agent gets must not depend on who is computed beside it."""
    rng = np.random.default_rng(3)
    a, b = rng.uniform(0.1, 300, (40, 7)), rng.uniform(10, 3000, (40, 7))
    whole = best_of_betas(a, b)
    assert all(np.array_equal(whole[row], best_of_betas(a[row], b[row])) for row in range(40))
    assert np.array_equal(best_of_betas(a.reshape(5, 8, 7), b.reshape(5, 8, 7)).reshape(40, 7), whole)


def test_arms_that_cannot_win_cost_nothing_and_get_nothing() -> None:
    assert best_of_betas([1e6, 10.0], [1e6, 1e6]).tolist() == [1.0, 0.0]
    assert best_of_normals([[5.0]], [[2.0]]).tolist() == [[1.0]]


@pytest.mark.parametrize("bad", [[0.0, 1.0], [-1.0, 1.0], [np.nan, 1.0], [np.inf, 1.0]])
def test_posteriors_that_are_none(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="positive"):
        best_of_betas(bad, [1.0, 1.0])
    with pytest.raises(ValueError, match="scale"):
        best_of_students([0.0, 0.0], bad, [3.0, 3.0])
    with pytest.raises(ValueError, match="deviation"):
        best_of_normals([0.0, 0.0], bad)
