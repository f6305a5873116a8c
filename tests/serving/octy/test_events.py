"""Event types and events (retention contract, section 9)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from serving.octy.formats import rfc1123
from tests.serving.octy.conftest import Shop, failure, good

TYPES, EVENTS = "/v1/retention/events/types", "/v1/retention/events/create"
CHARGED = {"payment_method": "visa", "item_id": "sku-1"}


def types(client: httpx.Client, *given: tuple[str, list[str]]) -> httpx.Response:
    return client.post(f"{TYPES}/create", json={
        "event_types": [{"event_type": name, "event_properties": properties} for name, properties in given]
    })


@pytest.fixture
def who(fresh: Shop, client: httpx.Client) -> str:
    """A customer's id."""
    customer_id = fresh.new("who")
    good(client.post("/v1/retention/profiles/create", json={"profiles": [{
        "customer_id": customer_id, "has_charged": False, "profile_data": {"age": 1}, "platform_info": {"os": "ios"},
    }]}), 201)
    return customer_id


def read(client: httpx.Client, customer_id: str) -> dict[str, Any]:
    found: dict[str, Any] = good(client.get("/v1/retention/profiles", params={"ids": customer_id}))["profiles"][0]
    return found


def event(who: str, event_type: str = "charged", **changes: Any) -> dict[str, Any]:
    return {"event_type": event_type, "profile_id": who, "event_properties": CHARGED, **changes}


def test_types_are_created_listed_and_deleted(fresh: Shop, client: httpx.Client) -> None:
    names = [fresh.new("login") for _ in range(3)]
    body = good(types(client, (names[0], ["device"]), (names[1], [])), 201)
    made = body["event_types"]
    assert [one["event_type"] for one in made] == names[:2] and body["failed_to_create"] == []
    assert made[0]["event_type_id"].startswith("custom_event_type_") and set(made[0]) == {
        "event_type_id", "event_type", "event_properties"
    }
    body = good(types(client, (names[0], []), ("charged", []), (names[2], [])), 201)
    assert [one["event_type"] for one in body["failed_to_create"]] == [names[0], "charged"]
    ids = [made[1]["event_type_id"], made[0]["event_type_id"]]
    found = good(client.get(TYPES, params={"ids": "," + ",".join(ids)}))["event_types"]
    assert [one["event_type"] for one in found] == [names[1], names[0]]
    assert found[1]["event_properties"] == ["device"] and found[0]["created_at"].endswith("GMT")
    page = good(client.get(TYPES, headers={"cursor": "0"}))
    assert {*names} <= {one["event_type"] for one in page["event_types"]}
    assert "charged" not in {one["event_type"] for one in page["event_types"]}
    body = good(client.post(f"{TYPES}/delete", json={"event_type_ids": [ids[0], "charged", "nothing"]}))
    assert body["deleted_event_types"] == [{"event_type_id": ids[0]}]
    assert [one["event_type_id"] for one in body["failed_to_delete"]] == ["charged", "nothing"]
    failure(client.get(TYPES, params={"ids": ids[0]}), 400)
    failure(client.post(f"{TYPES}/delete", json={"event_type_ids": [ids[0]]}), 400)
    good(types(client, (names[1], [])), 201)


@pytest.mark.parametrize("name", ["", "a b", "a,b", "a.b", "a'b", 'a"b', "x" * 61, None, 5])
def test_wrong_names_of_types_are_422(client: httpx.Client, name: Any) -> None:
    failure(types(client, (name, [])), 422)


@pytest.mark.parametrize("body", [{"event_type_ids": []}, {"event_type_ids": ["x"] * 1 + [""]}, {},
                                  {"event_type_ids": [str(at) for at in range(101)]}])
def test_wrong_deletions_are_422(client: httpx.Client, body: Any) -> None:
    failure(client.post(f"{TYPES}/delete", json=body), 422)


def test_a_type_in_use_by_a_segment_stays(fresh: Shop, client: httpx.Client) -> None:
    name = fresh.new("used")
    made = good(types(client, (name, [])), 201)["event_types"][0]["event_type_id"]
    good(client.post("/v1/retention/segments/create", json={
        "segment_name": fresh.new("segment"), "segment_type": "live", "segment_sub_type": 1, "segment_timeframe": 0,
        "event_sequence": [{
            "event_type": name, "exp_timeframe": 0, "action_inaction": "action", "event_properties": None
        }],
        "profile_property_name": None, "profile_property_value": None,
    }), 201)
    failure(client.post(f"{TYPES}/delete", json={"event_type_ids": [made]}), 400)


def test_one_event_happens_now_and_is_answered_flat(fresh: Shop, client: httpx.Client, who: str) -> None:
    body = good(client.post(EVENTS, json=event(who, created_at="2001-01-01 00:00:00")), 201)
    assert body["event_id"].startswith("event_") and body["event_type"] == "charged"
    assert body["profile_id"] == read(client, who)["profile_id"]
    assert body["event_properties"] == CHARGED
    assert body["created_at"] == rfc1123(datetime.fromtimestamp(fresh.clock.now, UTC).replace(tzinfo=None))


def test_effects_are_read_at_once(client: httpx.Client, who: str) -> None:
    assert (read(client, who)["has_charged"], read(client, who)["status"]) == (False, "active")
    good(client.post(EVENTS, json=event(read(client, who)["profile_id"])), 201)
    assert (read(client, who)["has_charged"], read(client, who)["status"]) == (True, "active")
    good(client.post(EVENTS, json=event(who, "complaint", event_properties={"channel": "mail"})), 201)
    assert read(client, who)["status"] == "active"
    good(client.post(EVENTS, json=event(who, "churned", event_properties=None)), 201)
    assert read(client, who)["status"] == "churned"


