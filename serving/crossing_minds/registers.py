"""Routes of items and users (§8.1): one implementation for both; each noun's module binds it to its words."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
import orjson

from scenarios.operators import bind, holds
from scenarios.spec import Filter, Problem, Scalar
from scenarios.url_forms import filter_from
from serving.crossing_minds import schemas as s
from serving.crossing_minds.call import Answer, Call
from serving.crossing_minds.errors import NotFoundError
from serving.crossing_minds.fields import an_object, flag, integer, texts
from serving.crossing_minds.pages import LIST_AMOUNT, read_cursor, write_cursor
from serving.crossing_minds.problems import of_problem
from serving.crossing_minds.router import Route
from serving.crossing_minds.values import Rows, Words, read_rows, read_values, shown
from serving.effective import Effective
from store.journal import Write

T = TypeVar("T")
MANY = 500  # rows from which a body is checked beside the lookups


class Register:
    """Handlers of one noun."""

    def __init__(self, words: Words) -> None:
        self.words = words

    async def put_many(self, call: Call) -> Answer:
        """Replace each of these."""
        rows = await self._read(call)
        await call.database.submit([self._write(key, "put", values) for key, values in rows])
        return None

    async def patch_many(self, call: Call) -> Answer:
        """Change some values of each of these."""
        rows = await self._read(call)
        if not flag(call.body.get("create_if_missing"), "create_if_missing"):
            state = self._state(call)
            absent = next((key for key, _ in rows if not self._has(state, key)), None)
            if absent is not None:
                raise self._missing(call, absent)
        await call.database.submit([self._write(key, "patch", values) for key, values in rows])
        return None

    async def delete_many(self, call: Call) -> Answer:
        """Delete each of these that is there."""
        keys = call.database.ids.read_all(self.words.noun, call.body.get(self.words.ids), self.words.ids)
        state = self._state(call)
        await self._submit(call, [
            self._write(key, "delete", None) for key in dict.fromkeys(keys) if self._has(state, key)
        ])
        return None

    async def list_some(self, call: Call) -> Answer:
        """Those of these ids that are there."""
        keys = call.database.ids.read_all(self.words.noun, call.body.get(self.words.ids), self.words.ids)
        state = self._state(call)
        wanted = self._wanted(state, texts(call.body.get("properties"), "properties"))
        found = ((key, self._values(state, key)) for key in dict.fromkeys(keys))
        return {self.words.many: [
            self._shown(call, state, key, values, wanted) for key, values in found if values is not None
        ]}

    async def list_all(self, call: Call) -> Answer:
        """A page of all that pass the filters, by id."""
        state = self._state(call)
        amount = integer(call.query.get("amt"), "amt", *LIST_AMOUNT)
        wanted = self._wanted(state, call.query.getlist("properties"))
        filters = self._filters(call, state)
        tag = f"{self.words.many}-bulk"
        after = read_cursor(call.query.get("cursor"), tag) or ""
        page: list[tuple[str, dict[str, Any]]] = []
        for key in self._passing(call, state, str(after), filters):
            values = self._values(state, key)
            if values is None:
                continue
            page.append((key, values))
            if len(page) > amount:
                break
        more = len(page) > amount
        del page[amount:]
        return {
            self.words.many: [self._shown(call, state, key, values, wanted) for key, values in page],
            "has_next": more, "next_cursor": write_cursor(tag, page[-1][0]) if more else "",
        }

    async def get_one(self, call: Call) -> Answer:
        """All values of one."""
        key, state = call.params[self.words.id], self._state(call)
        values = self._values(state, key)
        if values is None:
            raise self._missing(call, key)
        return {self.words.noun: self._shown(call, state, key, values, None)}

    async def put_one(self, call: Call) -> Answer:
        """Replace one."""
        await self._submit(call, [self._write(call.params[self.words.id], "put", self._one(call))])
        return None

    async def patch_one(self, call: Call) -> Answer:
        """Change some values of one."""
        key, values = call.params[self.words.id], self._one(call)
        there = self._has(self._state(call), key)
        if not there and not flag(call.body.get("create_if_missing"), "create_if_missing"):
            raise self._missing(call, key)
        await self._submit(call, [self._write(key, "patch", values)])
        noun = self.words.noun
        return {f"{noun}_created": not there, f"{noun}_modified": there}

    async def delete_one(self, call: Call) -> Answer:
        """Delete one, whether it is there or not."""
        key = call.params[self.words.id]
        if self._has(self._state(call), key):
            await self._submit(call, [self._write(key, "delete", None)])
        return None

    async def _read(self, call: Call) -> Rows:
        """The rows of a bulk request; many are checked on a thread, so that lookups go on."""
        known, ids = self._state(call).properties(self.words.noun), call.database.ids
        given = call.body.get(self.words.many)
        many = isinstance(given, list) and len(given) > MANY
        return await _aside(lambda: read_rows(self.words, call.body, ids, known), many=many)

    def _one(self, call: Call) -> dict[str, Any]:
        given = an_object(call.body.get(self.words.noun), self.words.noun)
        return read_values(self.words, given, self._state(call).properties(self.words.noun), self.words.noun)

    def _write(self, key: str, op: str, values: dict[str, Any] | None) -> Write:
        name = "item_id" if self.words.noun == "item" else "customer_id"
        body: dict[str, Any] = {name: key}
        if values is not None:
            body["properties"] = values
        return Write(self.words.entity, key, op, orjson.dumps(body).decode())

    async def _submit(self, call: Call, writes: Sequence[Write]) -> None:
        if writes:
            await call.database.submit(writes)

    def _missing(self, call: Call, key: str) -> NotFoundError:
        return NotFoundError(
            self.words.name("NOT_FOUND"), self.words.noun, call.database.ids.write(self.words.noun, key)
        )

    def _wanted(self, state: Effective, names: Iterable[str]) -> frozenset[str] | None:
        """Names of the properties asked for, None for all."""
        wanted = frozenset(name.lower() for name in names)
        unknown = wanted - state.properties(self.words.noun).keys()
        if unknown:
            raise NotFoundError(self.words.name("PROPERTY_NOT_FOUND"), self.words.property_type, min(unknown))
        return wanted or None

    def _filters(self, call: Call, state: Effective) -> list[Filter]:
        types, found = state.types(self.words.noun), []
        for at, given in enumerate(call.query.getlist("filters")):
            rule = filter_from(given, f"filters[{at}]")
            if isinstance(rule, Filter):
                known = rule.property in types or (self.words.noun == "item" and rule.property == "item_id")
                if not known:
                    name = self.words.name("PROPERTY_NOT_FOUND")
                    raise NotFoundError(name, self.words.property_type, rule.property)
                ids = call.database.ids.type_of("item").canonical
                rule = bind(rule, types, where=f"filters[{at}]", item_ids=ids)
            if isinstance(rule, Problem):
                raise of_problem(rule)
            found.append(rule)
        return found

    def _passing(self, call: Call, state: Effective, after: str, filters: list[Filter]) -> Iterator[str]:
        """Ids above ``after`` that pass, in order. The run's items are judged by column, everything else one by one."""
        canonical = call.database.ids.type_of(self.words.noun).canonical
        keys = state.item_ids(after) if self.words.noun == "item" else state.user_ids(after)
        ours = (key for key in keys if canonical(key) == key)  # files may have brought other ids
        if not filters:
            return ours
        if self.words.noun == "user":
            return (key for key in ours if self._holds(state, key, filters))
        catalogue = state.catalogue()
        passing = np.ones(catalogue.size, np.bool_)
        for rule in filters:
            passing &= catalogue.mask(rule)
        row_of = state.run.item_row

        def passes(key: str) -> bool:
            row = row_of(key)
            return bool(passing[row]) if row >= 0 else self._holds(state, key, filters)

        return filter(passes, ours)

    def _holds(self, state: Effective, key: str, filters: list[Filter]) -> bool:
        values = self._values(state, key) or {}
        for rule in filters:
            if rule.property == "item_id" and self.words.noun == "item":
                if not _id_holds(rule, key):
                    return False
            elif not holds(rule, _several(values.get(rule.property))):
                return False
        return True

    def _state(self, call: Call) -> Effective:
        return call.database.live.effective()

    def _has(self, state: Effective, key: str) -> bool:
        return state.has_item(key) if self.words.noun == "item" else state.has_user(key)

    def _values(self, state: Effective, key: str) -> dict[str, Any] | None:
        return state.item(key) if self.words.noun == "item" else state.user(key)

    def _shown(
        self, call: Call, state: Effective, key: str, values: dict[str, Any], wanted: frozenset[str] | None
    ) -> dict[str, Any]:
        return shown(self.words, key, values, call.database.ids, state.properties(self.words.noun), wanted)


