"""Profiles (7): create and get; the rest comes with a later version."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from serving import records
from serving.effective import Effective
from serving.octy import documents
from serving.octy.accounts import Account
from serving.octy.call import Call
from serving.octy.envelope import Answer, some, success
from serving.octy.errors import NOT_YET, OctyError, bad_request, misfit
from serving.octy.formats import flag, id_fault, objects, rfc1123, text
from serving.octy.guard import settled, unchanged
from serving.octy.paging import NOTHING, PAGE, asked_ids, listed, offset_of
from serving.octy.router import Route, not_yet
from serving.octy.types import MAPS, ProfileKeys, flat
from serving.records import ProfileRecord
from store.journal import Write, live_tags

SEGMENT = "segment"
FILTERS = ("rfm", "churn_prob", "segments")
BELOW = "/v1/retention/profiles"


@dataclass(frozen=True, slots=True)
class Tags:
    """Names of segments by id, and the active live tags of profiles: since when, and the segment's name."""

    names: dict[str, str]
    live: dict[str, list[tuple[datetime, str]]]


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
            await account.submit([_write(body) for body in bodies], guard)
        now = account.state()
        made = [_created(now, body["customer_id"]) for body in bodies]
        return some(201, "profiles", made, "failed_to_create", failed)

    return await settled(call.account, attempt)


async def get(call: Call) -> Answer:
    """Profiles by ids of either kind, or a page of all."""
    if any(name in call.query for name in FILTERS):
        raise OctyError(400, NOT_YET)
    ids, account = asked_ids(call), call.account
    state = account.state()
    if ids is not None:
        keys = dict.fromkeys(state.key(one) for one in ids)
        found = [one for key in keys if (one := records.profile(state, key)) is not None]
        return listed("profiles", await _shown(account, state, found))
    offset = offset_of(call)
    ordered = ordered_profiles(account, state)
    page = [one for key in ordered[offset : offset + PAGE] if (one := records.profile(state, key)) is not None]
    if not page:
        raise bad_request(NOTHING)
    at = str(min(offset + len(page), len(ordered))).encode()
    shown = await _shown(account, state, page)
    return success({"profiles": shown}, count=len(page), total=len(ordered), headers=((b"cursor", at),))


def ordered_profiles(account: Account, state: Effective) -> list[str]:
    """Ids of all profiles by (created_at, id)."""

    def make() -> list[tuple[datetime, str]]:
        found = (records.profile(state, own) for own in state.user_ids())
        return [(one.created_at.replace(microsecond=0), one.profile_id) for one in found if one is not None]

    return account.orders.of("profiles", (id(state), account.seq()), make)


def _checked(given: dict[str, Any], where: str) -> dict[str, Any]:
    customer_id = text(given.get("customer_id"), f"{where}.customer_id")
    fault = id_fault(customer_id)
    if fault:
        raise misfit(f"{where}.customer_id", fault)
    return {
        "customer_id": customer_id, "has_charged": flag(given.get("has_charged", False), f"{where}.has_charged"),
        **{name: flat(given.get(name), f"{where}.{name}", least=1) for name in MAPS},
    }


def _taken(state: Effective, taken: set[str], customer_id: str) -> str:
    if customer_id in taken:
        return "this customer_id stands earlier in the same request"
    return "there is a profile with this customer_id already" if state.has_user(customer_id) else ""


def _write(body: dict[str, Any]) -> Write:
    stored = {
        "customer_id": body["customer_id"], "has_charged": body["has_charged"], "properties": body["profile_data"],
        "platform_info": body["platform_info"], "typed": True,
    }
    return Write("profiles", body["customer_id"], "put", orjson.dumps(stored).decode())


def _created(state: Effective, customer_id: str) -> dict[str, Any]:
    found = records.profile(state, customer_id)
    if found is None:  # deleted in the same moment
        raise OctyError(503, "the profile was deleted while it was created")
    return _fields(found)


def _fields(one: ProfileRecord) -> dict[str, Any]:
    return {
        "profile_id": one.profile_id, "customer_id": one.customer_id, "has_charged": one.has_charged,
        "profile_data": dict(one.profile_data), "platform_info": dict(one.platform_info), "status": one.status,
        "created_at": rfc1123(one.created_at), "updated_at": rfc1123(one.updated_at),
    }


async def _shown(account: Account, state: Effective, found: Sequence[ProfileRecord]) -> list[dict[str, Any]]:
    """Profiles as a get answers them, with tags and churn."""
    tags = await asyncio.to_thread(_tags, account, [one.profile_id for one in found])
    shown = []
    for one in found:
        churn = state.run.churn_record(one.row) if one.row >= 0 else {}
        of_run = state.run.customer_record(one.row) if one.row >= 0 else {}
        shown.append({
            **_fields(one),
            "segment_tags": [
                {"segment_tag": name, "created_at": rfc1123(at)}
                for at, name in sorted([*tags.live.get(one.profile_id, ()), *_past(of_run, tags.names)])
            ],
            "rfm_score": of_run.get("rfm_score"), "rfm_segment_desc": of_run.get("rfm_segment_desc"),
            "churn_probability": churn.get("churn_probability"), "churn_score": churn.get("churn_score"),
            "expected_days_to_churn": churn.get("expected_days_to_churn"), "churn_reasons": churn.get("churn_reasons"),
        })
    return shown


def _past(of_run: dict[str, Any], names: dict[str, str]) -> list[tuple[datetime, str]]:
    """Tags of past segments that still exist."""
    return [
        (datetime.fromisoformat(one["created_at"]).replace(tzinfo=None), names[one["segment_id"]])
        for one in of_run.get("tags", ()) if one["segment_id"] in names
    ]


def _tags(account: Account, profile_ids: list[str]) -> Tags:
    with account.journal.reading() as connection:
        names = {name: body["segment_name"] for name, body in documents.bodies(connection, SEGMENT).items()}
        active = live_tags.active_of(connection, profile_ids)
    return Tags(names, {
        profile_id: [(at, names[segment_id]) for segment_id, at in tags if segment_id in names]
        for profile_id, tags in active.items()
    })


ROUTES = (
    Route("POST", f"{BELOW}/create", create, "Create profiles"),
    Route("GET", BELOW, get, "Profiles by ids, or a page of all"),
    Route("POST", f"{BELOW}/update", not_yet, "Update profiles"),
    Route("POST", f"{BELOW}/delete", not_yet, "Delete profiles"),
    Route("GET", f"{BELOW}/metadata", not_yet, "What became of profiles"),
)
