"""Profiles: create and get (retention contract, section 7)."""

from __future__ import annotations

import hashlib
from typing import Any

import httpx
import pytest

from tests.serving.octy.conftest import Shop, failure, good

CREATE, GET = "/v1/retention/profiles/create", "/v1/retention/profiles"


def profile(customer_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "customer_id": customer_id, "has_charged": False, "profile_data": {"age": 30, "plan": "gold"},
        "platform_info": {"os": "ios"}, **changes,
    }


def minted(customer_id: str) -> str:
    return "profile_" + hashlib.sha256(f"{customer_id}\n0".encode()).hexdigest()[:32]


def create(client: httpx.Client, *profiles: dict[str, Any]) -> httpx.Response:
    return client.post(CREATE, json={"profiles": list(profiles)})


def test_a_profile_is_created_and_read_at_once(client: httpx.Client) -> None:
    body = good(create(client, profile("c1", has_charged=True)), 201)
    made = body["profiles"][0]
    assert body["failed_to_create"] == [] and body["request_meta"]["count"] == 1
    assert made == {
        "profile_id": minted("c1"), "customer_id": "c1", "has_charged": True,
        "profile_data": {"age": 30, "plan": "gold"}, "platform_info": {"os": "ios"}, "status": "active",
        "created_at": made["created_at"], "updated_at": made["created_at"],
    }
    assert made["created_at"].endswith(" GMT")
    nothing = dict.fromkeys((
        "rfm_score", "rfm_segment_desc", "churn_probability", "churn_score", "expected_days_to_churn", "churn_reasons",
    ))
    for ids in (minted("c1"), "c1", f",c1,{minted('c1')},,unknown"):
        body = good(client.get(GET, params={"ids": ids}))
        assert body["profiles"] == [{**made, "segment_tags": [], **nothing}]
        assert body["request_meta"]["count"] == body["request_meta"]["total"] == 1
    assert good(client.get(GET, params={"id": "c1"}, headers={"cursor": "0"}))["profiles"][0]["customer_id"] == "c1"


def test_taken_ids_are_named_and_the_rest_is_made(client: httpx.Client) -> None:
    good(create(client, profile("d1")), 201)
    body = good(create(client, profile("d1"), profile("d2"), profile("d2")), 201)
    assert [one["customer_id"] for one in body["profiles"]] == ["d2"]
    assert [one["customer_id"] for one in body["failed_to_create"]] == ["d1", "d2"]
    assert all(one["error_message"] for one in body["failed_to_create"])
    errors = failure(create(client, profile("d1")), 400)["errors"]
    assert [one["customer_id"] for one in errors] == ["d1"]


@pytest.mark.parametrize("changes", [
    {"customer_id": ""}, {"customer_id": None}, {"customer_id": 7}, {"customer_id": "a,b"}, {"customer_id": "a.b"},
    {"customer_id": "x" * 61}, {"has_charged": "yes"}, {"has_charged": None}, {"profile_data": {}},
    {"platform_info": {}}, {"profile_data": None}, {"platform_info": []}, {"profile_data": {"a": None}},
    {"profile_data": {"a": ""}}, {"profile_data": {"a": "  "}}, {"profile_data": {"a": {"b": 1}}},
    {"profile_data": {"a": [1]}}, {"profile_data": {"": 1}},
])
def test_one_misfit_rejects_the_whole_request(client: httpx.Client, changes: dict[str, Any]) -> None:
    failure(create(client, profile("e1"), {**profile("e2"), **changes}), 422)
    failure(client.get(GET, params={"ids": "e1"}), 400)


@pytest.mark.parametrize("body", [{}, {"profiles": []}, {"profiles": {}}, {"profiles": [1]}, {"profiles": None}])
def test_other_bodies_are_422(client: httpx.Client, body: Any) -> None:
    failure(client.post(CREATE, json=body), 422)


