"""``nightloom serve`` as a process: several workers, kills, nothing acknowledged lost."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from tests.serving.conftest import Workspace

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def command(workspace: Workspace, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The command on a free port, ready to answer."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (workspace.layout.home / "definitions").mkdir(exist_ok=True)
    environment = {**os.environ, "NIGHTLOOM_HOME": str(workspace.layout.home)}
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "serve", "--port", str(port), *arguments],
        env=environment,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        give_up = time.monotonic() + 40
        while True:
            assert process.poll() is None and time.monotonic() < give_up
            try:
                assert httpx.get(f"{address}/ready").status_code == 200
                break
            except httpx.TransportError:
                time.sleep(0.02)
        yield process, address
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.server
def test_acknowledged_events_survive_a_kill(workspace: Workspace) -> None:
    headers = workspace.key("write")
    acknowledged: list[str] = []

    def write(address: str, name: str) -> None:
        with httpx.Client(base_url=address, headers=headers) as client:
            for number in range(100_000):
                event = {"event_type": "charged", "profile_id": "c-1", "event_id": f"{name}-{number}"}
                try:
                    answer = client.post("/v1/events", json=event)
                except httpx.TransportError:
                    return
                assert answer.status_code == 201
                acknowledged.append(event["event_id"])

    with command(workspace) as (process, address):
        writers = [threading.Thread(target=write, args=(address, name)) for name in "abcd"]
        for writer in writers:
            writer.start()
        while len(acknowledged) < 200:
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
        for writer in writers:
            writer.join()
    journal = workspace.journal
    stored = [write.event_id for batch in journal.writes_between(0, journal.last_seq()) for write in batch]
    assert set(acknowledged) <= set(stored) and len(stored) == len(set(stored))


@pytest.mark.server
def test_workers_see_each_others_writes_and_stop_cleanly(workspace: Workspace) -> None:
    headers = workspace.key("write")
    with command(workspace, "--workers", "2") as (process, address):
        for number in range(12):  # each request opens a connection, so it may meet either worker
            listed = httpx.get(f"{address}/v1/recommendations/profiles/c-{number}?amt=1", headers=headers).json()[
                "items"
            ]
            event = {"event_type": "charged", "profile_id": f"c-{number}", "item_id": listed[0]["item_id"]}
            assert httpx.post(f"{address}/v1/events", headers=headers, json=event).status_code == 201
            for _ in range(4):
                again = httpx.get(f"{address}/v1/recommendations/profiles/c-{number}?amt=1", headers=headers).json()[
                    "items"
                ]
                assert again != listed
        text = httpx.get(f"{address}/metrics").text
        assert 'nightloom_requests_total{route="recommendations_profile",status="2xx"} 60.0' in text
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) in (0, -signal.SIGTERM)
