"""Configuration documents: every fault at once, unknown members kept, short forms written out."""

from __future__ import annotations

from typing import Any

import pytest

from decisions.agent import from_document, to_document
from decisions.agent_check import checked
from decisions.fixed import FixedTarget

CONTRACT = {
    "code": "agent-1", "owner": "o", "name": "Agent 1", "created": 1344607999, "ts": 1433838624, "status": "enabled",
    "aa": False,
    "goals": [{"code": "goal-1", "name": "Goal", "settings": {"min": 1, "max": 3, "default": 1, "limit": 1}}],
    "points": [{"code": "point-1", "decisions": [{"code": "decision-1", "choices": [{"code": "a"}, {"code": "b"}]}]}],
    "learning": {"explorationRate": 0.2, "controlGroupRate": 0.1, "windowDays": 90, "rewardModel": "auto"},
    "settings": {
        "sessions": {"sticky": True, "timeout": 1081800, "visitLen": 14400}, "cookies": {"enabled": True},
        "allowUndo": False,
    },
    "targeting": {"segments": [], "features": []},
}


def test_the_document_of_the_contract_is_good_and_comes_back() -> None:
    found, problems = checked(CONTRACT)
    assert problems == []
    assert to_document(from_document(found)) == CONTRACT


def test_unknown_members_of_every_part_are_kept() -> None:
    document: dict[str, Any] = {
        "code": "a", "x1": [1], "goals": [{"code": "g", "x2": 1, "settings": {"x3": {}}}],
        "points": [{"code": "p", "x4": 1, "decisions": [{"code": "d", "x5": 2, "choices": [{"code": "c", "x6": 3}]}]}],
        "learning": {"x7": 1}, "settings": {"sessions": {"x8": 1}, "cookies": {"x9": 1}, "x10": 1},
        "targeting": {"x11": 1},
    }
    found, problems = checked(document)
    assert problems == []
    told = str(to_document(from_document(found)))
    assert all(f"'x{number}'" in told for number in range(1, 12))


def test_every_fault_is_told_at_once_with_its_place() -> None:
    _, problems = checked({
        "code": "a b", "status": "on", "aa": "yes", "created": -1,
        "goals": [{"code": "g", "settings": {"min": 3, "max": 1, "limit": 1.5}}, {"code": "g"}],
        "points": [{"code": "p", "decisions": [
            {"code": "d", "choices": [{"code": "a"}, {"code": "a"}, {"code": ""}], "pausedChoice": "z"},
        ], "fixedTargeting": [{"feature": "v p", "decision": "d"}]}, 7.5],
        "learning": {"explorationRate": 1.1, "controlGroupRate": -0.1, "windowDays": 0, "rewardModel": "x"},
        "settings": {"sessions": {"sticky": 1, "timeout": 59, "visitLen": -1}, "cookies": {"enabled": "no"}},
        "targeting": {"segments": ["a b"], "features": ["f", "g h"]},
    })
    assert {problem.where for problem in problems} == {
        "$.code", "$.status", "$.aa", "$.created", "$.goals[0].settings", "$.goals[0].settings.limit",
        "$.goals[1].code", "$.points[0].decisions[0].choices[1].code", "$.points[0].decisions[0].choices[2].code",
        "$.points[0].decisions[0].pausedChoice", "$.points[0].fixedTargeting[0].feature",
        "$.points[0].fixedTargeting[0].decision", "$.points[1].code", "$.learning.explorationRate",
        "$.learning.controlGroupRate", "$.learning.windowDays", "$.learning.rewardModel",
        "$.settings.sessions.sticky", "$.settings.sessions.timeout", "$.settings.sessions.visitLen",
        "$.settings.cookies.enabled", "$.targeting.segments[0]", "$.targeting.features[1]",
    }


@pytest.mark.parametrize("document", [None, 1, "a", [], [1]])
def test_what_is_no_object_is_one_fault(document: Any) -> None:
    assert [problem.where for problem in checked(document)[1]] == ["$"]


@pytest.mark.parametrize("part", ["goals", "points", "learning", "settings", "targeting"])
@pytest.mark.parametrize("value", [1, "x", True, 1.5])
def test_parts_of_the_wrong_kind_are_faults_and_never_more(part: str, value: Any) -> None:
    assert [problem.where for problem in checked({"code": "a", part: value})[1]] == [f"$.{part}"]


@pytest.mark.parametrize(("part", "most"), [("points", 20), ("goals", 50)])
def test_caps_of_an_agent(part: str, most: int) -> None:
    def of(count: int) -> dict[str, Any]:
        return {"code": "a", part: [{"code": f"c{number}"} for number in range(count)]}

    assert checked(of(most))[1] == []
    assert [problem.where for problem in checked(of(most + 1))[1]] == [f"$.{part}"]


def test_caps_within_a_point() -> None:
    choices = [{"code": str(number)} for number in range(101)]
    decisions = [{"code": f"d{number}", "choices": choices[:100]} for number in range(10)]
    assert checked({"code": "a", "points": [{"code": "p", "decisions": decisions}]})[1] == []
    more = [*decisions, {"code": "e", "choices": choices}]
    assert {problem.where for problem in checked({"code": "a", "points": [{"code": "p", "decisions": more}]})[1]} == {
        "$.points[0].decisions", "$.points[0].decisions[10].choices",
    }


def test_reserved_codes_are_refused() -> None:
    for code in ("-", "report", "agent-api", "list-agents", "transforms-list", "transforms-options", "transform-rule",
                 "schema", "create-key"):
        assert [problem.where for problem in checked({"code": code})[1]] == ["$.code"], code


def test_short_forms_are_written_out() -> None:
    found, problems = checked({
        "code": "a", "goals": ["buy"], "pausedChoice": "d1:b,c",
        "points": [{"code": "p", "decisions": [
            {"code": "d1", "choices": ["a", "b"]}, {"code": "d2", "choices": [1, "c"]},
        ]}],
    })
    assert problems == []
    agent = from_document(found)
    assert [goal.code for goal in agent.goals] == ["buy"]
    first, second = agent.points[0].decisions
    assert (first.codes(), first.paused_choice) == (("a", "b"), "b")
    assert (second.codes(), second.paused_choice) == (("1", "c"), "c")
    assert checked({"code": "a", "pausedChoice": "z", "points": []})[1][0].where == "$.pausedChoice"


def test_fixed_targets_are_part_of_a_point() -> None:
    fixed = [{"feature": "vip", "decision": "d:c"}]
    found, problems = checked({"code": "a", "points": [{"code": "p", "fixedTargeting": fixed}]})
    assert problems == []
    agent = from_document(found)
    assert agent.points[0].fixed == (FixedTarget("vip", "d", "c"),)
    assert to_document(agent)["points"][0]["fixedTargeting"] == fixed


@pytest.mark.parametrize("number", [True, "1", float("inf"), float("nan"), 10**400])
def test_numbers_that_are_none(number: Any) -> None:
    _, problems = checked({"code": "a", "learning": {"explorationRate": number}})
    assert [problem.where for problem in problems] == ["$.learning.explorationRate"]
