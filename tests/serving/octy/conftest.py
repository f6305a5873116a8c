"""A workspace with a made-up run, served on a real port, and clients of the retention dialect with a key pair."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.synthetic_run import write_run
from contracts.settings import Serving, Settings
from serving.app import Endpoint
from store.journal import Journal, keys
from store.layout import Layout
from tests.serving.served import Clock, serving

Pair = tuple[str, str]


def pair_of(journal: Journal, label: str = "test", account: str = "") -> Pair:
    """A new key pair."""
    with journal.writing() as connection:
        return keys.create_pair(connection, label, journal.clock(), account)


def token(pair: Pair) -> str:
    """The pair as the header carries it."""
    return base64.b64encode(":".join(pair).encode()).decode()


@dataclass
class Shop:
    """One account that is served. ``pair``: its keys."""

    layout: Layout
    settings: Settings
    journal: Journal
    pair: Pair
    clock: Clock
    url: str = ""
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(1, 1 << 30)))

    def client(self, pair: Pair | None = None) -> httpx.Client:
        """A client below the dialect's prefix."""
        headers = {"Authorization": f"Basic {token(pair or self.pair)}"}
        return httpx.Client(base_url=f"{self.url}/octy", headers=headers, timeout=30)

    def new(self, what: str) -> str:
        """An id that no test used before."""
        return f"{what}{next(self.numbers)}"


Open = Callable[..., AbstractContextManager[Shop]]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """An account with a run; the tests of one module share it."""
    yield from _served(tmp_path_factory.mktemp("octy"), run=True)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """An account before its first night."""
    yield from _served(tmp_path_factory.mktemp("fresh"), run=False)


def _served(home: Path, *, run: bool) -> Iterator[Shop]:
    settings = Settings(serving=Serving(octy_hosts=("api.octy.test",)))
    layout = Layout(home)
    layout.create()
    clock = Clock()
    with Journal.open(layout, settings) as journal:
        if run:
            write_run(layout, "r1", 40, 30, 10, 1, settings)
            journal.record_run("r1", "building")
            journal.promote("r1", 0, "test")
        made = Shop(layout, settings, journal, pair_of(journal), clock)
        with serving(Endpoint(layout, settings, clock=clock)) as made.url:
            yield made


@pytest.fixture
def client(fresh: Shop) -> Iterator[httpx.Client]:
    """A client of the account without a run."""
    with fresh.client() as made:
        yield made


def failure(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The error of a complete envelope."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body["request_meta"]["request_status"] == "Failure"
    assert body["error"]["code"] == status
    assert body["error"]["reason"]
    assert body["error"]["errors"]
    for one in body["error"]["errors"]:
        assert one["error_message"]
        assert isinstance(one["extended_help"], str)
    found: dict[str, Any] = body["error"]
    return found


def good(answer: httpx.Response, status: int = 200) -> dict[str, Any]:
    """The body of a complete success."""
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    assert body["request_meta"]["request_status"] == "Success"
    assert isinstance(body["request_meta"]["message"], str)
    return body
