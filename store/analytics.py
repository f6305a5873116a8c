"""``analytics.duckdb``: a tiny file of documented views over the published Parquet, replaced by rename so that no
analyst ever waits.

Schemas: ``main`` is the current run; ``history`` is every kept run (columns ``run_id``, ``as_of`` first);
``main.*_changes`` compare the current run with the one before it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

import duckdb

from contracts.manifest import Manifest
from contracts.published import TABLES
from contracts.tables.table import Table
from store import disk
from store.faults import storage_border
from store.journal.jobs import Job
from store.journal.outbox import Delivery
from store.layout import Layout
from transforms.quoting import text_literal

# Views made from others, with the column that each adds documented where it is not a table's own.
DERIVED: dict[str, tuple[str, str]] = {
    "recommendations": (
        "one profile and recommended item, by rank from 1",
        "SELECT run_id, as_of, profile_id, unnest(range(1, len(item_ids) + 1))::INTEGER AS rank, "
        "unnest(item_ids) AS item_id, "
        "unnest(scores) AS score, model, cold FROM {schema}.recommendation_lists",
    ),
    "item_neighbours": (
        "one item and an item like it, by rank from 1",
        "SELECT run_id, as_of, item_id, unnest(range(1, len(item_ids) + 1))::INTEGER AS rank, unnest(item_ids) AS "
        "neighbour_id, "
        "unnest(scores) AS score, model FROM {schema}.item_neighbour_lists",
    ),
    "segment_changes": (
        "one segment and profile that entered or left since the published run before",
        "SELECT d.run_id, d.as_of, d.segment_id, s.segment_name, d.profile_id, p.customer_id, d.change "
        "FROM {schema}.segment_deltas AS d LEFT JOIN {schema}.segments AS s USING (run_id, segment_id) "
        "LEFT JOIN {schema}.profiles AS p USING (run_id, profile_id)",
    ),
}

CHANGES: dict[str, tuple[str, str]] = {
    "churn_changes": (
        "one profile whose churn score differs between the run before and the current one; null where it had none",
        "SELECT profile_id, before.churn_score AS score_before, now.churn_score AS score_now, "
        "now.churn_score - before.churn_score AS difference, before.churn_probability AS label_before, "
        "now.churn_probability AS label_now "
        "FROM before FULL JOIN now USING (profile_id) WHERE before.churn_score IS DISTINCT FROM now.churn_score",
    ),
    "recommendation_changes": (
        "one profile whose list differs between the run before and the current one: items that came and "
        "items that went",
        "SELECT profile_id, list_filter(now.item_ids, item -> NOT list_contains(coalesce(before.item_ids, []), item)) "
        "AS entered, "
        "list_filter(before.item_ids, item -> NOT list_contains(coalesce(now.item_ids, []), item)) AS left_out "
        "FROM before FULL JOIN now USING (profile_id) WHERE before.item_ids IS DISTINCT FROM now.item_ids",
    ),
    "item_changes": (
        "one item that appeared, vanished or changed between the run before and the current one",
        "SELECT item_id, CASE WHEN before.item_id IS NULL THEN 'new' WHEN now.item_id IS NULL THEN 'gone' ELSE "
        "'changed' END AS change, "
        "before.item_price AS price_before, now.item_price AS price_now, before.status AS status_before, now.status "
        "AS status_now FROM before FULL JOIN now "
        "USING (item_id) "
        "WHERE (before.item_name, before.item_price, before.status) IS DISTINCT "
        "FROM (now.item_name, now.item_price, now.status)",
    ),
}
_CHANGE_OF = {"churn_changes": "churn", "recommendation_changes": "recommendation_lists", "item_changes": "items"}


DELIVERIES = (
    ("delivery_id", "VARCHAR", "id of the notification, the same on every attempt"),
    ("subject", "VARCHAR", "what it tells"),
    ("message", "JSON", "what is sent"),
    ("created_at", "TIMESTAMP", "when the fact occurred (UTC)"),
    ("status", "VARCHAR", "pending, delivered, dead, skipped or refused"),
    ("host", "VARCHAR", "host of the last attempt"),
    ("attempts", "INTEGER", "attempts so far"),
    ("next_at", "TIMESTAMP", "when it is tried again (UTC)"),
    ("finished_at", "TIMESTAMP", "when it was delivered or given up (UTC)"),
    ("attempt_log", "JSON", "each attempt: attempt, at, http_status, error, answer (its first 4 KiB)"),
)
"""Columns of ``webhook_deliveries``, a table of what the journal knew when the views were written."""
DELIVERIES_KEPT = 10_000
JOB_TIMES = (
    ("started_at", "TIMESTAMP", "when the job began (UTC)"),
    ("finished_at", "TIMESTAMP", "when it was published or failed (UTC)"),
)
"""What the view of ``training_jobs`` has beside the published table: two runs of one identity are equal, their times
are not, so these are the journal's."""


