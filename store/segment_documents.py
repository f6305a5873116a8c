"""Segments as documents of the journal, whoever defines or deletes them (retention contract, section 11.1)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection

from contracts.canonical_text import canonical_text
from contracts.errors import UsageError
from contracts.settings import LiveSegments as Terms
from segments.grammar import Fault, read, same_definition, unknown
from store.account_documents import SEGMENT
from store.journal import documents, live_tags
from store.live_segments import LiveSegments

EVENT_TYPE = "event_type"
SYSTEM_TYPES: Mapping[str, frozenset[str]] = {
    "charged": frozenset(("payment_method", "item_id")), "churned": frozenset(), "complaint": frozenset(("channel",)),
}
STATUS = {"past": "processing", "live": "created"}


class SegmentRefused(UsageError):
    """A definition is not taken. ``faults`` are all that is wrong with it."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(f"{fault.field} {fault.message}" for fault in faults))

    @property
    def schema(self) -> bool:
        """Whether the JSON itself is not what it must be."""
        return any(fault.schema for fault in self.faults)


def stored(connection: Connection) -> list[dict[str, Any]]:
    """Every segment, ``segment_id`` and ``created_at`` (ISO, UTC) included, in the order they were created."""
    found = [{**json.loads(one.body), "segment_id": one.name} for one in documents.listed(connection, SEGMENT)]
    return sorted(found, key=lambda one: (str(one["created_at"]), one["segment_id"]))


def event_types(connection: Connection) -> dict[str, frozenset[str]]:
    """Properties that each event type is known to have, the system's types included."""
    found = dict(SYSTEM_TYPES)
    for document in documents.listed(connection, EVENT_TYPE):
        body = json.loads(document.body)
        found[str(body["event_type"])] = frozenset(map(str, body.get("event_properties") or ()))
    return found


def define(
    connection: Connection, given: Mapping[str, Any], terms: Terms, who: str, now: datetime,
    seen: Mapping[str, frozenset[str]] | None = None,
) -> dict[str, Any]:
    """Store a segment inside a write transaction and return it. ``seen``: further properties of stored events, by type.

    Raises SegmentRefused with every fault.
    """
    found, faults = read(given)
    if not faults:
        types = {
            name: known | (seen or {}).get(name, frozenset()) for name, known in event_types(connection).items()
        }
        faults = [*unknown(found, types), *_taken(connection, found)]
    if faults:
        raise SegmentRefused(faults)
    segment_id = f"segment_{uuid4().hex}"
    body = {**found, "created_at": now.isoformat(sep=" ", timespec="microseconds")}
    documents.put(connection, SEGMENT, segment_id, json.dumps(body, ensure_ascii=False, sort_keys=True), who, now)
    if found["segment_type"] == "live":
        LiveSegments(terms).opened(connection, segment_id, now)
    return {**body, "segment_id": segment_id}


def same(connection: Connection, given: Mapping[str, Any]) -> bool:
    """Whether this very segment, name included, is stored."""
    found, faults = read(given)
    return not faults and any(
        one["segment_name"] == found["segment_name"] and same_definition(one) == same_definition(found)
        for one in stored(connection)
    )


def remove(connection: Connection, segment_ids: Sequence[str], who: str, now: datetime) -> list[str]:
    """Delete segments with their tags inside a write transaction; returns the ids that there were none of."""
    missing = []
    for segment_id in segment_ids:
        if documents.get(connection, SEGMENT, segment_id) is None:
            missing.append(segment_id)
            continue
        documents.delete(connection, SEGMENT, segment_id, who, now)
        live_tags.remove_segment(connection, segment_id, now)
    return missing


def _taken(connection: Connection, found: Mapping[str, Any]) -> list[Fault]:
    faults = []
    for one in stored(connection):
        if one["segment_name"] == found["segment_name"]:
            faults.append(Fault("segment_name", f"{found['segment_name']!r} is taken"))
        elif same_definition(one) == same_definition(found):
            faults.append(Fault("event_sequence", f"segment {one['segment_name']!r} has the same definition"))
    return faults


def shown(one: Mapping[str, Any]) -> dict[str, Any]:
    """A segment's own fields as answers give them; the property's value is a text or null."""
    value = one.get("profile_property_value")
    return {
        "segment_id": one["segment_id"], "segment_name": one["segment_name"], "segment_type": one["segment_type"],
        "segment_sub_type": one["segment_sub_type"], "segment_timeframe": one["segment_timeframe"],
        "event_sequence": one["event_sequence"], "profile_property_name": one.get("profile_property_name"),
        "profile_property_value": None if value is None else canonical_text(value),
        "segment_status": STATUS[one["segment_type"]],
    }