def test_the_first_value_fixes_the_type_for_the_account(client: httpx.Client) -> None:
    good(create(client, profile("f1", profile_data={"points": 2.5}, platform_info={"vip": True})), 201)
    good(create(client, profile("f2", profile_data={"points": 2})), 201)
    told = failure(create(client, profile("f3"), profile("f4", profile_data={"points": "2"})), 400)["errors"][0]
    assert (told["key"], told["index"], told["expected"], told["given"]) == ("points", 1, "number", "string")
    failure(client.get(GET, params={"ids": "f3,f4"}), 400)
    failure(create(client, profile("f5", profile_data={"vip": "no"})), 400)
    good(create(client, profile("f6", profile_data={"vip": False})), 201)
    failure(create(client, profile("f7", profile_data={"x1": 1}), profile("f8", profile_data={"x1": "a"})), 400)
    failure(create(client, profile("f9", profile_data={"y1": 1}, platform_info={"y1": 1})), 400)
    failure(client.get(GET, params={"ids": "f5,f7,f8,f9"}), 400)


def test_pages_go_through_everything_once(fresh: Shop, client: httpx.Client) -> None:
    rows = [profile(fresh.new("page")) for _ in range(500)]
    body = good(create(client, *rows), 201)
    assert len(body["profiles"]) == 500 and body["request_meta"]["count"] == 500
    failure(create(client, *rows, profile("more")), 422)
    found: list[str] = []
    cursor, total = "0", 1
    while len(found) < total:
        answer = client.get(GET, headers={"cursor": cursor})
        body = good(answer)
        total, cursor = body["request_meta"]["total"], answer.headers["cursor"]
        assert body["request_meta"]["count"] == len(body["profiles"]) <= 100
        found += [one["customer_id"] for one in body["profiles"]]
        assert int(cursor) == len(found) <= total
    assert len(set(found)) == total >= 500
    assert {row["customer_id"] for row in rows} <= set(found)
    failure(client.get(GET, headers={"cursor": cursor}), 400)
    failure(client.get(GET, headers={"cursor": "9" * 18}), 400)


@pytest.mark.parametrize("cursor", [None, "", "-1", "x", "1.5"])
def test_a_cursor_is_needed(client: httpx.Client, cursor: str | None) -> None:
    failure(client.get(GET, headers={} if cursor is None else {"cursor": cursor}), 400)


def test_ids_have_their_bounds(client: httpx.Client) -> None:
    failure(client.get(GET, params={"ids": ",".join(f"i{at}" for at in range(101))}), 400)
    failure(client.get(GET, params={"ids": ",,"}), 400)
    failure(client.get(GET, params={"ids": "nobody"}), 400)


def test_profiles_of_the_run_stand_beside_new_ones(shop: Shop) -> None:
    with shop.client() as client:
        answer = client.get(GET, headers={"cursor": "0"})
        body = good(answer)
        total = body["request_meta"]["total"]
        assert total >= 40 and answer.headers["cursor"] == str(total)
        known = body["profiles"][0]
        assert {one["churn_probability"] for one in body["profiles"]} <= {None, "low", "mid", "high", "very-high"}
        good(create(client, profile("stranger")), 201)
        failure(create(client, profile(known["customer_id"])), 400)
        assert good(client.get(GET, headers={"cursor": "0"}))["request_meta"]["total"] == total + 1
        ids = f"stranger,{known['profile_id']}"
        assert [one["customer_id"] for one in good(client.get(GET, params={"ids": ids}))["profiles"]] == [
            "stranger", known["customer_id"]
        ]


def test_the_other_routes_see_it(shop: Shop) -> None:
    key = shop.journal.create_key("read", "test")
    with shop.client() as client:
        good(create(client, profile("seen", has_charged=True)), 201)
    found = httpx.get(f"{shop.url}/v1/profiles/seen", headers={"Authorization": f"Bearer {key}"}).json()["profile"]
    assert found["profile_data"] == {"age": 30, "plan": "gold"} and found["platform_info"] == {"os": "ios"}
    assert found["has_charged"] is True
