"""A workspace with a made-up run, and endpoints on real ports."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.synthetic_run import write_run
from contracts.settings import Settings
from serving.app import Endpoint
from store.journal import Journal
from store.layout import Layout
from tests.serving.served import serving

PROFILES, ITEMS, WIDTH = 120, 70, 10
Serve = Callable[..., AbstractContextManager[httpx.Client]]


@dataclass
class Workspace:
    """A workspace whose run r1 is published."""

    layout: Layout
    settings: Settings
    journal: Journal

    def add_run(self, run_id: str, seed: int, *, promote: bool = True) -> None:
        """Write another run; with ``promote`` it holds everything written so far."""
        watermark = self.journal.last_seq()
        write_run(self.layout, run_id, PROFILES, ITEMS, WIDTH, seed, self.settings)
        self.journal.record_run(run_id, "building")
        if promote:
            self.journal.promote(run_id, watermark, "test")

    def key(self, role: Any) -> dict[str, str]:
        """Headers with a new key."""
        return {"Authorization": f"Bearer {self.journal.create_key(role, 'test')}"}


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    settings = Settings()
    settings = dataclasses.replace(settings, serving=dataclasses.replace(settings.serving, max_body_bytes=200_000))
    layout = Layout(tmp_path)
    layout.create()
    with Journal.open(layout, settings) as journal:
        made = Workspace(layout, settings, journal)
        made.add_run("r1", seed=1)
        yield made


@pytest.fixture
def serve(workspace: Workspace) -> Serve:
    """``with serve(role="read", hot=False) as client``: an endpoint and a client with a key of that role."""

    @contextmanager
    def start(role: str = "write", **options: Any) -> Iterator[httpx.Client]:
        endpoint = Endpoint(workspace.layout, workspace.settings, **options)
        with (
            serving(endpoint) as address,
            httpx.Client(base_url=address, headers=workspace.key(role), timeout=20) as client,
        ):
            yield client

    return start
