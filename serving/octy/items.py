"""Items (8): create; the rest comes with a later version."""

from __future__ import annotations

from typing import Any

import orjson

from serving import records
from serving.octy.call import Call
from serving.octy.envelope import Answer, some
from serving.octy.errors import misfit
from serving.octy.formats import canonical_number, id_fault, objects, text
from serving.octy.guard import settled, unchanged
from serving.octy.router import Route, not_yet
from serving.records import ItemRecord
from serving.run_side import FIELDS
from store.journal import Write

BELOW = "/v1/retention/items"
LONGEST = 1000
HIGHEST = 2**53


async def create(call: Call) -> Answer:
    """Store new items; one whose id is taken is named in the answer."""
    given = [_checked(one, f"items[{at}]") for at, one in enumerate(objects(call.body, "items"))]

    async def attempt() -> Answer:
        account = call.account
        state = account.state()
        guard = unchanged(account, "items")
        failed, bodies = [], {}
        for one in given:
            item_id = one["item_id"]
            if item_id in bodies or state.has_item(item_id):
                told = "stands earlier in the same request" if item_id in bodies else "is taken already"
                failed.append({"item_id": item_id, "error_message": f"this item_id {told}"})
            else:
                bodies[item_id] = one
        if bodies:
            await account.submit([_write(one) for one in bodies.values()], guard)
        now = account.state()
        made = [_created(found) for item_id in bodies if (found := records.item(now, item_id)) is not None]
        return some(201, "items", made, "failed_to_create", failed)

    return await settled(call.account, attempt)


def _checked(given: dict[str, Any], where: str) -> dict[str, Any]:
    item_id = given.get("item_id")
    if isinstance(item_id, int | float) and not isinstance(item_id, bool):
        item_id = canonical_number(item_id)
    item_id = text(item_id, f"{where}.item_id")
    fault = id_fault(item_id)
    if fault:
        raise misfit(f"{where}.item_id", fault)
    found = {"item_id": item_id}
    for name in ("item_category", "item_name", "item_description"):
        found[name] = text(given.get(name), f"{where}.{name}")
        if "\0" in found[name]:
            raise misfit(f"{where}.{name}", "must hold no NUL")
    if len(found["item_description"]) > LONGEST:
        raise misfit(f"{where}.item_description", f"must have 1 to {LONGEST} characters")
    return {**found, "item_price": _price(given.get("item_price"), f"{where}.item_price")}


def _price(value: Any, field: str) -> int:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole and not (isinstance(value, float) and value.is_integer()):
        raise misfit(field, "must be a whole number in the lowest denomination")
    if not 0 <= value <= HIGHEST:
        raise misfit(field, f"must lie in 0..{HIGHEST}")
    return int(value)


def _write(one: dict[str, Any]) -> Write:
    stored = {"item_id": one["item_id"], "properties": {name: one[name] for name in FIELDS}}
    return Write("items", one["item_id"], "put", orjson.dumps(stored).decode())


def _created(one: ItemRecord) -> dict[str, Any]:
    return {"item_id": one.item_id, **one.values}


ROUTES = (
    Route("POST", f"{BELOW}/create", create, "Create items"),
    Route("POST", f"{BELOW}/update", not_yet, "Update items"),
    Route("POST", f"{BELOW}/delete", not_yet, "Delete items"),
    Route("GET", BELOW, not_yet, "Items by ids, or a page of all"),
)
