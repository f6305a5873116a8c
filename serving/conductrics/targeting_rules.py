"""Targeting rules of an owner (11): listed, put and deleted, and what they may use."""

from __future__ import annotations

import asyncio
from typing import Any

from decisions.providers import PROVIDERS, warm
from decisions.targeting import EVERY, OPERATORS, Rule
from serving.conductrics.call import Answer, Call, ok
from serving.conductrics.control import OK, WHO, change, json_object, look
from serving.conductrics.document_schemas import STATUS_OK
from serving.conductrics.errors import not_found
from serving.conductrics.router import Route
from store.agent_documents import delete_rule, put_rule, read_rules


async def listed(call: Call) -> Answer:
    """Every rule, in the order in which they run."""
    rules = await look(call, read_rules)
    return ok({"data": {"transforms": [shown(rule) for rule in rules]}})


async def put(call: Call) -> Answer:
    """Create a rule, or replace the one of its code, which keeps its place."""
    document = json_object(call)
    await asyncio.to_thread(warm)  # the next call is to find the parsers loaded
    await change(call, lambda connection: put_rule(connection, document, WHO, call.now))
    return ok(OK)


async def delete(call: Call) -> Answer:
    """Delete a rule."""
    code = call.names["rule"]
    if not await change(call, lambda connection: delete_rule(connection, code, WHO, call.now)):
        raise not_found(f"there is no targeting rule {code[:60]}")
    return ok(OK)


async def options(_call: Call) -> Answer:
    """What provides features."""
    return ok({"data": {"options": {"providers": [
        {"code": one.code, "name": one.name, "tags": [one.tag], "providesFeatures": True}
        for one in PROVIDERS.values()
    ]}}})


def shown(rule: Rule) -> dict[str, Any]:
    """A rule as it was sent, with what it left out."""
    return {"status": 1, "agents": [EVERY], "when": [], "andor": "and", **rule.raw}


TEXT: dict[str, Any] = {"type": "string"}
RULE: dict[str, Any] = {
    "type": "object", "required": ["code", "apply"], "properties": {
        "code": {"type": "string", "pattern": "^[0-9A-Za-z_-]{1,50}$"}, "status": {"enum": [0, 1]},
        "agents": {"type": "array", "items": TEXT},
        "when": {"type": "array", "items": {
            "type": "array", "prefixItems": [TEXT, {"enum": list(OPERATORS)}, TEXT], "minItems": 3, "maxItems": 3,
        }},
        "andor": {"enum": ["and", "or"]},
        "apply": {"type": "object", "properties": {"feature": TEXT, "segment": TEXT}},
    },
}
PROVIDER: dict[str, Any] = {
    "type": "object", "required": ["code", "name", "tags", "providesFeatures"], "properties": {
        "code": TEXT, "name": TEXT, "tags": {"type": "array", "items": TEXT}, "providesFeatures": {"type": "boolean"},
    },
}


def _data(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": ["data"], "properties": {"data": {
        "type": "object", "required": [name], "properties": {name: schema},
    }}}


ROUTES = (
    Route(
        ("GET",), "/{owner}/transforms-list", listed, "Targeting rules in their order", "admin",
        answer=_data("transforms", {"type": "array", "items": RULE}),
    ),
    Route(
        ("POST", "PUT"), "/{owner}/transform-rule", put, "Create or replace a targeting rule", "admin", body=RULE,
        answer=STATUS_OK,
    ),
    Route(
        ("DELETE",), "/{owner}/transform-rule/{rule}", delete, "Delete a targeting rule", "admin", answer=STATUS_OK
    ),
    Route(
        ("GET",), "/{owner}/transforms-options", options, "What targeting rules may use", "admin",
        answer=_data("options", {"type": "object", "properties": {"providers": {"type": "array", "items": PROVIDER}}}),
    ),
)
