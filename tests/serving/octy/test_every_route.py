"""Every row of the contract's endpoint tables over HTTP: what is answered, what is refused, and what clients in the
wild send that must be taken. A route without such rows fails the test.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from serving.octy.routes import ROUTES
from tests.serving.octy.conftest import Shop, failure, good, pair_of, token
from tests.serving.octy.test_recommendations import trained  # noqa: F401  (a fixture)

Seen = dict[str, Any]
Given = Any
RETENTION, CONFIGURATIONS, ADMIN = "/v1/retention", "/v1/configurations", "/v1/admin/application"


@dataclass(frozen=True)
class Row:
    """One request. ``body`` and ``query`` may be made of the answers so far, by name. ``want`` is part of the answer,
    which is kept as ``keep``; ``cursor``: the answer is a page.
    """

    route: str
    status: int
    body: Given = None
    query: Given = None
    headers: Mapping[str, str] | None = None
    want: Given = None
    keep: str = ""
    cursor: bool = False


def minted(customer_id: str) -> str:
    return "profile_" + hashlib.sha256(f"{customer_id}\n0".encode()).hexdigest()[:32]


def profile(customer_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "customer_id": customer_id, "has_charged": False, "profile_data": {"age": 30, "blank": "null"},
        "platform_info": {"os": "ios"}, **changes,
    }


def item(item_id: Any, **changes: Any) -> dict[str, Any]:
    return {
        "item_id": item_id, "item_category": "shoes", "item_name": "Shoe", "item_description": "A shoe",
        "item_price": 2000, **changes,
    }


def charged(profile_id: str, item_id: Any = "sku-1", **changes: Any) -> dict[str, Any]:
    return {
        "event_type": "charged", "profile_id": profile_id,
        "event_properties": {"item_id": item_id, "payment_method": "visa"}, **changes,
    }


def segment(name: str, *sequence: tuple[str, int, str], **changes: Any) -> dict[str, Any]:
    return {
        "segment_name": name, "segment_type": "live", "segment_sub_type": 1, "segment_timeframe": 0,
        "event_sequence": [
            {"event_type": kind, "exp_timeframe": minutes, "action_inaction": what, "event_properties": None}
            for kind, minutes, what in sequence
        ],
        **changes,
    }


def template(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "friendly_name": name, "template_type": "email", "title": "Hello {name}", "content": "{{name}}: {offer}",
        "default_values": {"offer": "nothing"}, "metadata": {"section_id": 5}, "required_data": None, **changes,
    }


ACCOUNT = {
    "contact_name": "Ada", "contact_surname": "Lovelace", "contact_email_address": "ada@example.org",
    "webhook_url": "https://shop.example.org/hook", "authenticated_id_key": "",
}
UPDATED = {
    "profile_id": minted("b-1"), "customer_id": "b-1", "has_charged": True, "profile_data": {"age": 31},
    "platform_info": {}, "status": "inactive",
}
MANY_IDS = ",".join(f"x{at}" for at in range(101))
LONG = [f"x{at}" for at in range(101)]
ALL, NOBODY = {"cursor": "0"}, {"ids": "nobody"}


def paged(route: str, one: Callable[[Seen], str], name: str) -> tuple[Row, ...]:
    """What every look-up by ids or cursor does (2.4). ``one``: an id that there is; ``name``: of the list."""
    count = {"request_meta": {"count": 1, "total": 1}}
    return (
        Row(route, 200, query=lambda seen: {"ids": f",{one(seen)},,{one(seen)},nobody"}, want=count),
        Row(route, 200, query=lambda seen: {"id": one(seen)}, want=count),
        Row(route, 200, query=lambda seen: {"id": one(seen)}, headers=ALL, want=count),
        Row(route, 200, headers=ALL, want={name: [{}]}, cursor=True),
        Row(route, 400), Row(route, 400, headers={"cursor": "-1"}), Row(route, 400, headers={"cursor": "x"}),
        Row(route, 400, headers={"cursor": "100000"}), Row(route, 400, query=NOBODY),
        Row(route, 400, query={"ids": ","}), Row(route, 400, query={"ids": MANY_IDS}),
    )


def batch(route: str, name: str, one: dict[str, Any]) -> tuple[Row, ...]:
    """What every request of several objects refuses whole (2.2, 2.5)."""
    bodies: tuple[Any, ...] = ({}, {name: []}, {name: one}, {name: [1]}, {name: [one] * 501})
    return tuple(Row(route, 422, body=body) for body in bodies)


def deletion(route: str, name: str) -> tuple[Row, ...]:
    """What every deletion refuses whole, and that nothing deleted is a failure."""
    wrong = tuple(Row(route, 422, body={name: ids}) for ids in ([], "x", None, [1.5, None], LONG))
    return (*wrong, Row(route, 422, body={}), Row(route, 400, body={name: ["nobody"]}))


R = RETENTION
TABLE: tuple[Row, ...] = (
    # 2.1, 10.11
    Row("GET /v1/account/authenticate", 200),
    Row(f"GET {ADMIN}/resources/format", 200, query={"type": "profiles"}, want={"has_charged**1": True}),
    Row(f"GET {ADMIN}/resources/format", 200, query={"type": "items"}, want={"item_price**4": 1}),
    Row(f"GET {ADMIN}/resources/format", 200, query={"type": "events"}, want={"event_properties**3": "nested"}),
    Row(f"GET {ADMIN}/resources/format", 400, query={"type": "x"}), Row(f"GET {ADMIN}/resources/format", 400),
    Row(f"GET {ADMIN}/versioning", 200, query={"app": "cli"},
        want={"current_version": {"version_name": "v2.0.1-beta"}}),
    Row(f"GET {ADMIN}/versioning", 400, query={"app": "x"}),
    # 3
    Row(f"GET {CONFIGURATIONS}/account", 400),
    Row(f"POST {CONFIGURATIONS}/account/set", 202, body=ACCOUNT,
        want={"account_data": {**ACCOUNT, "authenticated_id_key": None}}),
    Row(f"GET {CONFIGURATIONS}/account", 200, want={"account_data": {"contact_name": "Ada"}}),
    Row(f"POST {CONFIGURATIONS}/account/set", 422, body={**ACCOUNT, "contact_email_address": "ada"}),
    Row(f"POST {CONFIGURATIONS}/account/set", 422, body={**ACCOUNT, "webhook_url": "/hook"}),
    Row(f"POST {CONFIGURATIONS}/account/set", 400, body={**ACCOUNT, "webhook_url": "http://127.0.0.1/hook"}),
    # 4
    Row(f"POST {CONFIGURATIONS}/retention/algorithms/set", 202, body={"algorithm_name": "churn", "configurations": {
        "profile_features": ["age"]}},
        want={"configurations": [{"algorithm_name": "rec"}, {"algorithm_name": "churn"}]}),
    Row(f"POST {CONFIGURATIONS}/retention/algorithms/set", 202, body={"algorithm_name": "rec", "configurations": {
        "recommend_interacted_items": True, "item_id_stop_list": ["sku-9"], "profile_features": []}}),
    Row(f"GET {CONFIGURATIONS}/retention/algorithms", 200, want={"configurations": [
        {"algorithm_name": "rec", "configurations": {"item_id_stop_list": [{"item_id": "sku-9"}]}},
        {"algorithm_name": "churn", "configurations": {"profile_features": ["age"]}}]}),
    Row(f"POST {CONFIGURATIONS}/retention/algorithms/set", 422, body={"algorithm_name": "ltv", "configurations": {}}),
    Row(f"POST {CONFIGURATIONS}/retention/algorithms/set", 422, body={"algorithm_name": "churn", "configurations": {
        "profile_features": ["charged"]}}),
    # 7
    Row(f"POST {R}/profiles/create", 201, body={"profiles": [profile("b-1"), profile("b-2"), profile("b-1")]},
        want={"profiles": [{"profile_id": minted("b-1"), "status": "active"}, {"customer_id": "b-2"}],
              "failed_to_create": [{"customer_id": "b-1"}], "request_meta": {"count": 2}}, keep="profiles"),
    Row(f"POST {R}/profiles/create", 400, body={"profiles": [profile("b-1")]}),
    Row(f"POST {R}/profiles/create", 400, body={"profiles": [profile("b-8", profile_data={"age": "x"})]}),
    Row(f"POST {R}/profiles/create", 422, body={"profiles": [profile("a,b")]}),
    Row(f"POST {R}/profiles/create", 422, body={"profiles": [profile("b-8", profile_data={})]}),
    *batch(f"POST {R}/profiles/create", "profiles", profile("b-9")),
    *paged(f"GET {R}/profiles", lambda _: "b-1", "profiles"),
    Row(f"GET {R}/profiles", 200, query={"ids": f"b-2,{minted('b-1')}"},
        want={"profiles": [{"customer_id": "b-2"}, {"customer_id": "b-1", "segment_tags": [], "rfm_score": None}]}),
    Row(f"GET {R}/profiles", 200, query={"churn_prob": "low"}, headers=ALL, want={"profiles": [{}]}),
    Row(f"GET {R}/profiles", 400, query={"churn_prob": "0.5"}, headers=ALL),
    Row(f"GET {R}/profiles", 400, query={"churn_prob": "low"}),
    Row(f"GET {R}/profiles", 400, query={"rfm": "300-400"}, headers=ALL),
    Row(f"GET {R}/profiles", 400, query={"rfm": "high"}, headers=ALL),
    Row(f"GET {R}/profiles", 400, query={"segments": ","}, headers=ALL),
    Row(f"GET {R}/profiles/metadata", 200, query={"ids": ",b-1,nobody"}, want={"profiles_meta": [
        {"provided_identifier": "b-1", "profile": {"profile_exists": True}, "merged_info": {"was_merged": False}},
        {"profile": {"profile_exists": False, "profile_id": None}, "merged_info": {"merged_child_profiles": []}}]}),
    Row(f"GET {R}/profiles/metadata", 400), Row(f"GET {R}/profiles/metadata", 400, query={"ids": MANY_IDS}),
    Row(f"POST {R}/profiles/update", 201, body={"profiles": [UPDATED, {**UPDATED, "profile_id": "profile_x"}]}, want={
        "profiles": [{"status": "inactive", "profile_data": {"age": 31}}],
        "failed_to_update": [{"profile_id": "profile_x"}]}),
    Row(f"POST {R}/profiles/update", 400, body={"profiles": [{**UPDATED, "profile_id": "profile_x"}]}),
    Row(f"POST {R}/profiles/update", 400, body={"profiles": [{**UPDATED, "profile_data": {"age": "x"}}]}),
    Row(f"POST {R}/profiles/update", 422, body={"profiles": [{**UPDATED, "status": "gone"}]}),
    Row(f"POST {R}/profiles/update", 422, body={"profiles": [profile("b-1")]}),
    *batch(f"POST {R}/profiles/update", "profiles", UPDATED),
    # 8
    Row(f"POST {R}/items/create", 201, body={"items": [item("sku-1"), item(2.0), item("sku-1")]}, want={
        "items": [{"item_id": "sku-1"}, {"item_id": "2"}], "failed_to_create": [{"item_id": "sku-1"}]}),
    Row(f"POST {R}/items/create", 400, body={"items": [item("sku-1")]}),
    Row(f"POST {R}/items/create", 422, body={"items": [item("sku-5"), item("sku-6", item_price=1.5)]}),
    *batch(f"POST {R}/items/create", "items", item("sku-7")),
    *paged(f"GET {R}/items", lambda _: "sku-1", "items"),
    Row(f"POST {R}/items/update", 200, body={"items": [item(2, status="inactive"), item("x", status="active")]}, want={
        "items": [{"item_id": "2", "status": "inactive"}], "failed_to_update": [{"item_id": "x"}]}),
    Row(f"POST {R}/items/update", 400, body={"items": [item("x", status="active")]}),
    Row(f"POST {R}/items/update", 422, body={"items": [item(2, status="x")]}),
    *batch(f"POST {R}/items/update", "items", item(2, status="active")),
    # 9
    Row(f"POST {R}/events/types/create", 201, keep="types", body={"event_types": [
        {"event_type": "login", "event_properties": ["device"]}, {"event_type": "cart", "event_properties": []},
        {"event_type": "unused", "event_properties": ["x"]}, {"event_type": "charged", "event_properties": []}]}, want={
        "event_types": [{"event_type": "login", "event_properties": ["device"]}, {}, {}],
        "failed_to_create": [{"event_type": "charged"}]}),
    Row(f"POST {R}/events/types/create", 400, body={"event_types": [{"event_type": "cart", "event_properties": []}]}),
    Row(f"POST {R}/events/types/create", 422, body={"event_types": [{"event_type": "a b", "event_properties": []}]}),
    *batch(f"POST {R}/events/types/create", "event_types", {"event_type": "y", "event_properties": []}),
    *paged(f"GET {R}/events/types", lambda seen: str(seen["types"]["event_types"][0]["event_type_id"]), "event_types"),
    Row(f"POST {R}/events/create", 201, body=charged("b-2", 17), want={
        "profile_id": minted("b-2"), "event_properties": {"item_id": "17", "payment_method": "visa"}}),
    Row(f"POST {R}/events/create", 201, body={"event_type": "churned", "profile_id": "b-2", "event_properties": None}),
    Row(f"GET {R}/profiles", 200, query={"ids": "b-2"},
        want={"profiles": [{"has_charged": True, "status": "churned"}]}),
    Row(f"POST {R}/events/create", 400, body=charged("nobody")),
    Row(f"POST {R}/events/create", 400, body=charged("b-2", event_type="unknown")),
    Row(f"POST {R}/events/create", 400, body=charged("b-2", event_properties={"item_id": "1"})),
    Row(f"POST {R}/events/create", 422, body=charged("b-2", event_properties=["x"])),
    Row(f"POST {R}/events/create", 422, body={}),
    Row(f"POST {R}/events/create/batch", 201, body={"events": [
        charged("b-1", created_at="2024-05-01 10:00"), charged("b-1", created_at="2024-05-01T10:00:00.5+02:00"),
        {"event_type": "login", "profile_id": "b-1", "event_properties": {"device": "ios", "n": 1}},
        {"event_type": "login", "profile_id": "b-1", "event_properties": {}},
        charged("b-1", created_at="yesterday"), charged("nobody")]}, want={
        "created_events": [{"created_at": "Wed, 01 May 2024 10:00:00 GMT", "event_type_id": "charged"},
                           {"created_at": "Wed, 01 May 2024 08:00:00 GMT"}, {"event_type": "login"}],
        "failed_to_create": [{"event_type": "login"}, {"profile_id": "b-1"}, {"profile_id": "nobody"}]}),
    Row(f"POST {R}/events/create/batch", 400, body={"events": [charged("nobody")]}),
    *batch(f"POST {R}/events/create/batch", "events", charged("b-1")),
    # 11
    Row(f"POST {R}/segments/create", 201, body=segment("buyers now", ("charged", 0, "action")), keep="live",
        want={"segment_status": "created", "segment_sub_type": 1}),
    Row(f"POST {R}/segments/create", 201, keep="past", body=segment(
        "ios no more", ("login", 0, "action"), ("charged", 0, "inaction"), segment_type="past",
        segment_sub_type=4, segment_timeframe=60, profile_property_name="age", profile_property_value=31),
        want={"segment_status": "processing"}),
    Row(f"POST {R}/segments/create", 400, body=segment("buyers now", ("cart", 0, "action"))),
    Row(f"POST {R}/segments/create", 400, body=segment("other", ("unknown", 0, "action"))),
    Row(f"POST {R}/segments/create", 400, body=segment("other", ("cart", 5, "action"))),
    Row(f"POST {R}/segments/create", 422, body={}),
    Row(f"POST {R}/segments/create", 422, body=segment("other", event_sequence="x")),
    *paged(f"GET {R}/segments", lambda seen: str(seen["live"]["segment_id"]), "segments"),
    Row(f"GET {R}/segments", 200, query={"ids": "buyers now"}, want={"segments": [{"profile_count": 0}]}),
    Row(f"GET {R}/segments", 200, query=lambda seen: {"ids": seen["past"]["segment_id"]},
        want={"segments": [{"profile_property_value": "31", "segment_name": "ios no more"}]}),
    Row(f"POST {R}/events/create", 201, body=charged("b-1")),
    Row(f"GET {R}/segments", 200, query={"ids": "buyers now"}, want={"segments": [{"profile_count": 1}]}),
    Row(f"GET {R}/profiles", 200, query={"segments": "buyers now"}, headers=ALL, want={
        "profiles": [{"customer_id": "b-1", "segment_tags": [{"segment_tag": "buyers now"}]}]}),
    Row(f"POST {R}/events/types/delete", 200, body=lambda seen: {"event_type_ids": [
        seen["types"]["event_types"][2]["event_type_id"], seen["types"]["event_types"][0]["event_type_id"], "charged",
        "nobody"]}, want={"deleted_event_types": [{}], "failed_to_delete": [{}, {"event_type_id": "charged"}, {}]}),
    *deletion(f"POST {R}/events/types/delete", "event_type_ids"),
    Row(f"POST {R}/segments/delete", 200, body=lambda seen: {"segments": [seen["live"]["segment_id"], "nobody"]},
        want={"deleted_segments": [{}], "failed_to_delete": [{"segment_id": "nobody"}]}),
    *deletion(f"POST {R}/segments/delete", "segments"),
    Row(f"GET {R}/profiles", 200, query={"ids": "b-1"}, want={"profiles": [{"segment_tags": []}]}),
    # 12, 13
    Row(f"POST {R}/recommendations", 200, body=lambda seen: {"profile_ids": [seen["known"], "nobody"]}, want={
        "recommendations": [{"error": None, "recommendations": [{}]}, {"error": "unknown profile"}],
        "model_meta_data": {"recommender_event_type": "charged"}}),
    *(Row(f"POST {R}/recommendations", 422, body=body) for body in (
        {}, {"profile_ids": []}, {"profile_ids": LONG}, {"profile_ids": "x"})),
    Row(f"GET {R}/churn_prediction/report", 200, want={"churn_prediction_report": {
        "churn_data": {"current_churn_percentage": 12.3}}}),
    # 16
    Row(f"POST {R}/messaging/templates/create", 201, body={"templates": [template("one"), template("one")]}, want={
        "templates": [{"friendly_name": "one"}], "failed_to_create": [{"friendly_name": "one"}]}, keep="template"),
    Row(f"POST {R}/messaging/templates/create", 400, body={"templates": [template("one")]}),
    *batch(f"POST {R}/messaging/templates/create", "templates", template("two")),
    *paged(
        f"GET {R}/messaging/templates", lambda seen: str(seen["template"]["templates"][0]["template_id"]), "templates"
    ),
    Row(f"POST {R}/messaging/templates/update", 201, body=lambda seen: {"templates": [
        {**template("uno"), "template_id": seen["template"]["templates"][0]["template_id"]},
        {**template("due"), "template_id": "x"}]},
        want={"templates": [{"friendly_name": "uno"}], "failed_to_update": [{"template_id": "x"}]}),
    Row(f"POST {R}/messaging/templates/update", 400, body={"templates": [{**template("due"), "template_id": "x"}]}),
    Row(f"POST {R}/messaging/templates/update", 422, body={"templates": [template("due")]}),
    Row(f"POST {R}/messaging/content/generate", 201, body=lambda seen: {"messages": [
        {"template_id": seen["template"]["templates"][0]["template_id"], "item_recommendation": False,
         "data": [{"name": "Ada"}, {}]}, {"template_id": "x", "item_recommendation": False, "data": [{}]}]}, want={
        "generated_messages": [{"title": "Hello Ada", "content": "Ada: nothing"}], "failed_messages": [{}],
        "failed templates": [{"template_id": "x"}]}),
    Row(f"POST {R}/messaging/content/generate", 422, body={}),
    Row(f"POST {R}/messaging/templates/delete", 200, body=lambda seen: {"template_ids": [
        seen["template"]["templates"][0]["template_id"], "x"]},
        want={"deleted_templates": [{}], "failed_to_delete": [{"template_id": "x"}]}),
    *deletion(f"POST {R}/messaging/templates/delete", "template_ids"),
    # Deletions of 7 and 8
    Row(f"POST {R}/items/delete", 200, body={"items": ["sku-1", 2, "x"]}, want={
        "deleted_items": [{"item_id": "sku-1"}, {"item_id": "2"}], "failed_to_delete": [{"item_id": "x"}]}),
    *deletion(f"POST {R}/items/delete", "items"),
    Row(f"GET {R}/items", 400, query={"ids": "sku-1"}),
    Row(f"POST {R}/profiles/delete", 201, body={"profiles": [minted("b-1"), "x"]}, want={
        "deleted_profiles": [{"profile_id": minted("b-1")}], "failed_to_delete": [{"profile_id": "x"}]}),
    *deletion(f"POST {R}/profiles/delete", "profiles"),
    Row(f"GET {R}/profiles", 400, query={"ids": "b-1"}), Row(f"POST {R}/events/create", 400, body=charged("b-1")),
)
OPEN = {f"{route.verb} {route.path}" for route in ROUTES if route.open}
# What these answer depends on nothing that a request says; their refusals are those that all routes share.
NEVER_REFUSED = {"GET /v1/account/authenticate", f"GET {CONFIGURATIONS}/retention/algorithms",
                 f"GET {R}/churn_prediction/report"}


def missing(answer: Any, want: Any, where: str = "") -> Iterator[str]:
    """Where an answer lacks what is wanted. Lists are as long as wanted, but for one with ``{}`` alone."""
    if isinstance(want, Mapping):
        for name, one in want.items():
            if not isinstance(answer, Mapping) or name not in answer:
                yield f"{where}.{name} is missing"
            else:
                yield from missing(answer[name], one, f"{where}.{name}")
    elif isinstance(want, list) and want:
        if not isinstance(answer, list) or (len(answer) != len(want) and want != [{}]) or not answer:
            yield f"{where} is {answer!r}"
        else:
            for at, one in enumerate(want):
                yield from missing(answer[at], one, f"{where}[{at}]")
    elif answer != want:
        yield f"{where} is {answer!r}, not {want!r}"


def faults(client: httpx.Client, row: Row, seen: Seen) -> Iterator[str]:
    """What is wrong with the answer to a row."""
    verb, _, path = row.route.partition(" ")
    body = row.body(seen) if callable(row.body) else row.body
    query = row.query(seen) if callable(row.query) else row.query
    answer = client.request(verb, path, json=body, params=query, headers=dict(row.headers or {}))
    if answer.status_code != row.status:
        yield f"{answer.status_code}: {answer.text[:300]}"
        return
    told = answer.json()
    if row.status >= 400:
        failure(answer, row.status)
    elif not path.endswith("resources/format"):
        good(answer, row.status)
    if row.keep:
        seen[row.keep] = told
    yield from missing(told, row.want if row.want is not None else {})
    if row.cursor:
        meta = told["request_meta"]
        if int(answer.headers["cursor"]) != meta["count"] or meta["count"] > min(100, meta["total"]):
            yield f"the cursor is {answer.headers.get('cursor')} with {meta}"


def test_every_row_of_the_endpoint_tables(trained: Shop) -> None:  # noqa: F811
    seen: Seen = {}
    found = []
    with trained.client() as client:
        seen["known"] = good(client.get(f"{R}/profiles", headers=ALL))["profiles"][0]["profile_id"]
        for row in TABLE:
            asked = {name: value for name, value in (("body", row.body), ("query", row.query)) if value is not None}
            told = f"{row.route} {str(asked)[:200]} -> {row.status}"
            found += [f"{told}: {fault}" for fault in faults(client, row, seen)]
    assert not found, "\n".join(found)


def test_every_route_has_rows() -> None:
    routes = {f"{route.verb} {route.path}" for route in ROUTES}
    tried = {row.route for row in TABLE}
    assert tried == routes
    assert {row.route for row in TABLE if row.status < 400} == routes
    assert {row.route for row in TABLE if row.status >= 400} == routes - NEVER_REFUSED


def test_a_wanted_part_that_is_missing_is_told() -> None:
    assert list(missing({"a": [{"b": 1}], "c": 2}, {"a": [{"b": 1}], "c": 2})) == []
    for want in ({"a": [{"b": 2}]}, {"a": [{}, {}]}, {"d": 1}, {"a": {"b": 1}}, {"c": None}):
        assert list(missing({"a": [{"b": 1}], "c": 2}, want))


@pytest.mark.parametrize("route", sorted(f"{route.verb} {route.path}" for route in ROUTES))
def test_what_all_routes_refuse_and_take(trained: Shop, route: str) -> None:  # noqa: F811
    verb, _, path = route.partition(" ")
    url, own = f"{trained.url}/octy{path}", token(trained.pair)

    def ask(method: str = verb, place: str = url, **more: Any) -> httpx.Response:
        headers = {"Authorization": own, **more.pop("headers", {})}
        return httpx.request(method, place, headers={name: one for name, one in headers.items() if one}, **more)

    if route in OPEN:
        assert ask(headers={"Authorization": ""}).status_code == ask().status_code
    else:
        failure(ask(headers={"Authorization": ""}), 400)
        other = pair_of(trained.journal)
        for wrong in (token((trained.pair[0], other[1])), token(("pk_x", "sk_y")), "Basic x", "%"):
            failure(ask(headers={"Authorization": wrong}), 401)
        for taken in (own, f"Basic {own}", f"basic {own}", f"BASIC  {own}"):
            assert ask(headers={"Authorization": taken}).status_code not in (401, 500)
    refused = ask("DELETE")
    failure(refused, 405)
    assert verb in refused.headers["allow"]
    failure(ask(verb, f"{url}/nothing"), 404)
    if verb == "POST":
        failure(ask(content=b"{}", headers={"Content-Type": "text/plain"}), 400)
        failure(ask(content=b"{"), 400)
        failure(ask(content=b"[]"), 422)
        statuses = {
            ask(content=json.dumps({"x": 1}), headers={"Content-Type": kind}).status_code
            for kind in ("", "application/json", "application/json; charset=utf-8", "Application/JSON;x=y")
        }
        assert len(statuses) == 1 and statuses <= {400, 422}
