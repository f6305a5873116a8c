"""What a scenario lookup asks of the state it answers from: one run with everything written since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from scenarios.catalogue import Catalogue
from scenarios.graph import Graph
from scenarios.history import History
from scenarios.plan import Plan
from scenarios.spec import PropertyType, Scalar
from store.pack.read import ServingPack


class Person(Protocol):
    """A profile, or a session, of this moment."""

    @property
    def row(self) -> int:
        """Of the profile in the run, -1 without one."""

    @property
    def history(self) -> History:
        """Everything it met, of one subject."""

    @property
    def seeds(self) -> Sequence[tuple[int, float]]:
        """Rows of the items it met, newest first, each with the weight of how: the event type's, or a rating / 10."""

    @property
    def n_ratings(self) -> int:
        """Distinct items with a rating, given or inferred."""

    @property
    def n_interactions(self) -> int:
        """Interactions, ratings not counted."""

    @property
    def touched(self) -> bool:
        """Whether something was written about it since the run."""

    def values(self, name: str) -> tuple[Scalar, ...] | None:
        """Values of a property; None where nothing can be known."""


class Met(NamedTuple):
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

    @property
    def plans(self) -> dict[Any, tuple[Plan, Any, Any]]:
        """Plans that were made before, for the lookups to keep."""

    def catalogue(self) -> Catalogue:
        """The run's items with the property values of this moment; deleted items are not alive."""

    def person(self, user_id: str) -> Person:
        """A profile by the client's own id; an unknown one has met nothing."""

    def key(self, user_id: str) -> str:
        """The profile_id of a profile, known to the run or not."""

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
