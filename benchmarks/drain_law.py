"""The law of the drain (crossing_minds §1.9): whatever is written through the API, and whenever it is drained and
published in between, the effective state is the same over every kept run.

``python -m benchmarks.drain_law --examples 20000`` searches for a sequence that breaks it, and shrinks what it finds.
With ``--lanes 20`` twenty sequences, each of users, items and sessions of its own, are told to one workspace in turns
and drained and published together: that many sequences for little more than the price of one. Runs are the tables
that the build stage derives from the drained warehouse.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import duckdb
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.stages import drain
from flows.stages.drained import Declared
from scenarios.catalogue import Catalogue
from scenarios.columns import Column
from scenarios.history import History
from scenarios.spec import PropertyType
from serving.changes import Changes
from serving.declared import Documents, Property
from serving.effective import Effective
from serving.run_side import NoRun, Owner, RunSide, Values, lowered, values_of_item
from store.journal import StoredWrite
from store.pack.logs import Interaction, Rated
from store.warehouse import create_schema
from transforms import tables

START = datetime(2026, 1, 1)
AS_OF = datetime(2030, 1, 1)
ITEM_TYPES = {
    "item_name": PropertyType("unicode255"), "item_price": PropertyType("float64"), "price": PropertyType("float64"),
    "stock": PropertyType("int16"), "labels": PropertyType("unicode16", repeated=True), "sold": PropertyType("bool"),
}
USER_TYPES = {"age": PropertyType("int64"), "plan": PropertyType("unicode255")}
DOCUMENTS = Documents(0, properties={
    "item": {name: Property(name, kind) for name, kind in ITEM_TYPES.items()},
    "user": {name: Property(name, kind) for name, kind in USER_TYPES.items()},
})
DECLARED = [Declared("items", "price", "number"), Declared("profiles", "age", "number")]
ITEM_IDS = ("a", "b", "c")
USER_IDS = ("u1", "u2", "5")
SESSION_IDS = ("s1", "s2")
LANES = 20
TYPES = ("view", "buy")

Op = tuple[Any, ...]


class TablesRun:
    """A run by its derived tables, in memory."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        items = con.execute("SELECT * FROM items ORDER BY item_index")
        names = [column[0] for column in items.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in items.fetchall()]
        self.items = [str(row["item_id"]) for row in rows]
        self._values = [values_of_item({**row, "properties": json.loads(row["properties"])}) for row in rows]
        people = con.execute(
            "SELECT profile_id, customer_id, profile_data, implicit FROM profiles ORDER BY profile_index"
        ).fetchall()
        self.profiles = [str(row[0]) for row in people]
        self._customers = [row[1] or "" for row in people]
        self._people = [lowered(json.loads(row[2])) for row in people]
        self._implicit = [bool(row[3]) for row in people]
        described = zip(self._customers, self._implicit, strict=True)
        self.customers = sorted(one for one, bare in described if one and not bare)
        self._rows = {one: at for at, one in enumerate(self._customers)}
        self._rows |= {one: at for at, one in enumerate(self.profiles)}
        self._log: dict[str, list[Interaction]] = {}
        columns = "epoch_us(created_at), event_type, item_id, CASE WHEN properties::VARCHAR = '{}' THEN '' ELSE " \
            "properties::VARCHAR END"
        for key, *said in con.execute(
            f"SELECT profile_id, {columns} FROM events WHERE item_id IS NOT NULL AND event_type <> 'rating'"
        ).fetchall():
            self._log.setdefault(key, []).append(Interaction(said[0], said[1], said[2], said[3].encode()))
        self._rated: dict[str, list[Rated]] = {}
        rated = "SELECT profile_id, item_id, rating, epoch_us(created_at) FROM ratings"
        for key, *said in con.execute(rated).fetchall():
            self._rated.setdefault(key, []).append(Rated(*said))
        self._sessions: dict[str, list[Interaction]] = {}
        for key, *said in con.execute(f"SELECT session_id, {columns} FROM session_events").fetchall():
            self._sessions.setdefault(key, []).append(Interaction(said[0], said[1], said[2], said[3].encode()))
        found = con.execute(
            "SELECT session_id, profile_id, customer_id, epoch_us(resolved_at) FROM sessions ORDER BY session_id"
        ).fetchall()
        self.sessions = [str(row[0]) for row in found]
        self._owners = [Owner(*row[1:]) if row[1] else None for row in found]
        self.item_types: Mapping[str, PropertyType] = ITEM_TYPES
        self.profile_types: Mapping[str, PropertyType] = USER_TYPES
        self.pairs = sum(map(self.rated_count, range(len(self.profiles))))

    def item_row(self, item_id: str) -> int:
        return self.items.index(item_id) if item_id in self.items else -1

    def item_values(self, row: int) -> Values:
        return dict(self._values[row])

    def profile_row(self, asked: str) -> int:
        return self._rows.get(asked, -1)

    def profile_values(self, row: int) -> Values:
        return dict(self._people[row])

    def customer_id(self, row: int) -> str:
        return str(self._customers[row])

    def implicit(self, row: int) -> bool:
        return self._implicit[row]

    def interactions(self, row: int) -> list[Interaction]:
        return list(self._log.get(self.profiles[row], ()))

    def interaction_count(self, row: int) -> int:
        return len(self.interactions(row))

    def rated_count(self, row: int) -> int:
        met = {one.item_id for one in self.interactions(row)}
        return len(met | {one.item_id for one in self.ratings(row)})

    def ratings(self, row: int) -> list[Rated]:
        return list(self._rated.get(self.profiles[row], ()))

    def met_between(self, start: float, end: float) -> list[int]:
        every = range(len(self.profiles))
        return [row for row in every if any(start <= one.at <= end for one in self.interactions(row))]

    def rated(self) -> list[int]:
        return [row for row in range(len(self.profiles)) if self.ratings(row)]

    def sessions_between(self, start: float, end: float) -> list[int]:
        every = range(len(self.sessions))
        return [row for row in every if any(start <= one.at <= end for one in self.session_interactions(row))]

    def session_row(self, session_id: str) -> int:
        return self.sessions.index(session_id) if session_id in self.sessions else -1

    def session_interactions(self, row: int) -> list[Interaction]:
        return list(self._sessions.get(self.sessions[row], ()))

    def session_owner(self, row: int) -> Owner | None:
        return self._owners[row]

    def sessions_of(self, profile_id: str) -> list[str]:
        return [
            one for one, owner in zip(self.sessions, self._owners, strict=True)
            if owner is not None and owner.profile_id == profile_id
        ]

    def catalogue(self) -> Catalogue:
        size = len(self.items)
        columns = {
            name: Column.of(name, kind, [values.get(name) for values in self._values])
            for name, kind in ITEM_TYPES.items()
        }
        every = np.arange(size, dtype=np.int32)
        return Catalogue(size, every, np.ones(size, np.uint8), columns, self.item_row)

    def history(self, row: int) -> History:
        names = tuple(sorted({*TYPES, "rating"}))
        met = [(one.item_id, one.event_type) for one in self.interactions(row)]
        met += [(one.item_id, "rating") for one in self.ratings(row)]
        found = sorted({
            (self.item_row(item_id), names.index(kind)) for item_id, kind in met if self.item_row(item_id) >= 0
        })
        return History(
            np.array([0, len(found)], np.int64), np.array([item for item, _ in found], np.int32),
            np.array([kind for _, kind in found], np.uint16), names,
        )


