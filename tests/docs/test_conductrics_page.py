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

from contracts.settings import Decisions, Serving
from decisions.agent_check import checked
from decisions.providers import PROVIDERS, SOURCES
from decisions.targeting import OPERATORS, parse_rule
from tests.serving.conductrics.place import Site, open_site

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
