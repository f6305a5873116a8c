"""Kills nights and endpoints with SIGKILL at random moments and looks whether anything was lost, doubled or half
published.

    python -m benchmarks.kills --nights 200 --writes 50

Every night works on new drops and a new seed, so there is always a run to make. After each kill the run pointer must
name the run from before or the one being made, and its files must be what its manifest says. At the end one night runs
through: the warehouse must then equal one that was loaded without any kill, the analysts' views name the run that is
served, no folder is left of a run that nobody keeps, and every acknowledged event is in the warehouse exactly once.
Exit code 0 only if all of that holds.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", DO_NOT_TRACK="1", GX_ANALYTICS_ENABLED="false")

from flows.desk import open_desk
from flows.night import Order, Outcome, drain_journal, night
from store import analytics, runs
from store.definitions import load_settings
from store.journal import Journal
from store.layout import Layout
from store.sample import write_sample
from store.warehouse import open_warehouse

SETTINGS = """
[pipeline]
as_of = "last_event"
seed = {seed}
[ingest]
settle_seconds = 0.0
event_types = ["view", "returned"]
[recommendations]
event_weights = {{ charged = 1.0, view = 0.2 }}
factors = 8
[churn]
snapshots = 2
"""


def set_seed(home: Path, seed: int) -> None:
    folder = home / "definitions"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "settings.toml").write_text(SETTINGS.format(seed=seed))


def deliver(layout: Layout, drops: list[tuple[str, Path]]) -> None:
    for entity, path in drops:
        arriving = layout.inbox / entity / f".{path.name}.part"
        shutil.copyfile(path, arriving)
        arriving.replace(arriving.with_name(path.name))


def sample(folder: Path, profiles: int) -> list[tuple[str, Path]]:
    write_sample(folder, profiles=profiles, seed=5)
    return [
        (entity, path) for entity in ("profiles", "items", "events") for path in sorted((folder / entity).iterdir())
    ]


def whole_night(home: Path, force: bool = False) -> Outcome:
    with open_desk(home) as desk:
        return night(desk, Order(force=force))


def contents(layout: Layout) -> dict[str, Any]:
    """What must be equal with and without kills: entity tables (but the dates that are the ingest's own), and what
    was held back.
    """
    with open_warehouse(layout, load_settings(layout).pipeline, read_only=True) as con:
        entities = {
            name: con.execute(
                f"SELECT count(*), sum(('0x' || substr(sha256(to_json(t)::VARCHAR), 1, 15))::UBIGINT::HUGEINT) "
                f"FROM (SELECT * EXCLUDE ({leave}) FROM {name}) AS t"
            ).fetchone()
            for name, leave in {
                "profiles": "created_at, updated_at, load_id, status_at",
                "items": "created_at, updated_at, load_id, status_at",
                "events": "load_id",
            }.items()
        }
        held = con.execute(
            "SELECT file, line, column_name, rule FROM quarantine WHERE resolved_at IS NULL ORDER BY ALL"
        ).fetchall()
        doubled = con.execute("SELECT count(*) - count(DISTINCT event_id) FROM events").fetchone()
        files = con.execute(
            "SELECT content_hash, entity, count(*) FROM file_loads WHERE status = 'loaded' GROUP BY ALL HAVING "
            "count(*) > 1"
        ).fetchall()
        return {**entities, "quarantine": held, "doubled events": doubled, "files loaded twice": files}


def pointer_is_whole(layout: Layout, allowed: set[str | None]) -> str | None:
    with Journal.open(layout, load_settings(layout)) as journal:
        pointer, status = journal.pointer(), {record.run_id: record.status for record in journal.runs()}
    current = pointer.run_id if pointer else None
    if current is None and allowed != {None}:
        raise SystemExit(f"the pointer is gone; it named one of {allowed}")
    if current is not None and status.get(current) != "published":
        raise SystemExit(f"the pointer names {current}, which is {status.get(current)}")
    if current is not None:
        runs.verify(layout.run(current))
    return current


def house_is_tidy(layout: Layout) -> None:
    """After a night that ran through: the views name the served run and the kept ones, and nothing lies about that
    belongs to nobody.
    """
    with Journal.open(layout, load_settings(layout)) as journal:
        pointer, status = journal.pointer(), {record.run_id: record.status for record in journal.runs()}
    named = analytics.shown(layout) or {}
    if pointer is None or [run for run, current in named.items() if current] != [pointer.run_id]:
        raise SystemExit(f"the analysts' views name {named}, the pointer {pointer}")
    folders = {path.name: status.get(path.name, "unknown") for path in layout.runs.iterdir()}
    orphans = {name: value for name, value in folders.items() if value not in ("published", "kept", "retired")}
    missing = [run for run, value in status.items() if value in ("published", "kept", "retired") and run not in folders]
    if orphans or missing or set(named) != {name for name, value in folders.items() if value != "retired"}:
        raise SystemExit(f"runs on disk {folders}, orphans {orphans}, missing {missing}, in the views {sorted(named)}")
    places = (layout.claimed, layout.staging, layout.scratch)
    left = [str(path) for place in places for path in place.rglob("*") if path.is_file()]
    left += [str(path) for path in layout.root.iterdir() if path.name.startswith(".")]
    if left:
        raise SystemExit(f"left over: {left}")


def warm_up() -> None:
    """Import what a night imports, so that forked nights are killed at their work and not while they load libraries."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations  # noqa: F401
        import implicit  # noqa: F401
        import lifelines  # noqa: F401
        import sklearn.linear_model  # noqa: F401


def kill_nights(
    home: Path, drops: list[tuple[str, Path]], kills: int, pause: float, dice: random.Random
) -> dict[str, int]:
    """Fork a night, kill it after a random part of ``pause`` seconds, look at what is left; ``kills`` times."""
    layout = Layout(home)
    layout.create()
    served: set[str | None] = {None}
    seen = {"killed": 0, "finished before": 0, "moved the pointer": 0}
    share = max(1, kills // (2 * len(drops)))
    for number in range(kills):
        if number % share == 0 and drops:
            deliver(layout, [drops.pop(0)])
        set_seed(home, number)
        child = os.fork()
        if child == 0:
            try:
                whole_night(home)
            except BaseException:
                (home / "failure.txt").write_text(traceback.format_exc())
                os._exit(1)
            os._exit(0)
        time.sleep(dice.uniform(0, pause))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status) and os.WEXITSTATUS(status):
            raise SystemExit(f"night {number} after a kill failed by itself:\n{(home / 'failure.txt').read_text()}")
        seen["killed" if os.WIFSIGNALED(status) else "finished before"] += 1
        now = pointer_is_whole(layout, served)
        seen["moved the pointer"] += now not in served
        served.add(now)
        print(f"\r{number + 1}/{kills} kills, {seen}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    deliver(layout, drops)
    return seen


class Writer(threading.Thread):
    """Posts events one after the other and remembers which were acknowledged."""

    def __init__(self, port: int, key: str, name: str, profiles: list[str]) -> None:
        super().__init__(daemon=True)
        self.port, self.key, self.label, self.profiles = port, key, name, profiles
        self.sent: set[str] = set()
        self.acknowledged: set[str] = set()
        self.stopping = threading.Event()

    def run(self) -> None:
        import httpx

        number = 0
        with httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}", headers={"Authorization": f"Bearer {self.key}"}, timeout=5
        ) as client:
            while not self.stopping.is_set():
                number += 1
                event_id = f"event_{self.label}{number:06d}"
                event = {
                    "event_id": event_id,
                    "event_type": "charged",
                    "profile_id": self.profiles[number % len(self.profiles)],
                    "created_at": "2025-01-01 00:00:00",
                    "properties": {"item_id": "sku-1", "payment_method": "card"},
                }
                self.sent.add(event_id)
                try:
                    answer = client.post("/v1/events", json=event)
                except httpx.HTTPError:
                    time.sleep(0.02)
                    continue
                if answer.status_code == 201:
                    self.acknowledged.add(event_id)
                elif answer.status_code < 500:
                    raise SystemExit(f"an event was refused: {answer.status_code} {answer.text}")


