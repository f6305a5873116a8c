"""What bodies are accepted, and what is made of them."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from serving.bodies import Event, EventBody, Events, utc
from serving.events import to_writes
from serving.refusals import Refusal

NOW = datetime(2026, 11, 21, 8, 30)
BODY: TypeAdapter[Any] = TypeAdapter(EventBody)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("2026-01-02", "2026-01-02 00:00:00"),
        ("2026-01-02 03:04", "2026-01-02 03:04:00"),
        ("2026-01-02T03:04:05.987654321Z", "2026-01-02 03:04:05"),
        ("2026-01-02 03:04:05 +0100", "2026-01-02 02:04:05"),
        ("2026-01-02T03:04:05-05:30", "2026-01-02 08:34:05"),
        ("0999-01-01 00:00:00", "0999-01-01 00:00:00"),
    ],
)
def test_times(given: str, meant: str) -> None:
    assert utc(given) == meant


@pytest.mark.parametrize(
    "given",
    [
        "",
        "now",
        "2026-13-01",
        "2026-01-02 25:00:00",
        "20260102",
        "2026-W01",
        "2026-01-02 03:04:05+99:00",
        "0001-01-01 00:00:00+01:00",
        "2026-01-02 03:04:05 ",
        "٢٠٢٦-01-02",
        "9999-12-31T23:59:59-01:00",
    ],
)
def test_no_times(given: str) -> None:
    with pytest.raises(ValueError):
        utc(given)


def written(body: Any) -> list[dict[str, Any]]:
    parsed = BODY.validate_python(body)
    events = parsed.events if isinstance(parsed, Events) else [parsed]
    writes = to_writes(events, NOW, 24, many=isinstance(parsed, Events))
    for write in writes:
        told = json.loads(write.body)
        assert (write.entity, write.op) == ("events", "create")
        assert write.entity_key == told["profile_id"] and write.event_id == told["event_id"]
    return [json.loads(write.body) for write in writes]


def test_an_event_becomes_one_write() -> None:
    (told,) = written(
        {
            "event_type": "charged",
            "profile_id": "c-1",
            "event_id": "e1",
            "created_at": "2026-11-20 10:00",
            "properties": {"item_id": 7, "price": 1.5, "tags": ["a"], "gift": True, "none": None},
        }
    )
    assert told == {
        "event_type": "charged",
        "profile_id": "c-1",
        "event_id": "e1",
        "created_at": "2026-11-20 10:00:00",
        "item_id": "7",
        "properties": {"item_id": 7, "price": 1.5, "tags": ["a"], "gift": True},
    }


def test_what_is_left_out_is_filled() -> None:
    first, second = written(
        {"events": [{"event_type": "viewed", "profile_id": "c-1"}, {"event_type": "v", "profile_id": 2, "item_id": 3}]}
    )
    assert first["created_at"] == "2026-11-21 08:30:00" and first["item_id"] is None and first["properties"] == {}
    assert (second["profile_id"], second["item_id"]) == ("2", "3")
    assert first["event_id"] != second["event_id"] and first["event_id"].startswith("event_")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"event_type": "charged"},
        {"event_type": "", "profile_id": "c"},
        {"event_type": "charged", "profile_id": "a,b"},
        {"event_type": "charged", "profile_id": "c\n"},
        {"event_type": "charged", "profile_id": "x" * 256},
        {"event_type": "charged", "profile_id": None},
        {"event_type": "charged", "profile_id": True},
        {"event_type": "charged", "profile_id": "c", "unknown": 1},
        {"event_type": "charged", "profile_id": "c", "created_at": 5},
        {"event_type": "charged", "profile_id": "c", "properties": []},
        {"event_type": "charged", "profile_id": "c", "properties": {"nested": {"a": 1}}},
        {"event_type": "charged", "profile_id": "c", "properties": {"mixed": [1, "a"]}},
        {"event_type": "charged", "profile_id": "c", "properties": {"infinite": float("inf")}},
        {"events": []},
        {"events": [{}]},
        {"events": {}},
        {"events": [{"event_type": "v", "profile_id": "c"}] * 501},
        [],
        "text",
        5,
        None,
    ],
)
def test_what_is_refused(body: Any) -> None:
    with pytest.raises(ValidationError):
        BODY.validate_python(body)


def test_an_event_too_far_ahead_is_refused_by_name() -> None:
    events = [
        Event(event_type="v", profile_id="c"),
        Event(event_type="v", profile_id="c", created_at="2026-11-22 08:30:01"),
    ]
    with pytest.raises(Refusal) as refused:
        to_writes(events, NOW, 24, many=True)
    assert (refused.value.status, refused.value.field) == (422, "events[1].created_at")
