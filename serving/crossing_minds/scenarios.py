"""Scenarios and defaults (§10.2, §10.3): documents of the journal, checked and stored in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection

from scenarios.check import Known, check, warnings_of
from scenarios.graph import Key
from scenarios.metadata_filter import MetadataFilter
from scenarios.parse import parse
from scenarios.spec import RECO_TYPES, Definition, Problem
from scenarios.url_forms import metadata_filter_from
from serving.crossing_minds import schemas as s
from serving.crossing_minds.call import Answer, Call
from serving.crossing_minds.errors import NotFoundError, wrong_type
from serving.crossing_minds.fields import integer, text
from serving.crossing_minds.pages import read_cursor, write_cursor
from serving.crossing_minds.problems import of_definition, of_problem
from serving.crossing_minds.router import Route
from store import scenario_documents as documents
from store.scenario_documents import Control

T = TypeVar("T")
AMOUNT = (1, 512, 512)
TYPES = ("case", "ab_test", "condition", "alias")


async def get_one(call: Call) -> Answer:
    """One scenario exactly as it was put, with warnings of today."""
    control = await current(call)
    definition = control.graph.lookup(*_key(call))
    if definition is None:
        raise missing(call.params["name"])
    return shown(definition, known(call, control))


async def put_one(call: Call) -> Answer:
    """Store a scenario; what it may not be is told with every place at once."""
    reco_type, name = _key(call)
    definition, problems = parse(reco_type, name, call.body, "scenario")
    if definition is None:
        raise of_definition(problems)
    ready: Definition = definition

    def put(connection: Connection, at: datetime) -> tuple[str, ...]:
        found = check([ready], known(call, documents.read(connection)))
        if found.problems:
            raise of_definition(found.problems)
        documents.put(connection, ready, _author(call), at)
        return found.warnings.get((reco_type, name), ())

    warnings = await _written(call, put)
    return {"warnings": list(warnings)} if warnings else {}


async def delete_one(call: Call) -> Answer:
    """Delete a scenario, and the default that points to it."""
    reco_type, name = _key(call)
    if not await _written(call, lambda con, at: documents.delete(con, reco_type, name, _author(call), at)):
        raise missing(name)
    return None


async def get_all(call: Call) -> Answer:
    """Scenarios by reco type and name, as far as they fit all filters."""
    control = await current(call)
    reco_type, kind = call.query.get("reco_type") or "", call.query.get("scenario_type") or ""
    if reco_type:
        _reco_type(reco_type)
    if kind and kind not in TYPES:
        raise wrong_type("scenario_type", f"must be one of {', '.join(TYPES)}")
    filters = [_metadata_filter(one, at) for at, one in enumerate(call.query.getlist("metadata_filters"))]
    amount = integer(call.query.get("amt"), "amt", *AMOUNT)
    after = read_cursor(call.query.get("cursor"), "scenarios")
    fitting = sorted(
        key for key, one in control.graph.definitions.items()
        if (not reco_type or one.reco_type == reco_type) and (not kind or one.scenario_type == kind)
        and all(wanted.holds(one.metadata) for wanted in filters) and (after is None or list(key) > after)
    )
    page, facts = fitting[:amount], known(call, control)
    more = len(fitting) > amount
    return {
        "scenarios": [shown(control.graph.definitions[key], facts) for key in page], "has_next": more,
        "next_cursor": write_cursor("scenarios", list(page[-1])) if more else "",
    }


async def get_default(call: Call) -> Answer:
    """Name of the default scenario of a reco type."""
    reco_type = _reco_type(call.params["reco_type"])
    name = (await current(call)).graph.default(reco_type)
    if name is None:
        raise missing(reco_type)
    return {"name": name}


async def patch_default(call: Call) -> Answer:
    """Make a scenario the default of its reco type."""
    reco_type = _reco_type(call.params["reco_type"])
    name = text(call.body.get("name"), "name")

    def put(connection: Connection, at: datetime) -> None:
        if documents.read(connection).graph.lookup(reco_type, name) is None:
            raise missing(name)
        documents.put_default(connection, reco_type, name, _author(call), at)

    await _written(call, put)
    return None


async def delete_default(call: Call) -> Answer:
    """Clear a default, set or not."""
    reco_type = _reco_type(call.params["reco_type"])
    await _written(call, lambda con, at: documents.delete_default(con, reco_type, _author(call), at))
    return None


async def current(call: Call) -> Control:
    """All control documents as they are committed now."""
    journal = call.database.journal

    def read() -> Control:
        with journal.reading() as connection:
            return documents.read(connection)

    return await asyncio.to_thread(read)


def known(call: Call, control: Control) -> Known:
    """What scenarios are held against: declared properties, those of files, and the current run's recommenders."""
    view = call.database.view()
    if view is None:
        return Known(control.item_types, control.user_types, None, control.graph)
    algorithms = {*view.pack.algorithms("profile_to_items"), *view.pack.algorithms("item_to_items")}
    types = {**view.pack.property_types, **control.item_types}
    return Known(types, control.user_types, algorithms, control.graph)