@pytest.mark.parametrize("changes", [
    {"event_type": "unheard_of"}, {"profile_id": "nobody"}, {"event_properties": {}}, {"event_properties": None},
    {"event_properties": {**CHARGED, "payment_method": ""}}, {"event_properties": {**CHARGED, "payment_method": 5}},
    {"event_properties": {**CHARGED, "amount": 5}}, {"event_type": "complaint"},
    {"event_type": "complaint", "event_properties": {"channel": 5}},
])
def test_refused_events_are_400_and_do_nothing(client: httpx.Client, who: str, changes: dict[str, Any]) -> None:
    failure(client.post(EVENTS, json={**event(who), **changes}), 400)
    assert read(client, who)["has_charged"] is False


@pytest.mark.parametrize("changes", [
    {"event_type": None}, {"event_type": ""}, {"profile_id": None}, {"profile_id": []}, {"event_properties": []},
    {"event_properties": {"a": {"b": 1}}}, {"event_properties": {"a": [1]}},
])
def test_misfits_are_422(client: httpx.Client, who: str, changes: dict[str, Any]) -> None:
    failure(client.post(EVENTS, json={**event(who), **changes}), 422)
    failure(client.post(f"{EVENTS}/batch", json={"events": [event(who), {**event(who), **changes}]}), 422)
    assert read(client, who)["has_charged"] is False


def test_a_numeric_item_becomes_text(client: httpx.Client, who: str) -> None:
    body = good(client.post(EVENTS, json=event(who, event_properties={**CHARGED, "item_id": 17.0})), 201)
    assert body["event_properties"]["item_id"] == "17"


def test_a_batch_stores_what_is_good(fresh: Shop, client: httpx.Client, who: str) -> None:
    name = fresh.new("view")
    type_id = good(types(client, (name, ["device"])), 201)["event_types"][0]["event_type_id"]
    later = datetime.fromtimestamp(fresh.clock.now, UTC) + timedelta(hours=25)
    body = good(client.post(f"{EVENTS}/batch", json={"events": [
        event(who, created_at="2024-05-01T12:00:00.5+02:00"),
        event(who, name, event_properties={"device": "ios", "more": 1}, created_at="2024-05-01 10:00"),
        event(who, name, event_properties={}),
        event("nobody", name, event_properties={"device": "ios"}),
        event(who, name, event_properties={"device": 5}),
        event(who, created_at="yesterday"),
        event(who, created_at=f"{later:%Y-%m-%d %H:%M:%S}"),
        event(who, name, event_properties={"device": "x", "more": 2.5}),
    ]}), 201)
    made = body["created_events"]
    assert [one["event_type"] for one in made] == ["charged", name, name]
    assert [one["event_type_id"] for one in made] == ["charged", type_id, type_id]
    assert [one["created_at"] for one in made[:2]] == ["Wed, 01 May 2024 10:00:00 GMT"] * 2
    assert set(made[0]) == {
        "event_id", "profile_id", "event_type_id", "event_type", "event_properties", "created_at"
    }
    failed = body["failed_to_create"]
    assert len(failed) == 5 and set(failed[0]) == {"event_type", "event_properties", "profile_id", "error_message"}
    assert failed[1]["profile_id"] == "nobody" and failed[2]["event_properties"] == {"device": 5}
    failure(client.post(f"{EVENTS}/batch", json={"events": [event("nobody")]}), 400)


def test_the_first_value_fixes_a_property_of_a_type(fresh: Shop, client: httpx.Client, who: str) -> None:
    name, other = fresh.new("typed"), fresh.new("typed")
    good(types(client, (name, []), (other, [])), 201)
    good(client.post(EVENTS, json=event(who, name, event_properties={"n": 1})), 201)
    failure(client.post(EVENTS, json=event(who, name, event_properties={"n": "1"})), 400)
    good(client.post(EVENTS, json=event(who, other, event_properties={"n": "1"})), 201)
    # What was refused fixes nothing.
    failure(client.post(EVENTS, json=event("nobody", name, event_properties={"m": 1})), 400)
    good(client.post(EVENTS, json=event(who, name, event_properties={"m": "1"})), 201)


def test_of_two_types_at_once_one_wins(fresh: Shop, client: httpx.Client, who: str) -> None:
    name = fresh.new("race")
    good(types(client, (name, [])), 201)

    def send(value: Any) -> int:
        return client.post(EVENTS, json=event(who, name, event_properties={"n": value})).status_code

    with ThreadPoolExecutor(8) as pool:
        values = [1, "a"] * 8
        statuses = list(pool.map(send, values))
    kinds = {type(value) for value, status in zip(values, statuses, strict=True) if status == 201}
    assert len(kinds) == 1 and set(statuses) == {201, 400}


def test_five_hundred_at_once(client: httpx.Client, who: str) -> None:
    body = good(client.post(f"{EVENTS}/batch", json={"events": [event(who)] * 500}), 201)
    assert len({one["event_id"] for one in body["created_events"]}) == 500
    failure(client.post(f"{EVENTS}/batch", json={"events": [event(who)] * 501}), 422)


def test_an_event_is_durable_before_its_answer(fresh: Shop, client: httpx.Client, who: str) -> None:
    body = good(client.post(EVENTS, json=event(who)), 201)
    with fresh.journal.reading() as connection:
        found = connection.exec_driver_sql("SELECT body FROM writes WHERE event_id = ?", (body["event_id"],)).all()
    assert len(found) == 1
