"""Which goals count (5): every reason, in the order in which they are given, and what a session keeps of a goal."""

from __future__ import annotations

from dataclasses import replace

import pytest

from decisions.agent import Agent, Goal, Settings
from decisions.epochs import Reached, SessionState
from decisions.rewards import REASONS, SAME, earned, sent

AGENT = Agent("agent", "owner", settings=Settings(timeout=100))
DECIDED = SessionState(1, 0.0, 0.0, decided=True)
SALE = Goal("sale", min=-5.0, max=10.0, limit=2)


@pytest.mark.parametrize(
    ("reason", "agent", "goal", "state", "reward", "at"),
    [
        ("unknown_agent", None, SALE, DECIDED, 1.0, 1.0),
        ("stopped", replace(AGENT, status="stopped"), SALE, None, 1.0, 1.0),
        ("no_session", AGENT, SALE, None, 1.0, 1.0),
        ("ended", AGENT, SALE, DECIDED.over(1.0), 1.0, 2.0),
        ("timed_out", AGENT, SALE, DECIDED, 1.0, 100.5),
        ("no_decision", AGENT, SALE, replace(DECIDED, decided=False), 11.0, 1.0),
        ("not_positive", AGENT, Goal("sale"), DECIDED, 0.0, 1.0),
        ("not_positive", AGENT, Goal("sale", min=0.0), DECIDED, -1.0, 1.0),
        ("above_max", AGENT, SALE, DECIDED, 10.5, 1.0),
        ("below_min", AGENT, SALE, DECIDED, -5.5, 1.0),
        ("limit", AGENT, SALE, replace(DECIDED, goals={"sale": Reached(2)}), 1.0, 1.0),
        ("duplicate", AGENT, SALE, replace(DECIDED, goals={"sale": Reached(1, ((1.0, 0.5),))}), 1.0, 0.5 + SAME),
        ("", AGENT, SALE, replace(DECIDED, goals={"sale": Reached(1, ((1.0, 0.5),))}), 1.0, 0.75 + SAME),
        ("", AGENT, SALE, replace(DECIDED, goals={"sale": Reached(1, ((1.0, 0.5),))}), 2.0, 0.5),
        ("", AGENT, replace(SALE, limit=0), replace(DECIDED, goals={"sale": Reached(9)}), 1.0, 1.0),
        ("", AGENT, SALE, DECIDED, -5.0, 100.0),
        ("", AGENT, SALE, DECIDED, 10.0, -3.0),
    ],
)
def test_why_a_goal_counts_or_not(
    reason: str, agent: Agent | None, goal: Goal, state: SessionState | None, reward: float, at: float
) -> None:
    told = earned(agent, goal, state, reward, at)
    assert (told.reason, told.value) == (reason, 0.0 if reason else reward)
    before = 0 if state is None else state.goals.get("sale", Reached()).accepted
    after = 0 if told.state is None else told.state.goals.get("sale", Reached()).accepted
    assert after == (before if reason else before + 1)
    assert not reason or reason in REASONS


def test_a_goal_counts_up_to_its_limit_within_an_epoch() -> None:
    state, told = DECIDED, []
    for at in (10.0, 20.0, 30.0):
        answer = earned(AGENT, SALE, state, 1.0, at)
        assert answer.state is not None and answer.state.last == at
        state = answer.state
        told.append(answer.reason)
    assert told == ["", "", "limit"]


def test_the_reward_of_a_call_without_one() -> None:
    assert sent(None, None) == 1.0
    assert sent(Goal("sale"), None) == 1.0
    assert sent(Goal("sale", default=0.0), None) == 0.0
    assert sent(Goal("sale", default=2.5), 3.5) == 3.5
