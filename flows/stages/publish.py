"""The last stages of a night: export the tables, stage the run with its manifest, verify it, promote it, refresh the
views, prune.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from contracts.account import JOB_NAMES
from contracts.errors import StorageError, VerificationFailed
from contracts.manifest import Identity, Manifest, PublishedTable
from contracts.progress import Progress
from contracts.published import TABLE_BY_NAME, TABLES
from flows.stages.job_log import completed
from store import analytics, runs
from store.exports import MONTHLY, export_monthly, export_table, months_note, open_table
from store.journal import Lease, jobs, outbox
from store.pack.account import write_account
from transforms import evaluation

if TYPE_CHECKING:
    from flows.desk import Desk
    from flows.night import Outcome
    from flows.stages.churn import ChurnOutcome

# The ledger's tables are copied from the warehouse; the rest is on the workbench.
LEDGER = ("file_loads", "quarantine")
# Made from the serving pack, after the others were exported.
FROM_PACK = ("scenario_rows", "scenario_tables", "scenario_evaluation")
COMPLETE = ("published", "kept")


@dataclass(frozen=True, slots=True)
class PreviousRun:
    """The run that is served while this night works."""

    run_id: str
    folder: Path
    manifest: Manifest


def previous_run(desk: Desk, identity: Identity) -> PreviousRun | None:
    """The run that a run of this identity is compared with and carries models forward from: the one that is served.

    A run that is served already and is made again is compared with what it was compared with the first time, so that it
    comes out the same. None before the first night, and when that run is gone.
    """
    pointer = desk.journal.pointer()
    if pointer is None or not runs.complete(desk.layout, pointer.run_id):
        return None
    manifest = runs.read_manifest(desk.layout.run(pointer.run_id))
    before = manifest.identity.compared_with
    if replace(identity, compared_with=before) != manifest.identity:
        return PreviousRun(pointer.run_id, desk.layout.run(pointer.run_id), manifest)
    if not before or not runs.complete(desk.layout, before):
        return None
    return PreviousRun(before, desk.layout.run(before), runs.read_manifest(desk.layout.run(before)))


def unchanged(desk: Desk, identity: Identity, events_before: int) -> str | None:
    """Id of the published run when nothing that decides a run's contents is new since it was made, else None.

    The passing of time alone is not new: a day without any delivery is far more often a broken feed than a day on which
    nothing happened, and scoring it would call everybody churned. ``events_before`` counts events before the new
    cut-off, so events that had been dated ahead do count as new once their day has come. After a rollback the run that
    was left counts too, or the next night would publish again what an operator just took back.
    """
    pointer = desk.journal.pointer()
    if pointer is None:
        return None
    latest = desk.journal.promotions()[0]
    candidates = [pointer.run_id] + ([latest.previous] if latest.kind == "rollback" and latest.previous else [])
    for run_id in candidates:
        if runs.complete(desk.layout, run_id) and _same(
            runs.read_manifest(desk.layout.run(run_id)), identity, events_before
        ):
            return pointer.run_id
    return None


def _same(manifest: Manifest, identity: Identity, events_before: int) -> bool:
    """Whether a run was made from the same data, definitions, documents, code and seed; cut-offs may differ when no
    event lies between them.
    """
    old = manifest.identity
    return manifest.notes.get("events_before") == events_before and (
        (old.warehouse_digest, old.definitions_digest, old.documents_digest, old.code_version, old.seed)
        == (
            identity.warehouse_digest, identity.definitions_digest, identity.documents_digest, identity.code_version,
            identity.seed,
        )
    )


def insert_rows(con: duckdb.DuckDBPyConnection, name: str, rows: Iterable[Mapping[str, Any]]) -> int:
    """Create published table ``name`` on the workbench from a few dicts (an evaluation, a job); missing keys are
    null.
    """
    table = TABLE_BY_NAME[name]
    con.execute(
        f"CREATE OR REPLACE TABLE {name} ({', '.join(f'{column.name} {column.type}' for column in table.columns)})"
    )
    values = [
        [
            json.dumps(row[c.name], sort_keys=True)
            if c.type == "JSON" and row.get(c.name) is not None
            else row.get(c.name)
            for c in table.columns
        ]
        for row in rows
    ]
    if values:
        con.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(table.columns))})", values)
    return len(values)


def _exclusions(con: duckdb.DuckDBPyConnection, churn: str) -> None:
    """Create ``training_exclusions`` from the tables that the two training stages went by."""
    columns = ", ".join(column.name for column in TABLE_BY_NAME["training_exclusions"].columns)
    con.execute(
        f"CREATE OR REPLACE TABLE training_exclusions AS SELECT {columns} FROM {churn} UNION ALL "
        f"SELECT {columns} FROM recommender_exclusions"
    )


def churn_report(churn: ChurnOutcome) -> list[dict[str, Any]]:
    """The row of ``churn_report``: of the model that serves, with the id and date of its own job."""
    if churn.reported is None or not churn.report:
        return []
    run_id, as_of = churn.reported
    identity = jobs.job_id(run_id, JOB_NAMES["churn"])
    return [{**churn.report, "training_job_id": identity, "report_as_of": datetime.fromisoformat(as_of)}]


def export(
    con: duckdb.DuckDBPyConnection,
    target: Path,
    outcome: Outcome,
    churn: ChurnOutcome,
    previous: PreviousRun | None,
    progress: Progress,
) -> tuple[list[PublishedTable], dict[str, dict[str, str]]]:
    """Write every published table to Parquet under ``target``, but those of the materialized scenarios.

    Returns them and, for the manifest's notes, the content digest of each month of the tables that are kept by month.
    """
    insert_rows(con, "evaluation", outcome.evaluation)
    if previous is not None and open_table(con, previous.folder, "evaluation", "last_evaluation"):
        evaluation.write_last(con)
    insert_rows(con, "training_jobs", outcome.records.jobs)
    insert_rows(con, "training_skips", outcome.records.skips)
    reports = churn_report(churn)
    insert_rows(con, "churn_report", reports)
    members = con.execute("SELECT segment_id, profile_count FROM segments WHERE segment_type = 'past'").fetchall()
    report = {**reports[0], "report_as_of": reports[0]["report_as_of"].isoformat()} if reports else None
    write_account(target / "pack", outcome.records.serving, report, dict(members))
    _exclusions(con, churn.exclusions)
    for name in LEDGER:
        columns = ", ".join(column.name for column in TABLE_BY_NAME[name].columns)
        con.execute(f"CREATE OR REPLACE VIEW {name} AS SELECT {columns} FROM warehouse.{name}")
    tables: list[PublishedTable] = []
    months: dict[str, dict[str, str]] = {}
    wanted = [table for table in TABLES if table.name not in FROM_PACK]
    for number, table in enumerate(wanted):
        progress.step("export", number, len(wanted), table.name)
        if table.name in MONTHLY:
            before = (previous.folder, previous.manifest) if previous else None
            published, months[months_note(table.name)] = export_monthly(con, table.name, target, before)
        else:
            published = export_table(con, table.name, target)
        tables.append(published)
    progress.step("export", len(wanted), len(wanted))
    return tables, months


def promote(desk: Desk, run_id: str, lease: Lease, *, who: str, serve: bool = True) -> None:
    """Verify a staged run, move it into place and, with ``serve``, make it current in one journal transaction.

    May be called again after a failure: a run that was moved into place before is verified there.
    """
    staged = desk.layout.staging / run_id
    if staged.exists() or not runs.complete(desk.layout, run_id):
        manifest = runs.verify(staged)
        settle(desk, staged, manifest)
    else:
        manifest = runs.verify(desk.layout.run(run_id))
    pointer = desk.journal.pointer()
    if serve and (pointer is None or pointer.run_id != run_id):
        done = (completed(desk, run_id),)
        desk.journal.promote(run_id, manifest.identity.journal_seq, who, lease=lease, within=done)
    elif serve:
        with desk.journal.writing() as connection:
            completed(desk, run_id)(connection)
    elif not any(record.run_id == run_id and record.status in COMPLETE for record in desk.journal.runs()):
        desk.journal.record_run(run_id, "kept")


def rollback(desk: Desk, run_id: str, lease: Lease, *, who: str) -> None:
    """Serve an older kept run again: its files are verified first, then the pointer moves in one journal
    transaction.
    """
    manifest = runs.verify(desk.layout.run(run_id))
    desk.journal.promote(run_id, manifest.identity.journal_seq, who, "rollback", lease=lease)
    refresh(desk)


def settle(desk: Desk, staged: Path, manifest: Manifest) -> None:
    """Move the run among the kept ones; one of the same identity that is there already must be equal, and stays."""
    place = desk.layout.run(staged.name)
    if not runs.complete(desk.layout, staged.name):
        runs.settle(desk.layout, staged)
        return
    different = differences(runs.read_manifest(place), manifest)
    if different:
        raise VerificationFailed(
            f"run {staged.name} was made before with the same inputs but differs in: {', '.join(different)}",
            hint="nightloom runs verify; the earlier run keeps serving",
        )
    runs.discard(staged)


def differences(one: Manifest, other: Manifest) -> list[str]:
    """Names of tables and of model and pack files whose digests differ between two runs of one identity."""
    tables = {table.name: table.digests for table in one.tables}
    others = {table.name: table.digests for table in other.tables}
    names = [name for name in sorted(tables.keys() | others.keys()) if tables.get(name) != others.get(name)]
    return names + [
        name for name in sorted(one.files.keys() | other.files.keys()) if one.files.get(name) != other.files.get(name)
    ]


def refresh(desk: Desk) -> None:
    """Point the analysts' views at what is kept, then remove what no view has named since the last refresh.

    Removal takes two refreshes: a run first leaves the views and only at the next one the disk, so that an analyst who
    opened the views yesterday still finds every file they name. Raises ``StorageError``; the run that is served goes on
    being served, and the next night, or a rollback, makes up for it (``renew_views``).
    """
    pointer = desk.journal.pointer()
    if pointer is None:
        return
    status = {record.run_id: record.status for record in desk.journal.runs()}
    leaving = {run_id for run_id, value in status.items() if value == "retired" and run_id != pointer.run_id}
    kept, unreadable = _kept(desk, status)
    shown = _to_show(desk, kept, pointer.run_id)
    if pointer.run_id not in {manifest.run_id for manifest in shown}:
        raise StorageError(
            f"run {pointer.run_id}, which is served, cannot be read from disk",
            hint="nightloom rollback, or nightloom run --force",
        )
    with desk.journal.reading() as connection:
        deliveries, known = outbox.listed(connection, limit=analytics.DELIVERIES_KEPT), jobs.listed(connection)
    analytics.refresh(desk.layout, pointer.run_id, shown, deliveries, known)
    for run_id in sorted(leaving):
        runs.remove(desk.layout, run_id)
        desk.journal.record_run(run_id, "pruned")
    for run_id in sorted({manifest.run_id for manifest in kept} - {manifest.run_id for manifest in shown}):
        desk.journal.record_run(run_id, "retired")
    if not unreadable:
        desk.journal.prune(min((manifest.identity.journal_seq for manifest in kept), default=0))


def renew_views(desk: Desk) -> bool:
    """Refresh the analysts' views when they are missing, cannot be read, or do not name the runs they should; returns
    whether they were.

    That happens when a night or a rollback died, or ran out of disk, right after it moved the pointer.
    """
    pointer = desk.journal.pointer()
    if pointer is None:
        return False
    kept, _ = _kept(desk, {record.run_id: record.status for record in desk.journal.runs()})
    wanted = {manifest.run_id: manifest.run_id == pointer.run_id for manifest in _to_show(desk, kept, pointer.run_id)}
    # A served run that is gone from disk cannot be shown; the night that follows makes a new one.
    if pointer.run_id not in wanted or analytics.shown(desk.layout) == wanted:
        return False
    desk.progress.step("views", 0, 1, "they do not name the run that is served; writing them again")
    refresh(desk)
    return True


def _kept(desk: Desk, status: Mapping[str, str]) -> tuple[list[Manifest], tuple[str, ...]]:
    """Manifests of the complete runs, oldest first, and the names of those that cannot be read: they are left out,
    and it is said.
    """
    kept, unreadable = runs.kept(desk.layout)
    for name in unreadable:
        desk.progress.step(
            "views", 0, 1, f"run {name} cannot be read and is left out; nightloom runs verify {name} says why"
        )
    return [manifest for manifest in kept if status.get(manifest.run_id) in COMPLETE], unreadable


def _to_show(desk: Desk, kept: list[Manifest], current: str) -> list[Manifest]:
    doomed = expired(desk, {manifest.run_id for manifest in kept}, current)
    return [manifest for manifest in kept if manifest.run_id not in doomed]


def expired(desk: Desk, kept: set[str], current: str) -> set[str]:
    """Promoted runs beyond the newest ``keep_runs``, by their last promotion.

    Backfilled runs stay until an operator removes them.
    """
    newest_first = list(
        dict.fromkeys(promotion.run_id for promotion in desk.journal.promotions() if promotion.run_id in kept)
    )
    return set(newest_first[desk.settings.pipeline.keep_runs :]) - {current}
