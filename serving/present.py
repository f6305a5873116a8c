"""The present moment of one workspace: what scenario lookups answer from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from scenarios.catalogue import Catalogue
from scenarios.graph import Graph
from scenarios.history import History
from scenarios.plan import Plan
from scenarios.spec import PropertyType, Scalar
from serving.effective import RATING, Effective
from serving.live import View
from serving.moment import Met, Person
from store.pack.read import ServingPack

Given = tuple[float, str, str, float | None]
"""When, the item's id, the type, and the rating of a rating."""
MICROS = 1_000_000
HIGHEST_RATING = 10.0
INFERRED = 1.0
"""Weight of an interaction whose type has none in the settings."""


class Present:
    """A ``serving.moment.Moment``: one view, with the weights of event types that the settings give."""

    def __init__(self, view: View, weights: Mapping[str, float]) -> None:
        self.pack: ServingPack = view.pack
        self.run_id: str = view.snapshot.run_id
        self._effective: Effective = view.effective
        self.plans: dict[Any, tuple[Plan, Any, Any]] = view.plans
        self._holding: dict[str, Any] = view.holding
        self._weights = weights

    @property
    def graph(self) -> Graph:
        return self._effective.graph

    @property
    def item_types(self) -> Mapping[str, PropertyType]:
        return self._effective.types("item")

    def catalogue(self) -> Catalogue:
        return self._effective.catalogue()

    def person(self, user_id: str) -> Person:
        return Profile(self._effective, user_id, self._weights)

    def key(self, user_id: str) -> str:
        """The profile_id of a user, known to the run or not."""
        return self._effective.key(user_id)

    def session(self, session_id: str | None, met: Sequence[Met]) -> Person:
        return Session(self._effective, session_id, met, self._weights)

    def item_row(self, item_id: str) -> int:
        row = self._effective.run.item_row(item_id)
        return row if row >= 0 and self._effective.has_item(item_id) else -1

    def item_values(self, item_id: str, name: str) -> tuple[Scalar, ...]:
        return self._effective.item_values(item_id, name) or ()

    def rows_hold(self, plan: Plan) -> bool:
        effective, known = self._effective, self._holding
        state = (effective.documents, len(effective.changes.items.changed), effective.changes.items.drops)
        if known.get("state") != state:
            known.clear()
            known["state"] = state
        held = known.get(plan.digest)
        if held is None:
            held = not effective.gone() and not any(map(effective.touched_property, plan.properties))
            known[plan.digest] = held
        return bool(held)


class Profile:
    """A profile by the client's own id; what is not asked for is not looked up."""

    def __init__(self, effective: Effective, user_id: str, weights: Mapping[str, float]) -> None:
        self._effective = effective
        self._user_id = user_id
        self._weights = weights
        self.row = effective.profile_row(user_id)

    @cached_property
    def history(self) -> History:
        return self._effective.history(self._user_id)

    @cached_property
    def seeds(self) -> Sequence[tuple[int, float]]:
        effective = self._effective
        met = [(one.at, one.item_id, one.event_type, None) for one in effective.interactions(self._user_id)]
        rated = [(one.at, one.item_id, RATING, one.rating) for one in effective.ratings(self._user_id)]
        given = sorted([*met, *rated], key=_when)
        rows = [effective.run.item_row(item_id) for _, item_id, _, _ in given]
        return _seeds(zip(rows, given, strict=True), self._weights)

    @property
    def n_ratings(self) -> int:
        return self._effective.n_ratings(self._user_id)

    @property
    def n_interactions(self) -> int:
        return self._effective.n_interactions(self._user_id)

    @property
    def touched(self) -> bool:
        return self._effective.touched(self._user_id)

    def values(self, name: str) -> tuple[Scalar, ...] | None:
        return self._effective.user_values(self._user_id, name)


class Session:
    """A stored session, if one is named, with what the request brings along; nobody's properties are its own."""

    row = -1
    touched = True

    def __init__(
        self, effective: Effective, session_id: str | None, met: Sequence[Met], weights: Mapping[str, float]
    ) -> None:
        stored = [] if session_id is None else effective.session(session_id)
        self._effective = effective
        self._weights = weights
        self._met = [
            *((one.at / MICROS, one.item_id, one.event_type, None) for one in stored),
            *((one.at, one.item_id, one.event_type, one.rating) for one in met),
        ]

    @cached_property
    def history(self) -> History:
        kinds = (kind for _, _, kind, _ in self._met)
        return self._effective.history_of(zip(self._rows, kinds, strict=True))

    @cached_property
    def seeds(self) -> Sequence[tuple[int, float]]:
        given = zip(self._rows, self._met, strict=True)
        return _seeds(sorted(given, key=lambda one: one[1][0]), self._weights)

    @cached_property
    def _rows(self) -> list[int]:
        """The run's row of each item met, -1 of what the run does not know."""
        find = self._effective.run.item_row
        return [find(item_id) for _, item_id, _, _ in self._met]

    @property
    def n_ratings(self) -> int:
        return len({item_id for _, item_id, _, _ in self._met})

    @property
    def n_interactions(self) -> int:
        return sum(rating is None for _, _, _, rating in self._met)

    def values(self, _name: str) -> tuple[Scalar, ...] | None:
        return None


def _seeds(met: Iterable[tuple[int, Given]], weights: Mapping[str, float]) -> list[tuple[int, float]]:
    """Items that the run knows with their weights, the newest first, from rows and what was given of each in the order
    of time; of equal times the later given is the newer.
    """
    found = [
        (row, weights.get(kind, INFERRED) if rating is None else rating / HIGHEST_RATING)
        for row, (_, _, kind, rating) in met
        if row >= 0
    ]
    return found[::-1]


def _when(given: Given) -> float:
    return given[0]
