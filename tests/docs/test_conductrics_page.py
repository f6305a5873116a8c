"""The page on the decision dialect: its files are good, its requests are answered as it says, its words are the
program's.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from contracts.settings import Decisions, Serving, Settings
from decisions.agent_check import checked
from decisions.providers import PROVIDERS, SOURCES
from decisions.targeting import OPERATORS, parse_rule
from serving.app import Endpoint
from store.journal import Journal
from store.journal.keys import create_agent_key
from tests.serving.conductrics.place import Site, open_site
from tests.serving.crossing_minds.conftest import build
from tests.serving.served import Clock, serving

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "conductrics.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, flags=re.DOTALL)
REQUEST = re.compile(r"^(GET|POST|PUT|DELETE) (/.*)$")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with open_site(tmp_path) as made:
        yield made


def _words(heading: str) -> set[str]:
    """Words in the first column of the table whose head begins so."""
    lines = iter(PAGE.splitlines())
    next(line for line in lines if line.startswith(f"| {heading} |"))
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append(line.split("|")[1])
    return {word for row in rows for word in re.findall(r"`([^`]+)`", row)}


def test_files_are_good_and_reach_the_endpoint(site: Site) -> None:
    agents = rules = 0
    for kind, text in BLOCKS:
        if kind != "yaml":
            continue
        document = yaml.safe_load(text)
        if document.get("kind") == "targetingRules":
            for one in document["targetingRules"]:
                assert parse_rule(one)[1] == []
                rules += 1
            continue
        named = re.match(r"# definitions/agents/(\w+)\.yaml", text)
        assert named is not None
        assert checked({**document, "code": named[1]})[1] == []
        assert site.good("PUT", named[1], document) == {"success": True}
        agents += 1
    assert (agents, rules) == (2, 1)


def _requests() -> Iterator[tuple[str, str, Any, dict[str, Any]]]:
    for kind, text in BLOCKS:
        lines = text.splitlines() if kind == "http" else []
        for at, line in enumerate(lines):
            asked = REQUEST.match(line)
            if asked is None:
                continue
            end = next(place for place in range(at, len(lines)) if lines[place].startswith("→"))
            body = "\n".join(lines[at + 1 : end])
            yield asked[1], asked[2], json.loads(body) if body else None, json.loads(lines[end][1:])


def test_requests_are_answered_as_it_says(site: Site) -> None:
    count = 0
    for verb, path, body, expected in _requests():
        if path.startswith("/crossing-minds/"):
            continue
        url = site.url + path.replace("<runtime key>", site.runtime).replace("<admin key>", site.admin)
        answer = httpx.request(verb, url, json=body, timeout=30)
        assert answer.status_code == 200, (verb, path, answer.text)
        found = answer.json()
        assert {name: found.get(name) for name in expected} == expected, (verb, path, found)
        count += 1
    assert count >= 14


def test_an_agent_decides_between_scenarios(tmp_path: Path) -> None:
    """The example as a page runs it: the agent names the scenario, the list is that scenario's, the goal is taken."""
    clock, settings = Clock(), Settings()
    house = build(tmp_path, clock, settings)
    with Journal.open(house.layout, settings) as journal, journal.writing() as connection:
        key = create_agent_key(connection, "admin", "test", journal.clock())
    (document,) = [yaml.safe_load(text) for kind, text in BLOCKS if text.startswith("# definitions/agents/front.yaml")]
    lists = {"classic": "category 0", "fresh": "category 1", "popular": "category 2"}
    with house.control, serving(Endpoint(house.layout, settings, clock=clock)) as house.url:
        agents = httpx.Client(base_url=f"{house.url}/conductrics/default", params={"apikey": key}, timeout=30)
        shop = house.client("backend", prefix="")
        with agents, shop:
            assert agents.put("front", json=document).json() == {"success": True}
            for name, category in lists.items():
                chosen = {"property_name": "item_category", "op": "eq", "value": category}
                put = shop.put(
                    f"/crossing-minds/v1/scenarios/profile_to_items/{name}/",
                    json={"scenario_type": "case", "case": {"filters": [chosen]}},
                )
                assert put.status_code < 300, put.text
            seen = set()
            for number in range(12):
                who = {"session": f"v-{number}", "point": "front-list"}
                scenario = agents.get("front/decision", params={**who, "features": "returning"}).json()["decision"]
                (path,) = [path for _, path, _, _ in _requests() if path.startswith("/crossing-minds/")]
                items = shop.get(path.replace("<decision>", scenario)).json()["items_id"]
                categories = {int(item.removeprefix("i-")) % 12 for item in items}
                assert items and categories == {int(lists[scenario].rpartition(" ")[2])}
                goal = agents.get("front/goal/order", params={**who, "reward": "59.90"}).json()
                assert goal["value"] == 59.9
                seen.add(scenario)
    assert seen == set(lists)


def test_sources_operators_and_providers_are_those_of_the_program() -> None:
    assert _words("source") == {*SOURCES, "feature:<code>"}
    assert _words("operator") == set(OPERATORS)
    assert _words("provider") == set(PROVIDERS)
    assert _words("status of an agent") == {"enabled", "provisional", "paused", "stopped"}


def test_settings_exist_and_links_lead_somewhere() -> None:
    for section, holder in (("serving", Serving), ("decisions", Decisions)):
        named = set(re.findall(rf"`{section}\.(\w+)`", PAGE))
        assert named and named <= {field.name for field in dataclasses.fields(holder)}
    for target in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (DOCS / target).exists(), target
