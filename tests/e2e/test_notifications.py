"""A serving process that is killed, and a receiver that fails at first: each fact is told, repeats bear the same id."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from contracts.settings import Settings
from store.journal import Journal, documents, keys, outbox
from store.layout import Layout
from tests.store.receiver import receiving

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = "[webhooks]\nallow_loopback = true\n"


@contextmanager
def served(home: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A real endpoint process; killed at the end."""
    environment = {**os.environ, "NIGHTLOOM_HOME": str(home), "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "serve", "--port", str(port)], env=environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                httpx.get(f"http://127.0.0.1:{port}/health", timeout=2)
                break
            except httpx.TransportError:
                time.sleep(0.1)
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.server
@pytest.mark.slow
def test_each_tag_is_told_across_kills_of_the_server(tmp_path: Path) -> None:
    home, kills, each = tmp_path / "home", 3, 60
    (home / "definitions").mkdir(parents=True)
    (home / "definitions" / "settings.toml").write_text(SETTINGS)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (
        receiving(tmp_path / "receiver.log") as receiver,
        Journal.open(Layout(home), Settings()) as journal,
    ):
        with journal.writing() as connection:
            now = journal.clock()
            pair = keys.create_pair(connection, "test", now)
            account = json.dumps({"webhook_url": receiver.url()})
            documents.put(connection, "octy_account", "account", account, "test", now)
        token = base64.b64encode(":".join(pair).encode()).decode()
        headers = {"Authorization": token}
        url = f"http://127.0.0.1:{port}/octy/v1/retention"
        for round_ in range(kills):
            with served(home, port), httpx.Client(base_url=url, headers=headers, timeout=30) as client:
                if round_ == 0:
                    made = client.post("/segments/create", json={
                        "segment_name": "complained", "segment_type": "live", "segment_sub_type": 1,
                        "segment_timeframe": 0, "event_sequence": [{
                            "event_type": "complaint", "exp_timeframe": 0, "action_inaction": "action",
                            "event_properties": None,
                        }],
                    })
                    assert made.status_code == 201, made.text
                names = [f"c-{round_}-{number}" for number in range(each)]
                profiles = [
                    {"customer_id": name, "has_charged": False, "profile_data": {"a": 1}, "platform_info": {"b": 1}}
                    for name in names
                ]
                assert client.post("/profiles/create", json={"profiles": profiles}).status_code == 201
                events = [
                    {"event_type": "complaint", "profile_id": name, "event_properties": {"channel": "mail"}}
                    for name in names
                ]
                assert client.post("/events/create/batch", json={"events": events}).status_code == 201
                time.sleep(0.4 + 0.2 * round_)  # killed while it delivers
        with served(home, port):
            until = time.monotonic() + 60
            while time.monotonic() < until:
                with journal.reading() as connection:
                    stored = outbox.listed(connection)
                if all(one.status == "delivered" for one in stored):
                    break
                time.sleep(0.2)
        assert len(stored) == kills * each
        assert {one.status for one in stored} == {"delivered"}
        told = [(one["headers"]["X-Nightloom-Delivery"], json.loads(one["body"])["body"]["profile_id"])
                for one in receiver.got()]
        assert len(set(told)) == kills * each == len({profile for _, profile in told})
