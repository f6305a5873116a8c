"""What one event does to one tag of a live segment (retention contract, section 11.2). Times are naive UTC."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from contracts.account import Element, Segment
from contracts.canonical_text import canonical_text


@dataclass(frozen=True, slots=True)
class LiveSegment:
    """A live segment: of sub-type 1 without ``inaction``, else its action is to be followed by it within ``window``."""

    segment_id: str
    name: str
    action: Element
    inaction: Element | None = None
    window: timedelta = timedelta(0)

    @property
    def event_types(self) -> frozenset[str]:
        """Types of the events that it looks at."""
        return frozenset(one.event_type for one in (self.action, self.inaction) if one is not None)


@dataclass(frozen=True, slots=True)
class Happened:
    """An event, as far as segments look at it. ``at`` is its own time, not that of its arrival."""

    profile_id: str
    event_type: str
    at: datetime
    properties: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Tag:
    """A profile's tag while it is ``pending`` (its ``due_at`` is the last moment to end the episode) or ``active``
    (since ``created_at``). A tag that is neither is None.
    """

    status: Literal["pending", "active"]
    opened_at: datetime
    due_at: datetime | None
    created_at: datetime | None
    last_match_at: datetime

    @property
    def active(self) -> bool:
        return self.status == "active"


def live_segment(segment: Segment) -> LiveSegment:
    """The live segment of a stored definition, which was checked when it was stored."""
    first = segment.elements[0]
    if segment.sub_type == 1:
        return LiveSegment(segment.segment_id, segment.name, first)
    minutes = int(segment.definition["event_sequence"][0]["exp_timeframe"])
    window = timedelta(minutes=minutes)
    return LiveSegment(segment.segment_id, segment.name, first, segment.elements[1], window)


def matches(element: Element, event_type: str, properties: Mapping[str, Any]) -> bool:
    """Whether an event has the element's type and every property it gives, equal by canonical text."""
    if event_type != element.event_type:
        return False
    return all(
        properties.get(name) is not None and canonical_text(properties[name]) == value
        for name, value in element.properties.items()
    )


def expired(tag: Tag, now: datetime, ttl: timedelta) -> bool:
    """Whether an active tag of sub-type 1 has ended; ``ttl`` 0: it never does."""
    return bool(ttl) and tag.last_match_at + ttl <= now


def after_match(tag: Tag | None, at: datetime, now: datetime, ttl: timedelta) -> Tag:
    """Sub-type 1: the tag after an event at ``at`` that matched and arrived at ``now``. A new one has ``created_at``
    equal to ``now``.
    """
    if tag is not None and not expired(tag, now, ttl):
        return replace(tag, last_match_at=max(at, tag.last_match_at))
    return Tag("active", at, None, now, at)


def after_inaction(tag: Tag | None, at: datetime) -> Tag | None:
    """Sub-type 2: an event that matches the inaction ends an episode within its window, and an active tag always."""
    if tag is None or tag.active:
        return None
    assert tag.due_at is not None
    return None if tag.opened_at <= at <= tag.due_at else tag


def after_action(segment: LiveSegment, tag: Tag | None, at: datetime, inactions: Collection[datetime]) -> Tag | None:
    """Sub-type 2: an action opens an episode, unless one is open or the event that ends it has arrived already.

    ``inactions``: times of the profile's events that match the inaction.
    """
    if tag is not None:
        return tag
    due_at = at + segment.window
    if any(at <= ended <= due_at for ended in inactions):
        return None
    return Tag("pending", at, due_at, None, at)


def after_deadline(tag: Tag, now: datetime) -> Tag:
    """A pending tag that nothing ended becomes active."""
    return replace(tag, status="active", due_at=None, created_at=now)
