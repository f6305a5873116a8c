"""What is written through the dialect is read the same before a night and after it, by its own routes and others."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any

import httpx
import pytest

from contracts.settings import Settings
from flows.stages.drain import drain
from serving.app import Endpoint
from store.journal import Journal, keys
from store.layout import Layout
from store.warehouse import open_warehouse
from tests.flows.conftest import first_night, nightly, shop  # noqa: F401  (the fixtures of nights)

PROFILES = "/octy/v1/retention/profiles"
BODIES: tuple[tuple[str, dict[str, Any]], ...] = (
    (f"{PROFILES}/create", {"profiles": [
        {"customer_id": "n1", "has_charged": True, "profile_data": {"Height": 30, "plan": "gold", "vip": False},
         "platform_info": {"os": "ios", "build": 1.5}},
        {"customer_id": "n2", "has_charged": False, "profile_data": {"height": 2.5, "weird \"key\"": "ü\n"},
         "platform_info": {"os": "web"}},
        {"customer_id": "n3", "has_charged": False, "profile_data": {"plan": "null"}, "platform_info": {"os": "x"}},
    ]}),
    ("/octy/v1/retention/items/create", {"items": [
        {"item_id": "n-sku", "item_category": "shoes", "item_name": "Red", "item_description": "x", "item_price": 0},
        {"item_id": 17, "item_category": "17", "item_name": "true", "item_description": "1", "item_price": 2**53},
    ]}),
    ("/octy/v1/retention/events/types/create", {"event_types": [
        {"event_type": "login", "event_properties": ["device"]}
    ]}),
    ("/octy/v1/retention/events/create/batch", {"events": [
        {"event_type": "charged", "profile_id": "n2", "created_at": "2010-01-01 00:00:00",
         "event_properties": {"payment_method": "visa", "item_id": 17}},
        {"event_type": "churned", "profile_id": "n3", "event_properties": None},
        {"event_type": "login", "profile_id": "n1", "event_properties": {"device": "ios", "n": 1, "ok": True}},
    ]}),
)


def ask(layout: Layout, settings: Settings, headers: dict[str, str], work: Any) -> Any:
    """What ``work`` gets from an endpoint of the workspace that lives as long."""

    async def run() -> Any:
        endpoint = Endpoint(layout, settings)
        await endpoint.start()
        try:
            transport = httpx.ASGITransport(endpoint)
            async with httpx.AsyncClient(transport=transport, base_url="http://shop", headers=headers) as client:
                return await work(client)
        finally:
            await endpoint.stop()

    return asyncio.run(run())


async def write(client: httpx.AsyncClient) -> None:
    for path, body in BODIES:
        answer = await client.post(path, json=body)
        assert answer.status_code == 201, answer.text
        assert not answer.json()["failed_to_create"], answer.text


async def seen(client: httpx.AsyncClient) -> Any:
    found = (await client.get(f"{PROFILES}?ids=n1,n2,n3")).json()["profiles"]
    refused = []
    for path, body in BODIES[:2]:
        refused.append((await client.post(path, json=body)).status_code)
    wrong = {"event_type": "login", "profile_id": "n1", "event_properties": {"device": 5}}
    refused.append((await client.post("/octy/v1/retention/events/create", json=wrong)).status_code)
    odd = {"customer_id": "n9", "has_charged": False, "profile_data": {"HEIGHT": "x"}, "platform_info": {"os": "x"}}
    refused.append((await client.post(f"{PROFILES}/create", json={"profiles": [odd]})).status_code)
    return found, refused


@pytest.fixture
def account(tmp_path: Path) -> Any:
    layout = Layout(tmp_path)
    layout.create()
    return layout


def headers_of(layout: Layout, settings: Settings) -> dict[str, str]:
    with Journal.open(layout, settings) as journal, journal.writing() as connection:
        pair = keys.create_pair(connection, "test", journal.clock())
    return {"Authorization": base64.b64encode(":".join(pair).encode()).decode()}


def test_a_drain_keeps_state_and_types(account: Layout) -> None:
    settings = Settings()
    ask(account, settings, headers_of(account, settings), write)
    with Journal.open(account, settings) as journal:
        report = drain(account, settings, journal.writes_between, journal.last_seq())
    assert report.other == 0 and report.changed == 5 and report.loaded == 3
    with open_warehouse(account, settings.pipeline) as con:
        assert con.execute("SELECT has_charged, platform_info FROM written_facts WHERE entity = 'profiles' ORDER BY 2"
        ).fetchall() == [
            (True, '{"os":"ios","build":1.5}'), (False, '{"os":"web"}'), (False, '{"os":"x"}')
        ]
        assert con.execute("SELECT parent, key, type FROM property_types ORDER BY entity, parent, key").fetchall() == [
            ("charged", "item_id", "string"), ("charged", "payment_method", "string"), ("login", "device", "string"),
            ("login", "n", "number"), ("login", "ok", "boolean"), ("platform_info", "build", "number"),
            ("platform_info", "os", "string"), ("profile_data", "Height", "number"), ("profile_data", "plan", "string"),
            ("profile_data", "vip", "boolean"), ("profile_data", 'weird "key"', "string"),
        ]
        rows = con.execute(
            "SELECT key, value FROM written_values WHERE entity = 'items' AND id = '17' ORDER BY key"
        ).fetchall()
        assert rows == [
            ("item_category", '"17"'), ("item_description", '"1"'), ("item_name", '"true"'), ("item_price", str(2**53)),
        ]


@pytest.mark.slow
def test_a_night_changes_nothing_that_is_read(shop: Path, nightly: Any) -> None:  # noqa: F811
    layout, settings = Layout(shop), Settings()
    headers = headers_of(layout, settings)
    ask(layout, settings, headers, write)
    before, refused = ask(layout, settings, headers, seen)
    assert [one["customer_id"] for one in before] == ["n1", "n2", "n3"]
    assert before[0]["profile_data"] == {"Height": 30, "plan": "gold", "vip": False}
    assert before[1]["profile_data"] == {"Height": 2.5, "weird \"key\"": "ü\n"}
    assert [one["has_charged"] for one in before] == [True, True, False]
    assert [one["status"] for one in before] == ["active", "active", "churned"]
    assert refused == [400] * 4
    assert nightly(shop).made
    after, refused = ask(layout, settings, headers, seen)
    named = ("profile_id", "customer_id", "has_charged", "status", "profile_data", "platform_info", "created_at",
             "updated_at")
    assert [[one[name] for name in named] for one in after] == [[one[name] for name in named] for one in before]
    assert refused == [400] * 4
