"""Event types (9): documents of the account, beside the system's own."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from serving.octy import documents
from serving.octy.call import Call
from serving.octy.envelope import Answer, some
from serving.octy.errors import misfit
from serving.octy.formats import id_fault, objects, rfc1123, some_ids, text, texts
from serving.octy.paging import asked_ids, listed, paged
from serving.octy.router import Route
from store import event_type_documents as types

BELOW = "/v1/retention/events/types"
# Properties that every event of a system type must have.
SYSTEM: dict[str, tuple[str, ...]] = {
    "charged": ("payment_method", "item_id"), "churned": (), "complaint": ("channel",),
}


async def get(call: Call) -> Answer:
    """Custom types by id, or a page of all."""
    ids = asked_ids(call)
    found = sorted(call.account.event_types().values(), key=lambda one: (one["created_at"], one["event_type_id"]))
    if ids is None:
        return paged(call, "event_types", found, _shown)
    by_id = {one["event_type_id"]: one for one in found}
    return listed("event_types", [_shown(by_id[one]) for one in ids if one in by_id])


async def create(call: Call) -> Answer:
    """Define types; one whose name is taken is named in the answer."""
    given = [_checked(one, f"event_types[{at}]") for at, one in enumerate(objects(call.body, "event_types"))]
    account = call.account

    def work(connection: Connection) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        made, failed = [], []
        for one in given:
            name = one["event_type"]
            told = types.add(connection, name, one["event_properties"], call.who, account.journal.clock())
            if isinstance(told, str):
                failed.append({"event_type": name, "error_message": f"{name} {told}"})
            else:
                made.append({field: told[field] for field in ("event_type_id", "event_type", "event_properties")})
        return made, failed

    made, failed = await documents.within(account, work)
    return some(201, "event_types", made, "failed_to_create", failed)


async def delete(call: Call) -> Answer:
    """Take types away that no segment uses; their events stay."""
    ids = some_ids(call.body, "event_type_ids")
    account = call.account

    refused = await documents.within(
        account, lambda connection: types.remove(connection, ids, call.who, account.journal.clock())
    )
    gone = [{"event_type_id": one} for one in dict.fromkeys(ids) if one not in refused]
    failed = [{"event_type_id": one, "error_message": why} for one, why in refused.items()]
    return some(200, "deleted_event_types", gone, "failed_to_delete", failed)


def _checked(given: dict[str, Any], where: str) -> dict[str, Any]:
    name = text(given.get("event_type"), f"{where}.event_type")
    fault = id_fault(name, space=False)
    if fault:
        raise misfit(f"{where}.event_type", fault)
    names = given.get("event_properties")
    properties = [] if names is None else texts(names, f"{where}.event_properties")
    return {"event_type": name, "event_properties": list(dict.fromkeys(properties))}


def _shown(one: dict[str, Any]) -> dict[str, Any]:
    return {**one, "created_at": rfc1123(datetime.fromisoformat(one["created_at"]))}


ROUTES = (
    Route("GET", BELOW, get, "Custom event types"),
    Route("POST", f"{BELOW}/create", create, "Create event types"),
    Route("POST", f"{BELOW}/delete", delete, "Delete event types"),
)
