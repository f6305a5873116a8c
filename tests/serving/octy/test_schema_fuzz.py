"""Some hundred made-up requests to two accounts, with keys in every state.

``benchmarks/fuzz_octy.py`` asks thousands.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.fuzz_octy import Findings, Holder, fuzz, served
from serving.octy.openapi import description
from serving.octy.routes import ROUTES
from serving.octy.shapes import SHAPES


@pytest.mark.slow
def test_no_request_breaks_the_dialect_or_gets_an_answer_of_another_shape(tmp_path: Path) -> None:
    with served(tmp_path) as house:
        findings = fuzz(house, 400, seed=3)
    assert findings.faults == {}
    statuses = {status for _, status in findings.answers}
    assert {200, 201, 202, 400, 401, 404, 405, 422} <= statuses, "the requests must reach every kind of answer"


def test_every_route_has_a_shape() -> None:
    assert {(route.verb, route.path) for route in ROUTES} == set(SHAPES)
    assert set(description(ROUTES, "/octy")["paths"]) == {route.path for route in ROUTES}


def test_the_description_is_served(client: httpx.Client) -> None:
    answer = httpx.get(f"{client.base_url}openapi.json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == description(ROUTES, "/octy")
    assert client.post("/openapi.json").status_code == 404


def answer(status: int, body: Any, headers: dict[str, str] | None = None) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.Response(status, content=content, headers={"content-type": "application/json", **(headers or {})})


META = {"request_status": "Success", "message": "ok"}
FIRST, NOBODY = Holder("first", "default", "x"), Holder("nobody", "", None)
REVOKED = Holder("revoked", "", "x")
GOOD = {"request_meta": META, "account_data": {
    "contact_name": "FIRSTSECRET", "contact_surname": "", "contact_email_address": "", "webhook_url": "",
    "authenticated_id_key": None,
}}


def failed(code: int, **more: Any) -> dict[str, Any]:
    errors = [{"error_message": "x", "extended_help": ""}]
    error = {"code": code, "reason": "x", "errors": errors, **more}
    return {"request_meta": {"request_status": "Failure", "message": "x"}, "error": error}


def of(path: str) -> Any:
    return next(route for route in ROUTES if route.path == path and route.verb == "GET")


def test_what_must_not_be_is_found() -> None:
    account, types = of("/v1/configurations/account"), of("/v1/retention/events/types")
    row = {"event_type_id": "a", "event_type": "b", "event_properties": [],
           "created_at": "Tue, 28 Jun 2022 10:09:15 GMT"}
    page = {"request_meta": {**META, "count": 1, "total": 2}, "event_types": [row]}
    findings = Findings()
    findings.judge(account, FIRST, "", answer(200, GOOD))
    findings.judge(account, FIRST, "", answer(400, failed(400)))
    findings.judge(account, NOBODY, "", answer(400, failed(400)))
    findings.judge(account, REVOKED, "", answer(401, failed(401)))
    findings.judge(types, FIRST, "", answer(200, page, {"cursor": "1"}))
    assert findings.faults == {}
    lacking = {**page, "request_meta": {**META, "count": 1}}
    for route, holder, given in (
        (account, Holder("second", "second", "x"), answer(200, GOOD)), (account, NOBODY, answer(200, GOOD)),
        (account, FIRST, answer(202, GOOD)), (account, FIRST, answer(200, {"request_meta": META})),
        (account, FIRST, answer(404, failed(404))), (account, FIRST, answer(400, failed(422))),
        (account, FIRST, answer(400, failed(400, errors=[]))), (account, FIRST, answer(400, b"oops")),
        (account, FIRST, answer(503, failed(503))), (account, REVOKED, answer(400, failed(400))),
        (account, FIRST, answer(200, GOOD, {"content-type": "text/html"})),
        (types, FIRST, answer(200, lacking)), (types, FIRST, answer(200, page, {"cursor": "3"})),
        (types, FIRST, answer(200, {**page, "event_types": []})), (None, FIRST, answer(405, failed(405))),
    ):
        found = Findings()
        found.judge(route, holder, "", given)
        assert found.faults, f"not found: {holder.name} {given.status_code} {given.content!r}"
