"""Which goals are accepted (5)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from decisions.agent import Agent, Goal
from decisions.epochs import Reached, SessionState

SAME = 1.0
"""Seconds within which an equal reward is a repeat."""

Reason = str
UNKNOWN_AGENT, STOPPED, NO_SESSION, ENDED, TIMED_OUT = "unknown_agent", "stopped", "no_session", "ended", "timed_out"
NO_DECISION, NOT_POSITIVE, ABOVE, BELOW = "no_decision", "not_positive", "above_max", "below_min"
USED_UP, DUPLICATE = "limit", "duplicate"
REASONS = (
    UNKNOWN_AGENT, STOPPED, NO_SESSION, ENDED, TIMED_OUT, NO_DECISION, NOT_POSITIVE, ABOVE, BELOW, USED_UP, DUPLICATE
)


@dataclass(frozen=True, slots=True)
class Earned:
    """What a goal call comes to: the accepted value, why it is 0 (empty: it is accepted), and the session after it."""

    value: float
    reason: Reason
    state: SessionState | None


def sent(goal: Goal | None, reward: float | None) -> float:
    """The reward of a call; without one the goal's default, else 1."""
    if reward is not None:
        return reward
    return goal.default if goal is not None and goal.default is not None else 1.0


def earned(agent: Agent | None, goal: Goal, state: SessionState | None, reward: float, at: float) -> Earned:
    """Accept a reward or say why not. An open epoch is alive at ``at`` afterwards; a goal opens none."""
    open_now = agent is not None and state is not None and state.is_open(at, agent.settings.timeout)
    after = state.seen(at) if open_now and state is not None else state
    reason = _refused(agent, goal, state, reward, at)
    if reason or after is None:
        return Earned(0.0, reason, after)
    before = after.goals.get(goal.code, Reached())
    recent = tuple((value, when) for value, when in before.recent if abs(at - when) <= SAME)
    reached = Reached(before.accepted + 1, (*recent, (reward, at)) if goal.limit != 1 else ())
    return Earned(reward, "", replace(after, goals={**after.goals, goal.code: reached}))


def _refused(agent: Agent | None, goal: Goal, state: SessionState | None, reward: float, at: float) -> Reason:
    if agent is None:
        return UNKNOWN_AGENT
    if agent.status == "stopped":
        return STOPPED
    if state is None:
        return NO_SESSION
    if not state.is_open(at, agent.settings.timeout):
        return ENDED if state.ended else TIMED_OUT
    if not state.decided:
        return NO_DECISION
    return _out_of_bounds(goal, reward) or _repeated(goal, state.goals.get(goal.code), reward, at)


def _out_of_bounds(goal: Goal, reward: float) -> Reason:
    if reward <= 0 and not (goal.min is not None and goal.min < 0):
        return NOT_POSITIVE
    if goal.max is not None and reward > goal.max:
        return ABOVE
    return BELOW if goal.min is not None and reward < goal.min else ""


def _repeated(goal: Goal, reached: Reached | None, reward: float, at: float) -> Reason:
    if reached is None:
        return ""
    if goal.limit and reached.accepted >= goal.limit:
        return USED_UP
    same = any(value == reward and abs(at - when) <= SAME for value, when in reached.recent)
    return DUPLICATE if same else ""
