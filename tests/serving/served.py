"""An endpoint on a free port, and a clock that it may go by."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn

from serving.app import Endpoint

START = 1_900_000_000.0  # after anything that a test does by the real clock


@dataclass
class Clock:
    """Time that stands still until it is moved; the endpoint and its control journal read it."""

    now: float = START

    def __call__(self) -> float:
        return self.now


@contextmanager
def serving(endpoint: Endpoint) -> Iterator[str]:
    """Serve an endpoint on a free port, in a thread; gives its address."""
    config = uvicorn.Config(
        endpoint, log_level="warning", access_log=False, lifespan="on", ws="none", timeout_graceful_shutdown=2
    )
    server = uvicorn.Server(config)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        try:
            give_up = time.monotonic() + 20
            while not server.started and thread.is_alive() and time.monotonic() < give_up:
                time.sleep(0.005)
            assert server.started
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)
