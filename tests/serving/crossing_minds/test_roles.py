"""Who may do what (§3): data in the route table, checked for every route and every role."""

from __future__ import annotations

import re

import httpx
import pytest

from serving.crossing_minds.router import LETTERS, Route, with_aliases
from serving.crossing_minds.routes import ROUTES
from store.control import ROLES
from tests.serving.crossing_minds.conftest import House

# Roles of the contract's tables, by path: verbs and letters.
CONTRACT = {
    "login/service/": "POST ", "login/individual/": "POST ", "login/root/": "POST ", "login/refresh-token/": "POST ",
    "login/jwt/": "POST RMBFV",
    "databases/current/": "GET RMBV, PATCH RM, DELETE RM", "databases/current/status/": "GET RMBV",
    "databases/": "POST RM, GET RMBV", "databases/current/preview/": "PATCH RM",
    "items-properties/": "GET RMBV, POST RMB", "items-properties/{name}/": "GET RMBV, DELETE RMB",
    "users-properties/": "GET RMBV, POST RMB", "users-properties/{name}/": "GET RMBV, DELETE RMB",
    "items-bulk/properties/": "PUT RMB, GET RMBV, PATCH RMB, DELETE RMB", "items-bulk/properties/list/": "POST RMBV",
    "users-bulk/properties/": "PUT RMB, GET RMBV, PATCH RMB, DELETE RMB", "users-bulk/properties/list/": "POST RMBV",
    "items/{item_id}/properties/": "GET RMBV, PUT RMB, PATCH RMB, DELETE RMB",
    "users/{user_id}/properties/": "GET RMBV, PUT RMB, PATCH RMB, DELETE RMB",
    "users/{user_id}/*/": "DELETE RMB",
    "ratings-bulk/": "PUT RMB, GET RMBV", "users/{user_id}/ratings/{item_id}/": "PUT RMBF, DELETE RMBF",
    "users/{user_id}/ratings/": "GET RMBV, PUT RMBF, DELETE RMBF",
    "interactions-bulk/": "POST RMB, GET RMBV", "users/{user_id}/interactions/{item_id}/": "POST RMBF",
    "sessions/{session_id}/items/{item_id}/interactions/": "POST RMBF",
    "users/{user_id}/interactions-bulk/": "POST RMBF, GET RMBV",
    "sessions/{session_id}/interactions-bulk/": "POST RMBF, GET RMBV",
    "sessions-interactions-bulk/": "POST RMB, GET RMBV", "sessions/{session_id}/resolve/": "POST RMBF",
    "resolved-sessions/": "POST RMBV",
    "scenarios/{reco_type}/{name}/": "GET RMBV, PUT RMB, DELETE RMB", "scenarios/": "GET RMBV",
    "scenarios-default/{reco_type}/": "GET RMBV, PATCH RMB, DELETE RMB", "scenarios/preview/": "POST RMBFV",
    "tasks/{task_name}/": "POST RMB", "tasks/{task_name}/recents/": "GET RMBV",
    "pretrained-ml/trained-models/": "GET RMBV",
    **{
        f"recommendation/{path}/": f"{verb} RMBFV"
        for verb, path in (
            ("GET", "users/{user_id}/items"), ("GET", "items/{item_id}/items"), ("POST", "sessions/items"),
            ("GET", "precomputed/users/{user_id}/items"), ("GET", "precomputed/items/{item_id}/items"),
            ("POST", "generic/items"), ("POST", "context-items/users/{user_id}/items"),
            ("POST", "context-items/sessions/items"), ("POST", "items-properties/items"),
            ("POST", "users-groups/items"), ("GET", "users/{user_id}/items-properties/{property}"),
            ("POST", "sessions/items-properties/{property}"),
        )
    },
}


def written(path: str) -> dict[str, str]:
    return {verb: letters for verb, _, letters in (part.strip().partition(" ") for part in CONTRACT[path].split(","))}


def test_roles_are_those_of_the_contract() -> None:
    for route in ROUTES:
        plain = re.sub(r"\{(?!user_id|item_id|session_id|reco_type|task_name|property)\w+\}", "{name}", route.path)
        if plain in CONTRACT and not route.beacon:
            assert set(route.roles) == set(written(plain).get(route.verb, "no such verb")), f"{route.verb} {route.path}"


