"""Many clients on the same sessions while workers are killed and runs are published: what must hold is looked up.

    python -m benchmarks.decision_clients --clients 64 --seconds 30 --workers 2

A real endpoint with several worker processes; each client, over a connection of its own, asks for decisions of sessions
that all clients share, sends goals and now and then ends a session. Meanwhile workers are killed and come back, runs
with other weights are published, and the journal is drained. Then, from the drained tables:

- no session has two choices of a decision in one epoch, and sessions that nobody ended only ever saw one;
- no goal was accepted beyond its limit in an epoch;
- every answered decision and goal is there exactly once, with the answer that the client saw; what was not answered is
  there at most once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.synthetic_run import write_run
from contracts.settings import Settings
from flows.stages.drain import drain
from flows.stages.publish import insert_rows
from store.exports import export_table
from store.journal import Journal
from store.journal.keys import create_agent_key
from store.layout import Layout
from store.pack.policy_tables import write_policies
from store.warehouse import open_warehouse

ROOT = Path(__file__).resolve().parents[1]
AGENT, LIMIT = "home", 2
ENDED = 2  # one session in so many is ended now and then
SHARED, FRESH = 0.95, 1_000_000  # of the requests so many are about shared sessions, the others about new ones
VALID_FROM = datetime(2026, 1, 1)


@dataclass(slots=True)
class Seen:
    """What clients sent and saw, by the number that marks each request."""

    decisions: dict[int, tuple[str, str]] = field(default_factory=dict)  # session, choice; answered ones
    goals: dict[int, tuple[str, float]] = field(default_factory=dict)  # session, accepted value; answered ones
    unanswered: set[int] = field(default_factory=set)
    failures: Counter[str] = field(default_factory=Counter)
    milliseconds: list[float] = field(default_factory=list)
    killed: int = 0
    published: int = 0


def publish(layout: Layout, journal: Journal, number: int) -> None:
    """Publish a run in which agent ``home`` has the version ``v<number>``, with weights of its own."""
    run_id = f"r{number}"
    folder = write_run(layout, run_id, 30, 20, 5, number)
    weights = {"decision-1:a": 0.1, "decision-1:b": 0.2 + number % 3 * 0.3}
    total = sum(weights.values())
    rows = [
        {"owner": layout.workspace, "agent": AGENT, "point": "point-1", "decision_set": "decision-1", "segment": "*",
         "pattern": "*", "arm": arm, "arm_order": at, "is_default": at == 0, "weight": weight / total, "mature": True,
         "version": f"v{number}", "valid_from": VALID_FROM, "trained_by_run": run_id}
        for at, (arm, weight) in enumerate(weights.items())
    ]
    version = {"agent": AGENT, "version": f"v{number}", "state": "serving", "valid_from": VALID_FROM, "pinned": False}
    tables = {"policies": rows, "policy_archive": [], "policy_versions": [version], "policy_features": []}
    with duckdb.connect() as con:
        for name, found in tables.items():
            insert_rows(con, name, found)
            export_table(con, name, folder)
    write_policies(folder)
    journal.record_run(run_id, "building")
    journal.promote(run_id, drained(layout, journal), "benchmark")


def drained(layout: Layout, journal: Journal) -> int:
    """Drain what the journal holds, and say up to where."""
    last = journal.last_seq()
    drain(layout, Settings(), journal.writes_between, last)
    return last


class Client:
    """One client with one connection, made anew when it breaks."""

    def __init__(self, port: int, key: str, seen: Seen, dice: random.Random) -> None:
        self.port, self.key, self.seen, self.dice = port, key, seen, dice
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def run(self, over: asyncio.Event, sessions: list[str], numbers: Iterator[int]) -> None:
        """Ask until it is over."""
        while not over.is_set():
            number = next(numbers)
            shared = self.dice.random() < SHARED
            await self.one(self.dice.choice(sessions) if shared else f"session-{FRESH + 2 * number + 1}", number)
        await self._hang_up()

    async def one(self, session: str, number: int) -> None:
        """One request with its mark."""
        kind = self.dice.random()
        began = time.perf_counter()
        if kind < 0.02 and number_of(session) % ENDED == 0:
            await self._ask(f"expire?session={session}", number)
            return
        if kind < 0.4:
            told = await self._ask(f"goal/g?session={session}&reward={1 + number / 1e7:.7f}", number)
            if told is not None:
                self.seen.goals[number] = session, told["reward"]
        else:
            told = await self._ask(f"decision?session={session}&features=n:{number}", number)
            if told is not None:
                self.seen.decisions[number] = session, told["decision"]
        self.seen.milliseconds.append((time.perf_counter() - began) * 1e3)

    async def _ask(self, target: str, number: int) -> dict[str, Any] | None:
        """The reply, None without one."""
        try:
            status, body = await asyncio.wait_for(self._exchange(target), 30)
        except (OSError, asyncio.IncompleteReadError, ValueError, TimeoutError):
            self.seen.unanswered.add(number)
            await self._hang_up()
            await asyncio.sleep(0.02)
            return None
        told: dict[str, Any] = json.loads(body)
        if status == 200 and "err" not in told:
            return told
        self.seen.failures[f"{status} {told.get('err')}"] += 1
        self.seen.unanswered.add(number)
        return None

    async def _hang_up(self) -> None:
        if self._streams is not None:
            writing, self._streams = self._streams[1], None
            writing.close()
            with suppress(OSError):
                await writing.wait_closed()

    async def _exchange(self, target: str) -> tuple[int, bytes]:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self.port)
        reading, writing = self._streams
        path = f"/conductrics/default/{AGENT}/{target}"
        writing.write(f"GET {path} HTTP/1.1\r\nhost: x\r\nx-mpath-apikey: {self.key}\r\n\r\n".encode())
        head = await reading.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        return int(head[9:12]), await reading.readexactly(length)


def number_of(session: str) -> int:
    """The number of a session."""
    return int(session.rpartition("-")[2])


@contextmanager
def endpoint(home: Path, workers: int) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """``nightloom serve`` and its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "cli.main", "serve", "--port", str(port), "--workers", str(workers)]
    server = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, "NIGHTLOOM_HOME": str(home)}, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        give_up = time.monotonic() + 60
        while time.monotonic() < give_up:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        yield server, port
    finally:
        server.terminate()
        server.wait(60)


