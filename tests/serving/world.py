"""A whole shop in memory: a run with lists, histories and rows, scenarios, and a journal that can be written to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from hypothesis import strategies as st

from scenarios.catalogue import Catalogue
from scenarios.columns import Column
from scenarios.evaluate import ROW_DEPTH, evaluate
from scenarios.graph import Graph
from scenarios.history import History
from scenarios.row_sets import row_sets
from scenarios.spec import AbTest, Alias, Case, Condition, Definition, Filter, Nested, PropertyType, Rules
from serving.changes import Changes
from serving.declared import Documents
from serving.effective import Effective
from serving.live import View
from serving.present import Present
from store.journal import StoredWrite
from store.pack.logs import Interaction, Rated
from tests.scenarios.naive import Shop
from tests.scenarios.strategies import KINDS, TYPES, VALUES, gentle_rules, shops, subjects

PEOPLE = ("ann", "bob", "cy")
STRANGER = "dan"
P, ITEM = "profile_to_items", "item_to_items"
NAMES = ("s0", "s1", "s2", "s3")
WHEN = datetime(2026, 1, 1)


class Row:
    """A table of rows as the pack reads them."""

    def __init__(self, items: Any, lengths: Any, reco_type: str, depth: int) -> None:
        self.items, self.lengths, self.depth = items, lengths, depth
        self.index = SimpleNamespace(reco_type=reco_type)

    def length(self, subject: int) -> int:
        return int(self.lengths[subject])

    def part(self, subject: int, offset: int, amount: int) -> list[int] | None:
        end = min(offset + amount, self.length(subject))
        return None if end > self.depth else self.items[subject, offset:end].tolist()


class Run:
    """A ``RunSide`` and, as far as lookups ask, a ``ServingPack``."""

    def __init__(
        self, shop: Shop, bases: list[list[int]], histories: list[list[tuple[int, str]]], graph: Graph, depth: int
    ) -> None:
        size = len(shop.items)
        self.size = size
        self.shop, self.histories = shop, histories
        self.items = tuple(f"i{row}" for row in range(size))
        self.profiles = self.customers = PEOPLE
        self.sessions: tuple[str, ...] = ()
        self.item_types: Mapping[str, PropertyType] = dict(shop.types)
        self.profile_types: Mapping[str, PropertyType] = {"year": PropertyType("int16")}
        self.pairs = 0
        near = _padded(shop.neighbours, 3)
        columns = {
            name: Column.of(name, kind, [item.get(name) for item in shop.items]) for name, kind in shop.types.items()
        }
        popular = np.array([item for item in shop.popular if shop.alive[item]], np.int32)
        self._catalogue = Catalogue(size, popular, np.array(shop.alive, np.uint8), columns, self.item_row, near)
        self.lists = _padded(bases, size)
        self.neighbours = SimpleNamespace(items=near)
        self.lists_cold = [not base for base in bases]
        self.popularity_rank = np.argsort(np.array(shop.popular)).astype(np.int32)
        self.materialized: dict[tuple[str, str], Row] = {}
        self.tables: dict[str, Row] = {}
        for reco_type in (P, ITEM):
            for one in row_sets(reco_type, graph, self.item_types, self.algorithms(reco_type), 64)[0]:
                of_items = reco_type == ITEM
                base = self.base(reco_type)
                found = evaluate(
                    self._catalogue, one.rules, base,
                    History.none(len(base)) if of_items else _histories(histories),
                    self_items=np.arange(size, dtype=np.int32) if of_items else None, positions=depth,
                )
                row = Row(found.items, found.lengths, reco_type, depth)
                self.materialized[reco_type, one.digest] = row
                self.tables.update((name, row) for name in one.tables)

    def algorithms(self, _reco_type: str) -> tuple[str, ...]:
        return ("ease", "als")

    def base(self, reco_type: str, _algorithm: str | None = None) -> Any:
        return self.neighbours.items if reco_type == ITEM else self.lists

    def catalogue(self) -> Catalogue:
        return self._catalogue

    def item_row(self, item_id: str) -> int:
        return self.items.index(item_id) if item_id in self.items else -1

    def item_values(self, row: int) -> dict[str, Any]:
        return {name: value for name, value in self.shop.items[row].items() if value not in (None, [])}

    def profile_row(self, asked: str) -> int:
        return PEOPLE.index(asked) if asked in PEOPLE else -1

    def profile_values(self, row: int) -> dict[str, Any]:
        return {"year": row}

    def customer_id(self, row: int) -> str:
        return PEOPLE[row]

    def implicit(self, _row: int) -> bool:
        return False

    def interactions(self, row: int) -> list[Interaction]:
        return [Interaction(at, kind, f"i{item}") for at, (item, kind) in enumerate(self.histories[row])
                if kind != "rating"]

    def interaction_count(self, row: int) -> int:
        return len(self.interactions(row))

    def rated_count(self, row: int) -> int:
        return len({item for item, _ in self.histories[row]})

    def ratings(self, row: int) -> list[Rated]:
        return [Rated(f"i{item}", 5.0, at) for at, (item, kind) in enumerate(self.histories[row]) if kind == "rating"]

    def session_row(self, _session_id: str) -> int:
        return -1

    def history(self, row: int) -> History:
        return _histories([self.histories[row]])


class World:
    """One run and one journal over it."""

    def __init__(self, run: Run, graph: Graph) -> None:
        self.run = run
        self.documents = Documents(graph=graph)
        self.changes = Changes(cast("Any", run))
        self.seq = 0
        effective = Effective(cast("Any", run), self.changes, lambda: self.documents)
        self._view = cast("View", SimpleNamespace(
            pack=run, snapshot=SimpleNamespace(run_id="r1"), effective=effective, plans={}, holding={}
        ))

    def moment(self) -> Present:
        """What a request sees now."""
        return Present(self._view, {"buy": 2.0})

    def write(self, entity: str, op: str, key: str, body: dict[str, Any]) -> None:
        """One write of the journal, taken in at once."""
        self.seq += 1
        text = json.dumps(body)
        write = StoredWrite(self.seq, entity, key, op, text, None, WHEN)
        self.changes.reducers[entity](write, json.loads(text))


@st.composite
def worlds(draw: st.DrawFn) -> World:
    shop = draw(shops(least=5))
    size = len(shop.items)
    drawn = [draw(subjects(size)) for _ in PEOPLE]
    graph = draw(graphs())
    depth = draw(st.sampled_from([2, ROW_DEPTH]))
    return World(Run(shop, [base for base, _ in drawn], [met for _, met in drawn], graph, depth), graph)


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Scenarios that lead to earlier ones only, so never in a circle, and sometimes to one that is not there."""
    definitions: dict[tuple[str, str], Definition] = {}
    defaults: dict[str, str] = {}
    for reco_type in (P, ITEM):
        for at, name in enumerate(NAMES):
            earlier = st.sampled_from([*NAMES[:at] * 20, "missing"])
            kind = draw(st.integers(0, 6)) if at else 0
            scenario: Any
            if kind <= 3 or not at:
                scenario = Case(_for(reco_type, draw(gentle_rules())), {"name": name})
                if draw(st.integers(0, 5)) == 0:
                    scenario = Case(_nested(scenario.rules, draw(st.sampled_from(["user_property", "item_property"]))))
            elif kind == 4:
                scenario = AbTest(draw(st.sampled_from(["t1", "t2"])), draw(earlier), draw(earlier))
            elif kind == 5:
                count = draw(st.integers(0, 3))
                scenario = Condition("user_function", "n_ratings", "gte", count, draw(earlier), draw(earlier))
            else:
                scenario = Alias(draw(earlier))
            definitions[reco_type, name] = Definition(reco_type, name, scenario)
        if draw(st.booleans()):
            defaults[reco_type] = draw(st.sampled_from(NAMES))
    return Graph(definitions, defaults)


