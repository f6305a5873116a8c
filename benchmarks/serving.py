"""The endpoint beside a reference: an ASGI application on the same server whose answer is constant, of the same size.

Both are driven by the same client over the loopback, with the same connections. Seconds on a shared machine say little;
the ratios and the CPU time per request say more.

    python benchmarks/serving.py --profiles 100000 --seconds 8
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

ITEMS, AMOUNT, CONNECTIONS = 20_000, 20, 32
CONSTANT = "NIGHTLOOM_BENCHMARK_BYTES"


async def constant(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """The reference: ``CONSTANT`` bytes, whatever is asked."""
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    body = _constant_body()
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))],
        }
    )
    await send({"type": "http.response.body", "body": body})


_body = b""


def _constant_body() -> bytes:
    global _body  # noqa: PLW0603
    _body = _body or b"x" * int(os.environ[CONSTANT])
    return _body


@dataclass(frozen=True)
class Load:
    """What a client measured: ``milliseconds`` are the 50 %, 99 % and longest times, ``seconds_of`` per second."""

    requests: int
    errors: int
    seconds: float
    milliseconds: tuple[float, float, float]
    seconds_of: tuple[int, ...]

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


class _Connection(asyncio.Protocol):
    """Sends the next request when the last was answered."""

    def __init__(self, client: _Client) -> None:
        self.client = client
        self.buffer = b""
        self.sent = 0.0
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.next()

    def next(self) -> None:
        self.sent = time.perf_counter()
        self.transport.write(self.client.request())

    def data_received(self, data: bytes) -> None:
        self.buffer = self.buffer + data if self.buffer else data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        at = self.buffer.find(b"content-length: ")
        length = int(self.buffer[at + 16 : self.buffer.index(b"\r", at)])
        if len(self.buffer) < end + 4 + length:
            return
        self.client.took(self.buffer[9:10] == b"2", self.sent)
        self.buffer = b""
        if time.perf_counter() < self.client.until:
            self.next()
        else:
            self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self.client.open -= 1
        if error is not None:
            self.client.errors += 1


class _Client:
    def __init__(self, request: Callable[[], bytes], seconds: float, connections: int) -> None:
        self.request = request
        self.began = time.perf_counter()
        self.until = self.began + seconds
        self.times: list[float] = []
        self.done: list[float] = []
        self.errors = 0
        self.open = connections

    def took(self, good: bool, sent: float) -> None:
        now = time.perf_counter()
        self.times.append(now - sent)
        self.done.append(now - self.began)
        self.errors += not good


def drive(port: int, requests: list[bytes], seconds: float, connections: int, queue: Any) -> None:
    """Run in a process of its own; each connection asks again as soon as it was answered."""
    import uvloop

    dice = random.Random(0)

    async def run() -> Load:
        client = _Client(lambda: dice.choice(requests), seconds, connections)
        for _ in range(connections):
            await asyncio.get_running_loop().create_connection(lambda: _Connection(client), "127.0.0.1", port)
        while client.open:
            await asyncio.sleep(0.05)
        times = sorted(client.times)
        spent = max(client.done)
        per_second = tuple(sum(1 for done in client.done if int(done) == second) for second in range(int(seconds)))
        marks = (times[len(times) // 2] * 1e3, times[int(len(times) * 0.99)] * 1e3, times[-1] * 1e3)
        return Load(len(times), client.errors, spent, marks, per_second)

    queue.put(uvloop.run(run()))


def load(port: int, requests: list[bytes], seconds: float, connections: int = CONNECTIONS) -> Load:
    """Drive a server from another process."""
    queue: Any = multiprocessing.Queue()
    process = multiprocessing.Process(target=drive, args=(port, requests, seconds, connections, queue))
    process.start()
    result: Load = queue.get()
    process.join()
    return result


def get(path: str, key: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n\r\n".encode()


def post(path: str, key: str, body: Any) -> bytes:
    content = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content


@contextmanager
def server(
    arguments: list[str], environment: dict[str, str], port: int
) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """A server process and the seconds until it listened."""
    began = time.perf_counter()
    told = {**os.environ, **environment}
    process = subprocess.Popen([sys.executable, *arguments], env=told, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                if process.poll() is not None:
                    raise SystemExit("the server did not start") from None
                time.sleep(0.005)
        yield process, time.perf_counter() - began
    finally:
        process.terminate()
        process.wait()


def cpu(process: subprocess.Popen[bytes]) -> float:
    """CPU seconds a process has used."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def measure(
    process: subprocess.Popen[bytes], port: int, requests: list[bytes], seconds: float, connections: int = CONNECTIONS
) -> tuple[Load, float]:
    """Warm up, drive, and return what the client saw and the server's CPU microseconds per request."""
    load(port, requests, min(1.0, seconds), connections)
    before = cpu(process)
    seen = load(port, requests, seconds, connections)
    return seen, (cpu(process) - before) / max(1, seen.requests) * 1e6


