"""``nightloom runs``: kept runs."""

from __future__ import annotations

import dataclasses

from cyclopts import App

from cli.home import find_layout
from cli.terminal import show_facts, show_json, show_table
from contracts.errors import UsageError

app = App(name="runs", help="List, show, verify and remove kept runs.")


@app.default
@app.command(name="list")
def list_runs(*, workspace: str = "", json: bool = False) -> None:
    """List every run the journal knows, the newest first."""
    from store.definitions import load_settings
    from store.journal import Journal

    layout = find_layout(workspace)
    with Journal.open(layout, load_settings(layout)) as journal:
        pointer = journal.pointer()
        records = journal.runs()
    serving = pointer.run_id if pointer else ""
    if json:
        show_json([{**dataclasses.asdict(record), "serving": record.run_id == serving} for record in records])
        return
    show_table(
        "Runs",
        ("", "run", "as of (UTC)", "status", "started (UTC)", "message"),
        [("*" if r.run_id == serving else "", r.run_id, r.as_of, r.status, r.started_at, r.message) for r in records],
        whole=("run", "as of (UTC)", "started (UTC)", "status"), spare=("started (UTC)",),
    )
    if serving:
        print("* is the one that is served")


@app.command
def show(run_id: str = "", *, workspace: str = "", json: bool = False) -> None:
    """Show one run's identity, tables and models (by default the one served)."""
    from store import runs

    layout = find_layout(workspace)
    manifest = runs.read_manifest(layout.run(run_id or _served(workspace)))
    if json:
        show_json(dataclasses.asdict(manifest))
        return
    show_facts({"run": manifest.run_id, "made": manifest.created_at, **dataclasses.asdict(manifest.identity)})
    show_table(
        "Tables", ("table", "rows", "files", "digest of the first file"),
        [(t.name, t.rows, len(t.files), t.digests[0][:16] if t.digests else "") for t in manifest.tables],
        right=("rows", "files"), whole=("digest of the first file",),
    )


@app.command
def verify(run_id: str = "", *, workspace: str = "", json: bool = False) -> None:
    """Check every file of a run against its manifest."""
    from store import runs

    layout = find_layout(workspace)
    manifest = runs.verify(layout.run(run_id or _served(workspace)))
    count = sum(len(table.files) for table in manifest.tables) + len(manifest.files)
    if json:
        show_json({"run_id": manifest.run_id, "files": count, "verified": True})
    else:
        print(f"{manifest.run_id}: {count} files are what the manifest says")


@app.command
def compare(one: str, other: str, *, workspace: str = "", json: bool = False) -> None:
    """Name the tables, models and pack files in which two runs differ."""
    from flows.stages.publish import differences
    from store import runs

    layout = find_layout(workspace)
    different = differences(runs.read_manifest(layout.run(one)), runs.read_manifest(layout.run(other)))
    if json:
        show_json({"different": different})
    else:
        print("\n".join(different) if different else "no table, model or pack file differs")


@app.command
def remove(run_id: str, *, workspace: str = "") -> None:
    """Remove a kept run; the one that is served is refused."""
    from flows.desk import open_desk
    from flows.stages import publish
    from store import runs

    layout = find_layout(workspace)
    with (
        open_desk(layout.home, layout.workspace) as desk,
        desk.journal.lease("pipeline", "runs remove", desk.settings.pipeline.lease_seconds),
    ):
        pointer = desk.journal.pointer()
        if pointer is not None and pointer.run_id == run_id:
            raise UsageError(f"{run_id} is being served", hint="nightloom rollback first")
        runs.read_manifest(layout.run(run_id))
        desk.journal.record_run(run_id, "retired")
        publish.refresh(desk)
    print(f"removed {run_id}")


def _served(workspace: str) -> str:
    from contracts.errors import NotFound
    from store.definitions import load_settings
    from store.journal import Journal

    layout = find_layout(workspace)
    with Journal.open(layout, load_settings(layout)) as journal:
        pointer = journal.pointer()
    if pointer is None:
        raise NotFound("no run is published yet", hint="nightloom run")
    return pointer.run_id
