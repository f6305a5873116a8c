"""An A/B test from its lookups to the published table: served, noted, drained, judged."""

from __future__ import annotations

import asyncio
import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pytest

from contracts.settings import Settings
from flows.desk import open_desk
from flows.night import Order, Outcome, night
from scenarios.bucket import group
from serving.app import Endpoint
from store.control import Control, NewDatabase
from store.definitions import load_settings
from store.journal import Journal
from store.layout import Layout
from store.warehouse import open_warehouse

USERS = [f"c{number}" for number in range(10000, 10040)]
BUYERS = {user for number, user in enumerate(USERS) if number % 4 == 0}
AB_TEST = "home-test"
MET = datetime.now(UTC).replace(tzinfo=None, microsecond=0) - timedelta(days=20)
P = "profile_to_items"


def unix(moment: datetime) -> float:
    return moment.replace(tzinfo=UTC).timestamp()


async def ask(layout: Layout, settings: Settings, database: str, key: str) -> dict[str, str]:
    """Every user looks twice, some buy ten minutes later, one session buys and turns out to be a user's.

    Returns the words that answers had for the group.
    """
    now = unix(MET)
    endpoint = Endpoint(layout, settings, clock=lambda: now)  # moved on below
    await endpoint.start()
    said: dict[str, str] = {}
    try:
        transport = httpx.ASGITransport(endpoint)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop/crossing-minds") as client:

            async def answer(verb: str, path: str, body: Any = None) -> Any:
                answered = await client.request(verb, path, json=body)
                assert answered.status_code in (200, 204), answered.text
                return answered.json() if answered.content else None

            login = {"name": "shop-key", "password": key, "db_id": database}
            token = (await answer("POST", "/login/service/", login))["token"]
            client.headers["Authorization"] = f"Bearer {token}"
            for user in USERS * 2:
                answered = await answer("GET", f"/recommendation/users/{user}/items/")
                said[user] = answered["evaluated_scenarios"]["default"][0]["to"]
            plain = await answer("GET", "/recommendation/users/c10050/items/?skip_default_scenario=true")
            assert "evaluated_scenarios" not in plain
            preview = {"user_id": "c10051", "scenario": "any", "preview_scenarios_params": [
                {"reco_type": "generic_input_to_items", "name": "any", "scenario": {
                    "scenario_type": "case", "case": {"reco_type": P}}}]}
            previewed = await answer("POST", "/scenarios/preview/", preview)  # split, but not noted
            assert previewed["evaluated_scenarios"]["default"][0]["to"] == group(AB_TEST, "c10051")
            session = await answer("POST", "/recommendation/sessions/items/", {"session_id": "s-1"})
            said["s-1"] = session["evaluated_scenarios"]["default"][0]["to"]
            now += 600
            await answer("POST", "/interactions-bulk/", {"interactions": [
                {"user_id": user, "item_id": "PAN1000", "interaction_type": "charged"}
                for user in sorted(BUYERS)]})
            await answer("POST", "/sessions/s-1/interactions-bulk/", {"interactions": [
                {"item_id": "PAN1000", "interaction_type": "charged"}]})
            await answer("POST", "/sessions/s-1/resolve/", {"user_id": "newcomer"})
    finally:
        await endpoint.stop()
    return said


@pytest.fixture(scope="module")
def judged(
    first_night: tuple[Path, Outcome], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Layout, dict[str, str], Outcome]:
    """The shop after a night on what was asked; the groups that were answered; the night."""
    home = tmp_path_factory.mktemp("experiment") / "home"
    shutil.copytree(first_night[0], home)
    layout = Layout(home)
    settings = load_settings(layout)
    with open_desk(home) as desk:
        for kind, name, body in (
            *(("scenario", f"{reco_type}/{case}", {"scenario_type": "case", "case": {"amt": amount}})
              for reco_type in (P, "session_to_items") for case, amount in (("few", 3), ("many", 9))),
            *(("scenario", f"{reco_type}/home", {"scenario_type": "ab_test", "ab_test": {
                "id": AB_TEST, "scenario_a": "few", "scenario_b": "many"}}) for reco_type in (P, "session_to_items")),
            *(("scenario_default", reco_type, {"name": "home"}) for reco_type in (P, "session_to_items")),
        ):
            desk.journal.put_document(kind, name, json.dumps(body), "tester")
    with Control.open(layout) as control:
        database = control.create_database(NewDatabase("shop", "urlsafe32", "urlsafe32", workspace="default"))
        key = control.create_account("service", "shop-key", "backend")
    said = asyncio.run(ask(layout, settings, database.id, key))
    with open_desk(home) as desk:
        return layout, said, night(desk, Order(as_of=MET + timedelta(days=10)))


def published(layout: Layout, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(layout.analytics), read_only=True) as con:
        return con.execute(query).fetchall()


def test_lookups_are_noted_once_and_by_the_group_they_were_answered_from(
    judged: tuple[Layout, dict[str, str], Outcome]
) -> None:
    layout, said, outcome = judged
    assert said == {subject: group(AB_TEST, subject) for subject in [*USERS, "s-1"]}
    assert set(said.values()) == {"A", "B"}
    with Journal.open(layout, load_settings(layout)) as journal:
        noted = [one for batch in journal.writes_between(0, journal.last_seq()) for one in batch]
    exposures = [json.loads(one.body) for one in noted if one.entity == "exposures"]
    assert len(exposures) == len(USERS) + 1
    assert {one.get("customer_id") or one["session_id"]: one["group"] for one in exposures} == said
    assert {one["at"] for one in exposures} == {int(unix(MET) * 1_000_000)}
    with open_warehouse(layout, Settings().pipeline) as con:
        stored = con.execute("SELECT subject, group_name, first_at FROM exposures").fetchall()
    assert sorted(stored) == sorted((subject, way, MET) for subject, way in said.items())
    assert outcome.made


def test_the_table_has_what_an_independent_count_gives(judged: tuple[Layout, dict[str, str], Outcome]) -> None:
    layout, said, outcome = judged
    converted = BUYERS | {"s-1"}
    expected = [
        sum(way == side and (subject in converted or not only) for subject, way in said.items())
        for only in (False, True) for side in "AB"
    ]
    found = published(
        layout, "SELECT test_id, scenarios, running, first_at, judged_a, judged_b, converted_a, converted_b, "
                "subjects_a, subjects_b, crossovers, verdict, run_id FROM experiments")
    assert found == [(
        AB_TEST, [f"{P}/home", "session_to_items/home"], True, MET, *expected, *expected[:2], 0, "no decision yet",
        outcome.run_id)]
    days = published(layout, "SELECT min(day), max(day), count(*), max(converted_a + converted_b) FROM experiment_days")
    last = (MET + timedelta(days=10) - timedelta(microseconds=1)).date()
    assert days == [(MET.date(), last, (last - MET.date()).days + 1, len(converted))]
    page = (layout.run(outcome.run_id) / "reports" / "index.html").read_text(encoding="utf-8")
    assert AB_TEST in page.split('<section id="experiments">')[1].split("</section>")[0]
