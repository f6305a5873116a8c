"""The endpoint over HTTP on a real port: answers, errors, keys, limits, documentation."""

from __future__ import annotations

import dataclasses
import json
import shutil
import socket
import time
from typing import Any

import httpx
import pytest

from serving.bodies import utc
from serving.border import PATHS
from serving.refusals import Refusal
from serving.service import Service
from tests.serving.conftest import ITEMS, Serve, Workspace

STAMP = {"run_id", "as_of", "age_seconds"}
PROFILE = "/v1/recommendations/profiles/c-3"


def error(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    told = answer.json()
    assert set(told) == {"error", *STAMP}
    assert told["error"]["code"] == code and told["error"]["message"] and {"hint", "field"} <= set(told["error"])
    return dict(told["error"])


def test_every_route_answers_and_names_its_run(serve: Serve) -> None:
    with serve() as client:
        answers = [
            client.get(PROFILE, params={"amt": 3}),
            client.get("/v1/recommendations/items/i-0000003"),
            client.post("/v1/recommendations/sessions", json={"items": ["i-0000003", "nobody", "i-0000005"], "amt": 4}),
            client.post("/v1/recommendations/batch", json={"profile_ids": ["c-1", "stranger"], "amt": 2}),
            client.get("/v1/churn/profiles/c-1"),
            client.post("/v1/churn/batch", json={"profile_ids": ["c-1", "stranger"]}),
            client.get("/v1/profiles/c-1"),
            client.post("/v1/profiles/batch", json={"profile_ids": ["c-1", "stranger"]}),
            client.get("/v1/items/i-0000003"),
            client.post("/v1/items/batch", json={"item_ids": ["i-0000003", "nobody"]}),
            client.post("/v1/events", json={"event_type": "viewed", "profile_id": "c-1"}),
            client.get("/health"),
            client.get("/ready"),
        ]
        for answer in answers:
            assert answer.status_code in (200, 201), answer.text
            assert answer.headers["content-type"] == "application/json"
            told = answer.json()
            assert set(told) >= STAMP
            assert told["run_id"] == "r1" and told["as_of"] == "2026-11-01T00:00:00Z" and told["age_seconds"] >= 0
        lists, item, session, batch, churn, churns, profile, profiles, shown, items, *_ = [
            answer.json() for answer in answers
        ]
        assert len(lists["items"]) == 3 and set(lists["items"][0]) == {
            "item_id",
            "item_name",
            "item_category",
            "item_price",
            "score",
        }
        assert len(item["items"]) == 10 and "i-0000003" not in [listed["item_id"] for listed in item["items"]]
        assert len(session["items"]) == 4 and not session["cold"]
        assert [entry["asked"] for entry in batch["recommendations"]] == ["c-1", "stranger"]
        assert [entry["cold"] for entry in batch["recommendations"]] == [False, True]
        assert churn["profile_id"] == profile["profile"]["profile_id"]
        assert [entry["known"] for entry in churns["churn"]] == [True, False]
        assert profiles["profiles"] == [profile["profile"]] and profiles["unknown"] == ["stranger"]
        assert items["items"] == [shown["item"]] and items["unknown"] == ["nobody"]


def test_the_hot_path_and_the_documented_route_answer_the_same_bytes(serve: Serve) -> None:
    paths = [
        PROFILE,
        f"{PROFILE}?amt=5",
        f"{PROFILE}?amt=0",
        f"{PROFILE}?amt=500",
        f"{PROFILE}?amt=501",
        f"{PROFILE}?amt=x",
        f"{PROFILE}?amt=-1",
        f"{PROFILE}?amt=00000000005",
        f"{PROFILE}?amt=5&amt=6&other=%ff",
        f"{PROFILE}?exclude=i-0000001,i-0000002&exclude=i-0000003&amt=20",
        "/v1/recommendations/profiles/stranger",
        "/v1/recommendations/profiles/%22%C3%BC%FF%2F..",
        "/v1/recommendations/profiles/",
        "/v1/recommendations/profiles/a/b?amt=1",
        f"{PROFILE}?amt=%35",
    ]
    with serve("read", clock=lambda: 2e9) as hot, serve("read", clock=lambda: 2e9, hot=False) as documented:
        for path in paths:
            ours, theirs = hot.get(path), documented.get(path)
            assert (ours.status_code, ours.content) == (theirs.status_code, theirs.content), path
            assert ours.headers["content-type"] == theirs.headers["content-type"]
        for headers in ({"Authorization": "Bearer x"}, {"Authorization": "Basic x"}):
            ours, theirs = (client.get(PROFILE, headers=headers) for client in (hot, documented))
            assert ours.status_code == 401 and (ours.content, ours.headers["www-authenticate"]) == (
                theirs.content,
                theirs.headers["www-authenticate"],
            )


def test_the_short_way_and_the_documented_way_answer_the_same_bytes(serve: Serve) -> None:
    posts = [
        ("/v1/recommendations/sessions", {"items": ["i-0000003", 5, "i-0000005"], "amt": 7, "exclude": ["i-0000001"]}),
        ("/v1/recommendations/sessions", {"items": []}),
        ("/v1/recommendations/sessions", {"item": []}),
        ("/v1/recommendations/batch", {"profile_ids": ["c-1", "stranger"]}),
        ("/v1/recommendations/batch", {"profile_ids": ["c"] * 101}),
        ("/v1/churn/batch", {"profile_ids": ["c-1", "stranger"]}),
        ("/v1/churn/batch", []),
        ("/v1/profiles/batch", {"profile_ids": ["c-1", "stranger"]}),
        ("/v1/items/batch", {"item_ids": ["i-0000001", "nobody"]}),
        ("/v1/events", {"event_type": "viewed", "profile_id": "c-1", "event_id": "e"}),
        ("/v1/events", {"events": [{"event_type": "a"}]}),
        ("/v1/events/", {}),
        ("/v1/nothing", {}),
    ]
    gets = [
        "/v1/recommendations/items/i-0000003?amt=3",
        "/v1/recommendations/items/nobody",
        "/v1/recommendations/items/i-0000003?amt=x",
        "/v1/churn/profiles/c-1",
        "/v1/profiles/c-1",
        "/v1/items/i-0000001",
        "/v1/items/",
        "/v1/profiles",
        "/v1/recommendations/batch",
    ]
    with serve(clock=lambda: 2e9) as short, serve(clock=lambda: 2e9, hot=False) as documented:
        short.post("/v1/events", json={"event_type": "viewed", "profile_id": "c-1", "event_id": "e"})
        for path, body in posts:
            ours, theirs = short.post(path, json=body), documented.post(path, json=body)
            assert (ours.status_code, ours.content) == (theirs.status_code, theirs.content), (path, body)
        for path in gets:
            ours, theirs = short.get(path), documented.get(path)
            assert (ours.status_code, ours.content) == (theirs.status_code, theirs.content), path


def test_a_fault_of_ours_is_a_plain_500(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: Any) -> bytes:
        raise ZeroDivisionError

    monkeypatch.setattr(Service, "item", broken)
    monkeypatch.setattr(Service, "recommend_profile", broken)
    with serve() as client:
        error(client.get("/v1/items/i-0000001"), 500, "internal")
        error(client.get("/v1/recommendations/profiles/stranger"), 500, "internal")
    with serve(hot=False) as client:
        error(client.get("/v1/items/i-0000001"), 500, "internal")
        assert 'nightloom_requests_total{route="items",status="5xx"} 1.0' in client.get("/metrics").text


def test_an_event_excludes_its_item_at_once(serve: Serve) -> None:
    def listed(client: httpx.Client, profile: str) -> list[str]:
        return [
            item["item_id"]
            for item in client.get(f"/v1/recommendations/profiles/{profile}?amt={ITEMS}").json()["items"]
        ]

    with serve() as client:
        for profile in ("c-3", "stranger"):
            before = listed(client, profile)
            taken = before[:2]
            events = [{"event_type": "charged", "profile_id": profile, "item_id": item} for item in taken]
            assert client.post("/v1/events", json={"events": events}).status_code == 201
            after = listed(client, profile)
            # A profile unknown to the run follows what it met: its order changes, its items only by what it took.
            assert after == before[2:] if profile == "c-3" else sorted(after) == sorted(before[2:])
            seen = {"event_type": "viewed", "profile_id": profile, "item_id": before[2]}
            assert client.post("/v1/events", json=seen).status_code == 201
            assert listed(client, profile) == after


def test_a_repeated_event_is_stored_once(serve: Serve, workspace: Workspace) -> None:
    event = {"event_type": "charged", "profile_id": "c-1", "event_id": "e-1"}
    with serve() as client:
        first, second = (client.post("/v1/events", json=event).json() for _ in range(2))
    assert first["events"] == [{"event_id": "e-1", "seq": 1, "repeated": False}]
    assert second["events"] == [{"event_id": "e-1", "seq": 1, "repeated": True}] and second["repeated"] == 1
    assert workspace.journal.last_seq() == 1


def test_faults_of_the_client_are_told_and_change_nothing(serve: Serve, workspace: Workspace) -> None:
    with serve() as client:
        assert error(client.get("/v1/profiles/nobody"), 404, "not_found")["field"] == "profile_id"
        assert error(client.get("/v1/items/nobody"), 404, "not_found")["field"] == "item_id"
        error(client.get("/v1/recommendations/items/nobody"), 404, "not_found")
        error(client.get("/v1/churn/profiles/nobody"), 404, "not_found")
        error(client.get("/nothing"), 404, "not_found")
        error(client.get("/v1/nothing"), 404, "not_found")
        error(client.delete("/v1/events"), 405, "method_not_allowed")
        error(client.post(PROFILE), 405, "method_not_allowed")
        for body in (
            b"",
            b"{",
            b"[" * 50_000,
            b'{"a":"\xff"}',
            b'{"profile_id":NaN}',
            b'{"event_type":"\\ud800","profile_id":"c"}',
            b"\x00",
        ):
            answer = client.post("/v1/events", content=body, headers={"Content-Type": "application/json"})
            assert answer.status_code in (400, 422), (body[:20], answer.text)
        error(
            client.post("/v1/events", content=b"a=b", headers={"Content-Type": "application/x-www-form-urlencoded"}),
            415,
            "unsupported_media_type",
        )
        assert client.post("/v1/events", content=b'{"event_type":"v","profile_id":"c"}').status_code == 201
        told = error(
            client.post("/v1/events", json={"events": [{"event_type": "v", "profile_id": "c"}, {"event_type": 5}]}),
            422,
            "invalid",
        )
        assert {detail["field"] for detail in told["details"]} == {"events[1].event_type", "events[1].profile_id"}
        error(client.post("/v1/recommendations/batch", json={"profile_ids": ["c"] * 101}), 422, "invalid")
        error(client.post("/v1/recommendations/batch", json={"profile_ids": []}), 422, "invalid")
        error(client.post("/v1/recommendations/sessions", json={"items": ["a"], "amt": "5"}), 422, "invalid")
    assert workspace.journal.last_seq() == 1


def test_large_bodies_are_refused_announced_or_not(serve: Serve) -> None:
    large = b'{"events": "' + b"x" * 8_000_000 + b'"}'
    with serve() as client:
        error(client.post("/v1/events", content=large), 413, "body_too_large")
        answer = client.post("/v1/events", content=iter([large[:4_000_000], large[4_000_000:]]))
        error(answer, 413, "body_too_large")
        assert "connection" not in answer.headers, "the rest of the body is read, and the connection kept"
        assert client.get("/health").status_code == 200


def test_keys_open_what_their_role_may(serve: Serve, workspace: Workspace) -> None:
    event = {"event_type": "viewed", "profile_id": "c-1"}
    with serve("read") as client:
        assert client.get(PROFILE).status_code == 200
        error(client.post("/v1/events", json=event), 403, "forbidden")
        for headers in ({"Authorization": ""}, {"Authorization": "Bearer nl_x_y"}, {"Authorization": "Basic abc"}):
            for path in (PROFILE, "/v1/profiles/c-1", "/v1/nothing"):
                error(client.get(path, headers=headers), 401, "unauthorized")
        for role in ("write", "admin"):
            assert client.post("/v1/events", json=event, headers=workspace.key(role)).status_code == 201


def test_a_revoked_key_is_refused_from_the_next_request_on(serve: Serve, workspace: Workspace) -> None:
    with serve("read") as client:
        headers = workspace.key("read")
        key_id = headers["Authorization"].split("_")[1]
        for path in (PROFILE, "/v1/profiles/c-1"):
            assert client.get(path, headers=headers).status_code == 200
        workspace.journal.revoke_key(key_id)
        for path in (PROFILE, "/v1/profiles/c-1"):
            error(client.get(path, headers=headers), 401, "unauthorized")


def test_operations_are_open_on_the_loopback_only(serve: Serve) -> None:
    def statuses(client: httpx.Client) -> dict[str, int]:
        paths = ("/health", "/ready", "/metrics", "/docs", "/openapi.json", "/docs/swagger-ui.css")
        return {path: client.get(path, headers={"Authorization": ""}).status_code for path in paths}

    with serve() as client:
        assert set(statuses(client).values()) == {200}
    with serve(loopback=False) as client:
        assert statuses(client) == {
            "/health": 200,
            "/ready": 200,
            "/metrics": 401,
            "/docs": 401,
            "/openapi.json": 401,
            "/docs/swagger-ui.css": 401,
        }
        assert client.get("/metrics").status_code == 200


def test_the_documentation_is_whole_and_needs_no_network(serve: Serve) -> None:
    with serve() as client:
        page = client.get("/docs").text
        assert "http://" not in page and "https://" not in page
        assert len(client.get("/docs/swagger-ui-bundle.js").content) > 500_000
        described = client.get("/openapi.json").json()
    paths = {path.split("{")[0] for path in described["paths"]}
    assert {start for start, _, role in PATHS if start not in ("/v1/", "/docs", "/openapi.json")} <= paths
    assert '"type": "null"' not in json.dumps(described) and described["openapi"].startswith("3.0")
    assert set(described["components"]["schemas"]) >= {"Event", "Events", "Session", "ListBatch"}


def test_metrics_count_what_happened(serve: Serve) -> None:
    with serve() as client:
        for _ in range(3):
            client.get(PROFILE)
        client.get("/v1/profiles/nobody")
        client.post("/v1/events", json={"event_type": "viewed", "profile_id": "c-1"})
        text = client.get("/metrics").text
    for line in (
        'nightloom_requests_total{route="recommendations_profile",status="2xx"} 3.0',
        'nightloom_requests_total{route="profiles",status="4xx"} 1.0',
        'nightloom_request_seconds_count{route="recommendations_profile"} 3.0',
        'nightloom_request_seconds_bucket{le="+Inf",route="recommendations_profile"} 3.0',
        "nightloom_journal_writes_total 1.0",
        "nightloom_overlay_writes 1.0",
        "nightloom_ready 1.0",
        'nightloom_run_info{run_id="r1"} 1.0',
    ):
        assert line in text, line


def test_without_a_run_it_starts_and_says_so(serve: Serve, workspace: Workspace) -> None:
    bare = dataclasses.replace(workspace, layout=dataclasses.replace(workspace.layout, workspace="bare"))
    from serving.app import Endpoint
    from store.journal import Journal
    from tests.serving.served import serving

    with Journal.open(bare.layout, bare.settings) as journal:
        headers = {"Authorization": f"Bearer {journal.create_key('write', '')}"}
        with (
            serving(Endpoint(bare.layout, bare.settings)) as address,
            httpx.Client(base_url=address, headers=headers) as client,
        ):
            assert client.get("/health").status_code == 200
            assert client.get("/ready").status_code == 503
            for path in (PROFILE, "/v1/profiles/c-1"):
                assert error(client.get(path), 503, "not_ready")
            assert client.post("/v1/events", json={"event_type": "charged", "profile_id": "c-1"}).status_code == 201
            shutil.copytree(workspace.layout.run("r1"), bare.layout.run("r1"))
            journal.record_run("r1", "building")
            journal.promote("r1", 0, "test")
            give_up = time.monotonic() + 10
            while client.get("/ready").status_code != 200 and time.monotonic() < give_up:
                time.sleep(0.01)
            assert client.get(PROFILE).json()["run_id"] == "r1"


@pytest.mark.parametrize(
    "request_text",
    [
        b"GET /v1/recommendations/profiles/\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /v1/profiles/%00%0d%0a HTTP/1.1\r\nHost: x\r\nAuthorization: \xff\xff\r\n\r\n",
        b"GET http://elsewhere/v1/items/a HTTP/1.1\r\nHost: x\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n",
        b"POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        b"NONSENSE\r\n\r\n",
    ],
)
def test_odd_requests_get_no_server_error(serve: Serve, request_text: bytes) -> None:
    with serve() as client:
        with socket.create_connection((client.base_url.host, client.base_url.port or 0), timeout=5) as connection:
            connection.sendall(request_text)
            connection.settimeout(5)
            answer = connection.recv(65536)
        assert answer.split(b" ")[1][:1] in (b"2", b"4"), answer[:200]
        assert client.get("/health").status_code == 200


def test_no_route_is_undocumented_as_a_refusal() -> None:
    assert Refusal(418, "x", "y").body(b'"run_id":null').startswith(b'{"error":{"code":"x"')
    assert utc("2026-01-01") == "2026-01-01 00:00:00"