@dataclass
class World:
    """A journal, a warehouse, and every run that was published. A lane's ids end in its number; lane 0's do not."""

    con: duckdb.DuckDBPyConnection
    lanes: int = 1
    writes: list[StoredWrite] = field(default_factory=list)
    runs: list[tuple[int, RunSide]] = field(default_factory=lambda: [(0, NoRun())])
    seq: int = 0
    drained: int = 0
    clean: bool = False

    @classmethod
    def new(cls, lanes: int = 1) -> World:
        con = duckdb.connect()
        con.execute("SET threads = 1; ATTACH ':memory:' AS warehouse; USE warehouse")
        create_schema(con)
        return cls(con, lanes)

    def write(self, entity: str, key: str, op: str, body: dict[str, Any]) -> None:
        self.seq += 1
        at = START + timedelta(seconds=self.seq)
        self.writes.append(StoredWrite(self.seq, entity, key, op, json.dumps(body), None, at))

    def drain(self) -> None:
        some = [write for write in self.writes if write.seq > self.drained]
        self.con.begin()
        drain._copy(self.con, [some], self.drained, self.seq, DECLARED)
        self.con.commit()
        self.drained = self.seq

    def publish(self) -> None:
        self.con.execute("USE memory")
        tables.build(self.con, AS_OF)
        self.runs.append((self.drained, TablesRun(self.con)))
        self.con.execute("USE warehouse")

    def states(self) -> list[Effective]:
        """Effective state over every run, the empty one before the first included."""
        return [self.over(watermark, run) for watermark, run in self.runs]

    def over(self, watermark: int, run: RunSide) -> Effective:
        changes = Changes(run)
        for write in self.writes:
            if write.seq > watermark:
                changes.reducers[write.entity](write, json.loads(write.body))
        return Effective(run, changes, lambda: DOCUMENTS)

    def do(self, op: Op) -> None:
        """One step: what a route would write, or a drain, or a publish."""
        getattr(self, f"_{op[0]}")(*op[1:])

    def _now(self) -> Effective:
        return self.over(*self.runs[-1])

    def _put(self, noun: str, key: str, values: dict[str, Any]) -> None:
        self.write(*_named(noun, key), "put", _body(noun, key, values))

    def _patch(self, noun: str, key: str, values: dict[str, Any]) -> None:
        self.write(*_named(noun, key), "patch", _body(noun, key, values))

    def _delete(self, noun: str, key: str) -> None:
        self.write(*_named(noun, key), "delete", _body(noun, key, None))

    def _drop(self, noun: str, name: str) -> None:
        self.write(f"{noun}_property", name, "delete", {"property_name": name})

    def _rate(self, user: str, item: str, rating: float, at: int) -> None:
        self.write("ratings", user, "put", {"customer_id": user, "item_id": item, "rating": rating, "at": at})

    def _unrate(self, user: str, item: str | None) -> None:
        self.write("ratings", user, "delete", {"customer_id": user, "item_id": item})

    def _meet(self, user: str, item: str, kind: str, at: int, properties: dict[str, Any]) -> None:
        self.write("events", user, "create", {
            "event_id": f"event_{self.seq}", "event_type": kind, "profile_id": user, "item_id": item, "at": at,
            "properties": properties,
        })

    def _visit(self, session: str, item: str, kind: str, at: int, properties: dict[str, Any]) -> None:
        self.write("session_events", session, "put", {
            "event_id": f"event_{self.seq}", "event_type": kind, "session_id": session, "item_id": item, "at": at,
            "properties": properties,
        })

    def _resolve(self, session: str, user: str, at: int) -> None:
        self.write("session_resolve", session, "put", {"session_id": session, "customer_id": user, "at": at})

    def _erase(self, user: str) -> None:
        state = self._now()
        key, sessions = state.key(user), state.sessions_of(user)
        self.write("profiles", user, "erase", {"customer_id": user, "sessions": sessions})
        self.writes = [
            write for write in self.writes if write.seq == self.seq or not (
                (write.entity in ("profiles", "events", "ratings") and write.entity_key in (user, key)
                 and write.op != "erase")
                or (write.entity in ("session_events", "session_resolve") and write.entity_key in sessions)
            )
        ]

    def _publish(self) -> None:
        self.drain()
        self.publish()

    def _drain(self) -> None:
        self.drain()


