"""Items (8)."""

from __future__ import annotations

from typing import Any

import orjson

from serving import records
from serving.octy.call import Call
from serving.octy.envelope import Answer, some
from serving.octy.errors import misfit
from serving.octy.formats import canonical_number, id_fault, objects, rfc1123, some_ids, text
from serving.octy.guard import settled, unchanged
from serving.octy.paging import PAGE, asked_ids, listed, offset_of, page_of
from serving.octy.router import Route
from serving.records import ItemRecord
from serving.run_side import FIELDS
from store.journal import Write

BELOW = "/v1/retention/items"
LONGEST = 1000
HIGHEST = 2**53
STATUSES = ("active", "inactive")
UNKNOWN = "there is no such item"


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
                bodies[item_id] = {**one, "status": "active"}
        if bodies:
            await account.submit([_write(one, "put") for one in bodies.values()], guard)
        now = account.state()
        made = [_fields(found) for item_id in bodies if (found := records.item(now, item_id)) is not None]
        return some(201, "items", made, "failed_to_create", failed)

    return await settled(call.account, attempt)


async def get(call: Call) -> Answer:
    """Items by ids, or a page of all."""
    ids, account = asked_ids(call), call.account
    state = account.state()
    if ids is not None:
        return listed("items", [_shown(one) for item_id in ids if (one := records.item(state, item_id)) is not None])
    offset = offset_of(call)
    order = account.orders.items(state)
    page = [one for item_id in order.page(offset, PAGE) if (one := records.item(state, item_id)) is not None]
    return page_of("items", [_shown(one) for one in page], offset, len(order))


async def update(call: Call) -> Answer:
    """Change items; one that does not exist is named in the answer. What else is known of an item stays."""
    given = [
        {**_checked(one, f"items[{at}]", new=False), "status": _status(one.get("status"), f"items[{at}].status")}
        for at, one in enumerate(objects(call.body, "items"))
    ]

    async def attempt() -> Answer:
        account = call.account
        state = account.state()
        guard = unchanged(account, "items")
        failed, bodies = [], {}
        for one in given:
            item_id = one["item_id"]
            if item_id in bodies or not state.has_item(item_id):
                told = "this item_id stands earlier in the same request" if item_id in bodies else UNKNOWN
                failed.append({"item_id": item_id, "error_message": told})
            else:
                bodies[item_id] = one
        if bodies:
            await account.submit([_write(one, "patch") for one in bodies.values()], guard)
        now = account.state()
        done = [_shown(found) for item_id in bodies if (found := records.item(now, item_id)) is not None]
        return some(200, "items", done, "failed_to_update", failed)

    return await settled(call.account, attempt)


async def delete(call: Call) -> Answer:
    """Delete items; what happened with them stays."""
    body = {**call.body, "items": _texts(call.body.get("items"))}
    ids = some_ids(body, "items")

    async def attempt() -> Answer:
        account = call.account
        state = account.state()
        guard = unchanged(account, "items")
        gone = [one for one in ids if state.has_item(one)]
        if gone:
            writes = [Write("items", one, "delete", orjson.dumps({"item_id": one}).decode()) for one in gone]
            await account.submit(writes, guard)
            account.state()
        return some(
            200, "deleted_items", [{"item_id": one} for one in gone], "failed_to_delete",
            [{"item_id": one, "error_message": UNKNOWN} for one in ids if one not in gone],
        )

    return await settled(call.account, attempt)


def _checked(given: dict[str, Any], where: str, *, new: bool = True) -> dict[str, Any]:
    """The fields that every item has. ``new``: its id must be one of this dialect; files may have made others."""
    item_id = text(_text(given.get("item_id")), f"{where}.item_id")
    fault = id_fault(item_id) if new else ""
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


def _text(item_id: Any) -> Any:
    """A numeric id is its canonical text."""
    numeric = isinstance(item_id, int | float) and not isinstance(item_id, bool)
    return canonical_number(item_id) if numeric else item_id


def _texts(item_ids: Any) -> Any:
    return [_text(one) for one in item_ids] if isinstance(item_ids, list) else item_ids


def _status(value: Any, field: str) -> str:
    if value not in STATUSES:
        raise misfit(field, f"must be {' or '.join(STATUSES)}")
    return str(value)


def _price(value: Any, field: str) -> int:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole and not (isinstance(value, float) and value.is_integer()):
        raise misfit(field, "must be a whole number in the lowest denomination")
    if not 0 <= value <= HIGHEST:
        raise misfit(field, f"must lie in 0..{HIGHEST}")
    return int(value)


def _write(one: dict[str, Any], op: str) -> Write:
    stored = {
        "item_id": one["item_id"], "properties": {name: one[name] for name in FIELDS}, "status": one["status"]
    }
    return Write("items", one["item_id"], op, orjson.dumps(stored).decode())


def _fields(one: ItemRecord) -> dict[str, Any]:
    return {"item_id": one.item_id, **one.values}


def _shown(one: ItemRecord) -> dict[str, Any]:
    return {
        **_fields(one), "status": one.status, "created_at": rfc1123(one.created_at),
        "updated_at": rfc1123(one.updated_at),
    }


ROUTES = (
    Route("POST", f"{BELOW}/create", create, "Create items"),
    Route("GET", BELOW, get, "Items by ids, or a page of all"),
    Route("POST", f"{BELOW}/update", update, "Update items"),
    Route("POST", f"{BELOW}/delete", delete, "Delete items"),
)
