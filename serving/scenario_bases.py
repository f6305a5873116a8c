"""Where lists start from, by reco type: which items of this moment a subject's list has before any rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts.errors import NightloomError
from scenarios import base_list
from scenarios.spec import PROFILE_TYPES, SESSION_TYPES, Problem, Rules
from serving.moment import Moment, Person
from serving.wishes import Wish

Items = NDArray[np.int32]


class BadRules(NightloomError):
    """Rules that cannot be evaluated; ``problems`` says which, and why."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(str(problems[0]), hint=problems[0].hint)


class MissingInput(NightloomError):
    """The reco type needs an id or a list that the request lacks; ``name`` is the parameter."""

    def __init__(self, name: str, reco_type: str) -> None:
        self.name = name
        super().__init__(f"{reco_type} needs {name}")


class NoTable(NightloomError):
    """The run has no table of this name (for this kind of subject), or it is empty."""

    def __init__(self, table: str, *, empty: bool = False) -> None:
        self.table = table
        self.empty = empty
        super().__init__(f"the table {table!r} " + ("has no rows" if empty else "is not in the current run"))


@dataclass(slots=True)
class Base:
    """Where a list starts from: the subject's items best first, whether popular items follow, whether it is cold."""

    items: Items
    backfill: bool = True
    cold: bool = False


def undeclared(name: str) -> Problem:
    """The problem of a property that nobody declared."""
    hint = "declare it, or see GET items-properties/"
    return Problem("property_not_found", "property", f"there is no item property `{name}`", hint, name)


def needed(wish: Wish, name: str) -> str:
    """An id that the reco type cannot do without. Raises MissingInput."""
    value: str | None = getattr(wish, name)
    if value is None:
        raise MissingInput(name, str(wish.reco_type))
    return value


@dataclass(frozen=True, slots=True)
class Bases:
    """The base lists of one request; ``somebody`` is the profile or session that it is for."""

    moment: Moment
    wish: Wish
    somebody: Person | None

    def of(self, reco_type: str, rules: Rules) -> Base:
        """The subject's base list by reco type. Raises MissingInput and BadRules."""
        if reco_type == "item_to_items":
            return self._of_item(rules)
        if reco_type == "item_properties_to_items":
            return self._of_properties()
        if reco_type == "profiles_group_to_items":
            return self._of_group(rules)
        if reco_type in SESSION_TYPES:
            assert self.somebody is not None
            base = self._of_seeds(self.somebody)
        elif reco_type in PROFILE_TYPES:
            base = self._of_profile(self.moment.person(needed(self.wish, "user_id")), rules)
        else:
            raise MissingInput("another route", reco_type)
        if reco_type.endswith("_w_ctx_items"):
            return self._with_context(base)
        return base

    def _of_item(self, rules: Rules) -> Base:
        row = self.moment.item_row(needed(self.wish, "item_id"))
        if row < 0:
            return Base(np.empty(0, np.int32), backfill=False, cold=True)
        listed = self._published("item_to_items", rules)[row]
        return Base(listed, cold=bool(not len(listed) or listed[0] < 0))

    def _of_profile(self, person: Person, rules: Rules) -> Base:
        listed = self._published("profile_to_items", rules)
        if person.row >= 0 and not self.moment.pack.lists_cold[person.row]:
            return Base(listed[person.row])
        return self._of_seeds(person)

    def _of_seeds(self, person: Person) -> Base:
        """The blend of the newest items' neighbours; nothing met: popular items only."""
        if not person.seeds:
            return Base(np.empty(0, np.int32), cold=True)
        rows, weights = base_list.newest_distinct(*zip(*person.seeds, strict=True))
        pack = self.moment.pack
        found = base_list.blend(pack.neighbours.items, rows, base_list.session_weights(weights))
        return Base(base_list.ordered(*found, pack.popularity_rank)[0], cold=True)

    def _with_context(self, base: Base) -> Base:
        pack = self.moment.pack
        rows = [row for row in map(self.moment.item_row, self.wish.context_items) if row >= 0]
        listed = base.items[base.items >= 0]
        found = base_list.with_context(listed, pack.neighbours.items, rows)
        return Base(base_list.ordered(*found, pack.popularity_rank)[0], cold=base.cold)

    def _of_group(self, rules: Rules) -> Base:
        if not self.wish.members:
            raise MissingInput("users", "profiles_group_to_items")
        bases = [self._of_profile(self.moment.person(user_id), rules) for user_id in self.wish.members]
        lists = [base.items[base.items >= 0] for base in bases]
        found = base_list.of_group(lists, self.wish.consensus)
        ranked = base_list.ordered(*found, self.moment.pack.popularity_rank)[0]
        return Base(ranked, cold=all(base.cold for base in bases))

    def _of_properties(self) -> Base:
        catalogue, wanted = self.moment.catalogue(), {}
        if not self.wish.item_properties:
            raise MissingInput("item_properties", "item_properties_to_items")
        for name, value in self.wish.item_properties.items():
            if name not in self.moment.item_types:
                raise BadRules([undeclared(name)])
            if catalogue.columns.get(name) is not None:
                wanted[name] = value
        columns = {name: catalogue.columns[name] for name in wanted}
        scores = base_list.of_properties(columns, wanted, catalogue.size)
        scores *= len(wanted) / len(self.wish.item_properties)
        rows = np.flatnonzero(scores > 0).astype(np.int32)
        ranked = base_list.ordered(rows, scores[rows], self.moment.pack.popularity_rank)[0]
        return Base(ranked, backfill=False, cold=False)

    def _published(self, reco_type: str, rules: Rules) -> Items:
        """Lists of the recommender that the rules allow, the most preferred first; by default the run's own choice."""
        if rules.algorithms is None:
            return self.moment.pack.base(reco_type)
        for known in self.moment.pack.algorithms(reco_type):
            if known in rules.algorithms:
                return self.moment.pack.base(reco_type, known)
        published = ", ".join(self.moment.pack.algorithms(reco_type)) or "none"
        message = f"none of the algorithms {' | '.join(rules.algorithms)} is published; the run has {published}"
        raise BadRules([Problem("wrong_data_type", "algorithms", message)])
