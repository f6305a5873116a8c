"""The account's configuration and those of the algorithms (retention contract, sections 3 and 4)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.serving.octy.conftest import Shop, failure, good

ACCOUNT = {
    "contact_name": "Ada", "contact_surname": "Lovelace", "contact_email_address": "ada@example.org",
    "webhook_url": "https://shop.example.org/hook", "authenticated_id_key": "shop_id",
}
REC: dict[str, Any] = {"algorithm_name": "rec", "configurations": {
    "recommend_interacted_items": False, "item_id_stop_list": ["sku-9"], "profile_features": ["age", "os"],
}}
SET = "/v1/configurations/retention/algorithms/set"


def test_the_account_is_400_until_it_is_set_and_then_replaced_whole(fresh: Shop) -> None:
    with fresh.client() as client:
        failure(client.get("/v1/configurations/account"), 400)
        assert good(client.post("/v1/configurations/account/set", json=ACCOUNT), 202)["account_data"] == ACCOUNT
        assert good(client.get("/v1/configurations/account"))["account_data"] == ACCOUNT
        shorter = {**ACCOUNT, "contact_name": "Grace", "authenticated_id_key": ""}
        expected = {**shorter, "authenticated_id_key": None}
        assert good(client.post("/v1/configurations/account/set", json=shorter), 202)["account_data"] == expected
        del shorter["authenticated_id_key"]
        good(client.post("/v1/configurations/account/set", json=shorter), 202)
        assert good(client.get("/v1/configurations/account"))["account_data"] == expected


@pytest.mark.parametrize("changes", [
    {"contact_name": ""}, {"contact_name": None}, {"contact_surname": 1}, {"contact_email_address": "ada"},
    {"contact_email_address": "@x"}, {"contact_email_address": "a@"}, {"contact_email_address": "a@b@c"},
    {"webhook_url": ""}, {"webhook_url": "/hook"}, {"webhook_url": "ftp://x.org"}, {"webhook_url": "https://"},
    {"webhook_url": ["https://x.org"]}, {"authenticated_id_key": 5},
])
def test_a_wrong_account_is_422(fresh: Shop, changes: dict[str, Any]) -> None:
    with fresh.client() as client:
        failure(client.post("/v1/configurations/account/set", json={**ACCOUNT, **changes}), 422)


@pytest.mark.parametrize("url", [
    "http://127.0.0.1/x", "http://[::1]/x", "http://10.0.0.1/", "http://169.254.169.254/", "http://100.64.0.1/",
])
def test_a_private_receiver_is_400(fresh: Shop, url: str) -> None:
    with fresh.client() as client:
        failure(client.post("/v1/configurations/account/set", json={**ACCOUNT, "webhook_url": url}), 400)


def test_algorithms_are_set_one_by_one_and_answered_both(fresh: Shop) -> None:
    with fresh.client() as client:
        nothing = [{"algorithm_name": name, "configurations": {}} for name in ("rec", "churn")]
        assert good(client.get("/v1/configurations/retention/algorithms"))["configurations"] == nothing
        rec = {**REC["configurations"], "item_id_stop_list": [{"item_id": "sku-9"}]}
        answered = good(client.post(SET, json=REC), 202)["configurations"]
        assert answered == [{"algorithm_name": "rec", "configurations": rec}, nothing[1]]
        churn = {"algorithm_name": "churn", "configurations": {"profile_features": [], "item_id_stop_list": ["x"]}}
        good(client.post(SET, json=churn), 202)
        assert good(client.get("/v1/configurations/retention/algorithms"))["configurations"] == [
            answered[0], {"algorithm_name": "churn", "configurations": {"profile_features": []}}
        ]


@pytest.mark.parametrize("changes", [
    {"profile_features": ["charged"]}, {"profile_features": None}, {"profile_features": [1]},
    {"profile_features": "age"}, {"recommend_interacted_items": "no"}, {"item_id_stop_list": None},
    {"item_id_stop_list": [{"item_id": "a"}]},
])
def test_a_wrong_configuration_is_422(fresh: Shop, changes: dict[str, Any]) -> None:
    with fresh.client() as client:
        failure(client.post(SET, json={**REC, "configurations": {**REC["configurations"], **changes}}), 422)


@pytest.mark.parametrize("name", ["recommendations", "", None, ["rec"]])
def test_other_algorithms_are_422(fresh: Shop, name: Any) -> None:
    with fresh.client() as client:
        failure(client.post(SET, json={**REC, "algorithm_name": name}), 422)
