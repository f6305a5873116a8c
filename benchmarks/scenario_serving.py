"""Lookups under scenarios through the Crossing Minds dialect, beside a constant ASGI answer on the same server.

    python -m benchmarks.scenario_serving --profiles 100000 --seconds 8

A made-up run with 64 stored cases (filters, exclusions, one reranking by diversity each), materialized; every request
carries a token. Measured: rows of any profile and of profiles that come back; the same while runs are promoted; an
evaluation of five filters, one reranking and the exclusion of the history, which no row is of; a session of 20 items.
"""

from __future__ import annotations

import argparse
import json
import random
import socket
import tempfile
import threading
import time
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from benchmarks.scenarios import PROPERTIES, documents
from benchmarks.serving import (
    AMOUNT,
    CONSTANT,
    ITEMS,
    free_port,
    get,
    measure,
    post,
    publish_over_and_over,
    row,
    server,
)
from benchmarks.synthetic_run import write_run
from contracts.progress import Silent
from contracts.settings import Pipeline, Scenarios, Settings
from flows.stages.materialize import materialize
from store import scenario_documents
from store.control import Control, NewDatabase
from store.journal import Journal
from store.layout import Layout

BASE = "/crossing-minds/v1/recommendation"
DYNAMIC = (
    "filters=year:gte:1951&filters=stock:gt:4&filters=genres:notin:g4&filters=used:neq:true&filters=weight:lt:91.5"
    "&reranking=genres:diversity:0.6&exclude_rated_items=true"
)


def made(home: Path, profiles: int, cases: int) -> str:
    """Two runs with their rows and the scenarios in the journal; gives the key of an account."""
    (home / "definitions").mkdir()
    layout = Layout(home)
    layout.create()
    settings = Settings(pipeline=Pipeline(threads=2), scenarios=Scenarios(max_rows=cases + 1))
    stored = documents(cases)
    for number, run_id in enumerate(("r1", "r2")):
        target = write_run(layout, run_id, profiles, ITEMS, 50, seed=number, settings=settings, properties=PROPERTIES)
        began = time.perf_counter()
        outcome = materialize(target, stored, settings, Silent())
        print(f"{outcome.rows:,} rows of {run_id} materialized in {time.perf_counter() - began:.1f} s")
    with Journal.open(layout, settings) as journal:
        with journal.writing() as connection:
            for definition in stored.graph.definitions.values():
                scenario_documents.put(connection, definition, "benchmark", journal.clock())
        for run_id in ("r1", "r2"):
            journal.record_run(run_id, "building")
        journal.promote("r1", 0, "benchmark")
    with Control.open(layout) as control:
        control.create_database(NewDatabase("shop", "urlsafe64", "urlsafe64", workspace="default"))
        return control.create_account("service", "benchmark", "backend")


def token(port: int, key: str) -> str:
    body = json.dumps({"name": "benchmark", "password": key, "db_name": "shop"}).encode()
    url = f"http://127.0.0.1:{port}/crossing-minds/v1/login/service/"
    with urlopen(Request(url, body, {"Content-Type": "application/json"})) as answer:
        return str(json.load(answer)["token"])


def compare(home: Path, key: str, profiles: int, seconds: float) -> None:
    dice = random.Random(1)
    port, other = free_port(), free_port()
    heads = f"{'req/s':>9} {'CPU us':>8} {'p50 ms':>8} {'p99 ms':>8} {'max ms':>8} {'errors':>6}"
    print(f"{'':38} {heads}   of the reference: req/s, p99, CPU")
    with server(["-m", "cli.main", "serve", "--port", str(port)], {"NIGHTLOOM_HOME": str(home)}, port) as (ours, _):
        bearer = token(port, key)

        def users(query: str, people: list[int]) -> list[bytes]:
            return [get(f"{BASE}/users/c-{person}/items/?{query}", bearer) for person in people]

        anybody = [dice.randrange(profiles) for _ in range(profiles)]
        some = anybody[:5000]
        rows = f"scenario=case04&amt={AMOUNT}"
        with socket.create_connection(("127.0.0.1", port)) as once:
            once.sendall(users(rows, some)[0])
            time.sleep(0.5)
            answer = json.loads(once.recv(1 << 20).partition(b"\r\n\r\n")[2])
        assert answer["metadata"]["source"] == "row", answer
        uvicorn = ["-m", "uvicorn", "benchmarks.serving:constant", "--port", str(other)]
        uvicorn += ["--no-access-log", "--no-proxy-headers", "--log-level", "warning"]
        size = len(json.dumps(answer, separators=(",", ":")))
        with server(uvicorn, {CONSTANT: str(size)}, other) as (reference, _):
            constants = measure(reference, other, users(rows, some), seconds)
            row(f"reference, {size} bytes", *constants, None)
            row("row of a case, any profile", *measure(ours, port, users(rows, anybody), seconds), constants)
            row("row of a case, 5,000 profiles", *measure(ours, port, users(rows, some), seconds), constants)
            evaluated = users(f"{DYNAMIC}&amt={AMOUNT}", anybody)
            row("5 filters, diversity, history", *measure(ours, port, evaluated, seconds), constants)
            row("the same, 8 connections", *measure(ours, port, evaluated, seconds, 8), constants)
            sessions = [session(dice, bearer) for _ in range(2000)]
            row("session of 20 items", *measure(ours, port, sessions, seconds), constants)
            row("the same, 8 connections", *measure(ours, port, sessions, seconds, 8), constants)
        stop = threading.Event()
        with Journal.open(Layout(home), Settings()) as journal:
            publisher = threading.Thread(target=publish_over_and_over, args=(journal, stop))
            publisher.start()
            swapped = measure(ours, port, users(rows, some), seconds)
            stop.set()
            publisher.join()
        row("rows while runs are promoted", *swapped, constants)
        per_second = sorted(swapped[0].seconds_of)
        print(f"slowest second meanwhile: {per_second[0] / (per_second[len(per_second) // 2] or 1):.2f} of the median")


def session(dice: random.Random, bearer: str) -> bytes:
    items = [f"i-{dice.randrange(ITEMS):07d}" for _ in range(20)]
    rows: list[dict[str, Any]] = [{"item_id": item, "interaction_type": "view"} for item in items]
    return post(f"{BASE}/sessions/items/", bearer, {"interactions": rows, "amt": AMOUNT, "exclude_rated_items": True})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profiles", type=int, default=100_000)
    parser.add_argument("--cases", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=8.0)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        key = made(Path(folder), chosen.profiles, chosen.cases)
        compare(Path(folder), key, chosen.profiles, chosen.seconds)


if __name__ == "__main__":
    main()