def row(name: str, seen: Load, spent: float, reference: tuple[Load, float] | None) -> None:
    p50, p99, longest = seen.milliseconds
    ratio = ""
    if reference:
        constants, constant_spent = reference
        shares = (seen.rate / constants.rate, p99 / constants.milliseconds[1], constant_spent / spent)
        ratio = "  ".join(f"{share:6.2f}" for share in shares)
    measured = f"{seen.rate:9.0f} {spent:8.1f} {p50:8.2f} {p99:8.2f} {longest:8.1f} {seen.errors:6}"
    print(f"{name:38} {measured}   {ratio}", flush=True)


def main() -> None:
    from benchmarks.synthetic_run import write_run
    from contracts.settings import Settings
    from store.journal import Journal
    from store.layout import Layout

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profiles", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=8.0)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "definitions").mkdir()
        layout = Layout(home)
        layout.create()
        for number, run_id in enumerate(("r1", "r2")):
            write_run(layout, run_id, chosen.profiles, ITEMS, AMOUNT, seed=number)
        with Journal.open(layout, Settings()) as journal:
            for run_id in ("r1", "r2"):
                journal.record_run(run_id, "building")
            journal.promote("r1", 0, "benchmark")
            compare(home, journal, journal.create_key("write", "benchmark"), chosen.profiles, chosen.seconds)


def compare(home: Path, journal: Any, key: str, profiles: int, seconds: float) -> None:
    dice = random.Random(1)
    asked = [f"c-{dice.randrange(profiles)}" for _ in range(5000)]
    lists = [get(f"/v1/recommendations/profiles/{profile}?amt={AMOUNT}", key) for profile in asked]
    everybody = [
        get(f"/v1/recommendations/profiles/c-{dice.randrange(profiles)}?amt={AMOUNT}", key) for _ in range(profiles)
    ]
    port, other = free_port(), free_port()
    size = 0
    heads = f"{'req/s':>9} {'CPU us':>8} {'p50 ms':>8} {'p99 ms':>8} {'max ms':>8} {'errors':>6}"
    print(f"{'':38} {heads}   of the reference: req/s, p99, CPU")
    with server(["-m", "cli.main", "serve", "--port", str(port)], {"NIGHTLOOM_HOME": str(home)}, port) as (
        ours,
        started,
    ):
        with socket.create_connection(("127.0.0.1", port)) as once:
            once.sendall(lists[0])
            time.sleep(0.3)
            size = len(once.recv(1 << 20).partition(b"\r\n\r\n")[2])
        uvicorn = ["-m", "uvicorn", "benchmarks.serving:constant", "--port", str(other)]
        uvicorn += ["--no-access-log", "--no-proxy-headers", "--log-level", "warning"]
        with server(uvicorn, {CONSTANT: str(size)}, other) as (reference, _):
            constants = measure(reference, other, lists, seconds)
            row(f"reference, {size} bytes", *constants, None)
            row("list, any of all profiles", *measure(ours, port, everybody, seconds), constants)
            row("list, 5,000 profiles again and again", *measure(ours, port, lists, seconds), constants)
            again = measure(reference, other, lists, seconds)
            row("reference again", *again, constants)
        stop = threading.Event()
        publisher = threading.Thread(target=publish_over_and_over, args=(journal, stop))
        publisher.start()
        swapped = measure(ours, port, lists, seconds)
        stop.set()
        publisher.join()
        row("the same while runs are published", *swapped, constants)
        per_second = sorted(swapped[0].seconds_of)
        slowest = per_second[0] / (per_second[len(per_second) // 2] or 1)
        items = [[f"i-{dice.randrange(ITEMS):07d}" for _ in range(20)] for _ in range(500)]
        sessions = [post("/v1/recommendations/sessions", key, {"items": session, "amt": AMOUNT}) for session in items]
        row("session of 20 items", *measure(ours, port, sessions, seconds), constants)
        asks = [{"profile_ids": dice.sample(asked, 100), "amt": AMOUNT} for _ in range(100)]
        batches = [post("/v1/recommendations/batch", key, body) for body in asks]
        row("batch of 100 profiles, 4 at once", *measure(ours, port, batches, seconds, 4), constants)
        bought = [(profile, f"i-{dice.randrange(ITEMS):07d}") for profile in asked]
        bodies = [{"event_type": "charged", "profile_id": profile, "item_id": item} for profile, item in bought]
        events = [post("/v1/events", key, body) for body in bodies]
        row("event, durable before the answer", *measure(ours, port, events, seconds), constants)
        print(
            f"\nlistening after {started:.2f} s; slowest second while runs were published: {slowest:.2f} of the median"
        )


def publish_over_and_over(journal: Any, stop: threading.Event) -> None:
    """Promote the other run every 0.7 s."""
    number = 0
    while not stop.wait(0.7):
        number += 1
        journal.promote(f"r{number % 2 + 1}", 0, "benchmark")


if __name__ == "__main__":
    main()
