"""Events through the retention dialect, each durable before its answer, one by one and in batches of 500, with and
without live segments; beside an ASGI application on the same server that reads the request and answers a constant of
the same size, and beside the journal alone.

    python -m benchmarks.account_events --seconds 8
"""

from __future__ import annotations

import argparse
import base64
import os
import random
import socket
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from benchmarks.serving import CONNECTIONS, CONSTANT, Load, free_port, measure, post, server
from benchmarks.synthetic_run import write_run
from contracts.settings import Settings
from serving.octy.events import Event
from store.journal import Journal, keys, utc_now
from store.layout import Layout

BATCH, BATCHES = 500, 40
PROFILES, ITEMS = 20_000, 2_000
BELOW = "/octy/v1/retention"
SEGMENTS = 10


async def constant(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """The reference: reads the request, answers ``CONSTANT`` bytes."""
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    while (await receive()).get("more_body"):
        pass
    body = b"x" * int(os.environ[CONSTANT])
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 201, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def event(dice: random.Random) -> dict[str, Any]:
    """One event of a known profile, in time for live segments."""
    return {
        "event_type": "login", "profile_id": f"c-{dice.randrange(PROFILES)}",
        "event_properties": {"device": dice.choice(("ios", "web")), "page": f"/p/{dice.randrange(1000)}"},
    }


def segment(number: int) -> dict[str, Any]:
    """A live segment: the even ones match every other event, the odd ones open an episode that a purchase ends."""
    action = {"event_type": "login", "exp_timeframe": 0, "action_inaction": "action",
              "event_properties": {"device": "ios", "page": f"/p/{number}"} if number else {"device": "ios"}}
    sequence = [action]
    if number % 2:
        action["exp_timeframe"] = 60
        sequence.append({"event_type": "charged", "exp_timeframe": 0, "action_inaction": "inaction",
                         "event_properties": None})
    return {
        "segment_name": f"segment {number}", "segment_type": "live", "segment_sub_type": 1 + number % 2,
        "segment_timeframe": 0, "event_sequence": sequence,
    }


def answer_size(port: int, request: bytes) -> int:
    """Bytes of the body that a request is answered."""
    with socket.create_connection(("127.0.0.1", port)) as once:
        once.sendall(request)
        got = b""
        while b"\r\n\r\n" not in got:
            got += once.recv(1 << 16)
        head, _, body = got.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
        assert head.split(b" ")[1] == b"201", got
        while len(body) < length:
            body += once.recv(1 << 16)
        return length


def show(name: str, seen: Load, spent: float, each: int, reference: tuple[Load, float] | None) -> None:
    """One line of the table; ``each``: events of a request."""
    p50, p99, _ = seen.milliseconds
    share = ""
    if reference is not None:
        share = f"{seen.rate / reference[0].rate:6.2f} {p99 / reference[0].milliseconds[1]:7.1f} x"
    print(f"{name:44} {seen.rate:9.0f} {seen.rate * each:10.0f} {spent:10.0f} {p50:8.2f} {p99:8.2f} {seen.errors:6}  "
          f"{share}", flush=True)


def in_journal(layout: Layout, settings: Settings, size: int, seconds: float) -> float:
    """Events a second that the journal alone takes, each transaction of ``size`` on disk before the next."""
    with Journal.open(layout, settings) as journal:
        number, until, began = 0, time.perf_counter() + seconds, time.perf_counter()
        while time.perf_counter() < until:
            at = utc_now().replace(microsecond=0)
            journal.append([
                Event(f"event_{number + one:032x}", "visit", "visit", f"profile_{one}", {"page": "/"}, at).write()
                for one in range(size)
            ])
            number += size
        return number / (time.perf_counter() - began)


def main() -> None:
    """Serve, drive, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8.0)
    seconds = parser.parse_args().seconds
    dice = random.Random(0)
    print(f"{'':44} {'req/s':>9} {'events/s':>10} {'CPU us':>10} {'p50 ms':>8} {'p99 ms':>8} {'errors':>6}  of the "
          "reference: req/s, p99")
    for segments in (0, SEGMENTS):
        with tempfile.TemporaryDirectory() as folder:
            home, settings = Path(folder), Settings()
            (home / "definitions").mkdir()
            layout = Layout(home)
            layout.create()
            write_run(layout, "r1", PROFILES, ITEMS, 10, 0)
            with Journal.open(layout, settings) as journal:
                journal.record_run("r1", "building")
                journal.promote("r1", 0, "benchmark")
                with journal.writing() as connection:
                    pair = keys.create_pair(connection, "benchmark", journal.clock())
            token = base64.b64encode(":".join(pair).encode()).decode()
            one_by_one = [asked(token, "events/create", event(dice)) for _ in range(5000)]
            batches = [
                asked(token, "events/create/batch", {"events": [event(dice) for _ in range(BATCH)]})
                for _ in range(BATCHES)
            ]
            port = free_port()
            with server(["-m", "cli.main", "serve", "--port", str(port)], {"NIGHTLOOM_HOME": str(home)}, port) as (
                ours, _,
            ):
                configure(port, token, segments)
                for name, requests, each, connections in (
                    ("one event", one_by_one, 1, CONNECTIONS), ("batch of 500, 4 at once", batches, BATCH, 4),
                ):
                    reference = against(port, requests, seconds, connections) if not segments else None
                    if reference is not None:
                        show(f"constant answer to {name}", *reference, each, None)
                    seen, spent = measure(ours, port, requests, seconds, connections)
                    show(f"{name}, {segments} live segments", seen, spent, each, reference)
            if not segments:
                for size in (1, BATCH):
                    rate = in_journal(layout, settings, size, seconds)
                    print(f"journal alone, transactions of {size}: {rate:,.0f} events/s", flush=True)


def asked(token: str, path: str, body: dict[str, Any]) -> bytes:
    """A request with a key pair."""
    return post(f"{BELOW}/{path}", token, body).replace(b"Authorization: Bearer ", b"Authorization: Basic ", 1)


def against(port: int, requests: list[bytes], seconds: float, connections: int) -> tuple[Load, float]:
    """The reference under the same requests, with an answer of the size of ours."""
    other, size = free_port(), answer_size(port, requests[0])
    uvicorn = ["-m", "uvicorn", "benchmarks.account_events:constant", "--port", str(other)]
    uvicorn += ["--no-access-log", "--no-proxy-headers", "--log-level", "warning"]
    with server(uvicorn, {CONSTANT: str(size)}, other) as (process, _):
        return measure(process, other, requests, seconds, connections)


def configure(port: int, token: str, segments: int) -> None:
    """Define the event type and the segments."""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}{BELOW}", headers={"Authorization": token}) as client:
        kinds = [{"event_type": "login", "event_properties": ["device", "page"]}]
        client.post("/events/types/create", json={"event_types": kinds}).raise_for_status()
        for number in range(segments):
            made = client.post("/segments/create", json=segment(number))
            assert made.status_code == 201, made.text


if __name__ == "__main__":
    main()
