"""Answers made of what is kept are those that the whole way gives, whoever asks and whatever changes meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.scenarios import PROPERTIES, documents
from benchmarks.synthetic_run import write_run
from contracts.progress import Silent
from contracts.settings import Pipeline, Scenarios, Serving, Settings
from flows.stages.materialize import materialize
from serving.app import Endpoint
from serving.crossing_minds import forms
from store import scenario_documents
from store.control import Control, NewDatabase
from store.journal import Journal
from store.layout import Layout
from tests.serving.served import serving

PROFILES = 60
CASES = 3
BASE = "/crossing-minds/v1"
UNLIMITED = 10**9
"""Requests a minute: high enough for a test, and counted, so that nothing is kept."""


class Pair:
    """One installation behind an endpoint that keeps answers and one that makes each anew."""

    def __init__(self, journal: Journal, keeping: httpx.Client, making: httpx.Client) -> None:
        self.journal = journal
        self.keeping = keeping
        self.making = making

    def ask(self, person: int | str, query: str) -> httpx.Response:
        """The answer of the endpoint that keeps, after it was held against the other's."""
        path = f"/recommendation/users/{person if isinstance(person, str) else f'c-{person}'}/items/?{query}"
        answers = [client.get(path) for client in (self.keeping, self.making)]
        assert answers[0].content == answers[1].content, path
        assert [one.status_code for one in answers] == [answers[1].status_code] * 2
        assert answers[0].headers.get("cache-control") == answers[1].headers.get("cache-control")
        return answers[0]

    def until(self, run_id: str) -> None:
        """Wait until both endpoints serve a run: each loads it in its own time."""
        give_up = time.monotonic() + 20
        for client in (self.keeping, self.making):
            while client.get("/recommendation/users/x/items/").json()["metadata"]["run_id"] != run_id:
                assert time.monotonic() < give_up
                time.sleep(0.02)

    def everybody(self, query: str) -> list[httpx.Response]:
        return [self.ask(person, query) for person in range(PROFILES)]


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    layout = Layout(tmp_path)
    layout.create()
    settings = Settings(pipeline=Pipeline(threads=1), scenarios=Scenarios(max_rows=CASES + 1))
    stored = documents(CASES)
    for seed, run_id in enumerate(("r1", "r2")):
        target = write_run(layout, run_id, PROFILES, 300, 40, seed=seed, settings=settings, properties=PROPERTIES)
        materialize(target, stored, settings, Silent())
    with Journal.open(layout, settings) as journal, Control.open(layout) as control:
        with journal.writing() as connection:
            for definition in stored.graph.definitions.values():
                scenario_documents.put(connection, definition, "test", journal.clock())
        for run_id in ("r1", "r2"):
            journal.record_run(run_id, "building")
        journal.promote("r1", 0, "test")
        control.create_database(NewDatabase("shop", "urlsafe64", "urlsafe64", workspace="default"))
        key = control.create_account("service", "backend", "backend")
        counted = Settings(pipeline=settings.pipeline, serving=Serving(rate_limit=UNLIMITED))
        with (
            serving(Endpoint(layout, settings)) as keeping, serving(Endpoint(layout, counted)) as making,
            logged_in(keeping, key) as one, logged_in(making, key) as other,
        ):
            yield Pair(journal, one, other)


def logged_in(url: str, key: str) -> httpx.Client:
    login = {"name": "backend", "password": key, "db_name": "shop"}
    token = httpx.post(f"{url}{BASE}/login/service/", json=login, timeout=30).json()["token"]
    return httpx.Client(base_url=url + BASE, headers={"Authorization": f"Bearer {token}"}, timeout=30)


def items(answer: httpx.Response) -> Any:
    return answer.json()["items_id"]


def test_kept_answers_are_those_that_are_made(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    made_of_forms = []
    find = forms.Forms.find

    def counted(self: forms.Forms, key: forms.Key, user: str) -> Any:
        found = find(self, key, user)
        made_of_forms.append(found is not None)
        return found

    monkeypatch.setattr(forms.Forms, "find", counted)
    first = pair.everybody("scenario=case01&amt=7")
    assert sum(made_of_forms) > PROFILES * 2 // 3, "most are read through the form of the first"
    assert len({tuple(items(one)) for one in first}) > PROFILES // 2
    pair.everybody("scenario=case01&amt=40")
    pair.everybody("scenario=case02&amt=0")
    pair.everybody("amt=5")
    pair.everybody("scenario=case02&amt=5&filters=year:gte:1951")
    for other in ("nobody", "c-1%20", "c-%31", "~me", "", "c-1/x"):
        pair.ask(other, "scenario=case01&amt=7")
    cursors = [one.json()["next_cursor"] for one in first]
    assert len(set(cursors)) == PROFILES, "a cursor belongs to one user"
    for person, cursor in enumerate(cursors[:9]):
        further = pair.ask(person, f"scenario=case01&amt=7&cursor={cursor}")
        assert further.status_code == 200 and not set(items(further)) & set(items(first[person]))
        assert pair.ask(person + 1, f"scenario=case01&amt=7&cursor={cursor}").status_code == 400


def test_what_is_kept_follows_writes_runs_and_scenarios(pair: Pair) -> None:
    query = "scenario=case01&amt=7"
    first = pair.everybody(query)
    met = {"interaction_type": "view", "timestamp": 1_900_000_000}
    for person in (3, 4):
        path = f"/users/c-{person}/interactions/{items(first[person])[0]}/"
        assert pair.making.post(path, json=met).status_code in (200, 201, 204)
    after = pair.everybody(query)
    assert [one.json()["metadata"]["source"] for one in after[2:6]] == ["row", "evaluated", "evaluated", "row"]
    case = pair.making.get("/scenarios/profile_to_items/case02/").json()["scenario"]
    assert pair.making.put("/scenarios/profile_to_items/case01/", json=case).is_success
    changed = pair.everybody(query)
    assert sum(items(one) != items(other) for one, other in zip(after, changed, strict=True)) > PROFILES // 2
    gone = items(changed[0])[0]
    assert pair.making.delete(f"/items/{gone}/").is_success
    without = pair.everybody(query)
    assert all(gone not in items(one) for one in without)
    pair.journal.promote("r2", 0, "test")
    pair.until("r2")
    run_ids = {one.json()["metadata"]["run_id"] for one in pair.everybody(query)}
    assert run_ids == {"r2"}