def workers_of(server: subprocess.Popen[bytes]) -> list[int]:
    """Processes that the server started to answer requests."""
    found = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    return [
        int(child) for child in found
        if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


async def disturb(
    server: subprocess.Popen[bytes], layout: Layout, journal: Journal, seen: Seen, pause: float, kills: int,
    dice: random.Random, over: asyncio.Event,
) -> None:
    """Publish a run and kill a worker so many times, with pauses around; then it is over."""
    for number in range(kills):
        await asyncio.sleep(pause)
        await asyncio.to_thread(publish, layout, journal, number + 2)
        seen.published += 1
        alive = await asyncio.to_thread(workers_of, server)
        if alive:
            with suppress(ProcessLookupError):
                os.kill(dice.choice(alive), signal.SIGKILL)
                seen.killed += 1
    await asyncio.sleep(pause)
    over.set()


def hammer(home: Path, clients: int, seconds: float, workers: int, sessions: int, kills: int, seed: int = 0) -> Seen:
    """Serve a fresh workspace and let the clients loose on it; the journal is drained at the end."""
    seen, dice = Seen(), random.Random(seed)
    (home / "definitions").mkdir()
    layout = Layout(home)
    layout.create()
    with Journal.open(layout, Settings()) as journal:
        with journal.writing() as connection:
            key = create_agent_key(connection, "runtime", "benchmark", journal.clock())
        document = {"code": AGENT, "owner": "default", "goals": [{"code": "g", "settings": {"limit": LIMIT}}]}
        journal.put_document("agent", AGENT, json.dumps(document), "benchmark")
        publish(layout, journal, 1)
        names = [f"session-{at}" for at in range(sessions)]
        numbers = iter(range(1, 1 << 40))

        async def run(server: subprocess.Popen[bytes], port: int) -> None:
            over = asyncio.Event()
            people = [Client(port, key, seen, random.Random(f"{seed}{at}")) for at in range(clients)]
            await asyncio.gather(
                disturb(server, layout, journal, seen, seconds / (kills + 1), kills, dice, over),
                *(person.run(over, names, numbers) for person in people),
            )

        with endpoint(home, workers) as (server, port):
            asyncio.run(run(server, port))
        drained(layout, journal)
    return seen


def wrongs(home: Path, seen: Seen) -> list[str]:
    """What does not hold of the drained tables."""
    layout = Layout(home)
    with open_warehouse(layout, Settings().pipeline) as con:
        decisions = con.execute(
            "SELECT CAST(features->>'$.n' AS BIGINT), session, epoch, split_part(arm, ':', 2), event_id FROM decisions"
        ).fetchall()
        goals = con.execute(
            "SELECT CAST(round((reward_sent - 1) * 1e7) AS BIGINT), session, epoch, reward_accepted, event_id "
            "FROM goals"
        ).fetchall()
        versions = con.execute("SELECT count(DISTINCT version) FROM decisions WHERE NOT sticky").fetchall()[0][0]
    found = [*_choices(decisions, seen), *_limits(goals)]
    accepted = {number: (session, value) for number, session, _, value, _ in goals}
    chosen = {number: (session, choice) for number, session, _, choice, _ in decisions}
    found += _once("decision", Counter(row[0] for row in decisions), chosen, seen.decisions, seen.unanswered)
    found += _once("goal", Counter(row[0] for row in goals), accepted, seen.goals, seen.unanswered)
    if seen.published and versions < 2:
        found.append("no run that was published later was decided by")
    ids = [row[4] for row in (*decisions, *goals)]
    if len(set(ids)) != len(ids):
        found.append("an event is there twice")
    return found


def _choices(decisions: list[Any], seen: Seen) -> Iterator[str]:
    by_epoch: dict[tuple[str, int], set[str]] = defaultdict(set)
    for _, session, epoch, choice, _ in decisions:
        by_epoch[session, epoch].add(choice)
    yield from (f"{key} has choices {choices}" for key, choices in by_epoch.items() if len(choices) > 1)
    lasting: dict[str, set[str]] = defaultdict(set)
    for session, choice in seen.decisions.values():
        if number_of(session) % ENDED:
            lasting[session].add(choice)
    yield from (f"{session} saw {choices}" for session, choices in lasting.items() if len(choices) > 1)


def _limits(goals: list[Any]) -> Iterator[str]:
    counted = Counter((session, epoch) for _, session, epoch, value, _ in goals if value > 0)
    yield from (f"{key} has {count} goals" for key, count in counted.items() if count > LIMIT)


def _once(
    what: str, counted: Counter[int], logged: Mapping[int, Any], answered: Mapping[int, Any], unanswered: set[int]
) -> Iterator[str]:
    for number, (session, value) in answered.items():
        if counted[number] != 1:
            yield f"answered {what} {number} is there {counted[number]} times"
        elif logged[number] != (session, value):
            yield f"{what} {number}: told {session, value}, logged {logged[number]}"
    for number, count in counted.items():
        if number not in answered and (number not in unanswered or count > 1):
            yield f"{what} {number} is there {count} times, and nobody was told"


def main() -> None:
    """Print what happened; exit code 1 if anything does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--sessions", type=int, default=200)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        seen = hammer(
            home, chosen.clients, chosen.seconds, chosen.workers, chosen.sessions, chosen.kills, chosen.seed
        )
        found = wrongs(home, seen)
    times = sorted(seen.milliseconds)
    print(
        f"{len(seen.decisions):,} decisions and {len(seen.goals):,} goals answered by "
        f"{chosen.workers} workers; {len(seen.unanswered):,} requests without an answer, {seen.killed} workers killed, "
        f"{seen.published} runs published; p50 {times[len(times) // 2]:.1f} ms, p99 {times[len(times) * 99 // 100]:.1f}"
    )
    for failure, count in seen.failures.most_common():
        print(f"{count:6} {failure}")
    for wrong in found:
        print("WRONG", wrong)
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
