"""Custom event types as documents of the journal, whoever defines or deletes them (retention contract, section 9)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection

from contracts.errors import UsageError
from store.journal import documents
from store.segment_documents import EVENT_TYPE, SYSTEM_TYPES, stored

LONGEST = 60


def listed(connection: Connection) -> list[dict[str, Any]]:
    """Every custom type: event_type_id, event_type, event_properties and created_at, in the order of their making."""
    found = [json.loads(one.body) for one in documents.listed(connection, EVENT_TYPE)]
    return sorted(found, key=lambda one: (str(one["created_at"]), str(one["event_type_id"])))


def fault(given: Mapping[str, Any]) -> str:
    """What is wrong with a definition in itself; empty for nothing."""
    name, properties = given.get("event_type"), given.get("event_properties") or []
    if not isinstance(name, str) or not 1 <= len(name) <= LONGEST:
        return f"event_type must have 1 to {LONGEST} characters"
    if any(letter in ",\"'. " or not letter.isprintable() for letter in name):
        return "event_type must hold none of , \" ' . or space"
    if name in SYSTEM_TYPES:
        return f"{name} is an event type of the system"
    if not isinstance(properties, list) or not all(isinstance(one, str) and one.strip() for one in properties):
        return "event_properties must be a list of names"
    return ""


def add(connection: Connection, name: str, properties: Sequence[str], who: str, now: datetime) -> dict[str, Any] | str:
    """Store a new type inside a write transaction; gives it as ``listed`` does, or why it cannot be one."""
    if name in SYSTEM_TYPES:
        return "is a system event type"
    if documents.get(connection, EVENT_TYPE, name) is not None:
        return "is taken already"
    body = {
        "event_type_id": f"custom_event_type_{uuid4().hex}", "event_type": name,
        "event_properties": list(dict.fromkeys(properties)),
        "created_at": now.isoformat(sep=" ", timespec="microseconds"),
    }
    documents.put(connection, EVENT_TYPE, name, json.dumps(body, sort_keys=True, ensure_ascii=False), who, now)
    return body


def define(connection: Connection, given: Mapping[str, Any], who: str, now: datetime) -> bool:
    """Store a type inside a write transaction; False when this very type is stored. Raises UsageError."""
    wrong = fault(given)
    if wrong:
        raise UsageError(wrong)
    name, properties = str(given["event_type"]), given.get("event_properties") or ()
    known = documents.get(connection, EVENT_TYPE, name)
    if known is None:
        add(connection, name, properties, who, now)
        return True
    if set(json.loads(known.body)["event_properties"]) == set(properties):
        return False
    raise UsageError(f"event type {name} is defined otherwise")


def remove(connection: Connection, wanted: Sequence[str], who: str, now: datetime) -> dict[str, str]:
    """Delete types by id or name inside a write transaction; returns why not, by what could not be deleted."""
    known = {name: one for one in listed(connection) for name in (one["event_type_id"], one["event_type"])}
    used = {part["event_type"] for one in stored(connection) for part in one["event_sequence"]}
    refused = {}
    for name in dict.fromkeys(wanted):
        found = known.get(name)
        if name in SYSTEM_TYPES:
            refused[name] = "is a system event type"
        elif found is None:
            refused[name] = "there is no such event type"
        elif found["event_type"] in used:
            refused[name] = "a segment uses this event type"
        else:
            documents.delete(connection, EVENT_TYPE, found["event_type"], who, now)
    return refused