def filled(route: Route) -> str:
    return re.sub(r"\{\w+\}", "7", route.path)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_that_is_not_listed_is_refused_and_a_listed_one_is_not(house: House, role: str) -> None:
    """Logged in without a database, so that nothing is done: a role that may pass is told that there is no database."""
    token = house.token(role, name=f"service-{role}")
    with httpx.Client(base_url=f"{house.url}/crossing-minds", timeout=30) as client:
        client.headers["Authorization"] = f"Bearer {token}"
        for route in with_aliases(ROUTES):
            if not route.roles:
                continue
            body = {"token": token} if route.beacon else {}
            content = {} if route.verb == "GET" else {"json": body}
            answer = client.request(route.verb, f"/{filled(route)}", **content)
            told = {} if answer.status_code < 300 else answer.json()
            name = told.get("error_data", {}).get("name")
            if LETTERS_OF[role] in route.roles:
                assert name == "DATABASE_NOT_FOUND" if route.database else name != "INCORRECT_ROLE", answer.text
            else:
                assert (answer.status_code, told["error_code"], name) == (403, 50, "INCORRECT_ROLE"), route
                assert told["error_name"] == "ForbiddenError" and told["error_data"]["error"]


LETTERS_OF = {role: letter for letter, role in LETTERS.items()}


def test_every_route_with_roles_needs_a_token(house: House) -> None:
    with httpx.Client(base_url=f"{house.url}/crossing-minds", timeout=30) as client:
        for route in with_aliases(ROUTES):
            if route.roles:
                answer = client.request(route.verb, f"/{filled(route)}")
                assert (answer.status_code, answer.json()["error_code"]) == (401, 22), route


def frontend(house: House, **ids: str) -> str:
    return house.token("frontend", db_id=house.shop, **ids)


def reached(house: House, token: str, route: Route, path: str, body: dict[str, object]) -> str:
    """Name of the error that a frontend login gets, empty when it got none."""
    sent = {**body, "token": token} if route.beacon else body
    answer = httpx.request(
        route.verb, f"{house.url}/crossing-minds/{path}", headers={"Authorization": f"Bearer {token}"}, timeout=30,
        **({} if route.verb == "GET" else {"json": sent}),
    )
    return "" if answer.status_code < 300 else str(answer.json()["error_data"].get("name"))


@pytest.mark.parametrize("noun", ["user", "session"])
def test_a_frontend_names_no_user_and_no_session_but_its_own(house: House, noun: str) -> None:
    own, without = frontend(house, frontend_user_id="me", frontend_session_id="mine"), frontend(house)
    refused = f"INCORRECT_FRONTEND_{noun.upper()}_ID"
    mine = "me" if noun == "user" else "mine"
    other = {"user": "mine", "session": "me"}[noun]
    for route in ROUTES:
        if "F" not in route.roles or not route.database:
            continue
        path = route.path.replace("{user_id}", "me").replace("{session_id}", "mine")
        path = re.sub(r"\{\w+\}", "i-1", path)
        if f"{{{noun}_id}}" in route.path:
            theirs = re.sub(r"\{\w+\}", "i-1", route.path.replace(f"{{{noun}_id}}", other).replace(
                "{user_id}", "me").replace("{session_id}", "mine"))
            assert reached(house, own, route, theirs, {}) == refused, route
            assert reached(house, own, route, path, {}) != refused, route
            tilde = re.sub(r"\{\w+\}", "i-1", route.path.replace("{user_id}", "~me").replace("{session_id}", "~me"))
            assert reached(house, own, route, tilde, {}) not in (refused, "WRONG_PARAMETER"), route
            assert reached(house, without, route, tilde, {}) == "WRONG_PARAMETER", route
        if route.verb == "GET":
            assert reached(house, own, route, f"{path}?{noun}_id={other}", {}) == refused, route
            assert reached(house, own, route, f"{path}?{noun}_id={mine}", {}) != refused, route
        else:
            assert reached(house, own, route, path, {f"{noun}_id": other}) == refused, route
            assert reached(house, own, route, path, {f"{noun}_id": mine}) != refused, route


def test_a_group_is_the_frontend_alone(house: House) -> None:
    own = frontend(house, frontend_user_id="me")
    for route in ROUTES:
        if "users-groups" in route.path:
            assert reached(house, own, route, route.path, {"users": [{"user_id": "me"}]}) == ""
            others = {"users": [{"user_id": "me"}, {"user_id": "you"}]}
            assert reached(house, own, route, route.path, others) == "INCORRECT_FRONTEND_USER_ID"


def test_me_is_for_frontends(house: House) -> None:
    for route in ROUTES:
        if "{user_id}" in route.path and "B" in route.roles and "{item_id}" not in route.path:
            path = route.path.replace("{user_id}", "~me").replace("{property}", "x")
            assert reached(house, house.token("backend"), route, path, {}) == "WRONG_PARAMETER", route
