"""Effective state: a run overlaid with the journal. Every read and every rule goes by it; one request reads one run."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from heapq import merge
from typing import Any

import numpy as np
import orjson

from scenarios.catalogue import Catalogue
from scenarios.graph import Graph
from scenarios.history import History
from scenarios.spec import PropertyType, Scalar
from serving.changes import Changes, Register
from serving.declared import Documents, Noun, Property
from serving.item_columns import ItemColumns
from serving.run_side import Owner, RunSide, Values
from store.journal import StoredWrite
from store.pack.logs import Interaction, Rated

RATING = "rating"
ALWAYS = float("inf")


class Effective:
    """What is true now. ``documents`` gives the control documents as of the last look at the journal.

    Users are asked by their own id (canonical text) or their profile_id; ids of answers are the own ones.
    """

    def __init__(self, run: RunSide, changes: Changes, documents: Callable[[], Documents]) -> None:
        self.run = run
        self.changes = changes
        self._documents = documents
        self._columns: ItemColumns | None = None
        self._properties: dict[Noun, tuple[Any, dict[str, Property], dict[str, PropertyType]]] = {}
        self._sorted: dict[str, tuple[int, list[str]]] = {}

    # Documents

    @property
    def documents(self) -> Documents:
        """All control documents."""
        return self._documents()

    @property
    def graph(self) -> Graph:
        """Stored scenarios and defaults."""
        return self._documents().graph

    def properties(self, noun: Noun) -> Mapping[str, Property]:
        """Property definitions by name in lower case: declared ones, and those that files brought."""
        return self._defined(noun)[1]

    def types(self, noun: Noun) -> Mapping[str, PropertyType]:
        """Their types; the same object while nothing changes."""
        return self._defined(noun)[2]

    def _defined(self, noun: Noun) -> tuple[Any, dict[str, Property], dict[str, PropertyType]]:
        documents, register = self._documents(), self._register(noun)
        state = (documents, register.drops)
        known = self._properties.get(noun)
        if known is None or known[0][0] is not documents or known[0][1] != register.drops:
            brought = self.run.item_types if noun == "item" else self.run.profile_types
            found = {
                name: Property(name, kind, declared=False)
                for name, kind in brought.items() if name not in register.dropped
            }
            found.update(documents.properties[noun])
            found = dict(sorted(found.items()))
            known = self._properties[noun] = (state, found, {name: one.type for name, one in found.items()})
        return known

    def _register(self, noun: Noun) -> Register:
        return self.changes.items if noun == "item" else self.changes.profiles

    # Items

    def item(self, item_id: str) -> Values | None:
        """Values of an item by property in lower case, None when there is no such item."""
        row = self.run.item_row(item_id)
        written = self.changes.items.rows.get(item_id)
        if (written is None and row < 0) or (written is not None and written.deleted):
            return None
        return self.changes.items.values(item_id, lambda: self.run.item_values(row) if row >= 0 else {})

    def has_item(self, item_id: str) -> bool:
        """Whether there is such an item."""
        written = self.changes.items.rows.get(item_id)
        return not written.deleted if written is not None else self.run.item_row(item_id) >= 0

    def item_ids(self, after: str = "") -> Iterator[str]:
        """Ids of all items above ``after``, in code point order."""
        run, rows = self.run.items, self.changes.items.rows
        start = bisect_right(run, after)
        of_run = (run[row] for row in range(start, len(run)))
        added = self._ordered("items", self.changes.items, lambda: [
            item_id for item_id, written in rows.items() if not written.deleted and self.run.item_row(item_id) < 0
        ])
        for item_id in merge(of_run, added[bisect_right(added, after):]):
            written = rows.get(item_id)
            if written is None or not written.deleted:
                yield item_id

    def catalogue(self) -> Catalogue:
        """The run's items with their effective values; deleted ones are not alive."""
        return self._item_columns().catalogue(self.types("item"))

    def gone(self) -> set[int]:
        """Rows of the run's items that are deleted."""
        columns = self._item_columns()
        columns.follow()
        return columns.gone

    def touched_property(self, name: str) -> bool:
        """Whether the values or the definition of an item property (lower case) differ from the run's somewhere."""
        columns = self._item_columns()
        columns.follow()
        return name in columns.touched or self.types("item").get(name) != self.run.item_types.get(name)

    def _item_columns(self) -> ItemColumns:
        if self._columns is None:
            self._columns = ItemColumns(self.run, self.changes)
        return self._columns

    # Users

    def key(self, asked: str) -> str:
        """The profile_id of a user by either id; for an unknown one the id that a run would give."""
        return self.changes.key(asked)

    def user(self, asked: str) -> Values | None:
        """Values of a user, None when nobody described such a user."""
        key = self.changes.key(asked)
        row = self._described(key)
        written = self.changes.profiles.rows.get(key)
        if (written is None and row < 0) or (written is not None and written.deleted):
            return None
        return self.changes.profiles.values(key, lambda: self.run.profile_values(row) if row >= 0 else {})

    def has_user(self, asked: str) -> bool:
        """Whether somebody described such a user."""
        key = self.changes.key(asked)
        written = self.changes.profiles.rows.get(key)
        return not written.deleted if written is not None else self._described(key) >= 0

    def profile_row(self, asked: str) -> int:
        """Row of a user in the run, -1 for one that it does not know or that was erased since."""
        return self.changes.profile_row(self.changes.key(asked))

    def user_ids(self, after: str = "") -> Iterator[str]:
        """Own ids of all users above ``after``, in code point order."""
        run, rows = self.run.customers, self.changes.profiles.rows
        start = bisect_right(run, after)
        of_run = (run[place] for place in range(start, len(run)))
        added = self._ordered("users", self.changes.profiles, lambda: [
            self.customer_of(key) for key, written in rows.items() if not written.deleted and not self._listed(key)
        ])
        last = ""
        for customer_id in merge(of_run, added[bisect_right(added, after):]):
            if customer_id != last and (not rows or self.has_user(customer_id)):
                yield customer_id
            last = customer_id  # twice: a customer of the run whose profile was deleted and made again

    def customer_of(self, key: str) -> str:
        """A user's own id by its profile_id; empty when it was never said."""
        row = self.run.profile_row(key)
        found = self.run.customer_id(row) if row >= 0 else ""
        return found or self.changes.customers.get(key, "")

    def touched(self, asked: str) -> bool:
        """Whether anything was written about a user since the run."""
        return self.changes.touches(self.changes.key(asked))

    def _described(self, key: str) -> int:
        """Row of a profile that the run knows by more than what it did, else -1."""
        row = self.changes.profile_row(key)
        return -1 if row >= 0 and self.run.implicit(row) else row

    def _listed(self, key: str) -> bool:
        """Whether the run lists a profile among those that somebody described."""
        row = self.run.profile_row(key)
        return row >= 0 and not self.run.implicit(row)

    # What happened

    def interactions(self, asked: str) -> list[Interaction]:
        """All interactions of a user, its resolved sessions' included, by time."""
        key = self.changes.key(asked)
        row = self.changes.profile_row(key)
        of_run = self.run.interactions(row) if row >= 0 else []
        return _in_order([*of_run, *self.changes.interactions.get(key, ())])

    def ratings(self, asked: str) -> list[Rated]:
        """Ratings of a user, by item id."""
        key = self.changes.key(asked)
        return [rated for _, rated in sorted(self._ratings(key).items())]

    def _ratings(self, key: str) -> dict[str, Rated]:
        row = -1 if key in self.changes.wiped else self.changes.profile_row(key)
        found: dict[str, Rated | None] = {rated.item_id: rated for rated in self.run.ratings(row)} if row >= 0 else {}
        found.update(self.changes.ratings.get(key, {}))
        return {item_id: rated for item_id, rated in found.items() if rated is not None}

    def session(self, session_id: str) -> list[Interaction]:
        """Stored interactions of a session, by time."""
        row = self.changes.session_row(session_id)
        of_run = self.run.session_interactions(row) if row >= 0 else []
        return _in_order([*of_run, *self.changes.sessions.get(session_id, ())])

    def session_owner(self, session_id: str) -> Owner | None:
        """Whose a session is, None while unknown."""
        return self.changes.owner(session_id)

    def sessions_of(self, asked: str) -> list[str]:
        """Ids of the sessions that are a user's."""
        key, changes = self.changes.key(asked), self.changes
        owned = [one for one in self.run.sessions_of(key) if changes.session_row(one) >= 0]
        return sorted({*owned, *changes.owned.get(key, ())})

    def keys_that_met(self, after: str = "", start: float = -ALWAYS, end: float = ALWAYS) -> Iterator[str]:
        """Profile ids above ``after``, in order, of whoever may have an interaction in these times (microseconds)."""
        return _above(after, self.run.profiles, self.run.met_between(start, end), self.changes.interactions)

    def keys_that_rated(self, after: str = "") -> Iterator[str]:
        """Profile ids above ``after``, in order, of whoever may have a rating."""
        return _above(after, self.run.profiles, self.run.rated(), self.changes.ratings)

    def sessions_that_met(self, after: str = "", start: float = -ALWAYS, end: float = ALWAYS) -> Iterator[str]:
        """Ids above ``after``, in order, of sessions that may have an interaction in these times."""
        return _above(after, self.run.sessions, self.run.sessions_between(start, end), self.changes.sessions)

    def session_ids(self, after: str = "") -> Iterator[str]:
        """Ids of all sessions above ``after``, in order."""
        run, changes = self.run.sessions, self.changes
        return _above(after, run, range(len(run)), {*changes.sessions, *changes.owners})

    # What rules ask

    def n_interactions(self, asked: str) -> int:
        """Interactions of a user."""
        key = self.changes.key(asked)
        row = self.changes.profile_row(key)
        return (self.run.interaction_count(row) if row >= 0 else 0) + len(self.changes.interactions.get(key, ()))

    def n_ratings(self, asked: str) -> int:
        """Distinct items that a user rated or met."""
        key = self.changes.key(asked)
        row = self.changes.profile_row(key)
        if not self.changes.touches(key):
            return self.run.rated_count(row) if row >= 0 else 0
        return len(self._met(key, row))

    def _met(self, key: str, row: int) -> set[str]:
        met = {one.item_id for one in self.run.interactions(row)} if row >= 0 else set()
        met.update(one.item_id for one in self.changes.interactions.get(key, ()))
        met.update(self._ratings(key))
        return met

    def history(self, asked: str) -> History:
        """What a user met of the run's items, each once a type; ratings have the type ``rating``."""
        key = self.changes.key(asked)
        row = self.changes.profile_row(key)
        if not self.changes.touches(key):
            return self.run.history(row) if row >= 0 else History.none(1)
        pairs = [(one.item_id, one.event_type) for one in self.run.interactions(row)] if row >= 0 else []
        pairs += [(one.item_id, one.event_type) for one in self.changes.interactions.get(key, ())]
        pairs += [(item_id, RATING) for item_id in self._ratings(key)]
        return self.history_of((self.run.item_row(item_id), kind) for item_id, kind in set(pairs))

    @staticmethod
    def history_of(pairs: Iterable[tuple[int, str]]) -> History:
        """A history of one subject from (the run's row of an item, type); -1, what the run does not know, is left out.
        """
        rows = set(pairs)
        names = tuple(sorted({kind for _, kind in rows}))
        code = {kind: at for at, kind in enumerate(names)}
        found = sorted((row, code[kind]) for row, kind in rows if row >= 0)
        return History(
            np.array([0, len(found)], np.int64), np.array([row for row, _ in found], np.int32),
            np.array([kind for _, kind in found], np.uint16), names,
        )

    def user_values(self, asked: str, name: str) -> tuple[Scalar, ...] | None:
        """Values of one property of a user; None for an unknown user or property."""
        if name not in self.types("user"):
            return None
        return _several(self.user(asked), name)

    def item_values(self, item_id: str, name: str) -> tuple[Scalar, ...] | None:
        """Values of one property of an item; None for an unknown item or property."""
        if name not in self.types("item"):
            return None
        return _several(self.item(item_id), name)

    def counters(self) -> dict[str, int]:
        """How many ratings (distinct user and item, inferred ones included), users and items there are."""
        changes = self.changes
        pairs = self.run.pairs
        for key in {*changes.interactions, *changes.ratings, *changes.erased, *changes.wiped}:
            known = self.run.profile_row(key)
            pairs += len(self._met(key, changes.profile_row(key))) - (self.run.rated_count(known) if known >= 0 else 0)
        users, items = len(self.run.customers), len(self.run.items)
        for key, written in changes.profiles.rows.items():
            row = self.run.profile_row(key)
            users += (not written.deleted) - (row >= 0 and not self.run.implicit(row))
        for item_id, written in changes.items.rows.items():
            items += (not written.deleted) - (self.run.item_row(item_id) >= 0)
        return {"rating": pairs, "user": users, "item": items}

    def _ordered(self, name: str, register: Register, make: Callable[[], list[str]]) -> list[str]:
        known = self._sorted.get(name)
        if known is None or known[0] != len(register.changed):
            known = self._sorted[name] = (len(register.changed), sorted(one for one in make() if one))
        return known[1]


