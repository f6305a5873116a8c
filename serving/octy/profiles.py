"""Profiles (7): create, update and delete."""

from __future__ import annotations

import asyncio
from collections.abc import Container, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection

from serving import records
from serving.changes import minted
from serving.effective import Effective
from serving.octy import profile_lookup, profile_metadata
from serving.octy.accounts import Account
from serving.octy.call import Call
from serving.octy.envelope import Answer, some
from serving.octy.errors import OctyError, misfit
from serving.octy.formats import flag, id_fault, objects, rfc1123, some_ids, text
from serving.octy.guard import settled, unchanged
from serving.octy.profile_lookup import fields
from serving.octy.router import Route
from serving.octy.types import MAPS, ProfileKeys, flat
from serving.records import ProfileRecord
from store.journal import Accepted, Write, deletions, live_tags

BELOW = "/v1/retention/profiles"
STATUSES = ("active", "inactive", "churned")
UNKNOWN = "there is no such profile"


async def create(call: Call) -> Answer:
    """Store new profiles; one whose id is taken is named in the answer."""
    given = [_checked(one, f"profiles[{at}]") for at, one in enumerate(objects(call.body, "profiles"))]

    async def attempt() -> Answer:
        account = call.account
        state = account.state()
        guard = unchanged(account, "profiles")
        keys, failed, bodies = ProfileKeys(state), [], []
        taken: set[str] = set()
        for at, body in enumerate(given):
            fault = _taken(state, taken, body["customer_id"])
            maps = keys.take({name: body[name] for name in MAPS}, at)
            if fault:
                failed.append({"customer_id": body["customer_id"], "error_message": fault})
                continue
            taken.add(body["customer_id"])
            bodies.append({**body, **maps})
        if bodies:
            earlier = await asyncio.to_thread(_deletions, account, [body["customer_id"] for body in bodies])
            for body in bodies:
                if body["customer_id"] in earlier:
                    body["profile_id"] = minted(body["customer_id"], earlier[body["customer_id"]])
            await account.submit([_write(body) for body in bodies], guard)
        now = account.state()
        made = [fields(_stored(now, body.get("profile_id") or body["customer_id"])) for body in bodies]
        return some(201, "profiles", made, "failed_to_create", failed)

    return await settled(call.account, attempt)


async def update(call: Call) -> Answer:
    """Replace profiles; one that does not exist, or has another customer_id, is named in the answer."""
    given = [_checked_update(one, f"profiles[{at}]") for at, one in enumerate(objects(call.body, "profiles"))]

    async def attempt() -> Answer:
        account = call.account
        state = account.state()
        guard = unchanged(account, "profiles")
        keys, failed = ProfileKeys(state), []
        bodies: dict[str, dict[str, Any]] = {}
        for at, body in enumerate(given):
            profile_id = body["profile_id"]
            fault = _unfit(state, bodies, body)
            maps = keys.take({name: body[name] for name in MAPS}, at)
            if fault:
                failed.append({"profile_id": profile_id, "error_message": fault})
            else:
                bodies[profile_id] = {**body, **maps}
        if bodies:
            await account.submit([_write(body) for body in bodies.values()], guard)
        now = account.state()
        done = [_updated(_stored(now, profile_id)) for profile_id in bodies]
        return some(201, "profiles", done, "failed_to_update", failed)

    return await settled(call.account, attempt)


async def delete(call: Call) -> Answer:
    """Delete profiles with their events and tags, and with what was merged into them."""
    ids = some_ids(call.body, "profiles")

    async def attempt() -> Answer:
        account = call.account
        state = account.state()
        guard = unchanged(account, "profiles")
        found = {one: records.profile(state, one) if state.key(one) == one else None for one in ids}
        gone = [pair for one in found.values() if one is not None for pair in _family(state, one)]

        def within(connection: Connection, accepted: Sequence[Accepted]) -> None:
            guard(connection, accepted)
            deletions.add(connection, [customer_id for _, customer_id in gone if customer_id])
            live_tags.remove_profiles(connection, [profile_id for profile_id, _ in gone], account.journal.clock())

        if gone:
            earlier = await asyncio.to_thread(_deletions, account, [customer_id for _, customer_id in gone])
            await account.submit([_erasure(state, *pair, earlier.get(pair[1], 0)) for pair in gone], within)
            account.state()
        return some(
            201, "deleted_profiles", [{"profile_id": one} for one in ids if found[one] is not None], "failed_to_delete",
            [{"profile_id": one, "error_message": _missing(state, one)} for one in ids if found[one] is None],
        )

    return await settled(call.account, attempt)


