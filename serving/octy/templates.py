"""Messaging templates (16): stored, shown, and filled with what a client sends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from serving.octy import documents
from serving.octy.call import Call
from serving.octy.envelope import Answer, some
from serving.octy.errors import OctyError, entry, misfit
from serving.octy.formats import objects, rfc1123, text, texts
from serving.octy.paging import MOST_IDS, asked_ids, listed, paged
from serving.octy.router import Route
from store import template_documents
from store.template_documents import TemplateRefused, TemplateUnfit

BELOW = "/v1/retention/messaging/templates"
Change = Callable[[Connection, dict[str, Any]], dict[str, Any]]


async def get(call: Call) -> Answer:
    """Templates by id, or a page of all."""
    ids = asked_ids(call)
    found = await asyncio.to_thread(_read, call)
    if ids is None:
        return paged(call, "templates", found, _shown)
    by_id = {one["template_id"]: one for one in found}
    return listed("templates", [_shown(by_id[one]) for one in ids if one in by_id])


async def create(call: Call) -> Answer:
    """Store new templates; one whose name is taken is named in the answer."""
    def change(connection: Connection, one: dict[str, Any]) -> dict[str, Any]:
        return template_documents.define(connection, one, call.who, call.account.journal.clock())

    return await _changed(call, _given(call), change, "friendly_name", "failed_to_create")


async def update(call: Call) -> Answer:
    """Replace templates whole; one that there is not is named in the answer."""
    given = [
        {**fields, "template_id": text(one.get("template_id"), f"templates[{at}].template_id")}
        for at, (one, fields) in enumerate(zip(objects(call.body, "templates"), _given(call), strict=True))
    ]

    def change(connection: Connection, one: dict[str, Any]) -> dict[str, Any]:
        fields = {name: one[name] for name in template_documents.FIELDS}
        return template_documents.update(
            connection, one["template_id"], fields, call.who, call.account.journal.clock()
        )

    return await _changed(call, given, change, "template_id", "failed_to_update")


async def delete(call: Call) -> Answer:
    """Delete templates."""
    ids = list(dict.fromkeys(texts(call.body.get("template_ids"), "template_ids")))
    if not 1 <= len(ids) <= MOST_IDS:
        raise misfit("template_ids", f"must hold 1 to {MOST_IDS} ids")
    account = call.account

    def work(connection: Connection) -> list[str]:
        return template_documents.remove(connection, ids, call.who, account.journal.clock())

    missing = set(await documents.within(account, work))
    return some(
        200, "deleted_templates", [{"template_id": one} for one in ids if one not in missing], "failed_to_delete",
        [{"template_id": one, "error_message": "there is no such template"} for one in ids if one in missing],
    )


async def _changed(
    call: Call, given: list[dict[str, Any]], change: Change, identifier: str, failed_name: str
) -> Answer:
    """What ``change`` does to each, in one transaction."""

    def work(connection: Connection) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        made, failed = [], []
        for one in given:
            try:
                made.append(change(connection, one))
            except TemplateRefused as refused:
                failed.append({identifier: one[identifier], "error_message": refused.message})
        return made, failed

    made, failed = await documents.within(call.account, work)
    return some(201, "templates", [_shown(one) for one in made], failed_name, failed)


def _given(call: Call) -> list[dict[str, Any]]:
    """The templates of a request. Raises OctyError (422) with everything that is wrong."""
    found, wrong = [], []
    for at, one in enumerate(objects(call.body, "templates")):
        try:
            found.append(template_documents.checked(one))
        except TemplateUnfit as unfit:
            wrong += [(f"templates[{at}].{field}", told) for field, told in unfit.faults]
    if wrong:
        entries = [entry(f"{field} {told}", field=field) for field, told in wrong]
        raise OctyError(422, "the body is not what it must be", entries)
    return found


def _read(call: Call) -> list[dict[str, Any]]:
    with call.account.journal.reading() as connection:
        return template_documents.stored(connection)


def _shown(one: Mapping[str, Any]) -> dict[str, Any]:
    times = {name: rfc1123(datetime.fromisoformat(one[name])) for name in ("created_at", "updated_at")}
    return {**template_documents.shown(one), **times}


ROUTES = (
    Route("GET", BELOW, get, "Templates by ids, or a page of all"),
    Route("POST", f"{BELOW}/create", create, "Create templates"),
    Route("POST", f"{BELOW}/update", update, "Replace templates"),
    Route("POST", f"{BELOW}/delete", delete, "Delete templates"),
)
