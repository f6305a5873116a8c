"""An installation with two databases, an account of every role, and an endpoint on a real port."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.synthetic_run import write_run
from contracts.settings import Serving, Settings
from serving.app import Endpoint
from store.control import ROLES, Control, NewDatabase
from store.journal import Journal
from store.layout import Layout
from tests.serving.served import Clock, serving

PASSWORD = "correct horse"


@dataclass
class House:
    """One installation: database ``shop`` in the endpoint's workspace, with a run; ``second`` in another, without."""

    layout: Layout
    settings: Settings
    control: Control
    shop: str
    second: str
    clock: Clock
    keys: dict[str, str]
    url: str = ""
    tokens: dict[tuple[str, str], str] = field(default_factory=dict)

    def client(self, role: str = "", prefix: str = "/crossing-minds", **login: Any) -> httpx.Client:
        """A client below a prefix, logged in to the shop with a role."""
        headers = {"Authorization": f"Bearer {self.token(role, **login)}"} if role else {}
        return httpx.Client(base_url=self.url + prefix, headers=headers, timeout=30)

    def token(self, role: str, **login: Any) -> str:
        """A token of a service account of that role; by default in the shop."""
        login = login or {"db_id": self.shop}
        key = role, repr(sorted(login.items())) + str(self.clock.now)
        if key not in self.tokens:
            body = {"name": f"service-{role}", "password": self.keys[role], **login}
            answer = httpx.post(f"{self.url}/crossing-minds/login/service/", json=body, timeout=30)
            assert answer.status_code == 200, answer.text
            self.tokens[key] = answer.json()["token"]
        return self.tokens[key]

    def plain(
        self, verb: str, path: str, headers: dict[str, str] | None = None, body: bytes | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """One request as it stands, without what a better client would correct: status, headers, body."""
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=30)
        try:
            connection.request(verb, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()


def build(home: Path, clock: Clock, settings: Settings, *, item_id_type: str = "urlsafe32") -> House:
    """Make the installation on disk."""
    layout = Layout(home)
    layout.create()
    with Journal.open(layout, settings) as journal:
        write_run(layout, "r1", 40, 30, 10, 1, settings)
        journal.record_run("r1", "building")
        journal.promote("r1", 0, "test")
    control = Control.open(layout)
    shop = control.create_database(
        NewDatabase("shop", item_id_type, "urlsafe64", description="A shop", workspace="default")
    )
    second = control.create_database(NewDatabase("second", "uint32", "uuid", workspace="second"))
    keys = {role: control.create_account("service", f"service-{role}", role) for role in ROLES}
    keys["limited"] = control.create_account("service", "service-limited", "backend", limits=[second.id])
    control.create_account(
        "individual", "Ada@Example.org", "manager", PASSWORD, first_name="Ada", last_name="Lovelace"
    )
    return House(layout, settings, control, shop.id, second.id, clock, keys)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """An installation that is served; the tests of one module share it."""
    clock = Clock()
    settings = Settings(serving=Serving(crossing_minds_hosts=("api.shop.test",)))
    made = build(tmp_path_factory.mktemp("house"), clock, settings)
    with made.control, serving(Endpoint(made.layout, settings, clock=clock)) as made.url:
        yield made
