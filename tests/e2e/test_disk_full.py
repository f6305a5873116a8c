"""A disk that refuses, for real: no file may grow beyond a size, from the start or from some stage on."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.children import Ended, limit_files
from benchmarks.kills import house_is_tidy
from store import analytics
from store.definitions import load_settings
from store.journal import Journal
from store.layout import Layout
from tests.e2e.conftest import facts, night, pointer, statuses

pytestmark = [pytest.mark.slow]
ROOM = 3000
"""Bytes that a file may have once the disk is called full: no table, array, database or page of the shop is so
small.
"""


def full_from(stage: str) -> None:
    """From this stage of the night on no file may grow beyond ``ROOM``."""
    import flows.night

    bordered = flows.night.bordered

    def limited(*arguments: Any) -> Any:
        step = bordered(*arguments)

        def run(name: str, work: Callable[[], Any], *, retries: int = 0) -> Any:
            if name == stage:
                limit_files(ROOM)
            return step(name, work, retries=retries)

        return run

    flows.night.bordered = limited


def refused(ended: Ended, home: Path) -> None:
    """A plain message that says what stopped and what to try, and the exit code of storage."""
    assert (ended.code, ended.signal) == (6, 0), ended.output
    assert "Traceback" not in ended.output
    message = ended.output[ended.output.rindex("nightloom: ") :]
    assert "\n  try: " in message
    assert "space" in message
    assert str(Layout(home).root) in message or "cannot" in message, message


def test_whatever_does_not_fit_the_next_night_with_room_is_as_if_nothing_had_happened(
    home: Path, undisturbed: dict[str, Any]
) -> None:
    before = pointer(home)
    for size in (20_000, 60_000):
        refused(night(home, partial(limit_files, size)), home)
        assert pointer(home) == before
    for stage in ("drain", "ingest", "check", "train churn", "precompute", "materialize", "stage", "publish"):
        refused(night(home, partial(full_from, stage)), home)
        assert pointer(home) == before, stage
        assert "published" not in statuses(home).get(undisturbed["run"], ""), stage
    refused(night(home, partial(full_from, "views")), home)
    assert pointer(home) == undisturbed["run"]
    assert statuses(home)[undisturbed["run"]] == "published"

    ended = night(home)
    assert ended.code == 0, ended.output
    assert facts(home) == undisturbed
    assert analytics.shown(Layout(home)) == {before: False, undisturbed["run"]: True}
    house_is_tidy(Layout(home))


@contextmanager
def endpoint(home: Path) -> Iterator[tuple[httpx.Client, int]]:
    """``nightloom serve`` on a free port: a client with a key that may write, and the server's process."""
    with Journal.open(Layout(home), load_settings(Layout(home))) as journal:
        key = journal.create_key("write", "test")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (
        subprocess.Popen(
            [sys.executable, "-m", "cli.main", "serve", "--port", str(port)],
            env={**os.environ, "NIGHTLOOM_HOME": str(home)},
            cwd=Path(__file__).resolve().parents[2],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as server,
        httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {key}"}, timeout=30
        ) as client,
    ):
        try:
            give_up = time.monotonic() + 60
            while time.monotonic() < give_up:
                try:
                    if client.get("/ready").status_code == 200:
                        break
                except httpx.TransportError:
                    time.sleep(0.05)
            yield client, server.pid
        finally:
            server.terminate()


def test_an_event_that_does_not_fit_is_refused_and_none_that_was_acknowledged_is_lost(home: Path) -> None:
    def post(number: int) -> httpx.Response:
        return client.post(
            "/v1/events",
            json={
                "event_id": f"event_posted{number:04d}",
                "event_type": "view",
                "profile_id": "somebody",
                "item_id": "sku-1",
                "properties": {"note": "x" * 2000},
            },
        )

    with endpoint(home) as (client, pid):
        acknowledged = [number for number in range(5) if post(number).status_code == 201]
        assert acknowledged == list(range(5))
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (ROOM, resource.RLIM_INFINITY))
        for number in range(5, 10):
            answer = post(number)
            assert answer.status_code == 503, answer.text
            assert answer.json()["error"]["code"] == "storage"
            assert answer.json()["error"]["hint"]
            assert answer.headers["retry-after"]
        assert client.get("/v1/recommendations/profiles/somebody").status_code == 200
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        again = [post(number) for number in range(3, 12)]
        assert [answer.status_code for answer in again] == [201] * 9
        assert [answer.json()["repeated"] for answer in again] == [1, 1, 0, 0, 0, 0, 0, 0, 0]
    with Journal.open(Layout(home), load_settings(Layout(home))) as journal:
        stored = [write.event_id for batch in journal.writes_between(0, journal.last_seq()) for write in batch]
    assert [event_id for event_id in stored if event_id and "posted" in event_id] == [
        f"event_posted{number:04d}" for number in range(12)
    ]
