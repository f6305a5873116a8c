"""Agents over thirty nights, through the real endpoint and real nights: regret beside reference strategies, and how
often agents whose choices are all alike are ever reported to differ.

    python -m benchmarks.decision_simulation --nights 30 --visits 1500 --placebos 60 --placebo-visits 60

Calls carry their time (``ts``), so that a simulated day passes in seconds; a night is run as of each midnight. Visits
come one by one over eight connections, those of the placebo agents in batches.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np

from benchmarks.decision_world import CHANGING, REFERENCES, Visits, Whole, World, spread
from flows.desk import open_desk
from flows.night import Order, night
from store.journal import Journal
from store.journal.keys import create_agent_key
from store.layout import Layout
from store.settings_file import load_settings

CONNECTIONS = 8
OWNER = "default"
BATCH = 100
DAY = 86_400
IDLE = 2.0
"""Seconds after which a connection is not used again: the server closes idle ones."""


class Page:
    """Requests of one key, over one connection a thread."""

    def __init__(self, address: str, key: str) -> None:
        self.address = address
        self.key = key
        self.asked = 0
        self._local = threading.local()
        self._opened: list[http.client.HTTPConnection] = []

    def __enter__(self) -> Page:
        return self

    def __exit__(self, *_error: object) -> None:
        for connection in self._opened:
            connection.close()

    def ask(self, verb: str, path: str, body: Any = None, **parameters: Any) -> Any:
        """The JSON of a request below the owner. Raises RuntimeError when it fails."""
        query = urlencode({**parameters, "apikey": self.key})
        text = None if body is None else json.dumps(body)
        self.asked += 1
        answer = self._sent(verb, f"/conductrics/{OWNER}/{path}?{query}", text)
        found = json.loads(answer.read())
        if answer.status != 200:
            raise RuntimeError(f"{verb} {path}: {answer.status} {found}")
        return found

    def run_id(self) -> str:
        """The run that is served, empty without one."""
        answer = self._sent("GET", "/ready", None)
        found: str = json.loads(answer.read()).get("run_id") or ""
        return found

    def _sent(self, verb: str, path: str, text: str | None) -> http.client.HTTPResponse:
        connection = getattr(self._local, "connection", None)
        if connection is not None and time.monotonic() - self._local.used > IDLE:
            connection.close()
            connection = None
        if connection is None:
            connection = self._local.connection = http.client.HTTPConnection(self.address, timeout=60)
            self._opened.append(connection)
            connection.connect()
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._local.used = time.monotonic()
        headers = {"content-type": "application/json"} if text is not None else {}
        connection.request(verb, path, text, headers)
        found: http.client.HTTPResponse = connection.getresponse()
        return found


@dataclass
class Agent:
    """One agent at play: what it showed, what it cost, and the goals that are still to come."""

    code: str
    world: World
    visits: Visits
    regret: list[float] = field(default_factory=list)
    exploit_regret: list[float] = field(default_factory=list)
    labels: list[Counter[str]] = field(default_factory=list)
    shown: list[Whole] = field(default_factory=list)
    due: dict[int, list[tuple[str, float]]] = field(default_factory=lambda: defaultdict(list))
    goals: int = 0

    def play(self, page: Page, pool: ThreadPoolExecutor, number: int, began: float) -> None:
        """One day: every visit, then the goals that come today. ``began``: midnight, in seconds since 1970."""
        contexts = self.visits.contexts[number]
        choices = ",".join(self.world.arms[arm] for arm in self.world.offered(number))
        step = (DAY - 7200) / len(contexts)

        def visit(at: int) -> dict[str, Any]:
            found: dict[str, Any] = page.ask(
                "GET", f"{self.code}/decision/{choices}", session=f"{self.code}-{number}-{at}",
                features=self.world.tokens(int(contexts[at])), ts=f"{began + at * step:.3f}",
            )
            return found

        replies = list(pool.map(visit, range(len(contexts))))
        shown = np.array([self.world.arms.index(one["decision"]) for one in replies])
        costs = self.world.regret(number, contexts, shown)
        exploit = np.array([one["policy"] == "exploit" for one in replies])
        self.regret.append(float(costs.sum()))
        self.exploit_regret.append(float(costs[exploit].mean()) if exploit.any() else float("nan"))
        self.labels.append(Counter(one["policy"] for one in replies))
        self.shown.append(shown)
        won = self.visits.luck[number] < self.world.rates[contexts, shown]
        for at in np.flatnonzero(won).tolist():
            day = number + int(self.visits.delays[number, at])
            moment = began + (day - number) * DAY + (DAY - 3600 if day > number else at * step + 60)
            self.due[day].append((f"{self.code}-{number}-{at}", moment))

        def reach(goal: tuple[str, float]) -> float:
            value: float = page.ask("GET", f"{self.code}/goal", session=goal[0], ts=f"{goal[1]:.3f}")["value"]
            return value

        self.goals += sum(value > 0 for value in pool.map(reach, self.due.pop(number, [])))


@dataclass
class Placebo:
    """An agent whose choices are all alike; ``ever``: what was reported to differ on any night."""

    code: str
    ever_always_valid: bool = False
    ever_fixed: bool = False

    def calls(self, number: int, visits: int, began: float, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
        """A day's visits, each followed by its goal if it has one."""
        for at, chance in enumerate(rng.random(visits).tolist()):
            query = {"session": f"{self.code}-{number}-{at}", "ts": f"{began + at * 60:.3f}"}
            yield {"agent": self.code, "type": "decisions", "query": query, "choices": "a,b"}
            if chance < 0.2:
                yield {"agent": self.code, "type": "goal", "query": query}

    def look(self, page: Page, first: datetime, last: datetime) -> None:
        """Read the report as somebody who looks every morning."""
        path = f"{self.code}/report/confidence/{first:%Y-%m-%d}/{last:%Y-%m-%d}"
        items = page.ask("GET", path, policies="explore")["data"]["items"]
        self.ever_always_valid |= any(one["avSignif"] for one in items[1:])
        self.ever_fixed |= any(one["signif"] for one in items[1:])


