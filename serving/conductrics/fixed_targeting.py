"""Fixed targeting of a point (11): a visitor with a feature always gets one choice."""

from __future__ import annotations

from typing import Any

from contracts.errors import DefinitionError
from decisions.agent import FIXED, to_document
from decisions.agent_check import fixed_faults
from serving.conductrics.call import Answer, Call, ok
from serving.conductrics.control import OK, known, look, rewrite
from serving.conductrics.document_schemas import STATUS_OK
from serving.conductrics.errors import not_found
from serving.conductrics.router import Route


async def get(call: Call) -> Answer:
    """The list as it was put."""
    agent = await look(call, lambda connection: known(connection, call.names["agent"]))
    return ok(_point(to_document(agent), call).get(FIXED, []))


async def put(call: Call) -> Answer:
    """Replace the list; an empty one ends fixed targeting."""
    problems = list(fixed_faults(call.body))
    if problems:
        raise DefinitionError(problems)

    def work(document: dict[str, Any]) -> None:
        _point(document, call)[FIXED] = call.body

    await rewrite(call, work)
    return ok(OK)


def _point(document: dict[str, Any], call: Call) -> dict[str, Any]:
    code = call.names["point"]
    for point in document["points"]:
        if point["code"] == code:
            found: dict[str, Any] = point
            return found
    raise not_found(f"there is no point {code[:60]}")


LIST: dict[str, Any] = {"type": "array", "items": {
    "type": "object", "required": ["feature", "decision"],
    "properties": {"feature": {"type": "string"}, "decision": {"type": "string"}},
}}
PATH = "/{owner}/agent-api/{agent}/points/{point}/fixed-targeting"

ROUTES = (
    Route(("GET",), PATH, get, "Fixed targeting of a point", "admin", answer=LIST),
    Route(("PUT",), PATH, put, "Replace the fixed targeting of a point", "admin", body=LIST, answer=STATUS_OK),
)
