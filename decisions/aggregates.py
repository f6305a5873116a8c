"""Sums over exposures and sessions that reports are made of (decision contract, sections 8.6 and 10)."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import NamedTuple

ALL = "(none)"
"""The feature under which every exposure counts; in reports also the segment of all visitors."""


class Aggregate(NamedTuple):
    """Exposures of one (point, date, policy, arm, segment, feature, goal or None): their number, and sums of the
    credited values, of their squares, of goal events and of the squares of goal events per exposure. Rows of a goal
    tell only what that goal brought; how many exposures there were is told by the rows without a goal.
    """

    point: str
    date: date
    policy: str
    arm: str
    segment: str
    feature: str
    goal: str | None
    n: int
    val: float
    val_sq: float
    goals: int
    goals_sq: int


class SessionDay(NamedTuple):
    """Sessions (epochs) whose first decision fell on ``date``, by the policy of their first exposure (None: without
    any), with the goals accepted in them and their value, whenever these came.
    """

    date: date
    policy: str | None
    sessions: int
    goals: int
    value: float


class FeatureSums(NamedTuple):
    """Exposures of an arm with a feature (``(none)``: all): their number, and sums of w, w^2, w x and w x^2 (8.2)."""

    feature: str
    arm: str
    exposures: int
    w: float
    w2: float
    s1: float
    s2: float


def epoch(day: date) -> int:
    """Epoch seconds of a day's beginning, UTC."""
    return int(datetime.combine(day, time(), UTC).timestamp())
