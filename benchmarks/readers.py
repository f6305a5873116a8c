"""Reads while nights are published and one is rolled back: every lookup and every query must come from one run, whole.

    python -m benchmarks.readers --lookups 100000 --queries 10000

A shop's first night is published, the endpoint started with two workers; then lookup clients and analysts (processes of
their own) read as fast as they can, at least so often and until three more nights are published and one is rolled back.
Afterwards every lookup's answer is held against the Parquet table of the run it named. Exit code 0 only without a
single error or mixed answer; prints counts, the slowest reads and rates.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.kills import deliver, sample, set_seed
from store.definitions import load_settings
from store.journal import Journal
from store.layout import Layout

AMOUNT = 10
ANALYSES = (
    "SELECT count(DISTINCT run_id), count(*) FROM recommendations",
    "SELECT count(DISTINCT (c.run_id, p.run_id)), count(*) FROM churn c JOIN profiles p USING (profile_id)",
    "SELECT count(DISTINCT (r.run_id, i.run_id)), count(*) FROM recommendation_lists r, unnest(r.item_ids) AS "
    "u(item_id) JOIN items i USING (item_id)",
    "SELECT max(n), count(*) FROM (SELECT run_id, profile_id, count(*) AS n FROM history.churn GROUP BY ALL)",
)


def look_up(port: int, key: str, profiles: list[str], amount: int, moved: Any, results: Any) -> None:
    """Ask for lists one after the other, ``amount`` times and until ``moved`` is set; remember what each run said of
    each profile.
    """
    import httpx

    said: dict[tuple[str, str], list[str]] = {}
    errors: list[str] = []
    slowest, started = 0.0, time.perf_counter()
    with httpx.Client(
        base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {key}"}, timeout=30
    ) as client:
        number = 0
        while number < amount or not moved.is_set():
            number += 1
            profile = profiles[number % len(profiles)]
            asked = time.perf_counter()
            answer = client.get(f"/v1/recommendations/profiles/{profile}", params={"amt": AMOUNT})
            slowest = max(slowest, time.perf_counter() - asked)
            if answer.status_code != 200:
                errors.append(f"{answer.status_code} {answer.text[:200]}")
                continue
            body = answer.json()
            items = [item["item_id"] for item in body["items"]]
            if said.setdefault((body["run_id"], profile), items) != items:
                errors.append(f"run {body['run_id']} said two things of {profile}")
    results.put(("lookups", number, time.perf_counter() - started, slowest, errors, said))


def analyse(path: str, amount: int, moved: Any, results: Any) -> None:
    """Open the analysts' file and query it, again and again, ``amount`` times and until ``moved`` is set."""
    errors: list[str] = []
    slowest, started = 0.0, time.perf_counter()
    done = 0
    while done < amount or not moved.is_set():
        with duckdb.connect(path, read_only=True, config={"threads": 1}) as con:
            for query in ANALYSES * 3:
                asked = time.perf_counter()
                try:
                    mixed, rows = con.execute(query).fetchone()  # type: ignore[misc]
                    if mixed != 1 or rows == 0:
                        errors.append(f"{query} answered {mixed}, {rows}")
                except duckdb.Error as error:
                    errors.append(f"{query}: {error}")
                slowest = max(slowest, time.perf_counter() - asked)
                done += 1
    results.put(("queries", done, time.perf_counter() - started, slowest, errors, {}))


def nightloom(home: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments],
        env={**os.environ, "NIGHTLOOM_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"nightloom {' '.join(arguments)}: {done.stderr}")
    return done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lookups", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--profiles", type=int, default=500)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        layout = Layout(home)
        set_seed(home, 0)
        layout.create()
        drops = sample(Path(folder) / "sample", arguments.profiles)
        late = [drop for drop in drops if drop[0] == "events"][-3:]
        deliver(layout, [drop for drop in drops if drop not in late])
        nightloom(home, "run", "--no-prefect")
        with Journal.open(layout, load_settings(layout)) as journal:
            key = journal.create_key("read", "readers")
        with duckdb.connect(str(layout.analytics), read_only=True) as con:
            profiles = [
                row[0] for row in con.execute("SELECT profile_id FROM recommendation_lists ORDER BY 1").fetchall()
            ]
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        environment = {**os.environ, "NIGHTLOOM_HOME": str(home)}
        log = Path(folder) / "endpoint.log"
        with log.open("wb") as output:
            server = subprocess.Popen(
                [sys.executable, "-m", "cli.main", "serve", "--port", str(port), "--workers", "2"],
                env=environment,
                stdout=output,
                stderr=output,
            )
        try:
            _ready(port)
            report = read_and_publish(home, layout, port, key, profiles, late, arguments)
        finally:
            ended = server.poll()
            if ended is not None:
                print(f"the endpoint ended by itself: {ended}", file=sys.stderr)
            server.terminate()
            server.wait()
            print(log.read_text(), file=sys.stderr)
            shutil.rmtree(home / "data" / "inbox", ignore_errors=True)
        print(json.dumps(report, indent=1))
        if report["errors"]:
            raise SystemExit(1)


def read_and_publish(
    home: Path, layout: Layout, port: int, key: str, profiles: list[str], late: list[Any], arguments: argparse.Namespace
) -> dict[str, Any]:
    context = multiprocessing.get_context("spawn")
    results, moved = context.Queue(), context.Event()
    readers = [
        context.Process(target=look_up, args=(port, key, profiles, arguments.lookups // 2, moved, results))
        for _ in range(2)
    ]
    readers.append(context.Process(target=analyse, args=(str(layout.analytics), arguments.queries, moved, results)))
    for reader in readers:
        reader.daemon = True  # a night that fails ends the benchmark, whoever still reads
        reader.start()
    for number, drop in enumerate(late, start=1):
        deliver(layout, [drop])
        set_seed(home, number)
        nightloom(home, "run", "--no-prefect")
        time.sleep(1)
    nightloom(home, "rollback")
    time.sleep(1)
    moved.set()
    gathered = [results.get() for _ in readers]
    for reader in readers:
        reader.join()
    errors = [error for part in gathered for error in part[4]]
    said = {name: items for part in gathered for name, items in part[5].items()}
    errors += compare(layout, said)
    answered_from = {run for run, _ in said}
    published = {path.name for path in layout.runs.iterdir()}
    if answered_from != published:
        errors.append(f"answers came from {sorted(answered_from)}, published were {sorted(published)}")
    return {
        "runs answered from": sorted(answered_from),
        "errors": errors[:20],
        "error count": len(errors),
        "readers": [
            {"kind": kind, "reads": reads, "per second": round(reads / seconds), "slowest ms": round(1000 * slowest, 1)}
            for kind, reads, seconds, slowest, _, _ in gathered
        ],
    }


def compare(layout: Layout, said: dict[tuple[str, str], list[str]]) -> list[str]:
    """Answers that are not the beginning of the list that their own run published."""
    wrong = []
    for run in {run for run, _ in said}:
        path = layout.run(run) / "tables" / "recommendation_lists.parquet"
        published = dict(duckdb.sql(f"SELECT profile_id, item_ids[1:{AMOUNT}] FROM read_parquet('{path}')").fetchall())
        wrong += [f"{profile} of {run}: {items} not {published.get(profile)}"
                  for (of, profile), items in said.items() if of == run and items != published.get(profile)]
    return wrong


def _ready(port: int) -> None:
    import httpx

    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/ready").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise SystemExit("the endpoint did not get ready")


if __name__ == "__main__":
    main()
