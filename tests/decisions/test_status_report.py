"""The status report gives the known answer of the contract (10.1)."""

from __future__ import annotations

from datetime import date

import pytest

from decisions.aggregates import SessionDay, epoch
from decisions.status_report import LIFTS, report

DAY, NEXT = date(2026, 3, 1), date(2026, 3, 2)
KNOWN = [
    SessionDay(DAY, "control", 5, 3, 3.0),
    SessionDay(DAY, "explore", 5, 2, 2.0),
    SessionDay(DAY, "exploit", 12, 9, 9.0),
]


def test_known_answer() -> None:
    found = report(KNOWN, DAY, DAY)
    day = found["dates"][0]
    assert (day["sessionCount"], day["goalCount"]) == (22, 14)
    assert day["goalsPerSession"] == pytest.approx(0.636364, abs=5e-7)
    assert day["liftOverDefaultUsingGoals"] == pytest.approx(0.25, abs=1e-12)
    assert day["liftOverRandomUsingGoals"] == pytest.approx(0.875, abs=1e-12)
    assert (day["liftOverDefault"], day["liftOverRandom"]) == (25.0, 87.5)
    assert found["totals"] == {
        "goals": {"count": 14, "dateFrom": epoch(DAY), "dateThru": epoch(DAY)},
        "sessions": {"count": 22, "dateFrom": epoch(DAY), "dateThru": epoch(DAY)},
    }
    assert found["today"] == day
    assert "22 sessions and 14 goals" in found["described"]


def test_value_and_goals_are_lifted_apart() -> None:
    rows = [SessionDay(DAY, "control", 4, 2, 10.0), SessionDay(DAY, "exploit", 4, 2, 30.0)]
    day = report(rows, DAY, DAY)["dates"][0]
    assert (day["liftOverDefaultUsingGoals"], day["liftOverDefaultUsingValue"]) == (0.0, 2.0)
    assert (day["valuePerSession"], day["valuePerGoal"], day["liftOverDefault"]) == (5.0, 10.0, 200.0)


def test_lifts_to_date_add_up_the_days_of_the_reply() -> None:
    rows = [
        SessionDay(date(2026, 2, 1), "exploit", 1000, 1000, 1000.0),
        *KNOWN,
        SessionDay(NEXT, "control", 5, 1, 1.0),
        SessionDay(NEXT, "exploit", 8, 7, 7.0),
        SessionDay(NEXT, None, 3, 0, 0.0),
    ]
    first, second = report(rows, DAY, NEXT)["dates"]
    assert first["liftOverDefaultUsingGoalsToDate"] == first["liftOverDefaultUsingGoals"]
    assert second["liftOverDefaultUsingGoalsToDate"] == pytest.approx((16 / 20) / (4 / 10) - 1)
    assert second["sessionCount"] == 16
    assert second["liftOverRandomUsingGoals"] == 0.0, "nobody explored that day"
    assert second["liftOverRandomUsingGoalsToDate"] == pytest.approx((16 / 20) / (2 / 5) - 1)


def test_trends_hold_every_metric_by_column() -> None:
    found = report(KNOWN, DAY, NEXT)
    assert found["trends"]["dates"] == [epoch(DAY), epoch(NEXT)]
    assert found["trends"]["sessionCount"] == [22, 0]
    assert set(found["trends"]) == {"dates", *(name for name in found["dates"][0] if name != "date")}
    assert {f"{name}{suffix}" for name in LIFTS for suffix in ("", "ToDate")} <= set(found["trends"])


def test_an_empty_agent_is_all_zeros() -> None:
    found = report([], DAY, NEXT)
    assert set(found["today"].values()) == {0, epoch(NEXT)}
    assert found["totals"]["goals"] == {"count": 0, "dateFrom": 0, "dateThru": 0}
