"""An agent from its configuration document and back."""

from __future__ import annotations

from decisions.agent import Choice, from_document, to_document

DOCUMENT = {
    "code": "agent-1", "owner": "o", "name": "Agent 1", "created": 1344607999, "ts": 1433838624, "status": "enabled",
    "aa": False, "mood": "kept",
    "goals": [{"code": "goal-1", "name": "Goal", "settings": {"min": 1, "max": 3, "default": 1, "limit": 1, "x": 2}}],
    "points": [{"code": "point-1", "fixedTargeting": [{"feature": "vip", "decision": "decision-1:b"}], "decisions": [{
        "code": "decision-1", "pausedChoice": "b", "y": [1], "choices": [{"code": "a", "meta": {"k": "v"}, "z": 0},
                                                                      {"code": "b"}],
    }]}],
    "learning": {"explorationRate": 0.3, "controlGroupRate": 0.0, "windowDays": 30, "rewardModel": "valued"},
    "settings": {
        "sessions": {"sticky": False, "timeout": 60, "visitLen": 1, "w": 1}, "cookies": {"enabled": False, "v": 1},
        "allowUndo": True, "u": 1,
    },
    "targeting": {"segments": ["s"], "features": ["f"], "t": 1},
}


def test_a_document_comes_back_whole() -> None:
    assert to_document(from_document(DOCUMENT)) == DOCUMENT


def test_what_is_not_said_has_the_defaults_of_the_contract() -> None:
    agent = from_document({"code": "a", "owner": "o"})
    told = to_document(agent)
    assert told["learning"] == {
        "explorationRate": 0.2, "controlGroupRate": 0.1, "windowDays": 90, "rewardModel": "auto",
    }
    assert told["settings"] == {
        "sessions": {"sticky": True, "timeout": 1081800, "visitLen": 14400}, "cookies": {"enabled": True},
        "allowUndo": False,
    }


def test_things_are_found_by_their_codes() -> None:
    agent = from_document(DOCUMENT)
    point = agent.point("point-1")
    assert point is not None and agent.point("point-2") is None
    decision = point.decision("decision-1")
    assert decision is not None and decision.codes() == ("a", "b")
    assert decision.choice("a") == Choice("a", meta={"k": "v"}, more={"z": 0})
    goal = agent.goal("goal-1")
    assert goal is not None and (goal.min, goal.max, goal.default, goal.limit) == (1, 3, 1, 1)