async def _aside(work: Callable[[], T], *, many: bool) -> T:
    return await asyncio.to_thread(work) if many else work()


def _several(value: Any) -> tuple[Scalar, ...]:
    if value is None:
        return ()
    return tuple(value) if isinstance(value, list) else (value,)


def _id_holds(rule: Filter, key: str) -> bool:
    values = rule.value if isinstance(rule.value, tuple) else (rule.value,)
    return (key in values) == (rule.op in ("eq", "in"))


def routes_of(words: Words, mark: str) -> tuple[Route, ...]:
    """The routes of one noun. ``mark``: that of bulk put, list and read."""
    register, many, noun = Register(words), words.many, words.noun
    row = s.obj({words.id: s.ID})
    lists = s.array(s.obj({
        "name": s.string(),
        "array": s.array(s.obj({f"{noun}_index": s.integer(0), "value_id": s.anything()})),
    }))
    rows = s.obj({many: s.array(row), f"{many}_m2m": lists}, optional=(f"{many}_m2m",))
    patched = s.obj(
        {many: s.array(row), f"{many}_m2m": lists, "create_if_missing": s.boolean()},
        optional=(f"{many}_m2m", "create_if_missing"),
    )
    some = s.obj({words.ids: s.array(s.ID)})
    one = s.obj({noun: s.OBJECT})
    bulk, single = f"{many}-bulk/properties/", f"{many}/{{{words.id}}}/properties/"
    query = {
        "amt": s.AMT, "cursor": s.CURSOR, "properties": s.array(s.string()), "filters": s.array(s.string()),
    }
    return (
        Route("PUT", bulk, "RMB", register.put_many, f"Replace {many}", body=rows, mark=mark),
        Route("POST", f"{bulk}list/", "RMBV", register.list_some, f"Some {many} by their ids", mark=mark,
              body=s.obj({words.ids: s.array(s.ID), "properties": s.array(s.string())}, optional=("properties",)),
              answer=s.obj({many: s.array(row)})),
        Route("GET", bulk, "RMBV", register.list_all, f"All {many}, by id", query=query,
              answer=s.cursor_page(many, row), mark=mark),
        Route("PATCH", bulk, "RMB", register.patch_many, f"Change values of {many}", body=patched, mark="M2"),
        Route("DELETE", bulk, "RMB", register.delete_many, f"Delete {many}", body=some, mark="M2"),
        Route("GET", single, "RMBV", register.get_one, f"One {noun}", answer=s.obj({noun: row}), mark="M2"),
        Route("PUT", single, "RMB", register.put_one, f"Replace one {noun}", body=one, mark="M2"),
        Route("PATCH", single, "RMB", register.patch_one, f"Change values of one {noun}", mark="M2",
              body=s.obj({noun: s.OBJECT, "create_if_missing": s.boolean()}, optional=("create_if_missing",)),
              answer=s.obj({f"{noun}_created": s.boolean(), f"{noun}_modified": s.boolean()})),
        Route("DELETE", single, "RMB", register.delete_one, f"Delete one {noun}", mark="M2"),
    )
