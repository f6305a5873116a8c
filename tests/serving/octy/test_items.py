"""Items: create, get, update and delete (retention contract, section 8)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.serving.octy.conftest import Shop, failure, good

BELOW = "/v1/retention/items"
CREATE = f"{BELOW}/create"


def item(item_id: Any, **changes: Any) -> dict[str, Any]:
    return {
        "item_id": item_id, "item_category": "shoes", "item_name": "Red shoe", "item_description": "A shoe",
        "item_price": 2000, **changes,
    }


def create(client: httpx.Client, *items: dict[str, Any]) -> httpx.Response:
    return client.post(CREATE, json={"items": list(items)})


def update(client: httpx.Client, *items: dict[str, Any]) -> httpx.Response:
    return client.post(f"{BELOW}/update", json={"items": list(items)})


def delete(client: httpx.Client, ids: Any) -> httpx.Response:
    return client.post(f"{BELOW}/delete", json={"items": ids})


def test_items_are_created_and_echoed(client: httpx.Client) -> None:
    body = good(create(client, item("sku-1"), item(17), item("a b-ç"), item(2.0)), 201)
    assert body["items"] == [item("sku-1"), item("17"), item("a b-ç"), item("2")]
    assert body["failed_to_create"] == [] and body["request_meta"]["count"] == 4


def test_taken_ids_are_named(client: httpx.Client) -> None:
    good(create(client, item("t1")), 201)
    body = good(create(client, item("t1"), item("t2"), item("t2")), 201)
    assert [one["item_id"] for one in body["items"]] == ["t2"]
    assert [one["item_id"] for one in body["failed_to_create"]] == ["t1", "t2"]
    assert [one["item_id"] for one in failure(create(client, item("t1")), 400)["errors"]] == ["t1"]


@pytest.mark.parametrize("changes", [
    {"item_id": ""}, {"item_id": None}, {"item_id": "a,b"}, {"item_id": True}, {"item_category": ""},
    {"item_name": None}, {"item_name": 5}, {"item_description": ""}, {"item_description": "x" * 1001},
    {"item_price": -1}, {"item_price": 1.5}, {"item_price": "5"}, {"item_price": None}, {"item_price": True},
])
def test_one_misfit_rejects_the_whole_request(client: httpx.Client, changes: dict[str, Any]) -> None:
    failure(create(client, item("m1"), {**item("m2"), **changes}), 422)
    good(create(client, item(f"m1-{abs(hash(str(changes)))}")), 201)


def test_five_hundred_at_once(fresh: Shop, client: httpx.Client) -> None:
    rows = [item(fresh.new("bulk"), item_description="x" * 1000) for _ in range(500)]
    assert good(create(client, *rows), 201)["items"] == rows
    failure(create(client, *rows, item("one-more")), 422)


def test_items_are_read_by_ids_and_pages(client: httpx.Client) -> None:
    made = good(create(client, item("r-2"), item("r-1"), item(7)), 201)["items"]
    body = good(client.get(BELOW, params={"ids": ",r-1,,7,r-1,unknown,r-2"}))
    assert [one["item_id"] for one in body["items"]] == ["r-1", "7", "r-2"]
    assert body["request_meta"]["count"] == body["request_meta"]["total"] == 3
    (one,) = good(client.get(BELOW, params={"id": "r-2"}))["items"]
    assert one == {**made[0], "status": "active", "created_at": one["created_at"], "updated_at": one["created_at"]}
    assert one["created_at"].endswith(" GMT")
    answer = client.get(BELOW, headers={"cursor": "0"})
    body = good(answer)
    assert int(answer.headers["cursor"]) == body["request_meta"]["count"] == len(body["items"]) <= 100
    failure(client.get(BELOW, params={"ids": "unknown"}), 400)
    failure(client.get(BELOW), 400)
    failure(client.get(BELOW, headers={"cursor": answer.headers["cursor"] + "000"}), 400)


def test_an_update_changes_all_fields(client: httpx.Client) -> None:
    good(create(client, item("u-1"), item("u-2")), 201)
    new = item("u-1", item_category="hats", item_name="Hat", item_description="H", item_price=5, status="inactive")
    body = good(update(client, new, {**new, "item_id": "nothing"}, new), 200)
    (one,) = body["items"]
    assert {name: one[name] for name in new} == new
    assert one == good(client.get(BELOW, params={"ids": "u-1"}))["items"][0]
    assert [(one["item_id"], bool(one["error_message"])) for one in body["failed_to_update"]] == [
        ("nothing", True), ("u-1", True)
    ]
    assert good(update(client, {**new, "status": "active"}), 200)["items"][0]["status"] == "active"
    assert good(client.get(BELOW, params={"ids": "u-2"}))["items"][0]["item_name"] == "Red shoe"
    assert failure(update(client, {**new, "item_id": "nothing"}), 400)["errors"][0]["item_id"] == "nothing"
    for wrong in ({"status": "gone"}, {"status": None}, {"item_price": "5"}, {"item_name": ""}):
        failure(update(client, {**new, **wrong}), 422)
    failure(update(client, item("u-1")), 422)
    failure(update(client, *[new] * 501), 422)


def test_deleted_items_are_gone_and_come_back_active(client: httpx.Client) -> None:
    good(create(client, item("d-1"), item(8)), 201)
    good(update(client, item("d-1", status="inactive")), 200)
    body = good(delete(client, ["d-1", 8, "d-1", "nothing"]), 200)
    assert body["deleted_items"] == [{"item_id": "d-1"}, {"item_id": "8"}]
    assert [one["item_id"] for one in body["failed_to_delete"]] == ["nothing"]
    failure(client.get(BELOW, params={"ids": "d-1,8"}), 400)
    assert failure(delete(client, ["d-1"]), 400)["errors"][0]["item_id"] == "d-1"
    failure(update(client, item("d-1", status="active")), 400)
    good(create(client, item("d-1")), 201)
    assert good(client.get(BELOW, params={"ids": "d-1"}))["items"][0]["status"] == "active"
    for wrong in ([], "d-1", None, [""], [None], [f"x{at}" for at in range(101)]):
        failure(delete(client, wrong), 422)


def test_items_of_the_run_are_changed_and_deleted(shop: Shop) -> None:
    with shop.client() as client:
        first = good(client.get(BELOW, headers={"cursor": "0"}))
        known = first["items"][0]
        total = first["request_meta"]["total"]
        assert total == len(first["items"]) >= 30
        changed = {name: known[name] for name in item("x")} | {"item_price": 1, "status": "inactive"}
        assert good(update(client, changed), 200)["items"][0]["created_at"] == known["created_at"]
        good(delete(client, [first["items"][1]["item_id"]]), 200)
        after = good(client.get(BELOW, headers={"cursor": "0"}))
        assert after["request_meta"]["total"] == total - 1
        assert [one["item_id"] for one in after["items"]] == [
            one["item_id"] for one in first["items"] if one is not first["items"][1]
        ]
        assert (after["items"][0]["item_price"], after["items"][0]["status"]) == (1, "inactive")


def test_the_other_routes_see_it(shop: Shop) -> None:
    key = shop.journal.create_key("read", "test")
    with shop.client() as client:
        good(create(client, item("seen-1")), 201)
    found = httpx.get(f"{shop.url}/v1/items/seen-1", headers={"Authorization": f"Bearer {key}"}).json()["item"]
    assert {name: found[name] for name in item("seen-1")} == item("seen-1")
    assert found["properties"] == {} and found["status"] == "active"
