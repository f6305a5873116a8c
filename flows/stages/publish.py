"""The last stages of a night: export the tables, stage the run with its manifest, verify it, promote it, refresh the views, prune."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from contracts.errors import VerificationFailed
from contracts.published import TABLE_BY_NAME, TABLES, Identity, Manifest, PublishedTable
from store import analytics, runs
from store.exports import export_events, export_table

if TYPE_CHECKING:
    from flows.desk import Desk

# The ledger's tables are copied from the warehouse; the rest is on the workbench.
LEDGER = ("file_loads", "quarantine")


@dataclass(frozen=True, slots=True)
class PreviousRun:
    """The run that is served while this night works."""

    run_id: str
    folder: Path
    manifest: Manifest


def previous_run(desk: Desk) -> PreviousRun | None:
    """The published run, or None before the first night or when its folder is gone."""
    pointer = desk.journal.pointer()
    if pointer is None or not (desk.layout.run(pointer.run_id) / runs.MANIFEST).is_file():
        return None
    folder = desk.layout.run(pointer.run_id)
    return PreviousRun(pointer.run_id, folder, runs.read_manifest(folder))


def unchanged(desk: Desk, identity: Identity, events_before: int) -> str | None:
    """Id of the published run when nothing that decides a run's contents is new since, else None.

    The passing of time alone is not new: a day without any delivery is far more often a broken feed than a day on which
    nothing happened, and scoring it would call everybody churned. ``events_before`` counts events before the new cut-off, so
    events that had been dated ahead do count as new once their day has come.
    """
    previous = previous_run(desk)
    if previous is None:
        return None
    old = previous.manifest.identity
    same = (
        (old.warehouse_digest, old.definitions_digest, old.code_version, old.seed)
        == (identity.warehouse_digest, identity.definitions_digest, identity.code_version, identity.seed)
        and previous.manifest.notes.get("events_before") == events_before
    )
    return previous.run_id if same else None


def insert_rows(con: duckdb.DuckDBPyConnection, name: str, rows: Iterable[Mapping[str, Any]]) -> int:
    """Create published table ``name`` on the workbench from a few dicts (an evaluation, a job); missing keys are null."""
    table = TABLE_BY_NAME[name]
    con.execute(f"CREATE OR REPLACE TABLE {name} ({', '.join(f'{column.name} {column.type}' for column in table.columns)})")
    values = [
        [json.dumps(row[c.name], sort_keys=True) if c.type == "JSON" and row.get(c.name) is not None else row.get(c.name) for c in table.columns]
        for row in rows
    ]
    if values:
        con.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(table.columns))})", values)
    return len(values)


def export(con: duckdb.DuckDBPyConnection, target: Path, previous: PreviousRun | None, progress: Any) -> tuple[list[PublishedTable], dict[str, str]]:
    """Write every published table to Parquet under ``target``. Returns them and the content digest of each month of events."""
    for name in LEDGER:
        columns = ", ".join(column.name for column in TABLE_BY_NAME[name].columns)
        con.execute(f"CREATE OR REPLACE VIEW {name} AS SELECT {columns} FROM warehouse.{name}")
    tables: list[PublishedTable] = []
    months: dict[str, str] = {}
    for number, table in enumerate(TABLES):
        progress.step("export", number, len(TABLES), table.name)
        if table.name == "events":
            published, months = export_events(con, target, (previous.folder, previous.manifest) if previous else None)
        else:
            published = export_table(con, table.name, target)
        tables.append(published)
    progress.step("export", len(TABLES), len(TABLES))
    return tables, months


def promote(desk: Desk, run_id: str, *, kind: str, who: str, lease: Any) -> None:
    """Verify a staged run, move it into place, and make it current in one journal transaction; then refresh views and prune."""
    staged = desk.layout.staging / run_id
    manifest = runs.verify(staged)
    settle(desk, staged, manifest)
    if kind == "keep":
        desk.journal.record_run(run_id, "kept")
    else:
        desk.journal.promote(run_id, watermark=manifest.identity.journal_seq, who=who, kind=kind, lease=lease)
    refresh(desk)


def settle(desk: Desk, staged: Path, manifest: Manifest) -> None:
    """Move the run among the kept ones; one of the same identity that is there already must be equal, and stays."""
    place = desk.layout.run(staged.name)
    if not (place / runs.MANIFEST).is_file():
        runs.settle(desk.layout, staged)
        return
    there = runs.read_manifest(place)
    different = differences(there, manifest)
    if different:
        raise VerificationFailed(
            f"run {staged.name} was made before with the same inputs but differs in: {', '.join(different)}",
            hint="nightloom runs verify; the earlier run keeps serving",
        )
    runs.discard(staged)


def differences(one: Manifest, other: Manifest) -> list[str]:
    """Names of tables and model files whose digests differ between two runs of one identity."""
    tables = {table.name: table.digests for table in one.tables}
    others = {table.name: table.digests for table in other.tables}
    names = [name for name in sorted(tables.keys() | others.keys()) if tables.get(name) != others.get(name)]
    return names + [name for name in sorted(one.files.keys() | other.files.keys()) if one.files.get(name) != other.files.get(name)]


def refresh(desk: Desk) -> None:
    """Point the analysts' views at what is kept, then remove what no view has named since the last refresh."""
    pointer = desk.journal.pointer()
    if pointer is None:
        return
    kept = runs.kept(desk.layout)
    doomed = expired(desk, [manifest.run_id for manifest in kept], pointer.run_id)
    # Two steps over two nights: a run first leaves the views, and only at the next refresh leaves the disk, so that an
    # analyst who opened the views yesterday still finds every file they name.
    leaving = desk.journal.retired()
    for run_id in leaving:
        runs.remove(desk.layout, run_id)
        desk.journal.record_run(run_id, "pruned")
    analytics.refresh(desk.layout, pointer.run_id, [m for m in kept if m.run_id not in doomed and m.run_id not in leaving])
    for run_id in doomed:
        desk.journal.record_run(run_id, "retired")


def expired(desk: Desk, kept: list[str], current: str) -> set[str]:
    """Kept runs beyond ``keep_runs`` promoted ones, by the time they were last promoted; the current one and kept ones are never among them."""
    promoted = [run_id for run_id in desk.journal.promoted_order() if run_id in kept]
    surplus = promoted[: max(0, len(promoted) - desk.settings.pipeline.keep_runs)]
    return {run_id for run_id in surplus if run_id != current}


def created(desk: Desk) -> datetime:
    """Time stamped on the manifest: the night's start."""
    return desk.started
