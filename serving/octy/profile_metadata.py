"""What became of profiles (7): whether they exist, and what they were merged into or have merged into them (15)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from serving import records
from serving.effective import Effective
from serving.octy.call import Call
from serving.octy.envelope import Answer, success
from serving.octy.errors import bad_request
from serving.octy.formats import rfc1123
from serving.octy.paging import asked_ids
from serving.records import ProfileRecord

PARENT, CHILD = "parent_profile", "child_profile"


async def get(call: Call) -> Answer:
    """One entry for each id asked for, known or not."""
    ids = asked_ids(call)
    if ids is None:
        raise bad_request("ids must name 1 to 100 profiles", field="ids")
    state = call.account.state()
    found = [{"provided_identifier": one, **_told(state, one)} for one in ids]
    return success({"profiles_meta": found}, count=len(found), total=len(found))


def _told(state: Effective, asked: str) -> dict[str, Any]:
    """Whoever an id stands for; a merged profile is told by its parent."""
    one = records.profile(state, asked)
    child = one is not None and asked not in (one.profile_id, one.customer_id)
    return {"profile": _profile(None if child else one), "merged_info": _merged(state, one, asked if child else "")}


def _profile(one: ProfileRecord | None) -> dict[str, Any]:
    if one is None:
        return {"profile_exists": False, **dict.fromkeys(("profile_id", "customer_id", "created_at", "updated_at"))}
    return {
        "profile_exists": True, "profile_id": one.profile_id, "customer_id": one.customer_id,
        "created_at": rfc1123(one.created_at), "updated_at": rfc1123(one.updated_at),
    }


def _merged(state: Effective, one: ProfileRecord | None, child: str) -> dict[str, Any]:
    """The merges of a profile's family. ``child``: the id of the merged one that was asked for; of a parent it is the
    last merge that is told.
    """
    children = state.run.customer_record(one.row).get("children", ()) if one is not None and one.row >= 0 else ()
    merge: Mapping[str, Any] | None = state.run.merge(child) if child else max(
        children, key=lambda other: (other["merged_at"], other["profile_id"]), default=None
    )
    if one is None or merge is None:
        return {
            "was_merged": False,
            **dict.fromkeys(
                ("merged_at", "authenticated_id_key", "authenticated_id_value", "parent_or_child")
            ),
            "parent_profile": {"parent_profile_id": None, "parent_customer_id": None}, "merged_child_profiles": [],
        }
    return {
        "was_merged": True, "merged_at": rfc1123(datetime.fromisoformat(merge["merged_at"]).replace(tzinfo=None)),
        "authenticated_id_key": merge["key"], "authenticated_id_value": merge["value"],
        "parent_or_child": CHILD if child else PARENT,
        "parent_profile": {"parent_profile_id": one.profile_id, "parent_customer_id": one.customer_id},
        "merged_child_profiles": [
            {"profile_id": other["profile_id"], "customer_id": other["customer_id"]} for other in children
        ],
    }
