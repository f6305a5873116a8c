"""Messaging templates as documents of the journal, whoever defines or deletes them (retention contract, section 16)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection

from contracts.errors import UsageError
from contracts.placeholders import placeholders
from store.journal import documents

TEMPLATE = "template"
FIELDS = ("friendly_name", "template_type", "title", "content", "default_values", "metadata")
LONGEST_NAME = 255
LONGEST_TEXT = 1 << 20
DEEPEST = 100


class TemplateRefused(UsageError):
    """A template cannot be stored as things are: its name is another's, or there is none of its id."""


class TemplateUnfit(UsageError):
    """A template is not what it must be. ``faults`` are all (field, what is wrong with it)."""

    def __init__(self, faults: Sequence[tuple[str, str]]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(f"{field} {told}" for field, told in faults))


def stored(connection: Connection) -> list[dict[str, Any]]:
    """Every template, ``template_id`` included, in the order they were created; times are ISO texts, UTC."""
    found = [{**json.loads(one.body), "template_id": one.name} for one in documents.listed(connection, TEMPLATE)]
    return sorted(found, key=lambda one: (one["created_at"], one["template_id"]))


def checked(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a template as stored. Raises TemplateUnfit with everything that is wrong."""
    faults = [
        (name, "must be a non-empty string") for name in ("friendly_name", "template_type", "content")
        if not isinstance(given.get(name), str) or not given[name].strip()
    ]
    if not isinstance(given.get("title"), str | None):
        faults.append(("title", "must be a string"))
    for name, longest in (("friendly_name", LONGEST_NAME), ("template_type", LONGEST_NAME), ("title", LONGEST_TEXT),
                          ("content", LONGEST_TEXT)):
        if isinstance(given.get(name), str) and len(given[name]) > longest:
            faults.append((name, f"must have at most {longest} characters"))
    for name in ("default_values", "metadata"):
        if not isinstance(given.get(name), Mapping | None):
            faults.append((name, "must be an object"))
        elif not _plain(given.get(name) or {}, DEEPEST):
            faults.append((name, f"must hold JSON values only, at most {DEEPEST} deep"))
    if not isinstance(given.get("required_data"), list | dict | None):
        faults.append(("required_data", "must be a list or null"))
    defaults = given.get("default_values")
    if isinstance(defaults, Mapping):
        faults += [
            (f"default_values.{str(tag)[:100]}", "must be a string, a number or a boolean")
            for tag, value in defaults.items() if isinstance(value, Mapping | list)
        ]
    if faults:
        raise TemplateUnfit(faults)
    return {
        **{name: given[name] for name in ("friendly_name", "template_type", "content")},
        "title": given.get("title") or "", "default_values": dict(given.get("default_values") or {}),
        "metadata": dict(given.get("metadata") or {}),
    }


def define(connection: Connection, found: Mapping[str, Any], who: str, now: datetime) -> dict[str, Any]:
    """Store checked fields as a new template inside a write transaction and return it. Raises TemplateRefused."""
    _free(connection, found["friendly_name"], "")
    at = now.isoformat(sep=" ", timespec="microseconds")
    return _put(connection, f"template_{uuid4().hex}", {**found, "created_at": at, "updated_at": at}, who, now)


def update(
    connection: Connection, template_id: str, found: Mapping[str, Any], who: str, now: datetime
) -> dict[str, Any]:
    """Replace all fields of a template inside a write transaction and return it. Raises TemplateRefused."""
    known = documents.get(connection, TEMPLATE, template_id)
    if known is None:
        raise TemplateRefused("there is no such template")
    _free(connection, found["friendly_name"], template_id)
    times = {
        "created_at": json.loads(known.body)["created_at"],
        "updated_at": now.isoformat(sep=" ", timespec="microseconds"),
    }
    return _put(connection, template_id, {**found, **times}, who, now)


def apply(
    connection: Connection, template_id: str, found: Mapping[str, Any], who: str, now: datetime
) -> str:
    """Update the template of an id, create one without; the very same again changes nothing. Says which of created,
    set and unchanged. Raises TemplateRefused.
    """
    same = [one for one in stored(connection) if all(one[name] == found[name] for name in FIELDS)]
    if any(template_id in ("", one["template_id"]) for one in same):
        return "unchanged"
    if template_id:
        update(connection, template_id, found, who, now)
        return "set"
    define(connection, found, who, now)
    return "created"


def remove(connection: Connection, template_ids: Sequence[str], who: str, now: datetime) -> list[str]:
    """Delete templates inside a write transaction; returns the ids that there were none of."""
    missing = []
    for template_id in template_ids:
        if documents.get(connection, TEMPLATE, template_id) is None:
            missing.append(template_id)
        else:
            documents.delete(connection, TEMPLATE, template_id, who, now)
    return missing


def shown(one: Mapping[str, Any]) -> dict[str, Any]:
    """A template's fields as answers give them, but for its times."""
    return {
        "template_id": one["template_id"], **{name: one[name] for name in FIELDS},
        "required_data": placeholders(one["title"], one["content"]), "status": "active",
    }


def _free(connection: Connection, name: str, template_id: str) -> None:
    for one in stored(connection):
        if one["friendly_name"] == name and one["template_id"] != template_id:
            raise TemplateRefused(f"the friendly_name {name!r} is taken")


def _put(connection: Connection, template_id: str, body: dict[str, Any], who: str, now: datetime) -> dict[str, Any]:
    text = json.dumps(body, ensure_ascii=False, sort_keys=True)
    documents.put(connection, TEMPLATE, template_id, text, who, now)
    return {**body, "template_id": template_id}


def _plain(value: Any, deep: int) -> bool:
    """Whether a value is of JSON alone and not nested deeper than ``deep``."""
    if isinstance(value, Mapping | list):
        inner = value.values() if isinstance(value, Mapping) else value
        named = isinstance(value, list) or all(isinstance(name, str) for name in value)
        return deep > 0 and named and all(_plain(one, deep - 1) for one in inner)
    return value is None or isinstance(value, str | bool | int | float)