def play_placebos(
    page: Page, pool: ThreadPoolExecutor, agents: Sequence[Placebo], number: int, visits: int, began: float, seed: int
) -> None:
    """A day of every placebo agent."""
    rng = np.random.default_rng((seed, number))
    parts = [part for agent in agents for part in _parts(agent.calls(number, visits, began, rng))]

    def send(part: list[dict[str, Any]]) -> None:
        failed = [one for one in page.ask("POST", "-/batch", part, _type="json") if one["status"] != 200]
        if failed:
            raise RuntimeError(str(failed[0]))

    list(pool.map(send, parts))


def _parts(calls: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    part: list[dict[str, Any]] = []
    for call in calls:
        part.append(call)
        if len(part) == BATCH:
            yield part
            part = []
    if part:
        yield part


def sleep_over(home: Path, page: Page, as_of: datetime) -> str:
    """Run the night as of a moment and wait until the endpoint serves what it made; returns the run."""
    with open_desk(home) as desk:
        outcome = night(desk, Order(as_of=as_of))
    if not outcome.made:
        raise RuntimeError(f"no run was made: {outcome.reason}")
    give_up = time.monotonic() + 60
    while page.run_id() != outcome.run_id:
        if time.monotonic() > give_up:
            raise RuntimeError(f"the endpoint does not serve {outcome.run_id}")
        time.sleep(0.05)
    return outcome.run_id


def configure(page: Page, code: str, *, explore: float, control: float, aa: bool = False) -> None:
    """Put an agent with these shares."""
    page.ask("PUT", code, {"aa": aa, "learning": {"explorationRate": explore, "controlGroupRate": control}})


def simulate(
    home: Path, page: Page, worlds: dict[str, tuple[World, float, float]], *, nights: int, visits: int,
    placebos: int = 0, placebo_visits: int = 0, seed: int = 1,
) -> tuple[dict[str, Agent], list[Placebo]]:
    """Play; ``worlds``: an agent's world, its share of exploration and that of control."""
    start = datetime.now(UTC).replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0) - timedelta(days=nights)
    agents = {code: Agent(code, world, world.visits(nights, visits, seed)) for code, (world, _, _) in worlds.items()}
    alike = [Placebo(f"alike-{number}") for number in range(placebos)]
    for code, (_, explore, control) in worlds.items():
        configure(page, code, explore=explore, control=control)
    for one in alike:
        configure(page, one.code, explore=1, control=0, aa=True)
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for number in range(nights):
            began, last = time.perf_counter(), start + timedelta(days=number)
            midnight = last.replace(tzinfo=UTC).timestamp()
            for agent in agents.values():
                agent.play(page, pool, number, midnight)
            play_placebos(page, pool, alike, number, placebo_visits, midnight, seed)
            played = time.perf_counter() - began
            sleep_over(home, page, last + timedelta(days=1))
            for one in alike:
                one.look(page, start, last)
            told = ", ".join(f"{code} {agent.regret[-1]:.1f}" for code, agent in agents.items())
            slept, wrong = time.perf_counter() - began - played, sum(one.ever_always_valid for one in alike)
            print(
                f"night {number}: played {played:.1f} s, night {slept:.1f} s, regret {told}; {wrong} placebos",
                file=sys.stderr, flush=True,
            )
    return agents, alike


