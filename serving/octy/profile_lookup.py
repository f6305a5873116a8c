"""Look-ups of profiles (7): by ids of either kind, a page of all, and a page of those that filters let through."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving import records
from serving.effective import Effective
from serving.octy import documents
from serving.octy.accounts import Account
from serving.octy.call import Call
from serving.octy.envelope import Answer
from serving.octy.errors import bad_request
from serving.octy.formats import rfc1123
from serving.octy.paging import PAGE, asked_ids, listed, offset_of, page_of
from serving.records import ProfileRecord
from store.journal import live_tags

SEGMENT = "segment"
FILTERS = ("rfm", "churn_prob", "segments")
_RANGE = re.compile(r"([0-9]{1,9})-([0-9]{1,9})", re.ASCII)
_LABEL = re.compile(r"[^0-9].{0,59}")


@dataclass(frozen=True, slots=True)
class Tags:
    """Names of segments by id, and the active live tags of profiles: since when, and the segment's name."""

    names: dict[str, str]
    live: dict[str, list[tuple[datetime, str]]]


@dataclass(frozen=True, slots=True)
class Filters:
    """What a page is narrowed to. ``rfm``: both bounds belong to it; ``segments``: any of these names."""

    rfm: tuple[int, int] | None = None
    label: str | None = None
    segments: tuple[str, ...] | None = None


async def get(call: Call) -> Answer:
    """Profiles by ids of either kind, or a page of all that the filters let through."""
    filters, ids = filters_of(call), asked_ids(call)
    account = call.account
    state = account.state()
    if ids is not None:
        if filters is not None:
            raise bad_request("filters narrow a page of all profiles; they do not go with ids", field="ids")
        keys = dict.fromkeys(state.key(one) for one in ids)
        found = [one for key in keys if (one := records.profile(state, key)) is not None]
        return listed("profiles", await shown(account, state, found))
    offset = offset_of(call)
    order = account.orders.profiles(state)
    if filters is None:
        total, page = len(order), order.page(offset, PAGE)
    else:
        tagged = await asyncio.to_thread(_tagged, account, filters.segments) if filters.segments else ({}, set())
        rows, further = _let_through(state, filters, *tagged)

        def chosen(key: str) -> bool:
            row = state.profile_row(key)
            return key in further or (0 <= row < len(rows) and bool(rows[row]))

        total, page = order.among(rows, chosen, offset, PAGE)
    found = [one for key in page if (one := records.profile(state, key)) is not None]
    return page_of("profiles", await shown(account, state, found), offset, total)


def filters_of(call: Call) -> Filters | None:
    """The filters of a query, None without any. Raises OctyError."""
    if not any(name in call.query for name in FILTERS):
        return None
    rfm, label, segments = (call.query.get(name) for name in FILTERS)
    bounds = None
    if rfm is not None:
        found = _RANGE.fullmatch(rfm.strip())
        if found is None:
            raise bad_request("rfm must be two whole numbers such as 300-400", field="rfm")
        bounds = int(found[1]), int(found[2])
    if label is not None and not _LABEL.fullmatch(label.strip()):
        raise bad_request("churn_prob must be one label such as high", field="churn_prob")
    names = None if segments is None else tuple(one.strip() for one in segments.split(",") if one.strip())
    if names is not None and not names:
        raise bad_request("segments must name at least one segment", field="segments")
    return Filters(bounds, label and label.strip(), names)


def fields(one: ProfileRecord) -> dict[str, Any]:
    """A profile as every answer has it."""
    return {
        "profile_id": one.profile_id, "customer_id": one.customer_id, "has_charged": one.has_charged,
        "profile_data": dict(one.profile_data), "platform_info": dict(one.platform_info), "status": one.status,
        "created_at": rfc1123(one.created_at), "updated_at": rfc1123(one.updated_at),
    }


async def shown(account: Account, state: Effective, found: Sequence[ProfileRecord]) -> list[dict[str, Any]]:
    """Profiles as a get answers them, with tags and churn."""
    tags = await asyncio.to_thread(_tags, account, [one.profile_id for one in found])
    answers = []
    for one in found:
        churn = state.run.churn_record(one.row) if one.row >= 0 else {}
        of_run = state.run.customer_record(one.row) if one.row >= 0 else {}
        answers.append({
            **fields(one),
            "segment_tags": [
                {"segment_tag": name, "created_at": rfc1123(at)}
                for at, name in sorted([*tags.live.get(one.profile_id, ()), *_past(of_run, tags.names)])
            ],
            "rfm_score": of_run.get("rfm_score"), "rfm_segment_desc": of_run.get("rfm_segment_desc"),
            "churn_probability": churn.get("churn_probability"), "churn_score": churn.get("churn_score"),
            "expected_days_to_churn": churn.get("expected_days_to_churn"), "churn_reasons": churn.get("churn_reasons"),
        })
    return answers


def _let_through(
    state: Effective, filters: Filters, past: dict[str, str], live: set[str]
) -> tuple[NDArray[np.bool_], set[str]]:
    """Which rows of the run pass, and which profiles besides. ``past``: ids of the past segments that are asked for;
    ``live``: profiles with an active tag of a live one.
    """
    listing = state.run.listing
    rows = np.ones(len(state.run.profiles), bool)
    if filters.segments is not None:
        rows[:] = False
        if listing is not None:
            for segment_id in past:
                rows[listing.members(segment_id)] = True
        known = [row for one in live if (row := state.profile_row(one)) >= 0]
        rows[known] = True
    if filters.rfm is not None and listing is not None:
        low, high = filters.rfm
        scores = np.asarray(listing.rfm_scores)
        rows &= (scores > 0) & (scores >= low) & (scores <= high)
    if filters.label is not None and listing is not None:
        rows &= listing.labelled(filters.label)
    scored = filters.rfm is not None or filters.label is not None
    return rows, set() if scored else {one for one in live if state.profile_row(one) < 0}


def _tagged(account: Account, names: Sequence[str]) -> tuple[dict[str, str], set[str]]:
    """Past segments of these names, and profiles with an active tag of a live one."""
    with account.journal.reading() as connection:
        chosen = {
            segment_id: str(body.get("segment_type"))
            for segment_id, body in documents.bodies(connection, SEGMENT).items() if body["segment_name"] in names
        }
        live = {
            key for segment_id, kind in chosen.items() if kind == "live"
            for key in live_tags.members(connection, segment_id)
        }
    return {segment_id: kind for segment_id, kind in chosen.items() if kind != "live"}, live


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
