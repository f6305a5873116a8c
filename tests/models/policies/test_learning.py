"""Learning from sufficient statistics: worked examples of the contract (8.2 to 8.5), and what holds for any."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decisions.assignment import Rates, floored, propensities
from decisions.patterns import Encoding, Feature
from decisions.posterior import Students, moments, valued_posterior
from models.policies.cells import AgentStatistics, Cells, PointStatistics, row_weights
from models.policies.feature_model import fit, rewards
from models.policies.indicators import FeatureValues, choose, feature_of
from models.policies.learn import learn_agent, learn_point
from models.policies.policy import ANY, COLUMNS, AgentPolicy, table
from models.policies.shrinkage import shrink

Row = tuple[int, int, int, float, float]


def cells(rows: list[Row], squares: list[float] | None = None) -> Cells:
    """Cells of unweighted rows (segment, pattern, arm, n, sum of x); x is 0 or 1 unless ``squares`` are given."""
    segment, pattern, arm, n, total = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    none = np.zeros(len(rows), dtype=np.int64)
    second = total if squares is None else np.array(squares)
    keys = (one.astype(np.int64) for one in (segment, pattern, arm))
    return Cells(*keys, none, none, n.astype(np.int64), total.astype(np.int64), n, n, total, second)


def point(held: Cells, arms: str, segments: tuple[str, ...] = ("(none)",), **more: Any) -> PointStatistics:
    patterns = more.pop("patterns", ("",))
    return PointStatistics("point-1", "decision-1", tuple(arms), 0, segments, patterns, held, **more)


BINARY = point(cells([(0, 0, 0, 1000, 120), (0, 0, 1, 1000, 150), (0, 0, 2, 800, 90)]), "abc")
SEGMENTS = point(
    cells([(0, 0, 0, 1000, 100), (0, 0, 1, 1000, 130), (1, 0, 0, 400, 56), (1, 0, 1, 400, 48)]), "ab", ("s1", "s2")
)
FEATURES = point(
    cells([(0, 0, 0, 1000, 50), (0, 1, 0, 1000, 30), (0, 0, 1, 1000, 30), (0, 1, 1, 1000, 60)]),
    "ab", patterns=("", "z"), indicators=("z",), features=(Feature("z"),),
)  # fmt: skip


def test_row_weights_and_sufficient_statistics() -> None:
    p, x = np.array([0.5, 0.5, 0.25, 0.8]), np.array([1.0, 0, 1, 0])
    w = row_weights(p, np.full(4, 0.5))
    assert w.tolist() == [1, 1, 2, 0.625]
    assert (w.sum(), (w**2).sum()) == (4.625, 6.390625)
    found = moments(*(np.array([value]) for value in (w.sum(), (w**2).sum(), (w * x).sum(), (w * x * x).sum())))
    assert found.n[0] == pytest.approx(3.34719, abs=5e-6)
    assert found.mean[0] == pytest.approx(0.648649, abs=5e-7)
    assert row_weights(np.array([1e-6]), np.array([0.5])).tolist() == [20.0]


def test_unweighted_rows_give_count_mean_and_sample_variance() -> None:
    x = np.random.default_rng(0).normal(3, 2, 50)
    found = moments(*(np.array([value]) for value in (50.0, 50.0, x.sum(), (x**2).sum())))
    assert (found.n[0], found.mean[0]) == (50, pytest.approx(x.mean()))
    assert found.variance[0] == pytest.approx(x.var(ddof=1))
    none = moments(*np.zeros((4, 2)))
    assert (none.n.tolist(), none.mean.tolist(), none.variance.tolist()) == ([0, 0], [0, 0], [0, 0])


def test_binary_example() -> None:
    found = learn_point(BINARY, binary=True)
    assert found.keys == ((ANY, ANY),)
    pi = found.weight[0]
    assert pi.tolist() == pytest.approx([0.0241, 0.9673, 0.0086], abs=5e-5)
    assert found.p_best[0].tolist() == pi.tolist()
    assert floored(pi.tolist()) == pytest.approx([0.0334, 0.9483, 0.0184], abs=5e-5)
    assert propensities(floored(pi.tolist()), 0, Rates()) == pytest.approx([0.1840, 0.7428, 0.0732], abs=5e-5)
    a = np.array([121, 151, 91])
    total = 7.76976 + np.array([1000, 1000, 800])
    assert found.mean[0] == pytest.approx(a / total, abs=1e-6)
    assert found.mature.all()
    assert not found.thin.any()
    assert (found.low < found.mean).all()
    assert (found.mean < found.high).all()


def test_valued_example() -> None:
    n, m, s2 = np.array([400.0, 500.0]), np.array([2.1, 2.6]), np.array([36.0, 49.0])
    squares = (n - 1) * s2 + n * m**2
    held = cells([(0, 0, 0, 400, 840), (0, 0, 1, 500, 1300)], squares.tolist())
    agent = valued_posterior(moments(n, n, n * m, squares))
    assert isinstance(agent, Students)
    assert agent.location.tolist() == pytest.approx([2.100693, 2.599556], abs=5e-7)
    assert agent.scale.tolist() == pytest.approx([0.299328, 0.312388], abs=5e-7)
    assert agent.freedom.tolist() == [401, 501]
    total = n.sum()
    mean = float((n * m).sum() / total)
    assert mean == pytest.approx(2.377778, abs=5e-7)
    assert float(((n - 1) * s2 + n * (m - mean) ** 2).sum() / (total - 1)) == pytest.approx(43.237548, abs=5e-7)
    found = learn_point(point(held, "ab"), binary=False)
    assert found.weight[0].tolist() == pytest.approx([0.1249, 0.8751], abs=5e-5)


def test_segment_example() -> None:
    found = learn_point(SEGMENTS, binary=True)
    assert found.keys == ((ANY, ANY), ("s1", ANY), ("s2", ANY))
    assert found.mean[0].tolist() == pytest.approx([0.111476, 0.127097], abs=5e-7)
    assert found.weight[0].tolist() == pytest.approx([0.1001, 0.8999], abs=5e-5)
    assert found.kappa == pytest.approx(277.297, abs=5e-4)
    assert found.mean[1].tolist() == pytest.approx([0.101656, 0.128434], abs=5e-7)
    assert found.mean[2].tolist() == pytest.approx([0.132000, 0.127020], abs=5e-7)
    assert found.weight[1].tolist() == pytest.approx([0.0168, 0.9832], abs=5e-5)
    assert found.weight[2].tolist() == pytest.approx([0.6078, 0.3922], abs=5e-5)


def test_the_steps_of_the_segment_example() -> None:
    from decisions.posterior import binary_posterior

    whole = SEGMENTS.cells.sums(SEGMENTS.cells.arm, 2).moments()
    part = SEGMENTS.cells.sums(SEGMENTS.cells.segment * 2 + SEGMENTS.cells.arm, 4).reshape(2, 2).moments()
    found = shrink(binary_posterior(whole), whole.n, part)
    assert found.prior_mean[0].tolist() == pytest.approx([0.107628, 0.122785], abs=5e-7)
    assert found.prior_mean[1].tolist() == pytest.approx([0.120461, 0.137146], abs=5e-7)
    assert found.heterogeneity == pytest.approx(3.5244, abs=5e-5)
    assert 1 / found.kappa == pytest.approx(0.00360624, abs=5e-9)


def test_feature_example() -> None:
    found = learn_point(FEATURES, binary=True)
    assert found.keys == ((ANY, ANY), ("(none)", ""), ("(none)", "z"))
    assert found.mean[0].tolist() == pytest.approx([0.040030, 0.044972], abs=5e-7)
    told = found.fits[0]
    assert (told.segment, told.kappa, told.patterns) == ("(none)", 100.0, 2)
    assert list(told.evidence.values()) == pytest.approx([-703.633, -703.857, -704.863, -705.772, -706.437], abs=5.1e-4)
    assert found.weight[1, 0] == pytest.approx(0.9086, abs=5e-5)
    assert found.weight[2, 0] == pytest.approx(0.0232, abs=5e-5)
    assert found.kappa is None


def test_the_mode_of_the_feature_example() -> None:
    mean = learn_point(FEATURES, binary=True).mean[0]
    sums = FEATURES.cells.sums(FEATURES.cells.pattern * 2 + FEATURES.cells.arm, 4).reshape(2, 2)
    shown = np.array([[0.0], [1.0]])
    model = fit(rewards(shown, sums, np.log(mean / (1 - mean)), mean * (1 - mean), None, np.array([2000.0, 2000.0])))[0]
    assert model.arm[:, 0].tolist() == pytest.approx([-3.19693, -3.09569], abs=5e-6)
    assert model.common.tolist() == pytest.approx([0.12759], abs=5e-6)
    assert model.arm[:, 1].tolist() == pytest.approx([-0.54436, 0.48825], abs=5e-6)


def dense_evidence(shown: Any, seen: Any, centre: Any, curvature: Any, noise: Any, agent_n: Any, kappa: float) -> float:
    """The evidence of 8.5 by the book: one dense matrix, its determinant, and a mode found by a general minimizer."""
    from scipy.optimize import minimize

    patterns, parts = shown.shape
    arms = len(centre)
    v = seen.w * (seen.w.sum(0) / seen.w2.sum(0))
    first, second = (s * (seen.w.sum(0) / seen.w2.sum(0)) for s in (seen.s1, seen.s2))
    z = shown - (v.sum(1) @ shown) / v.sum()
    design = np.zeros((patterns, arms, arms + parts + arms * parts))
    for k in range(arms):
        design[:, k, k] = 1
        design[:, k, arms : arms + parts] = z
        design[:, k, arms + parts + k * parts : arms + parts + (k + 1) * parts] = z
    start = np.concatenate([centre, np.zeros(parts + arms * parts)])
    lam = np.concatenate(
        [
            np.minimum(kappa, agent_n) * curvature,
            np.full(parts, curvature.mean()),
            np.repeat(kappa * curvature, parts),
        ]
    )

    def minus(theta: Any) -> float:
        eta = design @ theta
        if noise is None:
            value = np.sum(first * eta - v * np.logaddexp(0, eta))
        else:
            value = -np.sum((second - 2 * eta * first + v * eta**2) / (2 * noise) + v * np.log(2 * np.pi * noise) / 2)
        return float(-value + 0.5 * np.sum(lam * (theta - start) ** 2))

    def slope(theta: Any) -> Any:
        eta = design @ theta
        left = first - v / (1 + np.exp(-eta)) if noise is None else (first - v * eta) / noise
        return -np.einsum("pk,pkd->d", left, design) + lam * (theta - start)

    done = minimize(minus, start, jac=slope, method="BFGS", options={"gtol": 1e-9})
    eta = design @ done.x
    chance = 1 / (1 + np.exp(-eta))
    bend = v * chance * (1 - chance) if noise is None else v / noise
    hessian = np.einsum("pk,pkd,pke->de", bend, design, design) + np.diag(lam)
    return float(-done.fun + 0.5 * np.sum(np.log(lam)) - 0.5 * np.linalg.slogdet(hessian)[1])


@pytest.mark.parametrize("binary", [True, False])
def test_solving_by_blocks_is_solving_the_whole(binary: bool) -> None:
    rng = np.random.default_rng(11)
    shown = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], dtype=float)
    n = rng.integers(200, 600, (4, 3)).astype(float)
    w, w2 = n * 1.1, n * 1.5
    s1 = w * rng.uniform(0.1, 0.3, (4, 3))
    s2 = s1 if binary else s1 * 2
    from models.policies.cells import Sums

    seen = Sums(n, n, w, w2, s1, s2)
    mean = np.array([0.15, 0.2, 0.25])
    noise = None if binary else np.array([0.3, 0.4, 0.5])
    centre, curvature = (np.log(mean / (1 - mean)), mean * (1 - mean)) if binary else (mean, 1 / noise)  # type: ignore[operator]
    agent_n = n.sum(0)
    models = fit(rewards(shown, seen, centre, curvature, noise, agent_n))
    for model in models[::2]:
        expected = dense_evidence(shown, seen, centre, curvature, noise, agent_n, model.kappa)
        assert model.evidence == pytest.approx(expected, abs=1e-5)


def test_no_pattern_rows_where_arms_do_not_differ_by_them() -> None:
    same = point(
        cells([(0, p, k, 50_000, 5000) for p in (0, 1) for k in (0, 1)]),
        "ab", patterns=("", "z"), indicators=("z",), features=(Feature("z"),),
    )  # fmt: skip
    found = learn_point(same, binary=True)
    assert (found.keys, found.fits[0].kappa, found.fits[0].patterns) == (((ANY, ANY),), 10_000.0, 0)


def test_rare_patterns_and_small_segments_get_no_rows() -> None:
    rows: list[Row] = [(0, 0, 0, 1000, 50), (0, 1, 0, 1000, 30), (0, 0, 1, 1000, 30), (0, 1, 1, 1000, 60)]
    rare: list[Row] = [(0, 2, 0, 14, 1), (0, 2, 1, 15, 1), (1, 0, 0, 49, 3), (1, 0, 1, 50, 3)]
    held = point(
        cells(rows + rare), "ab", ("s1", "s2"), patterns=("", "z", "y|z"), indicators=("z", "y"),
        features=(Feature("z"), Feature("y")),
    )  # fmt: skip
    found = learn_point(held, binary=True)
    assert found.keys == ((ANY, ANY), ("s1", ""), ("s1", "z")), "s2 has 99 exposures, the third pattern 29"


def test_immature_arms_keep_their_share() -> None:
    held = point(cells([(0, 0, 0, 1000, 100), (0, 0, 1, 1000, 200), (0, 0, 2, 99, 60)]), "abcd")
    found = learn_point(held, binary=True)
    assert found.mature.tolist() == [True, True, False, False]
    assert found.thin.tolist() == [False, False, False, True]
    assert found.weight[0, 2:].tolist() == [0.25, 0.25]
    assert np.isnan(found.p_best[0, 2:]).all()
    assert found.weight[0, :2] == pytest.approx(0.5 * found.p_best[0, :2])
    assert found.p_best[0, 1] > 0.999


def test_uniform_without_anything_to_learn_from() -> None:
    nothing = learn_point(point(cells([(0, 0, 0, 0, 0)]), "abc"), binary=True)
    assert AgentPolicy((nothing,)).is_uniform()
    same = learn_point(point(cells([(0, 0, k, 500, 1000) for k in (0, 1, 2)], [2000.0] * 3), "abc"), binary=False)
    assert AgentPolicy((same,)).is_uniform(), "rewards that never varied"
    assert same.mean[0].tolist() == [2.0] * 3
    alone = learn_point(point(cells([(0, 0, 0, 500, 20), (1, 0, 0, 500, 30)]), "a", ("s1", "s2")), binary=True)
    assert alone.weight.tolist() == [[1.0]] * 3


counts = st.integers(0, 3000)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(counts, st.floats(0, 1), st.floats(0.2, 3)), min_size=12, max_size=12),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_laws_of_learning(seen: list[tuple[int, float, float]], binary: bool, random: Any) -> None:
    rows = [(at // 6, at // 3 % 2, at % 3, n, round(n * rate)) for at, (n, rate, _) in enumerate(seen)]
    held = cells(rows, None if binary else [n * rate * size for n, rate, size in seen])
    agent = AgentStatistics((point(held, "abc", ("s", "t"), patterns=("", "z"), indicators=("z",)),), binary)
    found = learn_agent(agent)
    weight = found.points[0].weight
    assert np.isfinite(weight).all()
    assert (weight >= 0).all()
    assert weight.sum(axis=1) == pytest.approx(np.ones(len(weight)), abs=1e-9)
    order = np.array(random.sample(range(12), 12))
    mixed = Cells(*(getattr(held, name)[order] for name in Cells.__dataclass_fields__))
    again = learn_agent(AgentStatistics((agent.points[0].with_cells(mixed),), binary)).points[0]
    assert again.keys == found.points[0].keys
    assert np.array_equal(again.weight, weight), "whatever order cells come in, the bits are the same"
    assert np.array_equal(again.mean, found.points[0].mean)


def test_a_hundred_million_exposures_are_fitted_all_the_same() -> None:
    big = cells([(0, p, k, 10**8, 10**7 + 2 * 10**6 * (2 * p - 1) * k) for p in (0, 1) for k in (0, 1, 2)])
    found = learn_point(point(big, "abc", patterns=("", "z"), indicators=("z",)), binary=True)
    assert found.keys[1:] == (("(none)", ""), ("(none)", "z"))
    assert found.mean[1:] == pytest.approx(np.array([[0.1, 0.08, 0.06], [0.1, 0.12, 0.14]]), abs=1e-5)
    assert found.weight[1:].argmax(axis=1).tolist() == [0, 2]


def test_folds_and_halves_learn_from_their_own_sessions() -> None:
    first, second = cells([(0, 0, 0, 500, 50), (0, 0, 1, 500, 100)]), cells([(0, 0, 0, 700, 200), (0, 0, 1, 700, 20)])
    both = Cells(*(np.concatenate([getattr(first, n), getattr(second, n)]) for n in Cells.__dataclass_fields__))
    both.fold[2:], both.half[2:] = 2, 1
    agent = AgentStatistics((point(both, "ab"),), binary=True)
    alone = learn_agent(AgentStatistics((point(first, "ab"),), binary=True)).points[0].mean
    assert learn_agent(agent, folds=np.array([True, True, False])).points[0].mean.tolist() == alone.tolist()
    assert learn_agent(agent, halves=np.array([True, False])).points[0].mean.tolist() == alone.tolist()
    assert learn_agent(agent).points[0].mean.tolist() != alone.tolist()


def test_the_table_has_the_columns_of_the_contract() -> None:
    policy = AgentPolicy((learn_point(SEGMENTS, True), learn_point(BINARY, True)))
    rows = table(policy, "acme", "home", "v7", datetime(2026, 3, 1), "run-1")
    assert tuple(rows) == COLUMNS
    assert {len(values) for values in rows.values()} == {3 * 2 + 3}
    assert rows["segment"] == [ANY, ANY, "s1", "s1", "s2", "s2", ANY, ANY, ANY]
    assert rows["arm"][:4] == ["a", "b", "a", "b"]
    assert rows["is_default"][:3] == [True, False, True]
    assert set(rows["version"]) == {"v7"}
    assert [type(rows[name][0]) for name in ("weight", "mature", "arm_order")] == [float, bool, int]


def seen_values(code: str, pairs: dict[float, int]) -> FeatureValues:
    return FeatureValues(code, np.array(list(pairs)), np.array(list(pairs.values()), dtype=np.int64))


def test_cut_points() -> None:
    assert feature_of(seen_values("vip", {1.0: 50})) == Feature("vip")
    assert feature_of(seen_values("age", {10.0: 1, 20.0: 5, 40.0: 1})).cuts == (15.0, 30.0)
    quartiles = feature_of(seen_values("age", {float(age): 10 for age in range(1, 101)}))
    assert quartiles.cuts == (25.0, 50.0, 75.0)
    shares = [quartiles.indicator(float(age)) for age in range(1, 101)]
    assert [shares.count(f"age~{at}") for at in range(4)] == [25, 25, 25, 25]
    assert feature_of(seen_values("n", {1.0: 97, 2.0: 1, 3.0: 1, 4.0: 1, 5.0: 1})).cuts == (1.0,), "equal ones once"


def test_indicators_are_the_frequent_ones() -> None:
    seen = [
        seen_values("vip", {1.0: 300}),
        seen_values("rare", {1.0: 99}),
        seen_values("always", {1.0: 9950}),
        seen_values("age", {1.0: 4000, 2.0: 6000}),
    ]
    found = choose(seen, 10_000)
    assert found.names == ("age~1", "age~0", "vip")
    assert [feature.code for feature in found.features] == ["age", "vip"]
    assert Encoding(found.names, found.features).pattern({"age": 2.0, "vip": 1.0, "rare": 1.0}) == "age~1|vip"
    many = [seen_values(f"f{at:02}", {1.0: 200 + at}) for at in range(20)]
    assert choose(many, 10_000).names == tuple(f"f{at:02}" for at in range(19, 7, -1))


def test_indicators_that_an_operator_wants() -> None:
    seen = [seen_values("vip", {1.0: 3}), seen_values("age", {1.0: 4000, 2.0: 5997}), seen_values("x", {1.0: 5000})]
    found = choose(seen, 10_000, ("vip", "age", "unseen"))
    assert found.names == ("vip", "age~0", "age~1")
    assert [feature.code for feature in found.features] == ["age", "vip"]
