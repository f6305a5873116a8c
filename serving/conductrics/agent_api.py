"""The older management routes (12): an agent's settings under flat names, and its parts one by one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contracts.errors import DefinitionError, Problem
from decisions import codes
from decisions.agent import to_document
from serving.conductrics.call import Answer, Call, Handler, ok
from serving.conductrics.control import OK, fields, known, look, rewrite
from serving.conductrics.document_schemas import CODES, FLAT_AGENT, PART, STATUS_OK
from serving.conductrics.errors import not_found
from serving.conductrics.management import remove
from serving.conductrics.router import Route

DEFAULT_EXPLORE = 0.2
MODES = ("random", "adaptive")
STICKINESS = {"session": True, "none": False}
SINGULAR = {"points": "point", "decisions": "decision", "choices": "choice", "goals": "goal"}


async def get(call: Call) -> Answer:
    """The settings of an agent."""
    agent = await look(call, lambda connection: known(connection, call.names["agent"]))
    explore = agent.learning.exploration_rate
    return ok({
        "code": agent.code, "name": agent.name, "selection-mode": MODES[explore < 1], "status": agent.status,
        "control-rate": agent.learning.control_rate, "explore-rate": explore,
        "decision-stickiness": "session" if agent.settings.sticky else "none",
    })


async def put(call: Call) -> Answer:
    """Create an agent, or change the settings that the body names."""
    given = {name: value for name, value in fields(call).items() if value is not None}
    await rewrite(call, lambda document: _set(document, given), create=True)
    return ok(OK)


async def delete(call: Call) -> Answer:
    """The agent and its history are gone."""
    await remove(call)
    return ok(OK)


def _set(document: dict[str, Any], given: Mapping[str, Any]) -> None:
    """Write flat names into the document, which is checked as a whole afterwards. Raises DefinitionError."""
    learning = document["learning"]
    for flat, name in (("control-rate", "controlGroupRate"), ("explore-rate", "explorationRate")):
        if flat in given:
            learning[name] = _number(given[flat])
    problems = []
    mode = given.get("selection-mode")
    if mode == "random":
        learning["explorationRate"] = 1
    elif mode == "adaptive" and "explore-rate" not in given and learning["explorationRate"] == 1:
        learning["explorationRate"] = DEFAULT_EXPLORE
    elif mode not in (None, *MODES):
        problems.append(Problem("selection-mode", "must be random or adaptive"))
    stickiness = given.get("decision-stickiness")
    if isinstance(stickiness, str) and stickiness in STICKINESS:
        document["settings"]["sessions"]["sticky"] = STICKINESS[stickiness]
    elif stickiness is not None:
        problems.append(Problem("decision-stickiness", "must be session or none"))
    if problems:
        raise DefinitionError(problems)
    document.update({name: given[name] for name in ("name", "status") if name in given})


def _number(value: Any) -> Any:
    """Numbers of forms are texts."""
    return float(value) if isinstance(value, str) and codes.NUMBER.fullmatch(value) else value


def _held(document: dict[str, Any], call: Call, path: tuple[str, ...]) -> list[dict[str, Any]]:
    """The list that the last name of a path like ``points decisions`` stands for. Raises ApiError (404)."""
    for name in path[:-1]:
        document = _one(document[name], call, name)
    found: list[dict[str, Any]] = document[path[-1]]
    return found


def _one(things: list[dict[str, Any]], call: Call, name: str) -> dict[str, Any]:
    what = SINGULAR[name]
    code = codes.code(what, call.names[what])
    for one in things:
        if one["code"] == code:
            return one
    raise not_found(f"there is no {what} {code[:60]}")


def _routes(path: tuple[str, ...]) -> tuple[Route, ...]:
    """Routes of one kind of part: its codes, and one of them."""
    name, what = path[-1], SINGULAR[path[-1]]
    above = "".join(f"/{one}/{{{SINGULAR[one]}}}" for one in path[:-1])
    place = f"/{{owner}}/agent-api/{{agent}}{above}/{name}"

    async def listed(call: Call) -> Answer:
        agent = await look(call, lambda connection: known(connection, call.names["agent"]))
        return ok([one["code"] for one in _held(to_document(agent), call, path)])

    async def part(call: Call) -> Answer:
        agent = await look(call, lambda connection: known(connection, call.names["agent"]))
        return ok(_one(_held(to_document(agent), call, path), call, name))

    async def put_part(call: Call) -> Answer:
        given = dict(fields(call))

        def work(document: dict[str, Any]) -> None:
            things, code = _held(document, call, path), call.names[what]
            before = next((one for one in things if one["code"] == code), None)
            if before is None:
                things.append({**given, "code": code})
            else:
                before.update({**given, "code": code})

        await rewrite(call, work)
        return ok(OK)

    async def delete_part(call: Call) -> Answer:
        def work(document: dict[str, Any]) -> None:
            things = _held(document, call, path)
            gone = _one(things, call, name)
            things[:] = [one for one in things if one is not gone]
            if name == "choices":
                _unpause(document, call, gone["code"])

        await rewrite(call, work)
        return ok(OK)

    one = f"{place}/{{{what}}}"
    return (
        Route(("GET",), place, listed, f"Codes of the {name}", "admin", answer=CODES),
        _route("GET", one, part, f"One {what}", answer=PART),
        _route("PUT", one, put_part, f"Create a {what}, or change what the body names", body=PART, answer=STATUS_OK),
        _route("DELETE", one, delete_part, f"Delete a {what}", answer=STATUS_OK),
    )


def _unpause(document: dict[str, Any], call: Call, choice: str) -> None:
    """A decision cannot be paused at a choice that is gone."""
    decision = _one(_held(document, call, ("points", "decisions")), call, "decisions")
    if decision.get("pausedChoice") == choice:
        del decision["pausedChoice"]


def _route(verb: str, path: str, handler: Handler, summary: str, **schemas: Any) -> Route:
    return Route((verb,), path, handler, summary, "admin", **schemas)


AGENT = "/{owner}/agent-api/{agent}"

ROUTES = (
    _route("GET", AGENT, get, "Settings of an agent", answer=FLAT_AGENT),
    _route("PUT", AGENT, put, "Create an agent, or change its settings", body=FLAT_AGENT, answer=STATUS_OK),
    _route("DELETE", AGENT, delete, "Delete an agent with its history", answer=STATUS_OK),
    *_routes(("points",)), *_routes(("points", "decisions")), *_routes(("points", "decisions", "choices")),
    *_routes(("goals",)),
)
