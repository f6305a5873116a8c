"""What a call creates: agents, points, decisions, choices, goals and segments that were not there yet (4.2.1), within
the caps (1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from decisions.agent import Agent, Choice, Decision, Goal, Point
from decisions.codes import NO_SEGMENT, BadCall

AGENTS, POINTS, GOALS, SEGMENTS, DECISIONS, CHOICES = 500, 20, 50, 200, 10, 100

FIRST_POINT, FIRST_DECISION, FIRST_GOAL = "point-1", "decision-1", "goal-1"
VANILLA = ("a", "b")


def new_agent(owner: str, code: str, at: int, agents: int) -> Agent:
    """An agent that decides for the first time. ``at``: seconds since 1970; ``agents``: how many the owner has.

    Raises BadCall.
    """
    if agents >= AGENTS:
        raise BadCall(f"{owner} has {AGENTS} agents already")
    return Agent(code, owner, code, at, at, goals=(Goal(FIRST_GOAL),))


def first_point(agent: Agent | None) -> str:
    """The point of a call that names none."""
    return agent.points[0].code if agent is not None and agent.points else FIRST_POINT


def first_goal(agent: Agent | None) -> str:
    """The goal of a call that names none."""
    return agent.goals[0].code if agent is not None and agent.goals else FIRST_GOAL


def with_choices(agent: Agent, point: str, asked: Mapping[str, Sequence[str]]) -> Agent:
    """The agent with the decisions and choices that are asked for, the same object when it has them all: new ones come
    after those stored. Without choices a decision that is new gets ``a`` and ``b``. Raises BadCall above a cap.
    """
    known = agent.point(point)
    if known is None:
        if len(agent.points) >= POINTS:
            raise BadCall(f"agent {agent.code} has {POINTS} points already")
        known = Point(point, ())
    decisions = {decision.code: decision for decision in known.decisions}
    wanted = asked or ({FIRST_DECISION: ()} if not decisions else {})
    for code, choices in wanted.items():
        decision = decisions.get(code, Decision(code, ()))
        decisions[code] = _with_choices(decision, choices or (() if decision.choices else VANILLA), point)
    if len(decisions) > DECISIONS:
        raise BadCall(f"point {point} of agent {agent.code} would have more than {DECISIONS} decisions")
    grown = tuple(decisions.values())
    if len(grown) == len(known.decisions) and all(map(_same, grown, known.decisions)):
        return agent
    made = replace(known, decisions=grown)
    points = tuple(made if one.code == point else one for one in agent.points)
    return replace(agent, points=points if agent.point(point) is not None else (*points, made))


def _same(one: Decision, other: Decision) -> bool:
    return one is other


def _with_choices(decision: Decision, choices: Sequence[str], point: str) -> Decision:
    stored = set(decision.codes())
    new = tuple(Choice(code) for code in choices if code not in stored)
    if not new:
        return decision
    if len(stored) + len(new) > CHOICES:
        raise BadCall(f"decision {decision.code} of point {point} would have more than {CHOICES} choices")
    return replace(decision, choices=(*decision.choices, *new))


def with_goal(agent: Agent, goal: str) -> Agent:
    """The agent with a goal, the same object when it has it. Raises BadCall above the cap."""
    if agent.goal(goal) is not None:
        return agent
    if len(agent.goals) >= GOALS:
        raise BadCall(f"agent {agent.code} has {GOALS} goals already")
    return replace(agent, goals=(*agent.goals, Goal(goal)))


def with_segment(agent: Agent, segment: str) -> tuple[Agent, str]:
    """The agent with a segment, and what the segment counts as: ``(none)`` beyond the cap."""
    known = agent.targeting.segments
    if segment == NO_SEGMENT or segment in known:
        return agent, segment
    if len(known) >= SEGMENTS:
        return agent, NO_SEGMENT
    return replace(agent, targeting=replace(agent.targeting, segments=(*known, segment))), segment