class BeforeRun:
    """The journal's writes before the first publish, from the first number on."""

    def __init__(self, run: RunSide) -> None:
        self.run = run
        self.changes = Changes(run)
        self.seq = 0

    def take(self, writes: Sequence[StoredWrite]) -> None:
        """Take in further writes, in order."""
        for write in writes:
            reduce = self.changes.reducers.get(write.entity)
            if reduce is not None:
                reduce(write, orjson.loads(write.body))
            self.seq = write.seq


def _above(after: str, ids: Sequence[str], rows: Sequence[int], further: Iterable[str]) -> Iterator[str]:
    """Ids above ``after`` of some rows, which rise as their ids do, and further ones, each once and in order."""
    first = bisect_right(rows, after, key=ids.__getitem__)
    added = sorted(one for one in set(further) if one > after)
    last = ""
    for one in merge((ids[row] for row in rows[first:]), added):
        if one != last:
            yield one
        last = one


def _in_order(interactions: list[Interaction]) -> list[Interaction]:
    """By time, then by everything else, so that the order does not tell what was drained."""
    same = [
        one._replace(properties=orjson.dumps(orjson.loads(one.properties), option=orjson.OPT_SORT_KEYS))
        if one.properties else one
        for one in interactions
    ]
    return sorted(same)


def _several(values: Values | None, name: str) -> tuple[Scalar, ...] | None:
    if values is None:
        return None
    found = values.get(name)
    if found is None:
        return ()
    return tuple(found) if isinstance(found, list) else (found,)