def kill_endpoint(home: Path, kills: int, dice: random.Random) -> dict[str, int]:
    """Start the endpoint, write to it from four threads, kill it; ``kills`` times.

    Every acknowledged event must survive, once.
    """
    layout = Layout(home)
    settings = load_settings(layout)
    with open_warehouse(layout, settings.pipeline, read_only=True) as con:
        profiles = [row[0] for row in con.execute("SELECT customer_id FROM profiles ORDER BY 1 LIMIT 50").fetchall()]
    with Journal.open(layout, settings) as journal:
        key = journal.create_key("write", "kills")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    writers = [Writer(port, key, f"{letter}", profiles) for letter in "abcd"]
    for writer in writers:
        writer.start()
    environment = {**os.environ, "NIGHTLOOM_HOME": str(home)}
    for number in range(kills):
        server = subprocess.Popen([sys.executable, "-m", "cli.main", "serve", "--port", str(port)], env=environment,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        before = sum(len(writer.acknowledged) for writer in writers)
        give_up = time.monotonic() + 30
        while sum(len(writer.acknowledged) for writer in writers) == before and time.monotonic() < give_up:
            time.sleep(0.01)
        time.sleep(dice.uniform(0, 0.5))
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
        print(
            f"\r{number + 1}/{kills} endpoint kills, {sum(len(w.acknowledged) for w in writers)} acknowledged",
            end="",
            file=sys.stderr,
            flush=True,
        )
    print(file=sys.stderr)
    for writer in writers:
        writer.stopping.set()
        writer.join()
    with open_desk(home) as desk, desk.journal.lease("pipeline", "kills", 60):
        drain_journal(desk)
        drain_journal(desk)
    sent, acknowledged = set().union(*(w.sent for w in writers)), set().union(*(w.acknowledged for w in writers))
    with open_warehouse(layout, settings.pipeline, read_only=True) as con:
        found = [
            row[0]
            for row in con.execute(
                "SELECT event_id FROM events WHERE event_id SIMILAR TO 'event_[abcd][0-9]{6}'"
            ).fetchall()
        ]
    lost, doubled, invented = acknowledged - set(found), len(found) - len(set(found)), set(found) - sent
    if lost or doubled or invented:
        raise SystemExit(f"lost {sorted(lost)[:5]}, doubled {doubled}, invented {sorted(invented)[:5]}")
    return {"kills": kills, "sent": len(sent), "acknowledged": len(acknowledged), "in the warehouse": len(found)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nights", type=int, default=200)
    parser.add_argument("--writes", type=int, default=50)
    parser.add_argument("--profiles", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    dice = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        drops = sample(root / "sample", arguments.profiles)
        reference, chaos = root / "reference", root / "chaos"
        for home in (reference, chaos):
            set_seed(home, 0)
            Layout(home).create()
        deliver(Layout(reference), drops)
        warm_up()
        child = os.fork()
        if child == 0:
            whole_night(reference)
            os._exit(0)
        started = time.monotonic()
        if os.waitpid(child, 0)[1]:
            raise SystemExit("the undisturbed night failed")
        pause = (time.monotonic() - started) * 1.1
        result: dict[str, Any] = {
            "undisturbed night, seconds": round(pause / 1.1, 1),
            "date": str(datetime.now(UTC).date()),
        }
        result["nights"] = kill_nights(chaos, list(drops), arguments.nights, pause, dice)
        set_seed(chaos, 10**6)
        outcome = whole_night(chaos)
        if not outcome.promoted:
            raise SystemExit(f"the night after the kills did not publish: {outcome.reason}")
        runs.verify(Layout(chaos).run(outcome.run_id))
        clean, after = contents(Layout(reference)), contents(Layout(chaos))
        if clean != after:
            wrong = {
                name: (str(clean[name])[:400], str(after[name])[:400]) for name in clean if clean[name] != after[name]
            }
            raise SystemExit(f"the warehouse differs from an undisturbed one:\n{json.dumps(wrong, indent=1)}")
        house_is_tidy(Layout(chaos))
        if arguments.writes:
            result["writes"] = kill_endpoint(chaos, arguments.writes, dice)
        print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