def shown(definition: Definition, facts: Known) -> dict[str, Any]:
    """A stored scenario as it is read."""
    warnings = warnings_of(definition, facts)
    said = {"reco_type": definition.reco_type, "name": definition.name, "scenario": definition.raw}
    return {**said, "warnings": list(warnings)} if warnings else said


def missing(key: str) -> NotFoundError:
    """No such scenario, or no default of a reco type."""
    return NotFoundError("SCENARIO_NOT_FOUND", "scenario", key)


def _author(call: Call) -> str:
    """Who is named in the history."""
    account = call.account
    return f"{account.kind} {account.name}"


def _key(call: Call) -> Key:
    return _reco_type(call.params["reco_type"]), call.params["name"]


def _reco_type(word: str) -> str:
    if word not in RECO_TYPES:
        raise wrong_type("reco_type", f"must be one of {', '.join(RECO_TYPES)}")
    return word


def _metadata_filter(given: str, at: int) -> MetadataFilter:
    found = metadata_filter_from(given, f"metadata_filters[{at}]")
    if isinstance(found, Problem):
        raise of_problem(found)
    return found


async def _written(call: Call, change: Callable[[Connection, datetime], T]) -> T:
    """Run a change in one write transaction; it is committed when this returns."""
    journal = call.database.journal

    def write() -> T:
        with journal.writing() as connection:
            return change(connection, journal.clock())

    return await asyncio.to_thread(write)


SCENARIO = s.obj(
    {
        "scenario_type": s.words(*TYPES), "metadata": s.OBJECT, "case": s.OBJECT,
        "ab_test": s.obj({"id": s.string(), "scenario_a": s.string(), "scenario_b": s.string()}),
        "condition": s.OBJECT, "alias": s.obj({"scenario_name": s.string()}),
    },
    optional=("metadata", "case", "ab_test", "condition", "alias"),
)
SHOWN = s.obj(
    {"reco_type": s.words(*RECO_TYPES), "name": s.string(), "scenario": s.OBJECT, "warnings": s.WARNINGS},
    optional=("warnings",),
)
QUERY: dict[str, Any] = {
    "cursor": s.CURSOR, "amt": s.integer(1, 512, default=512), "reco_type": s.words(*RECO_TYPES),
    "scenario_type": s.words(*TYPES), "metadata_filters": s.array(s.string()),
}
ONE, DEFAULT = "scenarios/{reco_type}/{name}/", "scenarios-default/{reco_type}/"

ROUTES: tuple[Route, ...] = (
    Route("GET", ONE, "RMBV", get_one, "A scenario as it was put", answer=SHOWN),
    Route("PUT", ONE, "RMB", put_one, "Store a scenario", body=SCENARIO, answer=s.WARNED),
    Route("DELETE", ONE, "RMB", delete_one, "Delete a scenario"),
    Route(
        "GET", "scenarios/", "RMBV", get_all, "Scenarios", query=QUERY, answer=s.cursor_page("scenarios", SHOWN),
    ),
    Route("GET", DEFAULT, "RMBV", get_default, "The default scenario", answer=s.obj({"name": s.string()})),
    Route("PATCH", DEFAULT, "RMB", patch_default, "Set the default scenario", body=s.obj({"name": s.string()})),
    Route("DELETE", DEFAULT, "RMB", delete_default, "Clear the default scenario"),
)
