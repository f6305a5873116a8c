"""A night's review of one agent: gates (9), what they hold back, and what is dropped."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from decisions.assignment import Rates, exploit_shares, floored, propensities
from decisions.patterns import Feature
from decisions.sample_ratio import SampleRatio, sample_ratio
from models.policies import targets
from models.policies.aa import PLACEBOS, Placebo, placebo_share
from models.policies.cells import AgentStatistics, Cells, PointStatistics
from models.policies.exposures import Contexts, Exposures
from models.policies.gates import Evidence, Verdict, form_gate, judge
from models.policies.learn import learn_agent
from models.policies.off_policy import estimate
from models.policies.policy import ANY, AgentPolicy, from_weights
from models.policies.review import Review, review_agent

FINE = SampleRatio(1.0, 1, 0.3)
CALM = Placebo(5000, 0.05)
ARMS = ("a", "b", "c")


def simulate(rates: Any, size: int, seed: int = 0, q: Any = None) -> tuple[AgentStatistics, Exposures]:
    """Exposures of patterns '' and 'z', decided by q (uniform by default) with control and exploration, and their
    sums.
    """
    rng = np.random.default_rng(seed)
    rates = np.asarray(rates)
    p = np.array(propensities(floored([1 / 3] * 3) if q is None else q, 0, Rates()))
    pattern, fold, half = rng.integers(0, 2, size), rng.integers(0, 3, size), rng.integers(0, 2, size)
    arm = rng.choice(3, size, p=p)
    x = (rng.random(size) < rates[pattern, arm]).astype(np.float64)
    key = ((pattern * 3 + arm) * 3 + fold) * 2 + half
    count = np.bincount(key, minlength=36)
    won = np.bincount(key, weights=x, minlength=36)
    at, none, n = np.arange(36), np.zeros(36, dtype=np.int64), count.astype(np.float64)
    cells = Cells(none, at // 18, at // 6 % 3, at // 2 % 3, at % 2, count, won.astype(np.int64), n, n, won, won)
    seen = PointStatistics(
        "point-1", "decision-1", ARMS, 0, ("(none)",), ("", "z"), cells, ("z",), (Feature("z"),)
    )  # fmt: skip
    contexts = Contexts(np.zeros(2, dtype=np.int64), ("(none)",) * 2, ("", "z"), np.ones((2, 3), dtype=np.bool_))
    every = np.ones(size, dtype=np.int64)
    return AgentStatistics((seen,), binary=True), Exposures(contexts, pattern, arm, p[arm], x, fold, half, every)


def by_gate(review: Review) -> dict[str, Verdict]:
    return {one.gate: one for one in review.verdicts}


BETTER = [[0.10, 0.20, 0.10], [0.10, 0.20, 0.10]]
CROSSED = [[0.05, 0.20, 0.10], [0.20, 0.05, 0.10]]


def test_a_better_arm_is_published() -> None:
    found = review_agent(*simulate(BETTER, 6000), [None], {"arms": FINE}, CALM)
    assert found.held == ()
    assert [one.gate for one in found.verdicts] == ["G1", "G2", "G3", "G4", "G5", "G6", "G7"]
    assert found.policy.points[0].weight[0].argmax() == 1
    value = {name: one.estimates["dr"].value for name, one in found.valuations.items()}
    assert value["new"] > value["serving"] > value["default"]
    assert value["serving"] == pytest.approx(value["uniform"])
    assert set(value) == {"uniform", "default", "serving", "new", "new_unseen"}


def test_patterns_that_matter_are_kept() -> None:
    found = review_agent(*simulate(CROSSED, 20_000), [None], {"arms": FINE}, CALM)
    assert by_gate(found)["G7"].passed
    assert by_gate(found)["G7"].statistic > 0.02  # type: ignore[operator]
    assert found.policy.points[0].keys == ((ANY, ANY), ("(none)", ""), ("(none)", "z"))
    assert found.policy.points[0].weight.argmax(axis=1).tolist()[1:] == [1, 0]


def test_patterns_that_do_not_hold_on_the_other_half_are_dropped() -> None:
    """Each half of the sessions wants the contrary: what one teaches loses on the other."""
    seen, log = simulate(BETTER, 20_000)
    other, turned = simulate(CROSSED, 20_000, 1), simulate(np.array(CROSSED)[::-1], 20_000, 2)
    parts = [
        (one.points[0].cells.where(one.points[0].cells.half == half), rows.where(rows.half == half))
        for half, (one, rows) in enumerate((other, turned))
    ]
    parts.append((seen.points[0].cells.where(seen.points[0].cells.fold < 0), log.where(log.fold < 0)))
    cells = Cells(*(np.concatenate([getattr(part, name) for part, _ in parts]) for name in Cells.__dataclass_fields__))
    # More of the first half, so that all together still tell the patterns apart.
    cells = replace(
        cells,
        **{
            n: np.where(cells.half == 0, 3 * getattr(cells, n), getattr(cells, n))
            for n in ("count", "w", "w2", "s1", "s2")
        },
    )
    names = ("context", "arm", "probability", "value", "fold", "half", "count")
    rows = replace(log, **{name: np.concatenate([getattr(part, name) for _, part in parts]) for name in names})
    agent = AgentStatistics((seen.points[0].with_cells(cells),), binary=True)
    assert any(key[1] != ANY for key in learn_agent(agent).points[0].keys)
    found = review_agent(agent, rows, [None], {"arms": FINE}, CALM)
    assert not by_gate(found)["G7"].passed
    assert found.policy.points[0].keys == ((ANY, ANY),)
    assert "G7" not in found.held


def test_a_failed_sample_ratio_holds_back() -> None:
    broken = sample_ratio((3000, 5470, 1530), (3068.8, 5560.8, 1370.4))
    found = review_agent(*simulate(BETTER, 6000), [None], {"cells": FINE, "arms": broken}, CALM)
    assert found.held == ("G1",)
    assert by_gate(found)["G1"].statistic == broken.p_value
    assert "arms" in by_gate(found)["G1"].detail
    few = review_agent(*simulate(BETTER, 99), [None], {"arms": broken}, CALM)
    assert "G1" not in few.held


def test_wrong_probabilities_hold_back() -> None:
    seen, log = simulate(BETTER, 6000)
    found = review_agent(seen, replace(log, probability=log.probability * 0.9), [None], {"arms": FINE}, CALM)
    assert "G2" in found.held


def test_a_policy_without_support_is_held_back() -> None:
    seen, log = simulate(BETTER, 6000)
    rare = replace(log, probability=np.where(log.arm == 1, 1e-5, log.probability), arm=log.arm)
    rare = rare.where((rare.arm != 1) | (np.cumsum(rare.arm == 1) <= 2))
    found = review_agent(seen, rare, [None], {"arms": FINE}, CALM)
    assert "G3" in found.held
    assert by_gate(found)["G3"].statistic < 0.05  # type: ignore[operator]


def test_a_policy_that_loses_is_held_back() -> None:
    """What the log says contradicts what was learned: the new policy would lose against default and serving."""
    seen, _ = simulate(BETTER, 6000)
    _, log = simulate([[0.2, 0.02, 0.2]] * 2, 6000, 7)
    found = review_agent(seen, log, [None], {"arms": FINE}, CALM)
    assert found.held == ("G4",)
    assert by_gate(found)["G4"].statistic < by_gate(found)["G4"].threshold  # type: ignore[operator]


def test_a_little_worse_than_the_default_may_still_beat_what_serves() -> None:
    seen, log = simulate([[0.2, 0.2, 0.02]] * 2, 800, 3)
    bad = from_weights("point-1", "decision-1", ARMS, 0, [(ANY, ANY)], np.array([[0.0, 0.0, 1.0]]))
    found = review_agent(seen, log, [bad], {"arms": FINE}, CALM)
    assert by_gate(found)["G4"].passed
    assert by_gate(found)["G4"].detail == "value against what serves"


def test_placebos_that_differ_hold_back() -> None:
    assert review_agent(*simulate(BETTER, 6000), [None], {}, Placebo(1000, 0.09)).held == ("G5",)
    assert review_agent(*simulate(BETTER, 6000), [None], {}, Placebo(999, 0.09)).held == ()
    assert Placebo(1000, 0.0826).passed
    assert not Placebo(1000, 0.083).passed


def test_uniform_tables_need_no_support_value_or_patterns() -> None:
    seen, log = simulate(BETTER, 90)
    found = review_agent(seen, log, [None], {}, Placebo(0, 0.0))
    assert found.policy.is_uniform()
    assert found.held == ()
    assert found.valuations["new"].reason == "fewer than 100 exposures"


def test_form() -> None:
    seen, _ = simulate(BETTER, 6000)
    policy = learn_agent(seen)
    assert form_gate(policy, {("point-1", "decision-1"): ARMS}).passed
    assert "no rows for d" in form_gate(policy, {("point-1", "decision-1"): (*ARMS, "d")}).detail
    for weight in ([0.5, 0.5, 0.1], [-0.1, 1.0, 0.1], [np.nan, 0.5, 0.5]):
        bad = AgentPolicy((replace(policy.points[0], weight=np.array([weight])),))
        assert not form_gate(bad, {}).passed, weight


def test_gates_say_why_nothing_could_be_valued() -> None:
    seen, log = simulate(BETTER, 6000)
    policy = learn_agent(seen)
    refused = estimate(
        replace(log, probability=np.full(6000, np.nan)), targets.uniform(log.contexts), np.zeros((1, 2, 3))
    )
    evidence = Evidence(policy, {}, 6000, {}, CALM, refused, refused, refused, refused)
    assert [(one.gate, one.passed) for one in judge(evidence)] == [
        ("G1", True), ("G2", False), ("G3", False), ("G4", False), ("G5", True), ("G6", True),
    ]  # fmt: skip
    assert all("probability missing" in one.detail for one in judge(evidence)[1:4])


def test_targets_are_the_one_formula() -> None:
    """The vectorized q is that of a single decision, for any candidates and any level of rows."""
    rng = np.random.default_rng(8)
    keys = [(ANY, ANY), ("s", ANY), ("s", "z")]
    policy = from_weights("point-1", "decision-1", ("a", "b", "c", "d"), 1, keys, rng.dirichlet(np.ones(4), 3))
    policy.weight[1, 2:] = 0.0
    cases = [(s, p, mask) for s in ("s", "t") for p in ("", "z") for mask in range(1, 16)]
    candidates = np.array([[bool(mask >> k & 1) for k in range(4)] for _, _, mask in cases])
    where = Contexts(
        np.zeros(len(cases), dtype=np.int64), tuple(s for s, _, _ in cases), tuple(p for _, p, _ in cases), candidates
    )
    found = targets.exploit(where, [policy])
    for row, (segment, pattern, _) in enumerate(cases):
        key = next(key for key in ((segment, pattern), (segment, ANY), (ANY, ANY)) if key in keys)
        arms = [arm for arm, able in zip(policy.arms, candidates[row], strict=True) if able]
        weights = dict(zip(policy.arms, policy.weight[keys.index(key)].tolist(), strict=True))
        assert found[row][candidates[row]].tolist() == pytest.approx(floored(exploit_shares(arms, weights)))
        assert not found[row][~candidates[row]].any()
    nobody = targets.exploit(where, [None])
    assert nobody == pytest.approx(targets.uniform(where))
    default = targets.always_default(where, [simulate(BETTER, 10)[0].points[0]])
    assert default.sum(axis=1).tolist() == [1.0] * len(cases)
    assert (default.argmax(axis=1) == candidates.argmax(axis=1)).all()


def test_placebos_reject_as_often_as_they_should() -> None:
    """Honest exposures pass; counted twice each (a join that fans out), they do not (10.7)."""
    rng = np.random.default_rng(6)
    x = (rng.random(4000) < 0.1).astype(np.float64)
    label = rng.integers(0, 2, (PLACEBOS, 4000))

    def share(times: int) -> float:
        n1, s1 = label.sum(axis=1) * times, (label @ x) * times
        count, total = np.column_stack([n1, times * 4000 - n1]), np.column_stack([s1, times * x.sum() - s1])
        return placebo_share(count, total, total)

    assert Placebo(4000, share(1)).passed
    assert not Placebo(8000, share(2)).passed
    assert share(2) > 0.12


def test_placebos_of_nothing_find_nothing() -> None:
    zeros = np.zeros((PLACEBOS, 2))
    assert placebo_share(zeros, zeros, zeros) == 0.0
    assert placebo_share(zeros + 5, zeros + 5, zeros + 5) == 0.0
