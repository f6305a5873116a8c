"""The confidence report gives the known answers of the contract (10.2, 10.4), from the same sums."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from decisions import always_valid
from decisions.aggregates import ALL, Aggregate
from decisions.confidence import Question, Sums, compare, lift, report

DAY = date(2026, 3, 1)
ARMS = {"decision-1:a": "A", "decision-1:b": "B", "decision-1:c": "", "decision-1:d": "", "decision-1:e": ""}
SEEN = dict(zip(ARMS, [(5429, 5), (4990, 19), (5372, 8), (5264, 39), (4932, 14)], strict=True))
QUESTION = Question("acme", "home", "point-1", DAY, DAY, ARMS, "decision-1:a")

ROWS = [
    # vMean, bLo, bHi, tScore, dgFree, pValue, confidence, level, lift.default, lift.random
    (0.00092098, 0.00024364, 0.00159832, 0.0, 10856, 0.5, "50.0", 0, "0.0", "-72.0"),
    (0.00380762, 0.00237312, 0.00524211, 2.993604, 7136, 0.00138324, "99.9", 5, "313.4", "15.6"),
    (0.00148920, 0.00062358, 0.00235482, 0.850494, 10184, 0.197535, "80.2", 2, "61.7", "-54.8"),
    (0.00740881, 0.00546414, 0.00935349, 5.183135, 6524, 1.1237e-07, "100.0", 5, "704.4", "125.0"),
    (0.00283860, 0.00159215, 0.00408506, 2.223871, 7666, 0.0130931, "98.7", 5, "208.2", "-13.8"),
]


def seen(arm: str, n: int, won: int, **more: Any) -> Aggregate:
    base = Aggregate("point-1", DAY, "explore", arm, ALL, ALL, None, n, float(won), float(won), won, won)
    return base._replace(**more)


def known() -> list[Aggregate]:
    return [seen(arm, n, won) for arm, (n, won) in SEEN.items()]


def test_known_answers_to_the_printed_digits() -> None:
    items = report(QUESTION, known())["data"]["items"]
    assert [item["choice"] for item in items] == list(ARMS)
    for item, row in zip(items, ROWS, strict=True):
        mean, low, high, score, freedom, p_value, confidence, level, default, random = row
        assert item["vMean"] == pytest.approx(mean, abs=6e-9)
        assert (item["bLo"], item["bHi"]) == (pytest.approx(low, abs=5e-9), pytest.approx(high, abs=5e-9))
        assert (item["tScore"], item["dgFree"]) == (pytest.approx(score, abs=5e-7), freedom)
        assert item["pValue"] == pytest.approx(p_value, rel=3e-6 if p_value > 1e-6 else 5e-5)
        assert (item["confidence"], item["confidenceLevel"]) == (confidence, level)
        assert item["lift"] == {"default": default, "random": random}
        assert item["signif"] is (p_value <= 0.05)
    assert sum(item["vMean"] for item in items) / 5 == pytest.approx(0.003293044, abs=5e-10)


def test_small_samples() -> None:
    found = compare(Sums(21, 1.0, 1.0), Sums(17), 0.95)
    assert found["vMean"] == pytest.approx(0.047619, abs=5e-7)
    assert (found["bLo"], found["bHi"]) == (pytest.approx(-0.034321, abs=5e-7), pytest.approx(0.129559, abs=5e-7))
    assert (found["tScore"], found["dgFree"]) == (pytest.approx(1), 20)
    assert found["pValue"] == pytest.approx(0.164628, abs=5e-7)
    assert (found["confidence"], found["confidenceLevel"], found["signif"]) == ("83.5", 2, False)
    reach = (found["bHi"] - found["vMean"]) / (found["stdDev"] / 21**0.5)
    assert reach == pytest.approx(1.720743, abs=5e-7)
    assert lift(1 / 21, 0.0) == "100.0"


@pytest.mark.parametrize(
    ("row", "base"), [(Sums(1, 1, 1), Sums(9, 3, 3)), (Sums(9, 3, 3), Sums(1)), (Sums(9), Sums(9)), (Sums(), Sums())]
)
def test_nothing_is_claimed_of_too_little(row: Sums, base: Sums) -> None:
    found = compare(row, base, 0.95)
    assert [found[name] for name in ("tScore", "dgFree", "pValue", "confidence", "confidenceLevel", "signif")] == [
        None, None, -1, "0.0", 0, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("mean", "base", "text"),
    [
        (0, 0, "0.0"),
        (0.2, 0, "100.0"),
        (0.2, 0.2, "0.0"),
        (0.19999, 0.2, "0.0"),
        (0.1, 0.2, "-50.0"),
        (0, 0.2, "-100.0"),
    ],
)
def test_lift_in_words(mean: float, base: float, text: str) -> None:
    assert lift(mean, base) == text


@pytest.mark.parametrize(("subjects", "multiplier"), [(1000, 3.36), (5000, 3.04), (20_000, 3.13), (100_000, 3.34)])
def test_multipliers_of_the_always_valid_interval(subjects: int, multiplier: float) -> None:
    assert always_valid.rate() == pytest.approx(0.00158723, abs=5e-9)
    assert float(always_valid.multiplier(subjects, always_valid.rate())) == pytest.approx(multiplier, abs=5e-3)


def test_always_valid_intervals_of_the_contract() -> None:
    items = report(QUESTION, known())["data"]["items"]
    won, lost = items[3], items[2]
    assert (won["avLo"], won["avHi"]) == (pytest.approx(0.002649, abs=5e-7), pytest.approx(0.010326, abs=5e-7))
    assert (lost["avLo"], lost["avHi"]) == (pytest.approx(-0.001481, abs=5e-7), pytest.approx(0.002618, abs=5e-7))
    assert (won["avSignif"], lost["avSignif"], items[0]["avSignif"]) == (True, False, False)
    assert won["vMean"] - items[0]["vMean"] == pytest.approx(0.00648783, abs=5e-9)
    error = (won["vVari"] / won["count"] + items[0]["vVari"] / items[0]["count"]) ** 0.5
    assert error == pytest.approx(0.00125172, abs=5e-9)
    assert float(always_valid.multiplier(5264 + 5429, always_valid.rate())) == pytest.approx(3.06652, abs=5e-6)


def test_always_valid_intervals_come_from_explore_rows_whatever_is_asked() -> None:
    rows = [*known(), *(seen(arm, 10_000, 9_000, policy="exploit") for arm in ARMS)]
    asked = report(replace(QUESTION, policies=("explore", "exploit")), rows)["data"]["items"][3]
    assert asked["count"] == 15_264
    assert asked["avLo"] == pytest.approx(0.002649, abs=5e-7)


def test_totals_are_of_all_policies() -> None:
    rows = [*known(), seen("decision-1:b", 10, 5, policy="exploit", val=20.0, val_sq=80.0)]
    item = report(QUESTION, rows)["data"]["items"][1]
    assert (item["count"], item["val"]) == (4990, 19.0)
    assert item["totals"] == {
        "count": 5000, "goals": 24, "val": 39.0, "goalsPerDecision": 24 / 5000, "valPerDecision": 39 / 5000,
        "valPerGoal": 39 / 24,
    }  # fmt: skip
    assert report(QUESTION, [])["data"]["items"][0]["totals"]["valPerGoal"] is None


def test_another_row_to_compare_with_comes_first() -> None:
    items = report(replace(QUESTION, default="decision-1:c"), known())["data"]["items"]
    assert [item["choice"][-1] for item in items] == ["c", "a", "b", "d", "e"]
    assert (items[0]["tScore"], items[0]["lift"]["default"]) == (0.0, "0.0")


def test_bonferroni_asks_more_of_every_row() -> None:
    plain = report(QUESTION, known())["data"]["items"]
    strict = report(replace(QUESTION, bonferroni=True), known())["data"]["items"]
    assert [item["signif"] for item in plain] == [False, True, False, True, True]
    # 1 - 0.05 / 4 = 0.9875; the last row is sure to 0.98691.
    assert [item["signif"] for item in strict] == [False, True, False, True, False]


def test_features_dates_points_and_goals_are_told_apart() -> None:
    later = date(2026, 3, 2)
    rows = [
        *known(),
        seen("decision-1:a", 7, 1, feature="vip"),
        seen("decision-1:a", 9, 2, feature="new"),
        seen("decision-1:b", 3, 1, date=later),
        seen("decision-1:b", 50, 50, date=date(2026, 4, 1)),
        seen("decision-1:b", 50, 50, point="other"),
        seen("decision-1:a", 5429, 2, goal="goal-2"),
    ]
    wide = replace(QUESTION, date_thru=later)
    totals = report(wide, rows)["data"]["items"]
    assert [(item["feature"], item["count"]) for item in totals[:2]] == [(ALL, 5429), (ALL, 4993)]
    assert len(totals) == 5
    every = report(replace(wide, features=()), rows)["data"]["items"]
    assert [item["feature"] for item in every[::5]] == [ALL, "new", "vip"]
    some = report(replace(wide, features=("vip",)), rows)["data"]["items"]
    assert [item["feature"] for item in some[::5]] == [ALL, "vip"]
    daily = report(replace(wide, aggregated=False), rows)["data"]["items"]
    assert [(item["date"], item["ts"], item["policy"]) for item in daily[::5]] == [
        ("2026-03-01", 1772323200, "explore"),
        ("2026-03-02", 1772409600, "explore"),
    ]
    assert "policy" not in totals[0]
    goal = report(replace(wide, goal="goal-2"), rows)["data"]["items"]
    assert [(item["count"], item["val"], item["goal"]) for item in goal[:2]] == [
        (5429, 2.0, "goal-2"),
        (4993, 0.0, "goal-2"),
    ]


def test_the_envelope_holds_the_extremes() -> None:
    found = report(QUESTION, known())
    assert (found["agent"], found["dateFrom"], found["dateThru"]) == ("home", "2026-03-01", "2026-03-01")
    assert (found["data"]["bLo"], found["data"]["bHi"]) == (
        pytest.approx(0.00024364, abs=5e-9), pytest.approx(0.00935349, abs=5e-9),
    )  # fmt: skip


def test_an_agent_without_exposures_has_rows_of_zeros() -> None:
    items = report(QUESTION, [])["data"]["items"]
    assert [item["count"] for item in items] == [0] * 5
    assert {item["confidence"] for item in items} == {"0.0"}
    assert items[1]["avLo"] is None


def test_a_point_without_arms_has_no_rows() -> None:
    found = report(replace(QUESTION, arms={}, default=""), known())
    assert found["data"] == {"items": [], "bLo": 0.0, "bHi": 0.0}
