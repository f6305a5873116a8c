"""Databases (§7): the current one, and making, changing and deleting them."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

from contracts.errors import UsageError
from serving.crossing_minds import schemas as s
from serving.crossing_minds.call import Answer, Call
from serving.crossing_minds.errors import DuplicatedError, wrong_parameter, wrong_type
from serving.crossing_minds.fields import an_object, flag, text
from serving.crossing_minds.login import DATABASE, described
from serving.crossing_minds.pages import numbered
from serving.crossing_minds.router import Route
from serving.crossing_minds.tenant import Tenant
from store.control import DuplicatedName, NewDatabase
from store.removal import remove_workspace

PATIENCE = 15.0  # seconds that a deletion waits for a running task to stop


async def current(call: Call) -> Answer:
    """The database of the login."""
    tenant = call.database
    told = await described(call.installation, tenant.record)
    return {
        **told, "org_id": call.installation.control.org_id, "counters": counters(tenant), "core_config": {},
        "metadata": tenant.record.metadata,
    }


def counters(tenant: Tenant) -> dict[str, int]:
    """How many ratings, users and items there are."""
    return tenant.live.effective().counters()


async def current_status(call: Call) -> Answer:
    """Whether a run is published."""
    return {"status": "ready" if call.database.ready else "pending"}


async def listed(call: Call) -> Answer:
    """The databases that the account may use."""
    page = numbered(call.query)
    usable = call.installation.directory().usable(call.account)
    shown = usable[page.offset : page.offset + page.amt]
    told = [await described(call.installation, record) for record in shown]
    return {"databases": told, **page.answer(more=len(usable) > page.offset + page.amt)}


async def create(call: Call) -> Answer:
    """Make a database in a workspace of its own."""
    body = call.body
    new = NewDatabase(
        name=text(body.get("name"), "name", least=1, most=200),
        description=text(body.get("description"), "description", ""),
        item_id_type=text(body.get("item_id_type"), "item_id_type"),
        user_id_type=text(body.get("user_id_type"), "user_id_type"),
        session_id_type=text(body.get("session_id_type"), "session_id_type", "urlsafe64"),
        metadata=an_object(body["metadata"], "metadata") if body.get("metadata") is not None else None,
    )
    an_object(body.get("core_config"), "core_config", {})
    try:
        made = await asyncio.to_thread(call.installation.control.create_database, new, call.account.id)
    except DuplicatedName:
        raise DuplicatedError("DUPLICATED_DB_NAME", "database", new.name) from None
    except UsageError as error:
        raise wrong_type("item_id_type, user_id_type, session_id_type", error.message) from None
    await call.installation.tenants.get(made)
    return {"id": made.id}


async def change(call: Call) -> Answer:
    """Change description and metadata."""
    record = call.database.record
    description = text(call.body.get("description"), "description", record.description)
    _, changed = _metadata(call)
    await asyncio.to_thread(call.installation.control.change_database, record.id, description, changed)
    return {}


async def preview(call: Call) -> Answer:
    """What a change would make of the metadata; writes nothing."""
    before, after = _metadata(call)
    return {"metadata_old": before, "metadata_new": after}


def _metadata(call: Call) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Metadata before and after the change that the body asks for."""
    before = call.database.record.metadata
    text(call.body.get("description"), "description", "")
    an_object(call.body.get("core_config"), "core_config", {})
    patch = call.body.get("metadata")
    preserve = flag(call.body.get("preserve"), "preserve")
    if patch is None:
        return before, before
    return before, merged(before or {}, an_object(patch, "metadata"), preserve=preserve)


def merged(target: dict[str, Any], patch: dict[str, Any], *, preserve: bool) -> dict[str, Any]:
    """RFC 7396: null removes, objects merge, all else replaces. ``preserve``: a list gains what it lacks instead."""
    result = copy.deepcopy(target)
    for name, value in patch.items():
        old = result.get(name)
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            result[name] = merged(old if isinstance(old, dict) else {}, value, preserve=preserve)
        elif preserve and isinstance(value, list) and isinstance(old, list):
            result[name] = old + [part for part in value if part not in old]
        else:
            result[name] = value
    return result


async def delete(call: Call) -> Answer:
    """Remove journal, warehouse and runs; what works on them is stopped first."""
    installation, record, layout = call.installation, call.database.record, call.database.layout
    if installation.tenants.is_own(record):
        raise wrong_parameter(
            "database", "this endpoint's own workspace is deleted on the command line: nightloom databases delete"
        )
    await asyncio.to_thread(installation.control.remove_database, record.id)
    give_up = asyncio.get_running_loop().time() + PATIENCE
    while asyncio.get_running_loop().time() < give_up:
        if not any(task.database_id == record.id for task in installation.control.unfinished_tasks()):
            break
        await asyncio.sleep(0.05)
    await installation.tenants.close(record.id)
    await asyncio.to_thread(remove_workspace, layout)
    return None


TYPES = {"item_id_type": s.string(), "user_id_type": s.string(), "session_id_type": s.string()}
FREE = s.nullable(s.OBJECT)
CURRENT = s.obj({
    **DATABASE["properties"], "org_id": s.string(), "core_config": s.OBJECT, "metadata": FREE,
    "counters": s.obj({"rating": s.integer(0), "user": s.integer(0), "item": s.integer(0)}),
})
_CHANGE = {"description": s.string(), "core_config": s.OBJECT, "metadata": s.OBJECT, "preserve": s.boolean()}
CHANGE = s.obj(_CHANGE, optional=tuple(_CHANGE))
PAGE = {"page": s.integer(1, default=1), "amt": s.integer(1, 64, default=64)}

ROUTES: tuple[Route, ...] = (
    Route("GET", "databases/current/", "RMBV", current, "The database of the login", answer=CURRENT),
    Route(
        "GET", "databases/current/status/", "RMBV", current_status, "Whether the database answers recommendations",
        answer=s.obj({"status": s.words("pending", "ready")}),
    ),
    Route(
        "POST", "databases/", "RM", create, "Make a database", mark="M2", database=False,
        body=s.obj(
            {"name": s.string(minLength=1, maxLength=200), "description": s.string(), **TYPES, "core_config": s.OBJECT,
             "metadata": s.OBJECT},
            optional=("description", "session_id_type", "core_config", "metadata"),
        ),
        answer=s.obj({"id": s.string()}),
    ),
    Route(
        "GET", "databases/", "RMBV", listed, "Databases that the account may use", mark="M2", database=False,
        query=PAGE, answer=s.numbered_page("databases", DATABASE),
    ),
    Route(
        "PATCH", "databases/current/", "RM", change, "Change description and metadata", mark="M2", body=CHANGE,
        answer=s.EMPTY,
    ),
    Route(
        "PATCH", "databases/current/preview/", "RM", preview, "What a change would make of the metadata", mark="M2",
        body=CHANGE, answer=s.obj({"metadata_old": FREE, "metadata_new": FREE}),
    ),
    Route("DELETE", "databases/current/", "RM", delete, "Remove the database and all it holds", mark="M2"),
)
