"""Segments over HTTP: definitions, their faults, and live tags that the endpoint's own timer makes active."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import pytest

from store.journal import documents, live_tags, outbox
from tests.serving.octy.conftest import Shop, failure, good

URL = "/v1/retention/segments"


@pytest.fixture(autouse=True)
def _types(fresh: Shop) -> None:
    for name, properties in (("login", ["device"]), ("cart", [])):
        body = {"event_type_id": f"t_{name}", "event_type": name, "event_properties": properties, "created_at": "x"}
        with fresh.journal.writing() as connection:
            documents.put(connection, "event_type", name, json.dumps(body), "test", fresh.journal.clock())


def one(event_type: str, kind: str = "action", minutes: int = 0, properties: Any = None) -> dict[str, Any]:
    return {
        "event_type": event_type, "exp_timeframe": minutes, "action_inaction": kind, "event_properties": properties,
    }


def segment(shop: Shop, *sequence: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "segment_name": shop.new("segment "), "segment_type": "live", "segment_sub_type": 1, "segment_timeframe": 0,
        "event_sequence": list(sequence), **more,
    }


def test_a_segment_is_created_shown_and_deleted(client: httpx.Client, fresh: Shop) -> None:
    body = segment(
        fresh, one("login", properties={"device": "ios"}), segment_type="past", segment_sub_type=3,
        segment_timeframe=60, profile_property_name="age", profile_property_value=30.0,
    )
    made = good(client.post(f"{URL}/create", json=body), 201)
    assert {name: made[name] for name in made if name not in ("request_meta", "segment_id")} == {
        "segment_name": body["segment_name"], "segment_type": "past", "segment_sub_type": 3,
        "segment_status": "processing",
    }
    for asked in (made["segment_id"], body["segment_name"]):
        (shown,) = good(client.get(URL, params={"ids": f",{asked},{asked},nobody"}))["segments"]
        assert shown["segment_id"] == made["segment_id"]
        assert shown["profile_property_value"] == "30"
        assert (shown["profile_count"], shown["event_sequence"]) == (0, body["event_sequence"])
        assert shown["created_at"].endswith(" GMT")
    page = client.get(URL, headers={"cursor": "0"})
    assert good(page)["request_meta"]["total"] == len(page.json()["segments"]) == int(page.headers["cursor"])
    failure(client.get(URL), 400)
    gone = good(client.post(f"{URL}/delete", json={"segments": [made["segment_id"], "nobody"]}))
    assert gone["deleted_segments"] == [{"segment_id": made["segment_id"]}]
    assert gone["failed_to_delete"][0]["segment_id"] == "nobody"
    failure(client.post(f"{URL}/delete", json={"segments": ["nobody"]}), 400)
    failure(client.post(f"{URL}/delete", json={"segments": ["x"] * 101}), 422)
    failure(client.get(URL, params={"ids": made["segment_id"]}), 400)
    good(client.post(f"{URL}/create", json=body), 201)


ACTION, END = one("login"), one("cart", "inaction")
GRAMMAR = [
    {"segment_type": "future"}, {"segment_sub_type": 3}, {"segment_timeframe": 1}, {"segment_name": "a,b"},
    {"segment_name": ""}, {"segment_name": "x" * 61}, {"event_sequence": []}, {"event_sequence": [END]},
    {"event_sequence": [ACTION, END]}, {"event_sequence": [one("login", minutes=2)]},
    {"event_sequence": [one("login", "neither")]}, {"event_sequence": [one("nothing")]},
    {"event_sequence": [one("login", properties={"colour": "red"})]},
    {"segment_sub_type": 2, "event_sequence": [one("login", minutes=1), END]},
    {"segment_sub_type": 2, "event_sequence": [one("login", minutes=10**12), END]},
    {"segment_sub_type": 2, "event_sequence": [one("login", minutes=2), one("cart", "inaction", 2)]},
    {"segment_sub_type": 2, "event_sequence": [one("login", minutes=2), one("login", "inaction")]},
    {"profile_property_name": "age", "profile_property_value": "1"},
    {"segment_type": "past", "segment_timeframe": 1}, {"segment_type": "past", "segment_timeframe": 366},
    {"segment_type": "past", "segment_timeframe": 60, "event_sequence": [ACTION, END]},
    {"segment_type": "past", "segment_timeframe": 60, "segment_sub_type": 2},
    {"segment_type": "past", "segment_timeframe": 60, "segment_sub_type": 2, "event_sequence": [END, ACTION]},
    {"segment_type": "past", "segment_timeframe": 60, "segment_sub_type": 3},
    {"segment_type": "past", "segment_timeframe": 60, "event_sequence": [ACTION, ACTION]},
    {"segment_type": "past", "segment_timeframe": 60,
     "event_sequence": [one("login", properties={"device": str(number)}) for number in range(11)]},
]
SCHEMA = [
    {"segment_name": 1}, {"segment_type": None}, {"segment_sub_type": "1"}, {"segment_timeframe": 1.5},
    {"segment_timeframe": True}, {"event_sequence": {}}, {"event_sequence": ["login"]},
    {"event_sequence": [{**ACTION, "event_type": 1}]}, {"event_sequence": [{**ACTION, "exp_timeframe": "0"}]},
    {"event_sequence": [{**ACTION, "event_properties": []}]}, {"event_sequence": [{**ACTION, "action_inaction": None}]},
    {"event_sequence": [one("login", properties={"device": {}})]}, {"profile_property_name": 1},
    {"profile_property_value": []},
]


@pytest.mark.parametrize("change", GRAMMAR, ids=str)
def test_a_fault_of_grammar_is_refused(client: httpx.Client, fresh: Shop, change: dict[str, Any]) -> None:
    failure(client.post(f"{URL}/create", json={**segment(fresh, ACTION), **change}), 400)


@pytest.mark.parametrize("change", SCHEMA, ids=str)
def test_a_fault_of_schema_is_told_apart(client: httpx.Client, fresh: Shop, change: dict[str, Any]) -> None:
    failure(client.post(f"{URL}/create", json={**segment(fresh, ACTION), **change}), 422)


@pytest.mark.parametrize("fits", [
    {"segment_sub_type": 2, "event_sequence": [one("login", minutes=2, properties={"device": "a"}), END]},
    {"segment_type": "past", "segment_timeframe": 2}, {"segment_type": "past", "segment_timeframe": 365},
    {"segment_type": "past", "segment_timeframe": 9, "segment_sub_type": 2, "event_sequence": [ACTION, END]},
    {"segment_type": "past", "segment_timeframe": 9, "segment_sub_type": 4, "profile_property_name": "plan",
     "profile_property_value": "gold", "event_sequence": [ACTION, one("cart"), one("charged", "inaction")]},
    {"profile_property_name": "", "profile_property_value": "",
     "event_sequence": [one("login", properties={"device": "web"})]},
], ids=str)
def test_the_grammar_takes(client: httpx.Client, fresh: Shop, fits: dict[str, Any]) -> None:
    body = {**segment(fresh, ACTION), **fits}
    good(client.post(f"{URL}/create", json=body), 201)
    failure(client.post(f"{URL}/create", json=body), 400)
    failure(client.post(f"{URL}/create", json={**body, "segment_name": fresh.new("other ")}), 400)


def test_the_endpoint_makes_a_tag_active_in_time_and_once(client: httpx.Client, fresh: Shop) -> None:
    made = good(client.post(f"{URL}/create", json=segment(
        fresh, one("cart", minutes=2), one("charged", "inaction"), segment_sub_type=2,
    )), 201)
    now = fresh.journal.clock()
    with fresh.journal.writing() as connection:  # an episode whose time is over in a second
        connection.exec_driver_sql(
            "INSERT INTO live_tags VALUES (?, 'profile_1', 'pending', ?, ?, NULL, ?)",
            (made["segment_id"], *[f"{now:%Y-%m-%d %H:%M:%S}.000000"] * 3),
        )
    deadline = time.monotonic() + 10
    counted = 0
    while not counted and time.monotonic() < deadline:
        (shown,) = good(client.get(URL, params={"ids": made["segment_id"]}))["segments"]
        counted = shown["profile_count"]
        time.sleep(0.05)
    assert counted == 1
    with fresh.journal.reading() as connection:
        assert len([row for row in live_tags.changes(connection) if row[0] == made["segment_id"]]) == 1
        assert [json.loads(sent.message)["body"]["segment"]["segment_id"] for sent in outbox.listed(connection)
                ].count(made["segment_id"]) == 1


def test_events_are_evaluated_as_they_are_stored(client: httpx.Client, fresh: Shop) -> None:
    made = good(client.post(f"{URL}/create", json=segment(fresh, one("login", properties={"device": "tv"}))), 201)
    key = {"Authorization": f"Bearer {fresh.journal.create_key('write', 'test')}"}
    event = {"event_type": "login", "profile_id": "somebody", "properties": {"device": "tv"}}
    assert httpx.post(f"{fresh.url}/v1/events", json=event, headers=key).status_code < 300
    (shown,) = good(client.get(URL, params={"ids": made["segment_id"]}))["segments"]
    assert shown["profile_count"] == 1


def test_an_event_of_the_dialect_tags_its_profile(client: httpx.Client, fresh: Shop) -> None:
    """Also by a property that its type does not require and that was seen on a stored event."""
    who = fresh.new("c-")
    good(client.post("/v1/retention/profiles/create", json={"profiles": [
        {"customer_id": who, "has_charged": False, "profile_data": {"plan": "gold"}, "platform_info": {"os": "ios"}}
    ]}), 201)
    event = {"event_type": "login", "profile_id": who, "event_properties": {"device": "tv", "shade": 2}}
    body = segment(fresh, one("login", properties={"shade": "2"}))
    failure(client.post(f"{URL}/create", json=body), 400)
    good(client.post("/v1/retention/events/create", json=event), 201)
    good(client.post(f"{URL}/create", json=body), 201)
    (before,) = good(client.get("/v1/retention/profiles", params={"ids": who}))["profiles"]
    assert body["segment_name"] not in [tag["segment_tag"] for tag in before["segment_tags"]]
    good(client.post("/v1/retention/events/create/batch", json={"events": [event, event]}), 201)
    (after,) = good(client.get("/v1/retention/profiles", params={"ids": who}))["profiles"]
    assert [tag["segment_tag"] for tag in after["segment_tags"]].count(body["segment_name"]) == 1
    (shown,) = good(client.get(URL, params={"ids": body["segment_name"]}))["segments"]
    assert shown["profile_count"] == 1
