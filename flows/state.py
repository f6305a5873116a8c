"""What is going on in a workspace: what is served, what ran last, what waits and why. Reads only."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import yaml

from contracts.definitions import Source
from contracts.errors import DefinitionError, StorageError
from contracts.settings import Settings
from store import definitions, inbox
from store.journal import Journal, RunRecord
from store.layout import Layout
from store.warehouse import open_warehouse

UNTAKEN = "no folder or source mapping takes it; move it, or add definitions/sources/<name>.yaml"


@dataclass(slots=True)
class State:
    """One look at a workspace; times are naive UTC."""

    workspace: str
    serving: str = ""
    as_of: datetime | None = None
    promoted_at: datetime | None = None
    last_run: RunRecord | None = None
    running: str = ""
    next_night: datetime | None = None
    schedule: str = ""
    waiting_files: list[tuple[str, str]] = field(default_factory=list)
    writes_waiting: int = 0
    quarantined_rows: int | None = None
    refused_files: int | None = None
    notes: list[str] = field(default_factory=list)


def look(layout: Layout, settings: Settings, now: datetime) -> State:
    """Gather the state. What cannot be read because a night holds it is said in ``notes``, not raised."""
    state = State(layout.workspace)
    with Journal.open(layout, settings) as journal:
        pointer, records, holder = journal.pointer(), journal.runs(), journal.lease_holder("pipeline")
        written = journal.last_seq()
    state.last_run = records[0] if records else None
    if pointer is not None:
        state.serving, state.promoted_at = pointer.run_id, pointer.promoted_at
        state.as_of = next((record.as_of for record in records if record.run_id == pointer.run_id), None)
    state.running = holder or ""
    state.schedule, state.next_night = next_night(layout.home / "prefect.yaml", now)
    _inbox(state, layout, settings, now)
    _warehouse(state, layout, settings, written)
    return state


def _inbox(state: State, layout: Layout, settings: Settings, now: datetime) -> None:
    """Files that wait, with the reason that the next ingest would give."""
    from flows.stages.ingest import resource_of

    sources: tuple[Source, ...] = ()
    try:
        sources = definitions.load(layout).sources
    except DefinitionError as error:
        state.notes.append(
            f"the next night will not start: {len(error.problems)} problem(s) in the definitions (nightloom check)"
        )
    for file in inbox.waiting(layout, now, settings.ingest.settle_seconds):
        taken = resource_of(file.name, sources) is not None
        state.waiting_files.append((file.name, file.reason if taken else UNTAKEN))


def next_night(path: Path, now: datetime) -> tuple[str, datetime | None]:
    """Cron line and next time (UTC) of the deployment ``nightly`` in ``prefect.yaml``; empty without one."""
    from cronsim import CronSim

    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError:
        return "", None
    for deployment in document.get("deployments", ()):
        if deployment.get("name") == "nightly":
            for schedule in deployment.get("schedules", ()):
                if "cron" in schedule:
                    return str(schedule["cron"]), next(CronSim(schedule["cron"], now - timedelta(microseconds=1)))
    return "", None


def _warehouse(state: State, layout: Layout, settings: Settings, written: int) -> None:
    if not layout.warehouse.exists():
        state.writes_waiting, state.quarantined_rows, state.refused_files = written, 0, 0
        return
    try:
        with open_warehouse(layout, settings.pipeline, read_only=True) as con:
            found = con.execute(
                "SELECT (SELECT coalesce(max(journal_seq), 0) FROM journal_drains), "
                "(SELECT count(DISTINCT (load_id, entity, line)) FROM quarantine WHERE resolved_at IS NULL), "
                "(SELECT count(*) FROM file_loads WHERE status = 'refused')"
            ).fetchone()
    except StorageError as error:
        state.notes.append(f"the warehouse is in use, so quarantine is not counted ({error.message})")
        return
    assert found is not None
    state.writes_waiting, state.quarantined_rows, state.refused_files = (
        written - int(found[0]),
        int(found[1]),
        int(found[2]),
    )
