"""Items, users, ratings, interactions, sessions and property definitions through the dialect (§7, §8)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from contracts.settings import Settings
from serving.app import Endpoint
from tests.serving.crossing_minds.conftest import House, build
from tests.serving.served import Clock, serving

# One story over one shop: a later test counts on what an earlier one wrote.


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    clock = Clock()
    made = build(tmp_path_factory.mktemp("shop"), clock, Settings())
    with made.control, serving(Endpoint(made.layout, made.settings, clock=clock)) as made.url:
        yield made


@pytest.fixture(scope="module")
def api(shop: House) -> Iterator[httpx.Client]:
    with shop.client("backend") as client:
        for name, kind, repeated in (
            ("price", "float32", False), ("Stock", "int16", False), ("labels", "unicode16", True),
            ("title", "text", False), ("sold_out", "bool", False),
        ):
            body = {"property_name": name, "value_type": kind, "repeated": repeated}
            assert client.post("items-properties/", json=body).status_code == 204
        body = {"property_name": "plan", "value_type": "unicode"}
        assert client.post("users-properties/", json=body).status_code == 204
        yield client


def good(answer: httpx.Response) -> Any:
    assert answer.status_code in (200, 204), answer.text
    return answer.json() if answer.status_code == 200 else None


def refused(answer: httpx.Response, status: int, name: str) -> dict[str, Any]:
    assert (answer.status_code, answer.json()["error_data"].get("name")) == (status, name), answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_definitions_are_listed_with_those_of_files(api: httpx.Client) -> None:
    found = {one["property_name"]: one for one in good(api.get("items-properties/"))["properties"]}
    assert found["price"] == {"property_name": "price", "value_type": "float32", "repeated": False, "metadata": {}}
    assert found["tags"] == {"property_name": "tags", "value_type": "unicode255", "repeated": True, "metadata": {}}
    assert found["item_price"]["value_type"] == "int64"
    users = {one["property_name"]: one for one in good(api.get("users-properties/"))["properties"]}
    assert users["age"] == {
        "property_name": "age", "value_type": "int64", "repeated": False, "metadata": {}, "indexed": False
    }
    assert users["plan"]["value_type"] == "unicode255"
    assert good(api.get("items-properties/STOCK/"))["property_name"] == "Stock"
    refused(api.delete("items-properties/tags/"), 400, "WRONG_PARAMETER")
    refused(api.get("items-properties/unheard/"), 404, "ITEM_PROPERTY_NOT_FOUND")
    again = {"property_name": "PRICE", "value_type": "int8"}
    told = refused(api.post("items-properties/", json=again), 400, "DUPLICATED_ITEM_PROPERTY")
    assert told["error_data"]["type"] == "item-property"
    refused(api.post("items-properties/", json={"property_name": "x", "value_type": "int9"}), 400, "WRONG_DATA_TYPE")
    refused(api.post("items-properties/", json={"property_name": "item_id", "value_type": "int8"}), 400,
            "WRONG_PARAMETER")


def test_items_are_put_patched_read_and_deleted(api: httpx.Client) -> None:
    rows = [{"item_id": "new-1", "price": 3, "stock": 4.0, "labels": ["a"]}, {"item_id": "i-0000001", "title": "A b"}]
    lists = [{"name": "labels", "array": [
        {"item_index": 0, "value_id": "b"}, {"item_index": 0, "value_id": "a"}, {"item_index": 1, "value_id": "c"},
    ]}]
    good(api.put("items-bulk/properties/", json={"items": rows, "items_m2m": lists}))
    asked = {"items_id": ["new-1", "unheard", "i-0000001", "i-0000002"]}
    found = {one["item_id"]: one for one in good(api.post("items-bulk/list/", json=asked))["items"]}
    assert found["new-1"] == {"item_id": "new-1", "price": 3.0, "Stock": 4, "labels": ["a", "b"]}
    assert found["i-0000001"] == {"item_id": "i-0000001", "title": "A b", "labels": ["c"]}, "put replaces"
    assert found["i-0000002"]["tags"] == ["a", "b"] and found["i-0000002"]["item_price"] == 110
    assert set(found) == {"new-1", "i-0000001", "i-0000002"}
    patch = {"item": {"labels": ["z"], "price": None}}
    assert good(api.patch("items/new-1/", json=patch)) == {"item_created": False, "item_modified": True}
    assert good(api.get("items/new-1/")) == {"item": {"item_id": "new-1", "Stock": 4, "labels": ["z"]}}
    refused(api.patch("items/new-2/", json={"item": {"price": 1}}), 404, "ITEM_NOT_FOUND")
    made = api.patch("items/new-2/", json={"item": {"price": 1}, "create_if_missing": True})
    assert good(made) == {"item_created": True, "item_modified": False}
    good(api.patch("items-bulk/properties/", json={"items": [{"item_id": "i-0000002", "sold_out": True}]}))
    assert good(api.get("items/i-0000002/"))["item"]["sold_out"] is True
    assert good(api.get("items/i-0000002/"))["item"]["tags"] == ["a", "b"]
    good(api.request("DELETE", "items-bulk/properties/", json={"items_id": ["new-2", "unheard"]}))
    good(api.delete("items/i-0000003/"))
    good(api.delete("items/i-0000003/"))
    refused(api.get("items/i-0000003/"), 404, "ITEM_NOT_FOUND")
    refused(api.get("items/new-2/"), 404, "ITEM_NOT_FOUND")


def test_a_refused_bulk_changes_nothing(api: httpx.Client) -> None:
    for row, name in (
        ({"item_id": "w", "unheard": 1}, "WRONG_DATA_TYPE"), ({"item_id": "w", "stock": 40000}, "WRONG_DATA_TYPE"),
        ({"item_id": "w", "labels": "a"}, "WRONG_DATA_TYPE"), ({"item_id": "a b"}, "INCORRECT_ITEM_ID_TYPE"),
        ({"item_id": "v"}, "DUPLICATED_ITEM_ID"), ({"item_id": "w", "price": float("1e39")}, "WRONG_DATA_TYPE"),
    ):
        told = refused(api.put("items-bulk/", json={"items": [{"item_id": "v", "price": 1}, row]}), 400, name)
        assert "unheard" not in row or "price" in told["message"], "the known ones are named"
    refused(api.get("items/v/"), 404, "ITEM_NOT_FOUND")


def test_pages_of_items_concatenate_and_obey_filters(api: httpx.Client) -> None:
    def pages(amt: int, **more: Any) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = good(api.get("items-bulk/", params={"amt": amt, "cursor": cursor, **more}))
            rows += page["items"]
            cursor = page["next_cursor"]
            assert page["has_next"] == bool(cursor)
            if not cursor:
                return rows

    good(api.delete("items/i-0000003/"))
    more = [{"item_id": "i-0000001x", "price": 9.5}, {"item_id": "zz", "price": 2}]
    good(api.put("items-bulk/", json={"items": more}))
    whole = pages(500)
    assert [one["item_id"] for one in whole] == sorted(one["item_id"] for one in whole)
    assert pages(7) == whole
    assert "i-0000003" not in {one["item_id"] for one in whole}
    dear = pages(2, filters=["price:gt:9"], properties=["price"])
    assert dear == [{"item_id": "i-0000001x", "price": 9.5}]
    both = pages(3, filters=["tags:eq:a", "item_price:lt:130"])
    expected = [one["item_id"] for one in whole if "a" in one.get("tags", ()) and one.get("item_price", 130) < 130]
    assert [one["item_id"] for one in both] == expected
    assert {"i-0000000", "i-0000002", "i-0000004", "i-0000005"} <= set(expected) < {one["item_id"] for one in whole}
    assert {one["item_id"] for one in pages(9, filters=["price:empty"])} == {
        one["item_id"] for one in whole if "price" not in one
    }
    refused(api.get("items-bulk/", params={"filters": "unheard:eq:1"}), 404, "ITEM_PROPERTY_NOT_FOUND")
    refused(api.get("items-bulk/", params={"filters": "price:eq:1"}), 400, "WRONG_OP_USE")
    refused(api.get("items-bulk/", params={"cursor": "abc"}), 400, "WRONG_PARAMETER")


def test_users_are_items_with_other_words(api: httpx.Client) -> None:
    good(api.put("users-bulk/", json={"users": [{"user_id": "u-new", "plan": "gold"}]}))
    assert good(api.get("users/u-new/")) == {"user": {"user_id": "u-new", "plan": "gold"}}
    assert good(api.get("users/c-3/"))["user"]["age"] == 3
    good(api.patch("users/c-3/", json={"user": {"age": 4}}))
    assert good(api.post("users-bulk/list/", json={"users_id": ["c-3"], "properties": ["AGE"]})) == {
        "users": [{"user_id": "c-3", "age": 4}]
    }
    good(api.post("interactions-bulk/", json={"interactions": [
        {"user_id": "stranger", "item_id": "i-0000005", "interaction_type": "view"}
    ]}))
    refused(api.get("users/stranger/"), 404, "USER_NOT_FOUND")
    ids = [one["user_id"] for one in good(api.get("users-bulk/", params={"amt": 500}))["users"]]
    assert ids == sorted(ids) and "u-new" in ids and "stranger" not in ids and len(ids) == 41
    old = good(api.get("users-bulk/", params={"filters": "age:gte:38"}))["users"]
    assert [one["user_id"] for one in old] == ["c-38", "c-39"]
    good(api.delete("users/u-new/"))
    refused(api.get("users/u-new/"), 404, "USER_NOT_FOUND")


def test_ratings_are_upserted_and_taken_back(api: httpx.Client) -> None:
    rows = [
        {"user_id": "r-1", "item_id": "i-0000001", "rating": 8.5, "timestamp": 1588812345.5},
        {"user_id": "r-1", "item_id": "unheard", "rating": "7"},
    ]
    refused(api.put("ratings-bulk/", json={"ratings": rows}), 400, "WRONG_DATA_TYPE")
    rows[1]["rating"] = 7
    good(api.put("ratings-bulk/", json={"ratings": rows}))
    good(api.put("users/r-1/ratings/i-0000001/", json={"rating": 2, "timestamp": "2020-05-07T00:45:45Z"}))
    found = good(api.get("users/r-1/ratings/"))
    assert found["user_ratings"][0] == {"item_id": "i-0000001", "rating": 2.0, "timestamp": 1588812345.0}
    assert [one["item_id"] for one in found["user_ratings"]] == ["i-0000001", "unheard"]
    assert (found["has_next"], found["next_page"]) == (False, 2)
    assert good(api.get("users/r-1/ratings/", params={"amt": 1}))["has_next"] is True
    everything, cursor = [], ""
    while True:
        page = good(api.get("ratings-bulk/", params={"amt": 7, "cursor": cursor}))
        everything += page["ratings"]
        cursor = page["next_cursor"]
        if not cursor:
            break
    mine = [one for one in everything if one["user_id"] == "r-1"]
    assert [one["rating"] for one in mine] == [2.0, 7.0]
    assert everything == good(api.get("ratings-bulk/", params={"amt": 500}))["ratings"]
    good(api.delete("users/r-1/ratings/i-0000001/"))
    told = refused(api.delete("users/r-1/ratings/i-0000001/"), 404, "USER_RATING_NOT_FOUND")
    assert told["error_data"]["key"] == "i-0000001"
    good(api.delete("users/r-1/ratings/"))
    assert good(api.get("users/r-1/ratings/"))["user_ratings"] == []
    refused(api.put("ratings-bulk/", json={"ratings": [{**rows[0], "rating": 10.5}]}), 400, "WRONG_PARAMETER")


def test_interactions_are_appended_as_sent(api: httpx.Client) -> None:
    row = {"item_id": "i-0000004", "interaction_type": "rating", "timestamp": 1000, "properties": {"b": 1, "a": None}}
    assert good(api.post("users/n-1/interactions-bulk/", json={"interactions": [row, row]})) == {}
    assert good(api.post("users/n-1/interactions/i-0000005/", json={"interaction_type": "buy", "timestamp": 1})) == {}
    whole = good(api.get("users/n-1/interactions-bulk/"))["interactions"]
    assert whole == [
        {"item_id": "i-0000005", "interaction_type": "buy", "timestamp": 1.0, "properties": {}},
        *[{"item_id": "i-0000004", "interaction_type": "rating", "timestamp": 1000.0, "properties": {"b": 1}}] * 2,
    ]
    first = good(api.get("users/n-1/interactions-bulk/", params={"amt": 2}))
    second = good(api.get("users/n-1/interactions-bulk/", params={"amt": 2, "cursor": first["next_cursor"]}))
    assert first["interactions"] + second["interactions"] == whole and not second["has_next"]
    bought = good(api.get("users/n-1/interactions-bulk/", params={"interaction_types": ["buy"]}))
    assert len(bought["interactions"]) == 1
    old = good(api.get("interactions-bulk/", params={"end_timestamp": 1000, "amt": 500}))["interactions"]
    assert [one["user_id"] for one in old] == ["n-1"] * 3
    odd = {"interaction_type": "a\0b"}
    refused(api.post("users/n-1/interactions/i-0000005/", json=odd), 400, "WRONG_DATA_TYPE")
    refused(api.get("interactions-bulk/", params={"start_timestamp": 2, "end_timestamp": 1}), 400, "WRONG_PARAMETER")
    pages, cursor = [], ""
    while True:
        page = good(api.get("interactions-bulk/", params={"amt": 11, "cursor": cursor}))
        pages += page["interactions"]
        cursor = page["next_cursor"]
        if not cursor:
            break
    assert pages == good(api.get("interactions-bulk/", params={"amt": 500}))["interactions"]


def test_sessions_become_a_users(api: httpx.Client) -> None:
    row = {"item_id": "i-0000006", "interaction_type": "view", "timestamp": 5}
    assert good(api.post("sessions/s-0/interactions-bulk/", json={"interactions": [row]})) == {}
    of_session = good(api.get("sessions/s-0/interactions-bulk/"))["interactions"]
    assert [one["item_id"] for one in of_session] == ["i-0000006", "i-0000000", "i-0000001", "i-0000002"]
    good(api.post("sessions/s-0/resolve/", json={"user_id": "owner", "timestamp": 77}))
    good(api.post("sessions/s-0/resolve/", json={"user_id": "owner"}))
    told = refused(api.post("sessions/s-0/resolve/", json={"user_id": "other"}), 400, "DUPLICATED_SESSION_ID")
    assert told["error_data"]["type"] == "session"
    later = api.post("sessions/s-0/items/i-0000009/interactions/", json={"interaction_type": "buy", "timestamp": 6})
    assert "s-0" in good(later)["warnings"][0]
    mine = good(api.get("users/owner/interactions-bulk/"))["interactions"]
    assert [one["item_id"] for one in mine] == ["i-0000006", "i-0000009", "i-0000000", "i-0000001", "i-0000002"]
    resolved = good(api.post("resolved-sessions/", json={}))["resolved_sessions"]
    assert resolved == [{"session_id": "s-0", "user_id": "owner", "timestamp": 77.0}]
    assert good(api.post("resolved-sessions/", json={"users_id": ["other"]}))["resolved_sessions"] == []
    every = good(api.get("sessions-interactions-bulk/", params={"amt": 500}))["interactions"]
    assert len(every) == 32 and {one["session_id"] for one in every} == {f"s-{n}" for n in range(10)}
    refused(api.get("users/owner/"), 404, "USER_NOT_FOUND")
    token = {"token": api.headers["Authorization"].removeprefix("Bearer "), "interactions": [row]}
    plain = httpx.post(f"{api.base_url}beacon/sessions/s-0/interactions-bulk/", json=token)
    assert plain.status_code == 200 and "warnings" in plain.json()


def test_everything_of_a_user_can_be_taken_out(api: httpx.Client, shop: House) -> None:
    good(api.put("users-bulk/", json={"users": [{"user_id": "gone", "plan": "x"}]}))
    good(api.put("users/gone/ratings/", json={"ratings": [{"item_id": "i-0000001", "rating": 3}]}))
    row = {"item_id": "i-0000007", "interaction_type": "view"}
    good(api.post("sessions/s-7/interactions-bulk/", json={"interactions": [row]}))
    good(api.post("sessions/s-7/resolve/", json={"user_id": "gone"}))
    good(api.request("DELETE", "users/gone/*"))
    refused(api.get("users/gone/"), 404, "USER_NOT_FOUND")
    assert good(api.get("users/gone/ratings/"))["user_ratings"] == []
    assert good(api.get("users/gone/interactions-bulk/"))["interactions"] == []
    assert good(api.get("sessions/s-7/interactions-bulk/"))["interactions"] == []
    good(api.request("DELETE", "users/c-5/*"))
    refused(api.get("users/c-5/"), 404, "USER_NOT_FOUND")
    assert good(api.get("users/c-5/interactions-bulk/"))["interactions"] == []


def test_a_property_goes_with_its_values(api: httpx.Client) -> None:
    body = {"property_name": "brief", "value_type": "int8"}
    good(api.post("items-properties/", json=body))
    good(api.put("items-bulk/", json={"items": [{"item_id": "b-1", "brief": 1}]}))
    good(api.delete("items-properties/BRIEF/"))
    assert good(api.get("items/b-1/")) == {"item": {"item_id": "b-1"}}
    refused(api.delete("items-properties/brief/"), 404, "ITEM_PROPERTY_NOT_FOUND")
    good(api.post("items-properties/", json={**body, "value_type": "unicode8"}))
    assert good(api.get("items/b-1/")) == {"item": {"item_id": "b-1"}}
    good(api.patch("items/b-1/", json={"item": {"brief": "now"}}))
    assert good(api.get("items-bulk/", params={"filters": "brief:eq:now"}))["items"] == [
        {"item_id": "b-1", "brief": "now"}
    ]


def test_a_frontend_writes_for_itself(shop: House) -> None:
    with shop.client("frontend", db_id=shop.shop, frontend_user_id="me-1", frontend_session_id="se-1") as client:
        good(client.put("users/~me/ratings/i-0000001/", json={"rating": 5}))
        good(client.post("sessions/~me/interactions-bulk/", json={"interactions": []}))
        good(client.post("sessions/~me/resolve/", json={"user_id": "me-1"}))
        refused(client.post("sessions/~me/resolve/", json={"user_id": "me-2"}), 403, "INCORRECT_FRONTEND_USER_ID")
        refused(client.get("users/~me/ratings/"), 403, "INCORRECT_ROLE")


def test_before_the_first_publish_the_journal_is_the_state(shop: House) -> None:
    with shop.client("backend", db_id=shop.second) as client:
        good(client.post("items-properties/", json={"property_name": "p", "value_type": "int8"}))
        good(client.put("items-bulk/", json={"items": [{"item_id": 7, "p": 1}, {"item_id": "0", "p": 2}]}))
        assert good(client.get("items-bulk/", params={"filters": "p:gt:1"}))["items"] == [{"item_id": 0, "p": 2}]
        user = "C3391D83-553b-40e7-818e-fcf658ec397d"
        good(client.put("ratings-bulk/", json={"ratings": [{"user_id": user, "item_id": 7, "rating": 3}]}))
        assert good(client.get(f"users/{user}/ratings/"))["user_ratings"][0]["item_id"] == 7
        assert good(client.get("databases/current/"))["counters"] == {"rating": 1, "user": 0, "item": 2}


def test_counters_and_the_plain_routes_follow(api: httpx.Client, shop: House) -> None:
    before = good(api.get("databases/current/"))["counters"]
    good(api.put("ratings-bulk/", json={"ratings": [
        {"user_id": "k-1", "item_id": "i-0000001", "rating": 3}, {"user_id": "c-0", "item_id": "k-item", "rating": 3},
    ]}))
    good(api.delete("items/i-0000008/"))
    good(api.put("users-bulk/", json={"users": [{"user_id": "k-1"}]}))
    after = good(api.get("databases/current/"))["counters"]
    assert {name: after[name] - before[name] for name in after} == {"rating": 2, "user": 1, "item": -1}


def test_the_largest_bulks_are_answered(api: httpx.Client) -> None:
    rows = [{"user_id": f"m-{n % 500}", "item_id": f"i-{n % 30:07}", "rating": 1 + n % 10} for n in range(16_384)]
    good(api.put("ratings-bulk/", json={"ratings": rows}))
    assert len(good(api.get("users/m-1/ratings/"))["user_ratings"]) == 3
    items = [{"item_id": f"m-{n}", "price": n, "labels": ["a", "b"], "title": "x"} for n in range(16_384)]
    good(api.put("items-bulk/", json={"items": items}))
    assert good(api.get("items-bulk/", params={"filters": "price:gte:16383"}))["items"][0]["item_id"] == "m-16383"


def test_the_journal_forgets(tmp_path: Path) -> None:
    from store.journal import Journal, Write
    from store.layout import Layout

    with Journal.open(Layout(tmp_path), Settings()) as journal:
        journal.append([Write("events", "a", "create", "{}"), Write("events", "b", "create", "{}"),
                        Write("session_events", "s", "put", "{}")])
        journal.erase(Write("profiles", "a", "erase", "{}"), ("a",), ("s",))
        left = [(one.entity, one.entity_key) for batch in journal.writes_between(0, 99) for one in batch]
        assert left == [("events", "b"), ("profiles", "a")]
        journal.erase(Write("profiles", "a", "erase", "{}"), ("a",), ())
        kept = [one.op for batch in journal.writes_between(0, 99) for one in batch]
    assert kept == ["create", "erase", "erase"], "the first names sessions that the warehouse has yet to forget"