def _checked(given: dict[str, Any], where: str) -> dict[str, Any]:
    customer_id = text(given.get("customer_id"), f"{where}.customer_id")
    fault = id_fault(customer_id)
    if fault:
        raise misfit(f"{where}.customer_id", fault)
    return {
        "customer_id": customer_id, "has_charged": flag(given.get("has_charged", False), f"{where}.has_charged"),
        **{name: flat(given.get(name), f"{where}.{name}", least=1) for name in MAPS},
    }


def _checked_update(given: dict[str, Any], where: str) -> dict[str, Any]:
    """All fields, each required. The ids are looked up, so files may have made them."""
    if given.get("status") not in STATUSES:
        raise misfit(f"{where}.status", f"must be one of {', '.join(STATUSES)}")
    return {
        **{name: text(given.get(name), f"{where}.{name}") for name in ("profile_id", "customer_id")},
        "has_charged": flag(given.get("has_charged"), f"{where}.has_charged"), "status": given["status"],
        **{name: flat(given.get(name), f"{where}.{name}") for name in MAPS},
    }


def _taken(state: Effective, taken: set[str], customer_id: str) -> str:
    if customer_id in taken:
        return "this customer_id stands earlier in the same request"
    return "there is a profile with this customer_id already" if state.has_user(customer_id) else ""


def _unfit(state: Effective, taken: Container[str], body: dict[str, Any]) -> str:
    """Why a profile is not updated, or nothing."""
    profile_id = body["profile_id"]
    if profile_id in taken:
        return "this profile_id stands earlier in the same request"
    if state.key(profile_id) != profile_id or not state.has_user(profile_id):
        return _missing(state, profile_id)
    own = state.customer_of(profile_id)
    return "" if body["customer_id"] == own else f"the customer_id of this profile is {own}; it cannot be changed"


def _missing(state: Effective, profile_id: str) -> str:
    merge = state.run.merge(profile_id)
    if merge is not None and merge["profile_id"] == profile_id and state.has_user(profile_id):
        return f"this profile was merged into {state.key(profile_id)}"
    return UNKNOWN


def _family(state: Effective, one: ProfileRecord) -> list[tuple[str, str]]:
    """Both ids of a profile and of those that were merged into it."""
    children = state.run.customer_record(one.row).get("children", ()) if one.row >= 0 else ()
    return [
        (one.profile_id, one.customer_id),
        *((child["profile_id"], child["customer_id"] or "") for child in children),
    ]


def _erasure(state: Effective, profile_id: str, customer_id: str, earlier: int) -> Write:
    """The write that takes out a profile; its id is never given again."""
    body = {
        "profile_id": profile_id, "customer_id": customer_id, "sessions": state.sessions_of(profile_id),
        "next_profile_id": minted(customer_id, earlier + 1),
    }
    return Write("profiles", profile_id, "erase", orjson.dumps(body).decode())


def _write(body: dict[str, Any]) -> Write:
    stored: dict[str, Any] = {
        "customer_id": body["customer_id"], "has_charged": body["has_charged"], "properties": body["profile_data"],
        "platform_info": body["platform_info"], "typed": True,
        **{name: body[name] for name in ("profile_id", "status") if name in body},
    }
    return Write("profiles", body["customer_id"], "put", orjson.dumps(stored).decode())


def _stored(state: Effective, asked: str) -> ProfileRecord:
    found = records.profile(state, asked)
    if found is None:  # deleted in the same moment
        raise OctyError(503, "the profile was deleted while it was written")
    return found


def _updated(one: ProfileRecord) -> dict[str, Any]:
    return fields(one) | {"last_updated": rfc1123(one.updated_at)}


def _deletions(account: Account, customers: list[str]) -> dict[str, int]:
    with account.journal.reading() as connection:
        return deletions.counted(connection, customers)


ROUTES = (
    Route("POST", f"{BELOW}/create", create, "Create profiles"),
    Route("GET", BELOW, profile_lookup.get, "Profiles by ids, or a page of all"),
    Route("POST", f"{BELOW}/update", update, "Update profiles"),
    Route("POST", f"{BELOW}/delete", delete, "Delete profiles with their events and tags"),
    Route("GET", f"{BELOW}/metadata", profile_metadata.get, "What became of profiles"),
)