@contextmanager
def served(home: Path) -> Iterator[Page]:
    """An installation served by the command, in processes of its own."""
    layout = Layout(home)
    (home / "definitions").mkdir(parents=True, exist_ok=True)
    layout.create()
    settings = load_settings(layout)
    with Journal.open(layout, settings) as journal, journal.writing() as connection:
        key = create_agent_key(connection, "admin", "simulation", journal.clock())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "cli.main", "serve", "--port", str(port)]
    root = Path(__file__).resolve().parents[1]
    environment = {**os.environ, "NIGHTLOOM_HOME": str(home), "PYTHONPATH": str(root)}
    server = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        _wait(port)
        with Page(f"127.0.0.1:{port}", key) as page:
            yield page
    finally:
        server.terminate()
        server.wait(20)


def _wait(port: int) -> None:
    """Until the server takes connections."""
    give_up = time.monotonic() + 30
    while time.monotonic() < give_up:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("the endpoint did not start")


def summary(agents: dict[str, Agent], alike: list[Placebo], seed: int) -> dict[str, Any]:
    """Regret of everybody, and what the placebos were reported to be."""
    return {**(_regrets(agents, seed) if agents else {}), "placebos": {
        "agents": len(alike), "ever_always_valid": sum(one.ever_always_valid for one in alike),
        "ever_fixed_one_sided": sum(one.ever_fixed for one in alike),
    }}


def _regrets(agents: dict[str, Agent], seed: int) -> dict[str, Any]:
    some = next(iter(agents.values()))
    count = some.visits.contexts.size
    regrets = {name: work(some.world, some.visits, seed) for name, work in REFERENCES.items()}
    regrets |= {f"agent {code}": np.array(agent.regret) for code, agent in agents.items()}
    last = max(1, len(some.visits.contexts) // 3)
    per_visit = some.visits.contexts[-last:].size
    table = {
        name: {
            "regret": round(float(found.sum()), 1), "per_visit": round(float(found.sum()) / count, 5),
            "per_visit_in_the_last_third": round(float(found[-last:].sum()) / per_visit, 5),
        }
        for name, found in regrets.items()
    }
    for code, agent in agents.items():
        table[f"agent {code}"] |= {
            "goals": agent.goals, "labels": dict(sum(agent.labels, Counter())),
            "per_visit_of_exploit_in_the_last_third": round(float(np.nanmean(agent.exploit_regret[-last:])), 5),
        }
    return {
        "nights": len(some.visits.contexts), "visits_a_night": some.visits.contexts.shape[1], "strategies": table,
    }


def main() -> None:
    """Play and print what came of it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nights", type=int, default=30)
    parser.add_argument("--visits", type=int, default=1500, help="of each learning agent a night; 0: placebos only")
    parser.add_argument("--placebos", type=int, default=60)
    parser.add_argument("--placebo-visits", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    world = spread(CHANGING)
    worlds = {"usual": (world, 0.2, 0.1), "lean": (world, 0.0, 0.0)} if given.visits else {}
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as page:
        agents, alike = simulate(
            Path(folder), page, worlds, nights=given.nights, visits=given.visits, placebos=given.placebos,
            placebo_visits=given.placebo_visits, seed=given.seed,
        )
        found = summary(agents, alike, given.seed)
        found["requests"], found["seconds"] = page.asked, round(time.perf_counter() - began)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
