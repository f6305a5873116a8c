"""Items: create (retention contract, section 8)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.serving.octy.conftest import Shop, failure, good

CREATE = "/v1/retention/items/create"


def item(item_id: Any, **changes: Any) -> dict[str, Any]:
    return {
        "item_id": item_id, "item_category": "shoes", "item_name": "Red shoe", "item_description": "A shoe",
        "item_price": 2000, **changes,
    }


def create(client: httpx.Client, *items: dict[str, Any]) -> httpx.Response:
    return client.post(CREATE, json={"items": list(items)})


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


def test_the_rest_is_not_here_yet(client: httpx.Client) -> None:
    for path in ("update", "delete"):
        failure(client.post(f"/v1/retention/items/{path}", json={}), 400)
    failure(client.get("/v1/retention/items", headers={"cursor": "0"}), 400)


def test_the_other_routes_see_it(shop: Shop) -> None:
    key = shop.journal.create_key("read", "test")
    with shop.client() as client:
        good(create(client, item("seen-1")), 201)
    found = httpx.get(f"{shop.url}/v1/items/seen-1", headers={"Authorization": f"Bearer {key}"}).json()["item"]
    assert {name: found[name] for name in item("seen-1")} == item("seen-1")
    assert found["properties"] == {} and found["status"] == "active"
