"""``nightloom demo``: the main job on generated data, from drops to answers of the endpoint."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.home import find_layout
from cli.run import show_outcome
from cli.terminal import TerminalProgress, show_table
from contracts.errors import NightloomError, UsageError
from store.layout import Layout

if TYPE_CHECKING:
    import httpx

MARKER = ".demo"


def demo(*, profiles: int = 2000, seed: int = 1, workspace: str = "", prefect: bool = True) -> None:
    """Make a sample, drop it, run the night, start the endpoint, ask it, and stop.

    Parameters
    ----------
    profiles
        Profiles to generate; items and events grow with them.
    seed
        Seed of the sample.
    workspace
        Workspace to use; one that holds other data is refused.
    prefect
        Record the run with Prefect's embedded server; --no-prefect runs the same functions without it.
    """
    layout = find_layout(workspace, new=True)
    layout.create()
    marker = layout.root / MARKER
    if layout.warehouse.exists() and not marker.exists():
        raise UsageError(
            f"workspace {layout.workspace} already holds data of its own", hint="nightloom demo --workspace trial"
        )
    marker.touch()
    started = time.monotonic()
    planted = _sample(layout, profiles, seed)
    outcome = _night(layout, prefect)
    show_outcome(outcome)
    if not outcome.run_id:
        raise NightloomError(f"the night made no run: {outcome.reason}", hint="nightloom status")
    _held_back(layout, planted)
    _ask(layout)
    _next(layout, time.monotonic() - started)


def _sample(layout: Layout, profiles: int, seed: int) -> int:
    """Generate the drops into a folder beside the inbox, then move them in; returns how many damaged rows were
    planted.
    """
    from store.sample import write_sample

    made = layout.root / "sample"
    report = write_sample(made, profiles=profiles, seed=seed, progress=TerminalProgress())
    for entity in ("profiles", "items", "events"):
        for path in sorted((made / entity).iterdir()):
            path.replace(layout.inbox / entity / path.name)
    rows = report.profiles + report.items + report.events
    print(
        f"sample: {report.profiles:,} profiles, {report.items:,} items, {report.events:,} events; "
        f"{report.planted_rows} damaged rows among {rows:,}"
    )
    return report.planted_rows


def _night(layout: Layout, prefect: bool) -> Any:
    if prefect:
        from cli.prefect_home import run_flow

        return run_flow(layout, as_of=None, force=False)
    from flows.desk import open_desk
    from flows.night import night

    with open_desk(layout.home, layout.workspace, TerminalProgress()) as desk:
        return night(desk)


def _held_back(layout: Layout, planted: int) -> None:
    import duckdb

    with duckdb.connect(str(layout.analytics), read_only=True) as con:
        rules = con.execute(
            "SELECT rule, count(*), count(DISTINCT file), min(reason) FROM quarantine GROUP BY rule ORDER BY 2 DESC, 1"
        ).fetchall()
        rows = con.execute("SELECT count(DISTINCT (content_hash, entity, line)) FROM quarantine").fetchone()
    show_table(
        f"Held back: {rows[0] if rows else 0} rows ({planted} were planted)",
        ("rule", "faults", "files", "for example"),
        rules,
        right=("faults", "files"),
    )


def _ask(layout: Layout) -> None:
    """Start the endpoint on a free port of the loopback, ask it a few things, and stop it."""
    import httpx

    from store.definitions import load_settings
    from store.journal import Journal

    settings = load_settings(layout)
    with Journal.open(layout, settings) as journal:
        key = journal.create_key("read", "demo")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "NIGHTLOOM_HOME": str(layout.home)}
    arguments = [sys.executable, "-m", "cli.main", "serve", "--port", str(port), "--workspace", layout.workspace]
    log = layout.root / "demo-endpoint.log"
    with log.open("wb") as output, subprocess.Popen(arguments, env=environment, stdout=output, stderr=output) as server:  # noqa: S603
        try:
            with httpx.Client(
                base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {key}"}, timeout=10
            ) as client:
                _wait(client, server, log)
                _lists(client, layout)
                _churn(client, layout)
        finally:
            server.terminate()
    with Journal.open(layout, settings) as journal:
        for known in journal.keys():  # noqa: SIM118 - no dict
            if known.label == "demo" and known.revoked_at is None:
                journal.revoke_key(known.key_id)


def _wait(client: httpx.Client, server: subprocess.Popen[bytes], log: Path) -> None:
    import httpx

    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if client.get("/ready").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise NightloomError(f"the endpoint did not get ready: {log.read_text()[-800:]}", hint="nightloom serve shows why")


def _lists(client: httpx.Client, layout: Layout) -> None:
    for customer in _customers(
        layout,
        "SELECT customer_id FROM profiles JOIN profile_features USING (profile_id) ORDER BY events DESC, 1 LIMIT 3",
    ):
        answer = client.get(f"/v1/recommendations/profiles/{customer}", params={"amt": 5}).raise_for_status().json()
        show_table(
            f"GET /v1/recommendations/profiles/{customer}?amt=5   run {answer['run_id']}",
            ("item", "name", "category", "score"),
            [
                (
                    item["item_id"],
                    item.get("item_name"),
                    item.get("item_category"),
                    "" if item["score"] is None else f"{item['score']:.4f}",
                )
                for item in answer["items"]
            ],
            right=("score",),
        )


def _churn(client: httpx.Client, layout: Layout) -> None:
    rows = []
    query = (
        "SELECT customer_id FROM churn JOIN profiles USING (profile_id) "
        "WHERE churn_score < 1 ORDER BY churn_score DESC, 1 LIMIT 5"
    )
    for customer in _customers(layout, query):
        answer = client.get(f"/v1/churn/profiles/{customer}").raise_for_status().json()
        churn = answer.get("churn", answer)
        reasons = ", ".join(f"{reason['feature']} {reason['effect']}" for reason in churn.get("churn_reasons") or ())
        rows.append(
            (
                customer,
                f"{churn['churn_score']:.2f}",
                churn["churn_probability"],
                churn["expected_days_to_churn"],
                reasons,
            )
        )
    show_table(
        "GET /v1/churn/profiles/...   most likely to churn, of those still here",
        ("profile", "score", "label", "days", "because"),
        rows,
        right=("score", "days"),
    )


def _customers(layout: Layout, query: str) -> list[str]:
    import duckdb

    with duckdb.connect(str(layout.analytics), read_only=True) as con:
        return [str(row[0]) for row in con.execute(query).fetchall()]


def _next(layout: Layout, seconds: float) -> None:
    scope = "" if layout.workspace == "default" else f" --workspace {layout.workspace}"
    print(
        f"done in {seconds:.0f} s; where to look next\n"
        f"  nightloom status{scope}                 what is served, what waits\n"
        f"  nightloom explain profile ID{scope}     why these items, why this churn score\n"
        f"  nightloom quarantine list{scope}        what was held back, and why\n"
        f"  nightloom keys create --role read{scope}  then nightloom serve{scope}, and open /docs\n"
        f"  {layout.analytics}  the tables, for DuckDB (open it read-only)\n"
        f"  nightloom report{scope}                 the nightly report (HTML)"
    )
