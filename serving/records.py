"""Whole profiles and items as they are now: what the run says, with what was written since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from serving.effective import Effective
from serving.facts import Facts
from serving.run_side import FIELDS, Values

NOTHING = Facts()


@dataclass(frozen=True, slots=True)
class ProfileRecord:
    """One profile. Times are naive UTC; ``row`` is the run's, -1 when it does not know it."""

    profile_id: str
    customer_id: str
    has_charged: bool
    status: str
    profile_data: Mapping[str, Any]
    platform_info: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime
    row: int


@dataclass(frozen=True, slots=True)
class ItemRecord:
    """One item. ``values``: the item's own fields; other properties are not part of it."""

    item_id: str
    values: Mapping[str, Any]
    status: str
    created_at: datetime
    updated_at: datetime


def profile(state: Effective, asked: str) -> ProfileRecord | None:
    """A profile by either id, None when nobody described it."""
    values = state.user(asked)
    if values is None:
        return None
    key = state.key(asked)
    row = state.profile_row(key)
    of_run = state.run.profile_record(row) if row >= 0 else {}
    facts = state.changes.profile_facts.get(key, NOTHING)
    platform_info = _given(facts.platform_info, of_run.get("platform_info") or {})
    return ProfileRecord(
        profile_id=key, customer_id=state.customer_of(key),
        has_charged=facts.charged or _given(facts.has_charged, bool(of_run.get("has_charged"))),
        status=facts.status_over(of_run.get("status") or "active"),
        profile_data=_spelled(state, values, of_run.get("profile_data") or {}), platform_info=platform_info,
        created_at=_earliest(_time(of_run.get("created_at")), facts.created_at, facts.first_event),
        updated_at=_latest(_time(of_run.get("updated_at")), facts.updated_at), row=row,
    )


def item(state: Effective, item_id: str) -> ItemRecord | None:
    """An item, None when there is none."""
    values = state.item(item_id)
    if values is None:
        return None
    row = state.run.item_row(item_id)
    of_run = state.run.item_record(row) if row >= 0 else {}
    facts = state.changes.item_facts.get(item_id, NOTHING)
    return ItemRecord(
        item_id, {name: values.get(name) for name in FIELDS}, _given(facts.status, of_run.get("status") or "active"),
        _earliest(_time(of_run.get("created_at")), facts.created_at),
        _latest(_time(of_run.get("updated_at")), facts.updated_at),
    )


def _given(written: Any, of_run: Any) -> Any:
    return of_run if written is None else written


def _spelled(state: Effective, values: Values, of_run: Mapping[str, Any]) -> dict[str, Any]:
    """Values under the names that were first given to them."""
    names = {name.lower(): name for name in of_run}
    for known in (state.changes.profile_keys, state.run.profile_keys):
        for name in values:
            if name in known and name not in names:
                names[name] = known[name].spelled
    return {names.get(name, name): value for name, value in sorted(values.items())}


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).replace(tzinfo=None)


def _earliest(*times: datetime | None) -> datetime:
    return min(time for time in times if time is not None)


def _latest(*times: datetime | None) -> datetime:
    return max(time for time in times if time is not None)
