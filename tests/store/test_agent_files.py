"""Agents in files: faults with file and line, and what of them comes into the journal, when."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import DefinitionError
from contracts.settings import Settings
from decisions.agent import Agent
from store import agent_documents
from store.agent_documents import AGENT
from store.definition_apply import apply_files, preview_files
from store.definitions import load
from store.journal import Journal, documents
from store.layout import Layout

HOME = "name: Front\npoints:\n  - code: top\n    decisions:\n      - {code: banner, choices: [a, b]}\n"


class Place:
    """A workspace with definitions and a journal whose clock goes on by a minute a reading."""

    def __init__(self, home: Path) -> None:
        self.layout = Layout(home)
        self.folder = home / "definitions" / "agents"
        self.folder.mkdir(parents=True)
        self.now = datetime(2026, 1, 1)
        self.journal = Journal.open(self.layout, Settings(), self._clock)

    def _clock(self) -> datetime:
        self.now += timedelta(minutes=1)
        return self.now

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def apply(self) -> list[str]:
        return [one.name for one in apply_files(self.layout, load(self.layout), self.journal).changes]

    def preview(self) -> list[str]:
        return [one.name for one in preview_files(self.layout, load(self.layout), self.journal).changes]

    def agent(self, code: str) -> Agent:
        with self.journal.reading() as connection:
            found = agent_documents.read_agent(connection, code)
        assert found is not None
        return found

    def versions(self, code: str) -> list[tuple[str, Any]]:
        with self.journal.reading() as connection:
            found = documents.history(connection, AGENT, code)
        return [(one.who, json.loads(one.body) if one.body else None) for one in found]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.journal.close()


def test_a_file_becomes_an_agent_once(place: Place) -> None:
    place.write("home.yaml", HOME)
    assert place.preview() == ["home"] and place.apply() == ["home"] and place.apply() == [] and place.preview() == []
    agent = place.agent("home")
    assert (agent.owner, agent.code, agent.name) == ("default", "home", "Front")
    assert agent.points[0].decisions[0].codes() == ("a", "b")
    assert agent.created == agent.changed > 0


def test_what_came_otherwise_stands_until_the_file_changes(place: Place) -> None:
    place.write("home.yaml", HOME)
    place.apply()
    with place.journal.writing() as connection:
        agent_documents.store_agent(connection, replace(place.agent("home"), name="by hand"), "api", place.now)
    assert place.apply() == [] and place.agent("home").name == "by hand"
    created = place.agent("home").created
    place.write("home.yaml", HOME.replace("Front", "Front page"))
    assert place.apply() == ["home"] and place.agent("home").name == "Front page"
    assert place.agent("home").created == created
    assert [who for who, _ in place.versions("home")] == ["definitions", "api", "definitions"]


def test_a_file_that_goes_away_leaves_the_agent(place: Place) -> None:
    place.write("home.yaml", HOME)
    place.apply()
    (place.folder / "home.yaml").unlink()
    assert place.apply() == [] and place.agent("home").name == "Front"


def test_what_the_api_deleted_comes_back_with_a_new_file_only(place: Place) -> None:
    place.write("home.yaml", HOME)
    place.apply()
    with place.journal.writing() as connection:
        agent_documents.reset_agent(connection, "home", "api", place.now, deleted=True)
    assert place.apply() == []
    place.write("home.yaml", HOME + "aa: true\n")
    assert place.apply() == ["home"]


def test_every_fault_names_file_and_line(place: Place) -> None:
    rates = "learning:\n  explorationRate: 2\n  controlGroupRate: x\n"
    place.write("home.yaml", f"code: other\nstatus: on and off\n{rates}")
    place.write("two words.yaml", "name: x\n")
    place.write("report.yaml", "name: x\n")
    place.write("broken.yaml", "points: [\n")
    place.write("list.yaml", "- 1\n")
    with pytest.raises(DefinitionError) as caught:
        load(place.layout)
    told = [problem.where for problem in caught.value.problems]
    assert "agents/home.yaml:1 $.code" in told and "agents/home.yaml:2 $.status" in told
    assert "agents/home.yaml:4 $.learning.explorationRate" in told
    assert "agents/home.yaml:5 $.learning.controlGroupRate" in told
    assert "agents/two words.yaml" in told and "agents/broken.yaml:2" in told and "agents/list.yaml:1 $" in told
    assert any(where.startswith("agents/report.yaml") for where in told)


def test_rules_keep_their_order_when_one_is_replaced(place: Place) -> None:
    def put(code: str, segment: str) -> None:
        with place.journal.writing() as connection:
            agent_documents.put_rule(connection, {"code": code, "apply": {"segment": segment}}, "api", place.now)

    def order() -> list[tuple[str, str | None]]:
        with place.journal.reading() as connection:
            return [(rule.code, rule.segment) for rule in agent_documents.read_rules(connection)]

    for code in ("z", "m", "a"):
        put(code, "one")
    put("m", "two")
    assert order() == [("z", "one"), ("m", "two"), ("a", "one")]
    with place.journal.writing() as connection:
        assert agent_documents.delete_rule(connection, "m", "api", place.now)
        assert not agent_documents.delete_rule(connection, "m", "api", place.now)
    put("m", "three")
    assert order() == [("z", "one"), ("a", "one"), ("m", "three")]


def test_resets_and_deletions_outlive_the_agent(place: Place) -> None:
    place.write("home.yaml", HOME)
    place.apply()
    moments = [datetime(2026, 1, day) for day in (2, 3, 4)]
    with place.journal.writing() as connection:
        agent_documents.reset_agent(connection, "home", "api", moments[0])
        assert agent_documents.read_deletions(connection) == {}
        agent_documents.reset_agent(connection, "home", "api", moments[1], deleted=True)
        assert agent_documents.read_agent(connection, "home") is None
        agent_documents.reset_agent(connection, "home", "api", moments[2])
        resets = agent_documents.read_resets(connection)
        assert resets["home"].at == moments[2]
        assert agent_documents.read_deletions(connection) == {"home": moments[1]}
    assert agent_documents.reset_pins(resets, {}) == {"home": "0"}
    assert agent_documents.reset_pins(resets, {"home": moments[1]}) == {"home": "0"}
    assert agent_documents.reset_pins(resets, {"home": moments[2]}) == {}


def test_no_more_than_500_agents(place: Place) -> None:
    with place.journal.writing() as connection:
        for number in range(500):
            agent_documents.put_agent(connection, "o", f"a{number}", {}, "api", place.now)
        with pytest.raises(DefinitionError, match="500 agents"):
            agent_documents.put_agent(connection, "o", "more", {}, "api", place.now)
        agent_documents.put_agent(connection, "o", "a7", {"name": "again"}, "api", place.now)
        agent_documents.reset_agent(connection, "a8", "api", place.now, deleted=True)
        agent_documents.put_agent(connection, "o", "more", {}, "api", place.now)
