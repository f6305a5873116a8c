"""What an account of the retention dialect configured, as far as a night goes by it (retention contract, sections 4, 11
and 15).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

JOB_NAMES = {"rec": "recommendations", "churn": "churn-prediction", "rfm": "rfm-analysis"}
"""Algorithms as webhooks and job records name them, by the short name of configurations."""


@dataclass(frozen=True, slots=True)
class Algorithm:
    """Configuration of ``rec`` or ``churn``, whole. The stop list and the flag are of ``rec`` alone."""

    profile_features: tuple[str, ...] = ()
    recommend_interacted_items: bool = False
    item_stop_list: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Element:
    """One element of a segment's sequence: an event matches when the types are equal and every property given, too.

    ``properties`` maps a name to the canonical text of its value.
    """

    event_type: str
    action: bool
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment as defined; ``days`` is 0 for a live one. ``property_name`` is set for past 3 and 4 only."""

    segment_id: str
    name: str
    kind: str
    sub_type: int
    days: int
    elements: tuple[Element, ...]
    property_name: str = ""
    property_value: str = ""
    created_at: str = ""
    definition: Mapping[str, Any] = field(default_factory=dict)

    @property
    def past(self) -> bool:
        return self.kind == "past"


@dataclass(frozen=True, slots=True)
class Account:
    """All of it. ``configured`` is false where nothing of the dialect was ever set: the settings then decide alone."""

    configured: bool = False
    rec: Algorithm | None = None
    churn: Algorithm | None = None
    authenticated_id_key: str = ""
    segments: tuple[Segment, ...] = ()

    @property
    def past_segments(self) -> tuple[Segment, ...]:
        return tuple(one for one in self.segments if one.past)
