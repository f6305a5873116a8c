"""A workspace served on a real port, and requests of the decision dialect with either kind of key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from contracts.settings import Settings
from serving.app import Endpoint
from store.journal import Journal
from store.journal.keys import create_agent_key
from store.layout import Layout
from tests.serving.served import Clock, serving

OWNER = "default"
SETTINGS = Settings()


@dataclass
class Site:
    """One owner that is served."""

    layout: Layout
    settings: Settings
    journal: Journal
    clock: Clock
    runtime: str
    admin: str
    url: str = ""
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(1, 1 << 30)))

    def ask(self, verb: str, path: str, *, key: str | None = "", body: Any = None, **parameters: str) -> httpx.Response:
        """One request below the owner; by default with the admin key, None for no key."""
        wanted = self.admin if key == "" else key
        query = {**parameters, **({"apikey": wanted} if wanted is not None else {})}
        return httpx.request(
            verb, f"{self.url}/conductrics/{OWNER}/{path}", params=query, json=body, timeout=30,
            headers={"user-agent": "tests/1"},
        )

    def good(self, verb: str, path: str, body: Any = None, **parameters: str) -> Any:
        """The JSON of a request that must succeed."""
        answer = self.ask(verb, path, body=body, **parameters)
        assert answer.status_code == 200, (answer.status_code, answer.text)
        found = answer.json()
        assert not (isinstance(found, dict) and {"err", "error"} & found.keys())
        return found

    def refused(self, status: int, verb: str, path: str, body: Any = None, **parameters: str) -> str:
        """What a request that must fail is told."""
        answer = self.ask(verb, path, body=body, **parameters)
        assert answer.status_code == status, (answer.status_code, answer.text)
        told: str = answer.json()["err"]
        return told

    def new(self, what: str) -> str:
        """A code that no test used before."""
        return f"{what}-{next(self.numbers)}"


@contextmanager
def open_site(home: Path, settings: Settings = SETTINGS) -> Iterator[Site]:
    """A fresh workspace without a run, served."""
    layout = Layout(home)
    layout.create()
    clock = Clock()
    with Journal.open(layout, settings) as journal:
        with journal.writing() as connection:
            runtime = create_agent_key(connection, "runtime", "test", journal.clock())
            admin = create_agent_key(connection, "admin", "test", journal.clock())
        made = Site(layout, settings, journal, clock, runtime, admin)
        with serving(Endpoint(layout, settings, clock=clock)) as made.url:
            yield made