def _named(noun: str, key: str) -> tuple[str, str]:
    return ("items" if noun == "item" else "profiles"), key


def _body(noun: str, key: str, values: dict[str, Any] | None) -> dict[str, Any]:
    said: dict[str, Any] = {"item_id" if noun == "item" else "customer_id": key}
    return said if values is None else {**said, "properties": values}


def named(ids: Sequence[str], lanes: int) -> list[str]:
    """The ids of every lane."""
    return [in_lane(one, lane) for lane in range(lanes) for one in ids]


def in_lane(one: str, lane: int) -> str:
    """An id of lane 0, as the lane spells it: still a number where it was one."""
    return f"{one}0{lane}" if lane else one


def picture(state: Effective, lanes: int = 1) -> dict[str, Any]:
    """Everything that the routes can read of a state."""
    items, people, sessions = named(ITEM_IDS, lanes), named(USER_IDS, lanes), named(SESSION_IDS, lanes)
    users = {one: state.user(one) for one in state.user_ids()}
    return {
        "ids": [list(state.item_ids()), list(state.user_ids())],
        "items": {one: state.item(one) for one in state.item_ids()},
        "items asked": {one: state.item(one) for one in items if state.has_item(one)},
        "users": users,
        "users asked": {one: state.user(one) for one in people if state.has_user(one)},
        "ratings": {one: state.ratings(one) for one in people},
        "all ratings": {
            state.customer_of(key): rated for key in state.keys_that_rated() if (rated := state.ratings(key))
        },
        "interactions": {one: state.interactions(one) for one in people},
        "all interactions": {
            state.customer_of(key): found for key in state.keys_that_met() if (found := state.interactions(key))
        },
        "counts": {one: (state.n_ratings(one), state.n_interactions(one)) for one in people},
        "sessions": {one: state.session(one) for one in sessions},
        "all sessions": {one: seen for one in state.sessions_that_met() if (seen := state.session(one))},
        "owners": {one: state.session_owner(one) for one in sessions},
        "sessions of": {one: state.sessions_of(one) for one in people},
        "counters": state.counters(),
    }