def _for(reco_type: str, rules: Rules) -> Rules:
    """Without the fields that have no effect on item_to_items, which parsing leaves out."""
    if reco_type == P:
        return rules
    return replace(rules, exclude_rated=None, exclude_types=(), exclude_properties=())


def _nested(rules: Rules, kind: Any) -> Rules:
    return replace(rules, filters=(*rules.filters, Filter("year", "gte", Nested(kind, "year"))))


@st.composite
def writes(draw: st.DrawFn, size: int) -> list[tuple[str, str, str, dict[str, Any]]]:
    """Writes as the routes of the data make them."""
    found: list[tuple[str, str, str, dict[str, Any]]] = []
    for _ in range(draw(st.integers(0, 2))):
        item = f"i{draw(st.integers(0, size))}"  # one more than the run knows
        person = draw(st.sampled_from([*PEOPLE, *PEOPLE, STRANGER]))
        kind = draw(st.integers(0, 9)) % 9
        if kind <= 2:
            name = draw(st.sampled_from(sorted(TYPES)))
            value = draw(VALUES[name])
            found.append(("items", draw(st.sampled_from(["put", "patch"])), item,
                          {"item_id": item, "properties": {name: value}}))
        elif kind == 3:
            found.append(("items", "delete", item, {"item_id": item}))
        elif kind <= 5:
            found.append(("ratings", "put", person, {
                "customer_id": person, "item_id": item, "rating": 7.0, "created_at": "2026-01-01 00:00:00"}))
        elif kind <= 7:
            found.append(("events", "put", person, {
                "profile_id": person, "item_id": item, "event_type": draw(st.sampled_from(KINDS[:2])),
                "created_at": "2026-01-02 00:00:00"}))
        else:
            found.append(("profiles", "put", person, {"customer_id": person, "properties": {"year": 2}}))
    return found


def _padded(lists: list[list[int]], width: int) -> Any:
    return np.array([[*some, *[-1] * (width - len(some))] for some in lists], np.int32).reshape(len(lists), width)


def _histories(histories: list[list[tuple[int, str]]]) -> History:
    pairs = [sorted((item, KINDS.index(kind)) for item, kind in some) for some in histories]
    offsets = np.cumsum([0, *map(len, pairs)]).astype(np.int64)
    flat = [pair for some in pairs for pair in some]
    return History(
        offsets, np.array([item for item, _ in flat], np.int32), np.array([kind for _, kind in flat], np.uint16), KINDS
    )


__all__ = ["ITEM", "NAMES", "PEOPLE", "STRANGER", "P", "World", "worlds", "writes"]
