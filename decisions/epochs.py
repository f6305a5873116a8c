"""What is known of one session of one agent: its epoch, context, choices, draws and goals (2, 6). Times are seconds
since 1970."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from decisions.codes import NO_SEGMENT


@dataclass(frozen=True, slots=True)
class Draw:
    """One draw of an epoch, as its event tells it. ``status``: ``ok``, or ``p`` while it is provisional.

    ``candidates`` and ``probs`` are empty where there were too many arms to list.
    """

    decision_set: str
    arm: str
    candidates: tuple[str, ...]
    probs: tuple[float, ...]
    probability: float
    policy: str
    requested: str
    version: str
    backoff: str
    pattern: str
    seq: int
    status: str = "ok"


@dataclass(frozen=True, slots=True)
class Kept:
    """The choice of one decision, and the number of the draw that it comes from."""

    choice: str
    draw: int


@dataclass(frozen=True, slots=True)
class Reached:
    """One goal of an epoch: how often it was accepted, and the rewards of the last second (reward, time)."""

    accepted: int = 0
    recent: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class SessionState:
    """One session. ``last``: its newest call; ``decided``: a decision of the epoch counts; ``seqs``: draws so far by
    point and decision set. An ended epoch has nothing but its number and times.
    """

    epoch: int
    opened: float
    last: float
    ended: bool = False
    decided: bool = False
    segment: str = NO_SEGMENT
    features: Mapping[str, float] = field(default_factory=dict)
    choices: Mapping[str, Mapping[str, Kept]] = field(default_factory=dict)
    draws: Mapping[str, tuple[Draw, ...]] = field(default_factory=dict)
    seqs: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    goals: Mapping[str, Reached] = field(default_factory=dict)

    def is_open(self, at: float, timeout: float) -> bool:
        """Whether the epoch lives at a moment."""
        return not self.ended and at - self.last <= timeout

    def seen(self, at: float) -> SessionState:
        """After a call; an earlier one leaves the clock where it is."""
        return replace(self, last=at) if at > self.last else self

    def over(self, at: float) -> SessionState:
        """After the epoch was ended."""
        return SessionState(self.epoch, self.opened, max(self.last, at), ended=True)


def opened(before: SessionState | None, at: float, timeout: float) -> SessionState:
    """The session's open epoch: the one that lives, or a new one; its number is the time in milliseconds, and higher
    than any before.
    """
    if before is not None and before.is_open(at, timeout):
        return before.seen(at)
    number = int(at * 1000)
    return SessionState(number if before is None else max(number, before.epoch + 1), at, at)


def to_body(state: SessionState) -> dict[str, Any]:
    """What is stored of a session beside its epoch and times; None values and empty parts are left out."""
    parts: dict[str, Any] = {
        "decided": state.decided, "segment": "" if state.segment == NO_SEGMENT else state.segment,
        "features": dict(state.features),
        "choices": {
            point: {name: [one.choice, one.draw] for name, one in found.items()}
            for point, found in state.choices.items()
        },
        "draws": {point: [_of_draw(one) for one in found] for point, found in state.draws.items()},
        "seqs": {point: dict(found) for point, found in state.seqs.items()},
        "goals": {goal: [one.accepted, one.recent] for goal, one in state.goals.items()},
    }
    return {name: part for name, part in parts.items() if part}


def from_body(epoch: int, opened_at: float, last: float, ended: bool, body: Mapping[str, Any]) -> SessionState:
    """A session as it was stored."""
    return SessionState(
        epoch, opened_at, last, ended, body.get("decided", False), body.get("segment", NO_SEGMENT),
        body.get("features", {}),
        {
            point: {name: Kept(choice, draw) for name, (choice, draw) in found.items()}
            for point, found in body.get("choices", {}).items()
        },
        {point: tuple(_draw(one) for one in found) for point, found in body.get("draws", {}).items()},
        body.get("seqs", {}),
        {
            goal: Reached(accepted, tuple((reward, at) for reward, at in recent))
            for goal, (accepted, recent) in body.get("goals", {}).items()
        },
    )


def _of_draw(draw: Draw) -> list[Any]:
    return [
        draw.decision_set, draw.arm, draw.candidates, draw.probs, draw.probability, draw.policy, draw.requested,
        draw.version, draw.backoff, draw.pattern, draw.seq, draw.status,
    ]


def _draw(found: list[Any]) -> Draw:
    return Draw(found[0], found[1], tuple(found[2]), tuple(found[3]), *found[4:])