def consistent(state: Effective, lanes: int = 1) -> None:
    """What rules are evaluated with says the same as what routes read."""
    catalogue, run = state.catalogue(), state.run
    for row, item_id in enumerate(run.items):
        values = state.item(item_id)
        assert bool(catalogue.alive[row]) == (values is not None)
        for name, kind in state.types("item").items():
            if values is not None and kind.family != "text":
                given = values.get(name)
                wanted = [] if given is None else given if isinstance(given, list) else [given]
                assert catalogue.columns[name].of_item(row) == wanted, (item_id, name)
    for user in named(USER_IDS, lanes):
        history = state.history(user)
        mine = slice(*history.offsets.tolist())
        pairs = zip(history.items[mine].tolist(), history.types[mine].tolist(), strict=True)
        met = [(one.item_id, one.event_type) for one in state.interactions(user)]
        met += [(rated.item_id, "rating") for rated in state.ratings(user)]
        found = {(run.items[row], history.type_names[kind]) for row, kind in pairs}
        assert found == {(item_id, kind) for item_id, kind in met if run.item_row(item_id) >= 0}, user


def check(ops: Sequence[Op], lanes: int = 1) -> None:
    """Raise AssertionError when the state over some run, or after a further drain, is another one."""
    world = World.new(lanes)
    try:
        for op in ops:
            if op[0] == "publish":
                before = picture(world.states()[-1], lanes)
                world.do(op)
                for state in world.states():
                    assert picture(state, lanes) == before
                    consistent(state, lanes)
            else:
                world.do(op)
        wanted = picture(world.states()[-1], lanes)
        for state in world.states():
            assert picture(state, lanes) == wanted
            consistent(state, lanes)
        world.do(("publish",))
        for state in world.states():
            assert picture(state, lanes) == wanted
    finally:
        world.con.close()


def in_turns(lanes: Sequence[Sequence[Op]], beats: Sequence[str]) -> list[Op]:
    """One sequence for one workspace: the first step of every lane, the first beat, the second step of every lane, …"""
    ops: list[Op] = []
    for at in range(max(map(len, lanes))):
        ops += [_of_lane(steps[at], lane) for lane, steps in enumerate(lanes) if at < len(steps)]
        if at < len(beats) and beats[at] != "on":
            ops.append((beats[at],))
    return ops


