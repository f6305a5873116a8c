"""Events of the API as writes of the journal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import uuid4

import orjson

from serving.bodies import Event
from serving.refusals import invalid
from store.journal import Write


def to_writes(events: Sequence[Event], now: datetime, max_future_hours: float, *, many: bool) -> list[Write]:
    """One write an event; its body is a JSON object with sorted keys.

    They are ``event_id``, ``event_type``, ``profile_id`` (as given), ``item_id`` (or null), ``created_at``
    (``YYYY-MM-DD HH:MM:SS``, UTC) and ``properties``.

    ``now`` is naive UTC. Raises Refusal for a time that is too far ahead.
    """
    latest = (now + timedelta(hours=max_future_hours)).strftime("%Y-%m-%d %H:%M:%S")
    writes = []
    for number, event in enumerate(events):
        created_at = event.created_at or now.strftime("%Y-%m-%d %H:%M:%S")
        if created_at > latest:
            field = f"events[{number}].created_at" if many else "created_at"
            raise invalid(field, f"{created_at} is in the future", f"at most {max_future_hours:g} hours ahead, in UTC")
        writes.append(_write(event, created_at))
    return writes


def _write(event: Event, created_at: str) -> Write:
    properties = {name: value for name, value in (event.properties or {}).items() if value is not None}
    item_id = event.item_id
    if item_id is None:
        named = properties.get("item_id")
        item_id = str(named) if isinstance(named, str | int) and not isinstance(named, bool) else None
    event_id = event.event_id or f"event_{uuid4().hex}"
    body = {
        "event_id": event_id, "event_type": event.event_type, "profile_id": event.profile_id, "item_id": item_id,
        "created_at": created_at, "properties": properties,
    }
    text = orjson.dumps(body, option=orjson.OPT_SORT_KEYS).decode()
    return Write("events", event.profile_id, "create", text, event_id)
