"""Draws and propensities, to the digits that the contract prints (4.3, 4.4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.assignment import (
    Rates,
    best,
    cell_of,
    drawn,
    exploit_shares,
    floor,
    floored,
    index_of,
    propensities,
    unit,
)

RATES = Rates(0.1, 0.2)
ARMS = ["decision-1:a", "decision-1:b"]


def u_of(session: str) -> float:
    return unit("acme", "home", "point-1", "decision-1", session, 1700000000000, 0, "0")


@pytest.mark.parametrize(
    ("session", "u", "cell", "rest", "arm"),
    [
        ("sess-1", 0.6559833253, "exploit", 0.522199, "b"), ("sess-2", 0.4886997078, "exploit", 0.289861, "a"),
        ("sess-9", 0.2612372964, "explore", None, "b"), ("sess-15", 0.0985653058, "control", None, "a"),
    ],
)
def test_the_draws_of_the_contract(session: str, u: float, cell: str, rest: float | None, arm: str) -> None:
    found = u_of(session)
    assert round(found, 10) == u
    assert cell_of(found, RATES)[0] == cell
    if rest is not None:
        assert round(cell_of(found, RATES)[1], 6) == rest
    q = floored(exploit_shares(ARMS, None))
    assert drawn(found, q, 0, RATES) == (cell, "ab".index(arm))


def test_of_ten_thousand_sessions_5550_get_a() -> None:
    q = floored(exploit_shares(ARMS, None))
    assert sum(drawn(u_of(f"sess-{at}"), q, 0, RATES)[1] == 0 for at in range(10_000)) == 5550


@pytest.mark.parametrize(
    ("weights", "pi", "q", "p"),
    [
        ({"a": 0.2, "b": 0.7, "c": 0.1}, [0.2, 0.7, 0.1], [0.204, 0.689, 0.107], [0.30688, 0.55608, 0.13704]),
        ({"a": 0.2, "b": 0.6, "x": 0.2}, [0.25, 0.75, 0.0], [0.2525, 0.7375, 0.01], [0.3418, 0.5910, 0.0672]),
    ],
    ids=["all arms known", "third arm new"],
)
def test_propensities_of_the_contract(
    weights: dict[str, float], pi: list[float], q: list[float], p: list[float]
) -> None:
    shares = exploit_shares(["a", "b", "c"], weights)
    assert shares == pytest.approx(pi, abs=1e-12)
    assert floored(shares) == pytest.approx(q, abs=1e-12)
    assert propensities(floored(shares), 0, RATES) == pytest.approx(p, abs=1e-12)


def test_a_new_option_gets_its_share_of_exploring_and_the_floor() -> None:
    k, c, e = 4, 0.1, 0.2
    q = floored(exploit_shares(list("abcd"), {"a": 0.5, "b": 0.3, "c": 0.2}))
    assert propensities(q, 0, Rates(c, e))[3] == pytest.approx((1 - c) * e / k + (1 - c) * (1 - e) * floor(k))


def test_the_floor_is_one_percent_up_to_fifty_arms() -> None:
    assert [floor(k) for k in (1, 2, 50, 51, 100)] == [0.01, 0.01, 0.01, 0.5 / 51, 0.005]


def test_weights_that_sum_to_nothing_are_uniform() -> None:
    assert exploit_shares(["a", "b"], {"c": 1.0}) == [0.5, 0.5]
    assert exploit_shares(["a", "b"], {"a": 0.0, "b": 0.0}) == [0.5, 0.5]


def test_the_best_arm_is_the_earliest_of_the_heaviest() -> None:
    assert best({"a": 0.2, "b": 0.4, "c": 0.4}, ["a", "b", "c"], 0) == 1
    assert best({"c": 1.0}, ["a", "b"], 1) == 1
    assert best(None, ["a", "b"], 1) == 1


def test_rounding_at_the_end_of_a_cell_gives_the_last_arm() -> None:
    assert index_of(1.0, [0.1] * 10) == 9


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=20), st.floats(0, 1), st.floats(0, 1), st.data(),
    st.floats(0, 1, exclude_max=True),
)
def test_probabilities_sum_to_one_and_every_draw_has_an_arm(
    weights: list[float], c: float, e: float, data: st.DataObject, u: float
) -> None:
    arms = [f"d:{at}" for at in range(len(weights))]
    default = data.draw(st.integers(0, len(arms) - 1))
    q = floored(exploit_shares(arms, dict(zip(arms, weights, strict=True))))
    p = propensities(q, default, Rates(c, e))
    assert sum(q) == pytest.approx(1) and sum(p) == pytest.approx(1)
    assert min(q) >= floor(len(arms)) * (1 - 1e-9)
    cell, at = drawn(u, q, default, Rates(c, e))
    assert 0 <= at < len(arms)
    assert p[at] > 0 or (cell == "control" and c == 0)
    assert Rates(c, e).of_cells()[cell] > 0


@given(st.integers(1, 6), st.floats(0, 0.9), st.floats(0, 0.9), st.randoms(use_true_random=False))
def test_the_logged_probability_is_the_share_of_draws(k: int, c: float, e: float, random: object) -> None:
    """Draws over an even grid of u fall to each arm as often as its propensity says."""
    weights = {f"d:{at}": random.random() for at in range(k)}  # type: ignore[attr-defined]
    q = floored(exploit_shares(list(weights), weights))
    grid = 4000
    counts = [0] * k
    for at in range(grid):
        counts[drawn((at + 0.5) / grid, q, 0, Rates(c, e))[1]] += 1
    for count, p in zip(counts, propensities(q, 0, Rates(c, e)), strict=True):
        assert abs(count / grid - p) < 4 / grid * (k + 3)
