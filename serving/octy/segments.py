"""Segments (11.1)."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from serving.effective import Effective
from serving.octy import documents, published
from serving.octy.call import Call
from serving.octy.envelope import Answer, some, success
from serving.octy.errors import OctyError, entry, misfit
from serving.octy.formats import rfc1123
from serving.octy.paging import MOST_IDS, asked_ids, listed, paged
from serving.octy.router import Route
from store import segment_documents
from store.journal import live_tags
from store.segment_documents import SegmentRefused

BELOW = "/v1/retention/segments"


async def create(call: Call) -> Answer:
    """Define one segment."""
    account = call.account

    seen = _seen(account.state())

    def work(connection: Connection) -> dict[str, Any]:
        terms = account.settings.live_segments
        return segment_documents.define(connection, call.body, terms, call.who, account.journal.clock(), seen)

    try:
        made = segment_documents.shown(await documents.within(account, work))
    except SegmentRefused as refused:
        entries = [entry(f"{one.field} {one.message}", field=one.field) for one in refused.faults]
        if refused.schema:
            raise OctyError(422, "the body is not what it must be", entries) from None
        raise OctyError(400, "the segment is not taken", entries) from None
    names = ("segment_id", "segment_name", "segment_type", "segment_sub_type", "segment_status")
    return success({name: made[name] for name in names}, status=201, count=1)


async def get(call: Call) -> Answer:
    """Segments by id or name, or a page of all of them, with how many profiles each has."""
    wanted = asked_ids(call)
    found, live = await asyncio.to_thread(_read, call)
    counts = (await published.facts(call.account))["segment_counts"] | live
    if wanted is None:
        return paged(call, "segments", found, lambda one: _shown(one, counts))
    by_name = {one["segment_name"]: one for one in found}
    by_id = {one["segment_id"]: one for one in found}
    chosen = {one["segment_id"]: one for one in (by_id.get(name) or by_name.get(name) for name in wanted) if one}
    return listed("segments", [_shown(one, counts) for one in chosen.values()])


async def delete(call: Call) -> Answer:
    """Delete segments with their tags."""
    given = call.body.get("segments")
    if not isinstance(given, list) or not given or not all(isinstance(one, str) for one in given):
        raise misfit("segments", "must be a list of segment ids")
    if len(given) > MOST_IDS:
        raise misfit("segments", f"has {len(given)} ids, at most {MOST_IDS} are taken")
    ids = list(dict.fromkeys(given))
    account = call.account

    def work(connection: Connection) -> list[str]:
        return segment_documents.remove(connection, ids, call.who, account.journal.clock())

    missing = set(await documents.within(account, work))
    return some(
        200, "deleted_segments", [{"segment_id": one} for one in ids if one not in missing], "failed_to_delete",
        [{"segment_id": one, "error_message": "there is no such segment"} for one in ids if one in missing],
    )


def _seen(state: Effective) -> dict[str, frozenset[str]]:
    """Properties that stored events of a type have, beside those that the type requires."""
    found: dict[str, set[str]] = {}
    for event_type, name in (*state.run.event_keys, *state.changes.event_keys):
        found.setdefault(event_type, set()).add(name)
    return {event_type: frozenset(names) for event_type, names in found.items()}


def _read(call: Call) -> tuple[list[dict[str, Any]], dict[str, int]]:
    with call.account.journal.reading() as connection:
        return segment_documents.stored(connection), live_tags.counts(connection)


def _shown(one: dict[str, Any], counts: dict[str, int]) -> dict[str, Any]:
    created_at = rfc1123(datetime.fromisoformat(one["created_at"]))
    return {
        **segment_documents.shown(one), "profile_count": counts.get(one["segment_id"], 0), "created_at": created_at,
    }


ROUTES = (
    Route("POST", f"{BELOW}/create", create, "Define a segment"),
    Route("GET", BELOW, get, "Segments"),
    Route("POST", f"{BELOW}/delete", delete, "Delete segments"),
)
