"""The plain routes see what was written of items and profiles; a deleted item leaves every answer."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from store.journal import Write
from tests.serving.conftest import Serve, Workspace


def write(entity: str, key: str, op: str, **body: Any) -> Write:
    return Write(entity, key, op, json.dumps(body))


def items_of(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


@pytest.mark.parametrize("hot", [True, False])
def test_a_deleted_item_leaves_every_answer(workspace: Workspace, serve: Serve, hot: bool) -> None:
    with serve(hot=hot) as client:
        before = items_of(client.get("/v1/recommendations/profiles/c-3"))
        gone = before[0]["item_id"]
        assert client.get(f"/v1/items/{gone}").status_code == 200
        workspace.journal.append([write("items", gone, "delete", item_id=gone)])
        assert [one["item_id"] for one in items_of(client.get("/v1/recommendations/profiles/c-3"))][:-1] == [
            one["item_id"] for one in before[1:]
        ]
        assert client.get(f"/v1/items/{gone}").status_code == 404
        assert client.get(f"/v1/recommendations/items/{gone}").status_code == 404
        assert client.post("/v1/items/batch", json={"item_ids": [gone]}).json()["unknown"] == [gone]
        for other in {f"i-{number:07}" for number in range(0, 70, 7)} - {gone}:
            near = items_of(client.get(f"/v1/recommendations/items/{other}?amt=50"))
            assert gone not in {one["item_id"] for one in near}
        session = client.post("/v1/recommendations/sessions", json={"items": [before[1]["item_id"]], "amt": 50})
        assert gone not in {one["item_id"] for one in items_of(session)}
        everybody = client.get("/v1/recommendations/profiles/nobody?amt=50")
        assert gone not in {one["item_id"] for one in items_of(everybody)}
        workspace.journal.append([write("items", gone, "put", item_id=gone, properties={"item_name": "Back"})])
        again = items_of(client.get("/v1/recommendations/profiles/c-3"))
        assert [one["item_id"] for one in again] == [one["item_id"] for one in before]
        assert (again[0]["item_name"], again[0]["item_category"]) == ("Back", None)


@pytest.mark.parametrize("hot", [True, False])
def test_written_items_and_profiles_are_seen(workspace: Workspace, serve: Serve, hot: bool) -> None:
    with serve(hot=hot) as client:
        listed = items_of(client.get("/v1/recommendations/profiles/c-3"))[0]
        item_id = listed["item_id"]
        workspace.journal.append([
            write("items", item_id, "patch", item_id=item_id, properties={"item_name": "New name", "size": 4}),
            write("items", "fresh", "put", item_id="fresh", properties={"item_price": 2.5}),
            write("profiles", "c-3", "patch", customer_id="c-3", properties={"age": None, "plan": "gold"}),
            write("profiles", "c-new", "put", customer_id="c-new", properties={"plan": "free"}),
            write("profiles", "c-4", "delete", customer_id="c-4"),
        ])
        assert items_of(client.get("/v1/recommendations/profiles/c-3"))[0] == {**listed, "item_name": "New name"}
        item = client.get(f"/v1/items/{item_id}").json()["item"]
        assert item["item_name"] == "New name" and item["properties"] == {"size": 4, "tags": ["a", "b"]}
        fresh = client.get("/v1/items/fresh").json()["item"]
        assert fresh["item_price"] is None and fresh["properties"] == {"item_price": 2.5}
        assert "fresh" not in {one["item_id"] for one in items_of(client.get("/v1/recommendations/profiles/x?amt=100"))}
        profile = client.get("/v1/profiles/c-3").json()["profile"]
        assert profile["profile_data"]["plan"] == "gold" and "age" not in profile["profile_data"]
        new = client.post("/v1/profiles/batch", json={"profile_ids": ["c-new", "c-4"]}).json()
        assert new["profiles"][0]["customer_id"] == "c-new" and new["unknown"] == ["c-4"]


def test_sessions_that_became_a_profiles_exclude_too(workspace: Workspace, serve: Serve) -> None:
    with serve() as client:
        first = items_of(client.get("/v1/recommendations/profiles/c-3"))[0]["item_id"]
        workspace.journal.append([
            write("session_events", "new", "put", event_id="e", event_type="charged", session_id="new", item_id=first,
                  at=0, properties={}),
            write("session_resolve", "new", "put", session_id="new", customer_id="c-3", at=1),
        ])
        after = items_of(client.get("/v1/recommendations/profiles/c-3"))
        assert first not in {one["item_id"] for one in after}
