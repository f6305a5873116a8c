"""Agents as documents (12): the whole document, and what belongs to the agent as a whole."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from decisions.agent import to_document
from serving.conductrics.call import Answer, Call, ok
from serving.conductrics.control import DONE, WHO, change, json_object, known, look
from serving.conductrics.document_schemas import AGENT_DOCUMENT, SUCCESS
from serving.conductrics.router import Route
from store.agent_documents import put_agent, read_agents, reset_agent
from store.journal.decision_states import end_all


async def list_agents(call: Call) -> Answer:
    """Every agent of the owner, by code."""
    agents = await look(call, read_agents)
    listed = [{"code": one.code, "name": one.name or one.code, "created": one.created} for one in agents.values()]
    return ok({"data": {"agents": listed}})


async def get(call: Call) -> Answer:
    """The document."""
    return ok(to_document(await look(call, lambda connection: known(connection, call.names["agent"]))))


async def put(call: Call) -> Answer:
    """Create the agent or replace its document. The path says which: code and owner of the body do not count."""
    document, code = json_object(call), call.names["agent"]
    await change(call, lambda connection: put_agent(connection, call.owner.name, code, document, WHO, call.now))
    return ok(DONE)


async def delete(call: Call) -> Answer:
    """The agent and its history are gone: here at once, in the warehouse with the next night."""
    await remove(call)
    return ok(DONE)


async def reset(call: Call) -> Answer:
    """Learning, reports and open epochs begin anew; the document stays."""
    await change(call, lambda connection: _reset(connection, call, deleted=False))
    return ok(DONE)


async def remove(call: Call) -> None:
    """Delete the agent that the path names. Raises ApiError (404)."""
    await change(call, lambda connection: _reset(connection, call, deleted=True))


def _reset(connection: Connection, call: Call, *, deleted: bool) -> None:
    code = call.names["agent"]
    known(connection, code)
    # The clock is read inside the transaction: what was committed before it was received before this moment.
    now = datetime.fromtimestamp(call.owner.clock(), UTC).replace(tzinfo=None)
    reset_agent(connection, code, WHO, now, deleted=deleted)
    end_all(connection, code)


LISTED: dict[str, Any] = {
    "type": "object", "required": ["data"], "properties": {"data": {
        "type": "object", "required": ["agents"], "properties": {"agents": {"type": "array", "items": {
            "type": "object", "required": ["code", "name", "created"], "properties": {
                "code": {"type": "string"}, "name": {"type": "string"}, "created": {"type": "integer"},
            },
        }}},
    }},
}

ROUTES = (
    Route(("GET",), "/{owner}/list-agents", list_agents, "Agents of the owner", "admin", answer=LISTED),
    Route(("GET",), "/{owner}/{agent}", get, "Configuration document of an agent", "admin", answer=AGENT_DOCUMENT),
    Route(
        ("PUT",), "/{owner}/{agent}", put, "Create an agent or replace its document", "admin", body=AGENT_DOCUMENT,
        answer=SUCCESS,
    ),
    Route(("DELETE",), "/{owner}/{agent}", delete, "Delete an agent with its history", "admin", answer=SUCCESS),
    Route(
        ("DELETE",), "/{owner}/{agent}/data", reset, "Reset learning, reports and open epochs of an agent", "admin",
        answer=SUCCESS,
    ),
)
