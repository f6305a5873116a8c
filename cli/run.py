"""``nightloom run``: the night, once, in this process."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from cyclopts import Parameter

from cli.home import find_layout
from cli.moments import as_utc
from cli.terminal import TerminalProgress, show_json, show_table


def run(
    *,
    as_of: datetime | None = None,
    workspace: str = "",
    force: bool = False,
    prefect: bool = True,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Run the night once: drain, ingest, build, check, train, precompute, publish.

    Parameters
    ----------
    as_of
        Cut-off (UTC); by default the settings decide.
    workspace
        Workspace to run.
    force
        Make a run even when nothing is new.
    prefect
        Record the run with Prefect's embedded server; --no-prefect runs the same functions without it.
    json
        Print the outcome as JSON.
    """
    layout = find_layout(workspace)
    as_of = as_utc(as_of)
    if prefect:
        from cli.prefect_home import run_flow

        outcome = run_flow(layout, as_of=as_of, force=force)
    else:
        from flows.desk import open_desk
        from flows.night import Order, night

        with open_desk(layout.home, layout.workspace, TerminalProgress()) as desk:
            outcome = night(desk, Order(as_of=as_of, force=force))
    if json:
        show_json(as_document(outcome))
    else:
        show_outcome(outcome)


def as_document(outcome: Any) -> dict[str, Any]:
    """The outcome of a night as plain values."""
    return {
        "run_id": outcome.run_id,
        "as_of": outcome.as_of,
        "made": outcome.made,
        "promoted": outcome.promoted,
        "reason": outcome.reason,
        "report": outcome.report,
        "tables": outcome.tables,
        "stages": [lap.as_dict() for lap in outcome.laps],
        "files": [load.as_dict() for load in outcome.ingest.loads] if outcome.ingest else [],
        "jobs": outcome.jobs,
        "evaluation": outcome.evaluation,
    }


def show_loads(title: str, loads: Sequence[Any]) -> None:
    """Files that were loaded, and what became of their rows."""
    show_table(
        title,
        ("load", "file", "entity", "status", "rows", "loaded", "already", "skipped", "held back"),
        [
            (str(load.load_id), load.file, load.entity, load.status, load.rows_in, load.rows_loaded, load.rows_already,
             load.rows_skipped, load.rows_quarantined)
            for load in loads
        ],
        right=("load", "rows", "loaded", "already", "skipped", "held back"), spare=("load", "entity", "skipped"),
    )


def show_outcome(outcome: Any) -> None:
    """Files, stages and what is served now, as tables."""
    if outcome.ingest and outcome.ingest.loads:
        show_loads("Delivered files", outcome.ingest.loads)
    if outcome.ingest and outcome.ingest.waiting:
        left = [(wait.name, wait.reason) for wait in outcome.ingest.waiting]
        show_table("Left in the inbox", ("file", "why"), left, limit=20)
    show_table(
        "Stages",
        ("stage", "seconds", "cpu", "rows", "rows/s", "peak MB", "note"),
        [
            (lap.stage, f"{lap.seconds:.2f}", f"{lap.cpu_seconds:.2f}", lap.rows or None,
             round(lap.rows_per_second) if lap.rows else None, round(lap.peak_mb), lap.note)
            for lap in outcome.laps
        ],
        right=("seconds", "cpu", "rows", "rows/s", "peak MB"),
    )
    if outcome.reason:
        print(outcome.reason)
    if outcome.run_id:
        what = "published" if outcome.promoted else "kept" if outcome.made else "serving"
        print(f"{what}: {outcome.run_id} (as of {outcome.as_of} UTC)")
    if outcome.report:
        print(f"report:    {outcome.report}")
