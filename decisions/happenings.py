"""What is kept of calls: bodies of decision, goal and session events (2). Times are microseconds since 1970."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from decisions.decide import Told
from decisions.epochs import SessionState

DECISIONS, GOALS, SESSIONS = "decisions", "goals", "decision_sessions"
API = "api"
"""The source of what came as a call."""

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stamp:
    """What every event says: its id, whose it is and when. ``at`` is the event's time, ``received`` that of the call,
    both in seconds since 1970; ``given``: the call said when.
    """

    event_id: str
    owner: str
    agent: str
    session: str
    epoch: int | None
    at: float
    received: float
    given: bool = False

    def body(self) -> Body:
        """Members that every event has."""
        return {
            "event_id": self.event_id, "owner": self.owner, "agent": self.agent, "session": self.session,
            "epoch": self.epoch, "ts": micros(self.at), "received_ts": micros(self.received), "ts_given": self.given,
        }


def micros(seconds: float) -> int:
    """Microseconds since 1970."""
    return round(seconds * 1_000_000)


def decision_event(stamp: Stamp, point: str, told: Told, state: SessionState, *, live: bool) -> Body:
    """One answer of an agent; ``state``: the session with the context of the call."""
    draw = told.draw
    return {
        **stamp.body(), "point": point, "decision_set": draw.decision_set, "arm": draw.arm,
        "candidates": draw.candidates, "probs": draw.probs, "probability": draw.probability, "policy": told.policy,
        "requested": draw.requested, "version": draw.version, "backoff": draw.backoff, "sticky": told.sticky,
        "status": draw.status, "live": live, "segment": state.segment, "features": dict(sorted(state.features.items())),
        "pattern": draw.pattern, "seq": draw.seq, "source": API, "propensity_assumed": False,
    }


def goal_event(stamp: Stamp, goal: str, sent: float, accepted: float, reason: str) -> Body:
    """One call of a goal, accepted or not."""
    return {
        **stamp.body(), "goal": goal, "reward_sent": sent, "reward_accepted": accepted, "reason": reason, "source": API,
    }


def session_event(stamp: Stamp, kind: str, segment: str, features: Mapping[str, float]) -> Body:
    """One call that stored features (``features``) or ended an epoch (``expire``)."""
    return {**stamp.body(), "kind": kind, "segment": segment, "features": dict(sorted(features.items()))}
