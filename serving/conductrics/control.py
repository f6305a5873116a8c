"""Control documents of an owner, changed by admin routes: one transaction of the journal each, off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from sqlalchemy import Connection

from decisions.agent import Agent, from_document, to_document
from decisions.codes import agent_code
from serving.conductrics.call import Call
from serving.conductrics.errors import bad_request, not_found
from store.agent_documents import put_agent, read_agent

T = TypeVar("T")
WHO = "admin key"
DONE = {"success": True}
OK = {"status": "ok"}


async def change(call: Call, work: Callable[[Connection], T]) -> T:
    """What ``work`` does in a write transaction, durable on return; what it raises undoes all of it."""
    journal = call.owner.workshop.journal

    def run() -> T:
        with journal.writing() as connection:
            return work(connection)

    return await asyncio.to_thread(run)


async def look(call: Call, work: Callable[[Connection], T]) -> T:
    """What ``work`` reads in one transaction."""
    journal = call.owner.workshop.journal

    def run() -> T:
        with journal.reading() as connection:
            return work(connection)

    return await asyncio.to_thread(run)


def known(connection: Connection, code: str) -> Agent:
    """An agent as it stands. Raises BadCall (400) and ApiError (404)."""
    agent = read_agent(connection, agent_code(code))
    if agent is None:
        raise not_found(f"there is no agent {code[:60]}")
    return agent


async def rewrite(call: Call, work: Callable[[dict[str, Any]], None], *, create: bool = False) -> None:
    """Change the document of the agent that the path names, as ``work`` does in place; the result is checked as a
    whole. ``create``: an agent that is not there is made. Raises ApiError (404) and DefinitionError.
    """
    code = call.names["agent"]

    def within(connection: Connection) -> None:
        agent = read_agent(connection, agent_code(code)) if create else known(connection, code)
        document = to_document(agent) if agent is not None else to_document(from_document({"code": code, "name": code}))
        if agent is None:
            del document["created"]
        work(document)
        put_agent(connection, call.owner.name, code, document, WHO, call.now)

    await change(call, within)


def json_object(call: Call) -> dict[str, Any]:
    """The JSON object of a body. Raises ApiError (400)."""
    if not isinstance(call.body, dict):
        raise bad_request("the body must be a JSON object")
    return call.body


def fields(call: Call) -> Mapping[str, Any]:
    """The JSON object of a body, or the values of a form; nothing without a body."""
    return call.parameters.form if call.body is None else json_object(call)
