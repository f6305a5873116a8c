"""Events (9): single and in batches. What is refused has no effect at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import Connection, select

from contracts.value_types import type_of
from serving.effective import Effective
from serving.octy.accounts import Account
from serving.octy.call import Call
from serving.octy.envelope import Answer, some, success
from serving.octy.errors import OctyError, entry, misfit
from serving.octy.event_types import SYSTEM
from serving.octy.formats import canonical_number, minted, moment, objects, rfc1123, text
from serving.octy.guard import TRIES, Stale
from serving.octy.router import Route
from serving.octy.types import value_fault
from store.journal import Accepted, Write
from store.journal.schema import writes as table

BELOW = "/v1/retention/events"
CHARGED = "charged"
ITEM = "item_id"


@dataclass(slots=True)
class Asked:
    """One event as asked for; ``properties`` without what is missing, ``given`` as sent. ``at`` None: now."""

    event_type: str
    profile_id: str
    properties: dict[str, Any]
    given: Any
    at: datetime | None = None
    fault: str = ""


@dataclass(slots=True)
class Event:
    """One event that is stored."""

    event_id: str
    event_type: str
    event_type_id: str
    profile_id: str
    properties: dict[str, Any]
    at: datetime

    def write(self) -> Write:
        item_id = self.properties.get(ITEM)
        body = {
            "event_id": self.event_id, "event_type": self.event_type, "profile_id": self.profile_id,
            "item_id": item_id if isinstance(item_id, str) else None, "created_at": self.at.isoformat(" "),
            "properties": self.properties, "typed": True,
        }
        text = orjson.dumps(body, option=orjson.OPT_SORT_KEYS).decode()
        return Write("events", self.profile_id, "create", text, self.event_id)

    def shown(self) -> dict[str, Any]:
        return {
            "event_id": self.event_id, "event_type": self.event_type, "event_properties": self.properties,
            "profile_id": self.profile_id, "created_at": rfc1123(self.at),
        }


async def create(call: Call) -> Answer:
    """Store one event; it happened now."""
    made, failed = await _store(call, [_asked(call.body, "", dated=False)])
    if failed:
        raise OctyError(400, failed[0]["error_message"], [entry(failed[0]["error_message"])])
    return success(made[0].shown(), status=201, count=1)


async def create_batch(call: Call) -> Answer:
    """Store several events; those that are refused are named in the answer."""
    asked = [_asked(one, f"events[{at}].", dated=True) for at, one in enumerate(objects(call.body, "events"))]
    made, failed = await _store(call, asked)
    shown = [{**one.shown(), "event_type_id": one.event_type_id} for one in made]
    return some(201, "created_events", shown, "failed_to_create", failed)


async def _store(call: Call, asked: Sequence[Asked]) -> tuple[list[Event], list[dict[str, Any]]]:
    account = call.account
    for _ in range(TRIES):
        seen = account.seq()
        fresh: list[tuple[str, str]] = []
        made, failed = _judged(call, asked, fresh)
        try:
            if made:
                within = _same_types(seen, made, fresh) if fresh else None
                await account.submit([one.write() for one in made], within)
                account.state()  # knows the types from here on
            return made, failed
        except Stale:
            continue
        finally:
            account.event_keys.release(fresh)
    raise OctyError(503, "too many others write at the same time; nothing was stored")


def _judged(
    call: Call, asked: Sequence[Asked], fresh: list[tuple[str, str]]
) -> tuple[list[Event], list[dict[str, Any]]]:
    """Events to be stored, and failures; ``fresh`` gets the keys whose types the former fix."""
    account, now = call.account, call.now.replace(microsecond=0)
    state, types = account.state(), account.event_types()
    latest = now + timedelta(hours=account.settings.ingest.max_future_hours)
    made, failed = [], []
    for one in asked:
        fault = one.fault or _fault(account, state, types, one)
        if not fault and one.at is not None and one.at > latest:
            fault = "created_at lies more than 24 hours ahead"
        if fault:
            failed.append({
                "event_type": one.event_type, "event_properties": one.given, "profile_id": one.profile_id,
                "error_message": fault,
            })
            continue
        fresh += account.event_keys.reserve(state, one.event_type, one.properties)
        type_id = one.event_type if one.event_type in SYSTEM else types[one.event_type]["event_type_id"]
        made.append(Event(
            minted("event_"), one.event_type, type_id, state.key(one.profile_id), one.properties, one.at or now
        ))
    return made, failed


def _fault(account: Account, state: Effective, types: dict[str, dict[str, Any]], one: Asked) -> str:
    """Why an event is refused, or nothing."""
    name = one.event_type
    if name not in SYSTEM and name not in types:
        return f"there is no event type {name}"
    if not state.has_user(one.profile_id):
        return f"there is no profile {one.profile_id}"
    needed = SYSTEM[name] if name in SYSTEM else types[name]["event_properties"]
    missing = [key for key in needed if key not in one.properties]
    if missing:
        return f"event_properties lack {', '.join(missing)}"
    if name in SYSTEM:
        checked = one.properties if name == CHARGED else needed
        wrong = [key for key in checked if not isinstance(one.properties[key], str)]
        if wrong:
            return f"event_properties.{wrong[0]} must be a string"
    return account.event_keys.fault(state, name, one.properties)


def _same_types(seen: int, made: Sequence[Event], fresh: Sequence[tuple[str, str]]) -> Any:
    """Fails with Stale where another process fixed one of the types otherwise in between."""
    types = {(one.event_type, name): type_of(value) for one in made for name, value in one.properties.items()}

    def within(connection: Connection, accepted: Sequence[Accepted]) -> None:
        first = min(one.seq for one in accepted)
        between = select(table.c.body).where(table.c.seq > seen, table.c.seq < first, table.c.entity == "events")
        for stored in connection.scalars(between):
            body = orjson.loads(stored)
            if not body.get("typed"):
                continue
            for name, value in (body.get("properties") or {}).items():
                place = (body["event_type"], name)
                if place in fresh and types[place] != type_of(value):
                    raise Stale

    return within


def _asked(given: dict[str, Any], where: str, *, dated: bool) -> Asked:
    """One event of a request. Raises OctyError (422) for what is not of the schema."""
    event_type = text(given.get("event_type"), f"{where}event_type")
    profile_id = given.get("profile_id")
    if isinstance(profile_id, int | float) and not isinstance(profile_id, bool):
        profile_id = canonical_number(profile_id)
    found = Asked(
        event_type, text(profile_id, f"{where}profile_id"),
        _properties(given.get("event_properties"), f"{where}event_properties"), given.get("event_properties"),
    )
    created_at = given.get("created_at") if dated else None
    if created_at is None or created_at == "":
        return found
    if not isinstance(created_at, str):
        raise misfit(f"{where}created_at", "must be a time such as 2024-05-01 10:00:00")
    found.at = moment(created_at.strip())
    if found.at is None:
        found.fault = "created_at is no time such as 2024-05-01 10:00:00"
    return found


def _properties(given: Any, where: str) -> dict[str, Any]:
    """Properties that have a value; null and blank ones are missing. A numeric item_id becomes text."""
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise misfit(where, "must be an object or null")
    found = {}
    for name, value in given.items():
        if value is None or (isinstance(value, str) and not value.strip()):
            continue
        fault = value_fault(name, value)
        if fault:
            raise misfit(f"{where}.{name[:100]}", fault)
        numeric = name == ITEM and isinstance(value, int | float) and not isinstance(value, bool)
        found[name] = canonical_number(value) if numeric else value
    return found


ROUTES = (
    Route("POST", f"{BELOW}/create", create, "Store an event"),
    Route("POST", f"{BELOW}/create/batch", create_batch, "Store events"),
)
