"""The targeting-features report (10.3): the example of the contract, and what makes a feature worth something."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from scipy.stats import beta

from decisions.aggregates import ALL, FeatureSums
from decisions.posterior import Betas, Moments, binary_posterior, valued_posterior
from decisions.targeting_report import Question, decision_value, report, scores, stability

QUESTION = Question("home", date(2026, 3, 1), date(2026, 3, 2), {"decision-1:a": "A", "decision-1:b": ""}, binary=True)


def sums(feature: str, arm: str, n: int, won: int) -> FeatureSums:
    return FeatureSums(feature, f"decision-1:{arm}", n, float(n), float(n), float(won), float(won))


def test_the_value_of_the_example() -> None:
    # Of numbers that are printed rounded themselves.
    assert decision_value(0.941176, [0.206626, 0.026226]) == pytest.approx(0.169789, abs=1.5e-6)
    assert decision_value(0.5, [0.1, 0.4, 0.3]) == pytest.approx(0.5 * (0.4 - 0.2))


def test_scores_are_shrunken_to_the_agent() -> None:
    within = Moments(np.array([300.0, 0.0]), np.array([0.2, 0.0]), np.array([0.16, 0.0]))
    assert scores(within, np.array([0.1, 0.05])).tolist() == pytest.approx([(60 + 10) / 400, 0.05])


def test_a_feature_that_matters_comes_first() -> None:
    rows = [
        sums(ALL, "a", 2000, 200), sums(ALL, "b", 2000, 200),
        sums("vip", "a", 900, 30), sums("vip", "b", 900, 150),
        sums("seen", "a", 1000, 100), sums("seen", "b", 1000, 100),
        sums("seen", "gone", 10, 10),
    ]  # fmt: skip
    data = report(QUESTION, rows)["data"]
    assert [item["feature"] for item in data["items"]] == ["vip", "seen"]
    vip, dull = data["items"]
    assert (vip["decisions"], vip["percentTraffic"]) == (1800, 0.45)
    assert [choice["count"] for choice in vip["choices"]] == [900, 900]
    assert [choice["label"] for choice in vip["choices"]] == ["A", "decision-1:b"]
    assert vip["averageResponseValue"] == pytest.approx(sum(choice["score"] for choice in vip["choices"]) / 2)
    assert vip["stability"] > 99.9
    assert vip["stabilityLevel"] == 5
    assert dull["stability"] == pytest.approx(0, abs=0.1)
    assert dull["stabilityLevel"] == 0
    assert data["totals"]["decisions"] == 4000


def test_stability_is_the_chance_that_the_best_is_best() -> None:
    agent = binary_posterior(Moments(np.array([1000.0, 1000.0]), np.array([0.1, 0.1]), np.array([0.09, 0.09])))
    within = Moments(np.array([200.0, 200.0]), np.array([0.1, 0.15]), np.array([0.09, 0.12]))
    a, b = 100 * agent.mean + [20, 30], 100 * (1 - agent.mean) + [180, 170]
    t = np.linspace(0, 1, 200_001)
    best = float(np.sum(beta.pdf(t, a[1], b[1]) * beta.cdf(t, a[0], b[0])) / 200_000)
    assert isinstance(agent, Betas)
    assert stability(within, agent) == pytest.approx(100 * (best - 0.5) / 0.5, abs=0.02)


def test_valued_rewards_and_rewards_that_never_vary() -> None:
    varied = Moments(np.array([100.0, 100.0]), np.array([1.0, 2.0]), np.array([4.0, 4.0]))
    assert 0 <= stability(varied, valued_posterior(varied)) <= 100
    same = Moments(np.array([100.0, 100.0]), np.array([1.0, 1.0]), np.array([0.0, 0.0]))
    assert stability(same, valued_posterior(same)) == 0.0


def test_an_agent_without_exposures_has_no_items() -> None:
    data = report(QUESTION, [])["data"]
    assert (data["items"], data["totals"]["decisions"]) == ([], 0)
