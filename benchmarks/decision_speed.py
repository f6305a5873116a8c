"""Decisions and goals, durable before the answer, beside the native events route and a constant answer.

    python benchmarks/decision_speed.py --seconds 8

One worker process, 32 connections over the loopback, the client in a process of its own. The reference answers a
constant body of the same size from the same server. Seconds on a shared machine say little; the ratios and the CPU time
per request say more.
"""

from __future__ import annotations

import argparse
import random
import socket
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.serving import CONSTANT, free_port, measure, post, row, server  # noqa: E402
from benchmarks.synthetic_run import write_run  # noqa: E402
from contracts.settings import Settings  # noqa: E402
from store.journal import Journal  # noqa: E402
from store.journal.keys import create_agent_key  # noqa: E402
from store.layout import Layout  # noqa: E402

PROFILES, ITEMS = 1000, 200


def asked(path: str, key: str) -> bytes:
    """One request of a client of the dialect."""
    head = f"GET /conductrics/default/{path} HTTP/1.1\r\nHost: localhost\r\n"
    return f"{head}x-mpath-apikey: {key}\r\n\r\n".encode()


def compare(home: Path, native: str, key: str, seconds: float, sessions: int) -> None:
    """Print one line for each kind of request."""
    dice = random.Random(0)

    def anybody() -> str:
        return f"s-{dice.randrange(sessions)}"

    fresh = [asked(f"home/decision?session=f-{at}", key) for at in range(400_000)]
    known = [asked(f"home/decision?session={anybody()}&features=vip,age:{at % 90}", key) for at in range(20_000)]
    several = [asked(f"home/decisions/v:a,b,c/w:d,e?point=two&session={anybody()}", key) for _ in range(20_000)]
    goals = [asked(f"home/goal?session={anybody()}&reward=2.5", key) for _ in range(20_000)]
    mixed = [dice.choice((known, known, several, goals))[at] for at in range(20_000)]
    expired = [asked(f"home/expire?session={anybody()}", key) for _ in range(20_000)]
    events = [post("/v1/events", native, {"event_type": "charged", "profile_id": f"c-{at % PROFILES}",
                                          "item_id": f"i-{at % ITEMS:07d}"}) for at in range(5000)]
    port, other = free_port(), free_port()
    heads = f"{'req/s':>9} {'CPU us':>8} {'p50 ms':>8} {'p99 ms':>8} {'max ms':>8} {'errors':>6}"
    print(f"{'':38} {heads}   of the reference: req/s, p99, CPU")
    serve = ["-m", "cli.main", "serve", "--port", str(port)]
    uvicorn = ["-m", "uvicorn", "benchmarks.serving:constant", "--port", str(other)]
    uvicorn += ["--no-access-log", "--no-proxy-headers", "--log-level", "warning"]
    with server(serve, {"NIGHTLOOM_HOME": str(home)}, port) as (ours, _):
        with socket.create_connection(("127.0.0.1", port)) as once:
            once.sendall(known[0])
            time.sleep(0.5)
            size = len(once.recv(1 << 20).partition(b"\r\n\r\n")[2])
        with server(uvicorn, {CONSTANT: str(size)}, other) as (reference, _):
            constants = measure(reference, other, known, seconds)
        row(f"reference, {size} bytes", *constants, None)
        row("event of the native route", *measure(ours, port, events, seconds), constants)
        row("decision, fresh sessions", *measure(ours, port, fresh, seconds), constants)
        row(f"decision, {sessions:,} sessions", *measure(ours, port, known, seconds), constants)
        row("two decisions at once", *measure(ours, port, several, seconds), constants)
        row("goal", *measure(ours, port, goals, seconds), constants)
        row("decisions and goals mixed", *measure(ours, port, mixed, seconds), constants)
        row("expire", *measure(ours, port, expired, seconds), constants)


def main() -> None:
    """Make a workspace with a run, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--sessions", type=int, default=20_000)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "definitions").mkdir()
        layout = Layout(home)
        layout.create()
        write_run(layout, "r1", PROFILES, ITEMS, 10, seed=1)
        with Journal.open(layout, Settings()) as journal:
            journal.record_run("r1", "building")
            journal.promote("r1", 0, "benchmark")
            with journal.writing() as connection:
                key = create_agent_key(connection, "runtime", "benchmark", journal.clock())
            compare(home, journal.create_key("write", "benchmark"), key, chosen.seconds, chosen.sessions)


if __name__ == "__main__":
    main()
