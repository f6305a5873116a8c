"""Paths: prefixes, slashes, aliases, verbs, host names, CORS (§2)."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import httpx
import pytest

from serving.crossing_minds.call import Answer, Call
from serving.crossing_minds.router import ALIASES, Route, Router, segments, with_aliases
from serving.crossing_minds.routes import ROUTES
from tests.serving.crossing_minds.conftest import House

STATUS = "databases/current/status"


@pytest.mark.parametrize("start", ["/crossing-minds/v1/", "/crossing-minds/"])
@pytest.mark.parametrize("end", ["/", ""])
def test_every_spelling_leads_to_the_same_route_without_a_redirect(house: House, start: str, end: str) -> None:
    headers = {"Authorization": f"Bearer {house.token('backend')}"}
    answer = httpx.get(house.url + start + STATUS + end, headers=headers, follow_redirects=False)
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})
    body = {"name": "service-backend", "password": house.keys["backend"]}
    answer = httpx.post(f"{house.url}{start}login/service{end}", json=body, follow_redirects=False)
    assert answer.status_code == 200


@pytest.mark.parametrize("path", ["/v1/" + STATUS + "/", "/" + STATUS, "/v1/" + STATUS])
def test_a_configured_host_name_needs_no_prefix(house: House, path: str) -> None:
    headers = {"Authorization": f"Bearer {house.token('backend')}", "Host": "API.shop.test:8787"}
    status, _, body = house.plain("GET", path, headers)
    assert (status, json.loads(body)) == (200, {"status": "ready"})
    status, _, body = house.plain("GET", path, {**headers, "Host": "elsewhere.test"})
    assert status in (401, 404) and b"error_code" not in body


@pytest.mark.parametrize("path", ["/crossing-minds", "/crossing-minds/", "/crossing-minds/v1", "/crossing-minds/v1/"])
def test_the_root_says_welcome(house: House, path: str) -> None:
    answer = httpx.get(house.url + path)
    assert (answer.status_code, answer.json()) == (200, "Welcome to the Crossing Minds API")
    assert answer.headers["vary"] == "Accept, Origin"


@pytest.mark.parametrize(
    "path", ["nothing/", "v1/v1/" + STATUS, "databases//current", "databases/current/status//", "call-counts/", "..%2f"]
)
def test_an_unknown_path(house: House, path: str) -> None:
    status, headers, body = house.plain("GET", f"/crossing-minds/{path}")
    told = json.loads(body)
    assert (status, told["error_code"], told["error_data"]["name"]) == (404, 60, "RESOURCE_NOT_FOUND")
    assert told["error_data"]["type"] == "resource" and headers["vary"] == "Accept, Origin"


def test_what_is_out(house: House) -> None:
    for path in ("accounts/", "organizations/current/"):
        told = httpx.get(f"{house.url}/crossing-minds/{path}").json()["error_data"]
        assert told["name"] == "RESOURCE_NOT_FOUND" and "command line" in told["error"]
    answer = httpx.post(f"{house.url}/crossing-minds/login/sso/saml/sp/", json={})
    assert (answer.status_code, answer.json()["error_data"]["name"]) == (404, "SAML_NOT_FOUND")


def test_a_wrong_verb_names_the_right_ones(house: House) -> None:
    answer = httpx.put(f"{house.url}/crossing-minds/databases/current/", json={})
    assert answer.status_code == 405
    assert answer.json() == {
        "error_code": 70, "error_name": "MethodNotAllowed", "message": "Method 'PUT' not allowed",
        "error_data": {"name": "HTTP_METHOD_NOT_ALLOWED", "method": "PUT"},
    }
    assert answer.headers["allow"] == "DELETE, GET, PATCH, OPTIONS"


def test_browsers_may_call_from_any_page(house: House) -> None:
    asked = {"Origin": "https://shop.test", "Access-Control-Request-Headers": "authorization,x-more"}
    preflight = httpx.options(f"{house.url}/crossing-minds/v1/{STATUS}", headers=asked)
    assert (preflight.status_code, preflight.content) == (204, b"")
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert preflight.headers["access-control-allow-headers"] == "authorization,x-more"
    assert "GET" in preflight.headers["access-control-allow-methods"]
    assert "access-control-allow-credentials" not in preflight.headers
    refused = httpx.get(f"{house.url}/crossing-minds/{STATUS}", headers={"Origin": "https://shop.test"})
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, "*")


def test_204_has_no_body_and_no_length(house: House) -> None:
    answer = httpx.options(f"{house.url}/crossing-minds/{STATUS}/")
    assert "content-length" not in answer.headers and "transfer-encoding" not in answer.headers


def test_unknown_query_and_body_keys_are_ignored(house: House) -> None:
    with house.client("backend") as client:
        assert client.get(f"/{STATUS}?timeout=3&retry=1&page=x&connection=&user_properties=%7B%7D").status_code == 200
    body = {"name": "service-backend", "password": house.keys["backend"], "connection": {"a": 1}}
    assert httpx.post(f"{house.url}/crossing-minds/login/service/", json=body).status_code == 200


async def nothing(_: Call) -> Answer:
    return None


def table(*rows: tuple[str, str]) -> Router:
    return Router(Route(verb, path, "RMB", nothing, "x") for verb, path in rows)


def found(router: Router, path: str, verb: str) -> tuple[str, list[str]] | None:
    place = router.find(path)
    return None if place is None else (place[0].verbs[verb].path, place[1])


def test_old_paths_lead_to_the_new_routes() -> None:
    routes = list(with_aliases(ROUTES))
    for path, older in ALIASES.items():
        router = table(("GET", path))
        names = ["7"] if "{" in path else []
        asked = older.replace("{item_id}", "7").replace("{user_id}", "7")
        assert found(router, f"/v1/{asked}", "GET") == (older, names)
        assert {r.verb for r in routes if r.path == path} == {r.verb for r in routes if r.path == older}


def test_raw_ingestion_is_an_alias_of_bulk_interactions_and_bulk_patches() -> None:
    router = table(
        ("POST", "users/{user_id}/interactions-bulk/"), ("GET", "users/{user_id}/interactions-bulk/"),
        ("PATCH", "items-bulk/properties/"), ("PUT", "items-bulk/properties/"), ("POST", "scenarios/preview/"),
    )
    place = router.find("/raw-ingestion/users/7/interactions-bulk/")
    assert place is not None and set(place[0].verbs) == {"POST"} and place[1] == ["7"]
    place = router.find("/v1/raw-ingestion/items-bulk/properties")
    assert place is not None and set(place[0].verbs) == {"PATCH"}
    assert router.find("/raw-ingestion/scenarios/preview/") is None


def test_names_are_percent_decoded_once_and_literals_win() -> None:
    router = table(
        ("GET", "scenarios/{reco_type}/{name}/"), ("GET", "scenarios/x/list/"), ("DELETE", "users/{user_id}/*/")
    )
    assert found(router, "/scenarios/x/list/", "GET") == ("scenarios/x/list/", [])
    assert found(router, "/scenarios/x/other/", "GET") == ("scenarios/{reco_type}/{name}/", ["x", "other"])
    assert found(router, "/scenarios/a%2Fb/c%252F/", "GET") == ("scenarios/{reco_type}/{name}/", ["a/b", "c%2F"])
    assert found(router, "/users/7/*", "DELETE") == ("users/{user_id}/*/", ["7"])
    assert found(router, "/users/7/%2A/", "DELETE") == ("users/{user_id}/*/", ["7"])
    assert router.find("/scenarios//c/") is None and router.find("/scenarios/x") is None


def test_the_same_route_twice_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="two routes"):
        table(("GET", "items/{item_id}/"), ("GET", "items/{other}/"))


def test_the_table_is_well_formed() -> None:
    Router(ROUTES)
    for route in ROUTES:
        assert route.path.endswith("/") and not route.path.startswith("/")
        assert set(route.roles) <= set("RMBFV") and route.summary and route.mark in ("M1", "M2")
        assert len(set(route.names)) == len(route.names)
        assert segments(route.path)[0] != "v1"


def test_a_slow_request_holds_up_no_other(house: House) -> None:
    """A login by password takes its time beside the event loop."""
    body = {"email": "ada@example.org", "password": "wrong"}
    slow: list[Any] = []
    path = f"{house.url}/crossing-minds/login/individual/"
    threads = [threading.Thread(target=lambda: slow.append(httpx.post(path, json=body, timeout=30))) for _ in range(6)]
    for thread in threads:
        thread.start()
    began, answered = time.monotonic(), 0
    while any(thread.is_alive() for thread in threads) and time.monotonic() - began < 20:
        answered += httpx.get(f"{house.url}/crossing-minds/").status_code == 200
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in slow] == [401] * 6 and answered