def refresh(
    layout: Layout, current: str, kept: Sequence[Manifest], deliveries: Sequence[Delivery] = (),
    jobs: Sequence[Job] = (),
) -> None:
    """Write the views for the kept runs, ``current`` among them, and swap the file in. ``deliveries`` become table
    ``webhook_deliveries``; of ``jobs`` the times are shown with ``training_jobs``.

    Raises ``StorageError``; the old file then stays.
    """
    fresh = layout.analytics.with_name(".analytics.fresh.duckdb")
    by_id = {manifest.run_id: manifest for manifest in kept}
    with storage_border(f"cannot write {layout.analytics.name}"):
        for left in (fresh, fresh.with_name(f"{fresh.name}.wal")):
            left.unlink(missing_ok=True)
        with duckdb.connect(str(fresh)) as con:
            con.begin()
            _job_times(con, jobs)
            _create(con, layout, by_id[current], kept)
            _deliveries(con, deliveries)
            con.commit()
            con.execute("CHECKPOINT")
        disk.sync_file(fresh)
        fresh.replace(layout.analytics)
        disk.sync_folder(layout.root)


def shown(layout: Layout) -> dict[str, bool] | None:
    """The runs that the views name, and of each whether it is the current one; None when the file is missing or
    cannot be used.
    """
    if not layout.analytics.exists():
        return None
    try:
        with duckdb.connect(str(layout.analytics), read_only=True) as con:
            return {
                str(run_id): bool(current)
                for run_id, current in con.execute("SELECT run_id, current FROM runs").fetchall()
            }
    except duckdb.Error:
        return None


def _create(con: duckdb.DuckDBPyConnection, layout: Layout, current: Manifest, kept: Sequence[Manifest]) -> None:
    con.execute("CREATE SCHEMA history")
    for table in TABLES:
        added = JOB_TIMES if table.name == "training_jobs" else ()
        _view(con, "main", table.name, table.grain, _scan(layout, table, [current], timed=bool(added)))
        grain = f"{table.grain}, of each kept run"
        _view(con, "history", table.name, grain, _scan(layout, table, kept, timed=bool(added)))
        for schema in ("main", "history"):
            for column in table.columns:
                _comment(con, f"{schema}.{table.name}.{column.name}", "COLUMN", column.doc)
            for name, _, doc in added:
                _comment(con, f"{schema}.{table.name}.{name}", "COLUMN", doc)
            _comment(con, f"{schema}.{table.name}.run_id", "COLUMN", "run the row was published with")
            _comment(con, f"{schema}.{table.name}.as_of", "COLUMN", "cut-off of that run (UTC)")
    for name, (grain, sql) in DERIVED.items():
        for schema in ("main", "history"):
            _view(con, schema, name, grain, sql.format(schema=schema))
    _runs(con, current, kept)
    before = _before(current, kept)
    for name, (grain, sql) in CHANGES.items():
        source = _CHANGE_OF[name]
        scope = (
            f"WITH now AS (SELECT * FROM history.{source} WHERE run_id = '{current.run_id}'), "
            f"before AS (SELECT * FROM history.{source} WHERE run_id = '{before}') "
        )
        _view(con, "main", name, grain, scope + sql)


def _scan(layout: Layout, table: Table, manifests: Iterable[Manifest], *, timed: bool = False) -> str:
    """The table of these runs as one query, ``timed`` with the times of its jobs; runs made before the table existed
    add nothing.
    """
    columns = ", ".join(column.name for column in table.columns)
    parts = []
    for manifest in manifests:
        published = next((entry for entry in manifest.tables if entry.name == table.name), None)
        if published is None:
            continue
        files = ", ".join(text_literal(str(layout.run(manifest.run_id) / file)) for file in published.files)
        as_of = f"TIMESTAMP {text_literal(manifest.identity.as_of)}"
        parts.append(
            f"SELECT {text_literal(manifest.run_id)} AS run_id, {as_of} AS as_of, * FROM read_parquet([{files}])"
        )
    # Its columns are there whatever the runs have: an earlier version of the program published others.
    empty = ", ".join(f"NULL::{column.type} AS {column.name}" for column in table.columns)
    parts.insert(0, f"SELECT NULL::VARCHAR AS run_id, NULL::TIMESTAMP AS as_of, {empty} WHERE false")
    rows = f"SELECT run_id, as_of, {columns} FROM ({' UNION ALL BY NAME '.join(parts)})"
    times = ", ".join(f"t.{name}" for name, _, _ in JOB_TIMES)
    joined = f"SELECT j.*, {times} FROM ({rows}) AS j LEFT JOIN main.job_times AS t USING (training_job_id)"
    return joined if timed else rows