# Where a step names whom and what it is about, so that every lane has its own.
NAMES = {
    "put": (2,), "patch": (2,), "delete": (2,), "rate": (1, 2), "unrate": (1, 2), "meet": (1, 2), "visit": (1, 2),
    "resolve": (1, 2), "erase": (1,), "drop": (),
}


def _of_lane(op: Op, lane: int) -> Op:
    names = NAMES[op[0]]
    return tuple(in_lane(part, lane) if at in names and part is not None else part for at, part in enumerate(op))


ITEM_VALUES = st.fixed_dictionaries({}, optional={
    "item_name": st.sampled_from(["n", "ü \"q\"", None]), "item_price": st.sampled_from([1, 2.5, None]),
    "price": st.sampled_from([1.5, 3.0, None]), "stock": st.sampled_from([0, -3, None]),
    "labels": st.sampled_from([["x"], ["y", "x", "x"], [], None]), "sold": st.sampled_from([True, False, None]),
})
USER_VALUES = st.fixed_dictionaries({}, optional={
    "age": st.sampled_from([1, 2**53, None]), "plan": st.sampled_from(["", "gold", None]),
})
ITEM, USER, SESSION, KIND = map(st.sampled_from, (ITEM_IDS, USER_IDS, SESSION_IDS, TYPES))
AT = st.sampled_from([0, 1_500_000, -62_135_596_800_000_000, 1_700_000_000_123_456])
PROPERTIES = st.sampled_from([{}, {"b": 1, "a": {"z": [1.5, "q"], "y": None}}, {"a/b~c": "x", "item_id": "a"}])
WRITE: st.SearchStrategy[Op] = st.one_of(
    st.tuples(st.sampled_from(["put", "patch"]), st.just("item"), ITEM, ITEM_VALUES),
    st.tuples(st.sampled_from(["put", "patch"]), st.just("user"), USER, USER_VALUES),
    st.tuples(st.just("delete"), st.just("item"), ITEM), st.tuples(st.just("delete"), st.just("user"), USER),
    st.tuples(st.just("drop"), st.just("item"), st.sampled_from(["price", "labels"])),
    st.tuples(st.just("drop"), st.just("user"), st.just("age")),
    st.tuples(st.just("rate"), USER, ITEM, st.sampled_from([1.0, 8.300000190734863]), AT),
    st.tuples(st.just("unrate"), USER, st.one_of(st.none(), ITEM)),
    st.tuples(st.just("meet"), USER, ITEM, KIND, AT, PROPERTIES),
    st.tuples(st.just("visit"), SESSION, ITEM, KIND, AT, PROPERTIES),
    st.tuples(st.just("resolve"), SESSION, USER, AT),
    st.tuples(st.just("erase"), USER),
)
STEP: st.SearchStrategy[Op] = st.one_of(WRITE, st.tuples(st.just("drain")), st.tuples(st.just("publish")))
SEQUENCES = st.lists(STEP, min_size=1, max_size=14)
MANY = st.tuples(*[st.lists(WRITE, min_size=2, max_size=10)] * LANES)
BEATS = st.lists(st.sampled_from(["on", "drain", "publish", "publish"]), max_size=9)


def search(examples: int, lanes: int) -> None:
    """Try so many sequences. Raises AssertionError with the shortest that breaks the law."""
    rules = settings(
        max_examples=examples // lanes, deadline=None, database=None, suppress_health_check=list(HealthCheck),
        print_blob=True,
    )

    @given(SEQUENCES)
    def law(ops: list[Op]) -> None:
        check(ops)

    @given(MANY, BEATS)
    def laws(lanes: tuple[list[Op], ...], beats: list[str]) -> None:
        check(in_turns(lanes, beats), LANES)

    rules(law if lanes == 1 else laws)()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=20_000, help="sequences, over all lanes")
    parser.add_argument("--lanes", type=int, choices=(1, LANES), default=1)
    asked = parser.parse_args()
    began = time.monotonic()
    search(asked.examples, asked.lanes)
    print(f"{asked.examples} sequences in {time.monotonic() - began:.0f} s: none breaks the law")
