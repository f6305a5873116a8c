"""What a scenario lookup asks of the state it answers from: one run with everything written since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from scenarios.catalogue import Catalogue
from scenarios.graph import Graph
from scenarios.history import History
from scenarios.plan import Plan
from scenarios.spec import PropertyType, Scalar
from store.pack.read import ServingPack


@dataclass(frozen=True, slots=True)
class Person:
    """A profile, or a session, of this moment.

    ``row``: of the profile in the run, -1 without one. ``history``: of one subject, everything it met. ``seeds``: rows
    of the items it met, newest first, each with the weight of how (the weight of the event's type, or a rating / 10);
    may be left empty for a profile with a list of its own. ``touched``: something was written about it since the run.
    """

    row: int
    history: History
    seeds: tuple[tuple[int, float], ...] = ()
    n_ratings: int = 0
    n_interactions: int = 0
    properties: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict)
    touched: bool = True


@dataclass(frozen=True, slots=True)
class Met:
    """One interaction or rating that a request brings along. ``at``: Unix seconds; ``rating`` for a rating."""

    item_id: str
    event_type: str
    at: float
    rating: float | None = None


class Moment(Protocol):
    """Run and overlay of one moment; every answer of a request comes from one of these."""

    @property
    def pack(self) -> ServingPack: ...

    @property
    def run_id(self) -> str: ...

    @property
    def graph(self) -> Graph:
        """Stored scenarios and defaults."""

    @property
    def item_types(self) -> Mapping[str, PropertyType]:
        """Types of item properties by name in lower case."""

    def catalogue(self) -> Catalogue:
        """The run's items with the property values of this moment; deleted items are not alive."""

    def person(self, user_id: str) -> Person:
        """A profile by the client's own id; an unknown one has met nothing."""

    def session(self, session_id: str | None, met: Sequence[Met]) -> Person:
        """A stored session, if named, with what the request brings along."""

    def item_row(self, item_id: str) -> int:
        """Row of an item in the run, -1 when the run does not know it or it was deleted since."""

    def item_values(self, item_id: str, name: str) -> tuple[Scalar, ...]:
        """Values of one item's property, empty where it has none; also of items that came after the run."""

    def rows_hold(self, plan: Plan) -> bool:
        """Whether rows materialized by this plan are still right: nothing that its rules read was written since the
        run, no property was defined anew, no item deleted.
        """