def _runs(con: duckdb.DuckDBPyConnection, current: Manifest, kept: Sequence[Manifest]) -> None:
    rows = [
        f"({text_literal(manifest.run_id)}, TIMESTAMP {text_literal(manifest.identity.as_of)}, TIMESTAMP "
        f"{text_literal(manifest.created_at)}, "
        f"{str(manifest.run_id == current.run_id).lower()}, {manifest.identity.journal_seq}, "
        f"{text_literal(manifest.identity.code_version)})"
        for manifest in kept
    ]
    _view(con, "main", "runs", "one kept run", f"SELECT * FROM (VALUES {', '.join(rows)}) AS "
          "kept(run_id, as_of, created_at, current, journal_seq, code_version)")


def _job_times(con: duckdb.DuckDBPyConnection, jobs: Sequence[Job]) -> None:
    columns = ", ".join(f"{name} {kind}" for name, kind, _ in JOB_TIMES)
    con.execute(f"CREATE TABLE main.job_times (training_job_id VARCHAR, {columns})")
    con.execute("COMMENT ON TABLE main.job_times IS 'grain: one training job that the journal knows'")
    _fill(con, "main.job_times", ("VARCHAR", "TIMESTAMP", "TIMESTAMP"), [
        {"training_job_id": one.training_job_id, "started_at": one.started_at, "finished_at": one.finished_at}
        for one in jobs
    ])


def _fill(
    con: duckdb.DuckDBPyConnection, table: str, kinds: Sequence[str], rows: Sequence[Mapping[str, object]]
) -> None:
    """Insert rows, all at once; their names are the table's columns."""
    if rows:
        shape = json.dumps([dict(zip(rows[0], (kind.replace("JSON", "VARCHAR") for kind in kinds), strict=True))])
        con.execute(
            f"INSERT INTO {table} SELECT * FROM (SELECT unnest(from_json($rows, $shape), recursive := true))",
            {"rows": json.dumps(rows, default=str), "shape": shape},
        )


def _deliveries(con: duckdb.DuckDBPyConnection, deliveries: Sequence[Delivery]) -> None:
    name = "main.webhook_deliveries"
    con.execute(f"CREATE TABLE {name} ({', '.join(f'{column} {kind}' for column, kind, _ in DELIVERIES)})")
    con.execute(f"COMMENT ON TABLE {name} IS 'grain: one notification, as of the last publish'")
    for column, _, doc in DELIVERIES:
        _comment(con, f"{name}.{column}", "COLUMN", doc)
    fields = ("attempt", "at", "http_status", "error", "answer")
    rows = [
        {
            "delivery_id": one.delivery_id, "subject": one.subject, "message": one.message,
            "created_at": one.created_at, "status": one.status, "host": one.host, "attempts": one.attempts,
            "next_at": one.next_at, "finished_at": one.finished_at,
            "attempt_log": json.dumps([dict(zip(fields, tried, strict=True)) for tried in one.tries], default=str),
        }
        for one in deliveries
    ]
    _fill(con, name, [kind for _, kind, _ in DELIVERIES], rows)


def _before(current: Manifest, kept: Sequence[Manifest]) -> str:
    """The newest kept run older than the current one, by as_of and creation; empty when there is none."""
    def place(manifest: Manifest) -> tuple[str, str]:
        return manifest.identity.as_of, manifest.created_at

    older = [manifest for manifest in kept if place(manifest) < place(current)]
    return max(older, key=place).run_id if older else ""


def _view(con: duckdb.DuckDBPyConnection, schema: str, name: str, grain: str, sql: str) -> None:
    con.execute(f"CREATE VIEW {schema}.{name} AS {sql}")
    _comment(con, f"{schema}.{name}", "VIEW", f"grain: {grain}")


def _comment(con: duckdb.DuckDBPyConnection, what: str, kind: str, text: str) -> None:
    con.execute(f"COMMENT ON {kind} {what} IS {text_literal(text)}")
