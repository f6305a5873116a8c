"""The warehouse: one DuckDB file with everything delivered, one writer at a time.

Its tables are described here, column by column.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from contracts.errors import StorageError
from contracts.settings import Pipeline
from store.disk import sync_file, sync_folder
from store.layout import Layout

SCHEMA_VERSION = 6
# The format of the file: from this version of DuckDB on texts are stored smaller, and faster.
STORAGE = "v1.4.0"

# Columns that tables of earlier versions lack.
ADDED = (("pending_events", "session_id VARCHAR"),)

# No primary keys: they make a bulk load half as fast. Uniqueness of profile_id, item_id and event_id is kept by the
# load and tested.
SCHEMA = """
-- One profile. The row with the greatest (updated_at, content) won; created_at is the least date it was seen with.
-- `dated` is false when a delivery had no date of its own for it (created_at is then the ingest time).
-- `has_charged` is as delivered: charged events are not
-- folded in. `status_at` is when the status was last delivered, null when it never was ('active' is then assumed).
-- `load_id` is the load that brought its content; 0 when no file did, but its events, or a write (see written_rows).
CREATE TABLE IF NOT EXISTS profiles (
    profile_id VARCHAR, customer_id VARCHAR, has_charged BOOLEAN, status VARCHAR, profile_data JSON, platform_info JSON,
    created_at TIMESTAMP, updated_at TIMESTAMP, load_id BIGINT, dated BOOLEAN, status_at TIMESTAMP);
-- One item, by the same rules.
CREATE TABLE IF NOT EXISTS items (
    item_id VARCHAR, item_category VARCHAR, item_name VARCHAR, item_description VARCHAR,
    item_price BIGINT, status VARCHAR,
    properties JSON, created_at TIMESTAMP, updated_at TIMESTAMP, load_id BIGINT, dated BOOLEAN, status_at TIMESTAMP);
-- One event. event_id = 'event_' and the first 32 hex digits of the row's key, a SHA-256 (or minted, when it came
-- through the API).
-- load_id is 0 for what came through the API, -1 when it came as an interaction or rating, all types of which count.
-- The key itself is not kept: the id is its head, and 128 bits tell events apart.
CREATE TABLE IF NOT EXISTS events (
    event_id VARCHAR, event_type VARCHAR, profile_id VARCHAR, item_id VARCHAR, created_at TIMESTAMP, properties JSON,
    load_id BIGINT);
-- One event of a profile not known yet, with everything that its event needs; loaded as soon as the profile is known.
CREATE TABLE IF NOT EXISTS pending_events (
    load_id BIGINT, line BIGINT, ordinal BIGINT, profile_key VARCHAR, event_type VARCHAR, item_id VARCHAR,
    created_at TIMESTAMP,
    dated BOOLEAN, properties VARCHAR, content_hash VARCHAR, session_id VARCHAR);
-- One event that waited for its profile, by the order in which it was loaded at last; those already looked at may go.
CREATE TABLE IF NOT EXISTS late_events (
    number BIGINT, load_id BIGINT, event_id VARCHAR, created_at TIMESTAMP, released_at TIMESTAMP);
-- Type of one property: string, number, boolean, or one of these with []. Events use their type as parent.
CREATE TABLE IF NOT EXISTS property_types (entity VARCHAR, parent VARCHAR, key VARCHAR, type VARCHAR);
-- One delivered file and entity. `replay_of` is the load whose rows were repaired.
CREATE TABLE IF NOT EXISTS file_loads (
    load_id BIGINT, entity VARCHAR, resource VARCHAR, file VARCHAR, content_hash VARCHAR, status VARCHAR,
    rows_in BIGINT,
    rows_loaded BIGINT, rows_already BIGINT, rows_skipped BIGINT, rows_quarantined BIGINT, message VARCHAR,
    loaded_at TIMESTAMP,
    replay_of BIGINT);
-- Rows of one load left out by one stated rule.
CREATE TABLE IF NOT EXISTS load_skips (load_id BIGINT, entity VARCHAR, rule VARCHAR, rows BIGINT);
-- One column of one delivered file; change: '', new, lost, or retyped, against the resource's load before.
CREATE TABLE IF NOT EXISTS file_columns (
    load_id BIGINT, column_name VARCHAR, type VARCHAR, change VARCHAR, position INTEGER
);
-- One rule broken by one delivered row.
CREATE TABLE IF NOT EXISTS quarantine (
    load_id BIGINT, entity VARCHAR, file VARCHAR, content_hash VARCHAR, line BIGINT, column_name VARCHAR,
    value VARCHAR, rule VARCHAR,
    reason VARCHAR, raw VARCHAR, ingested_at TIMESTAMP, resolved_at TIMESTAMP);
-- One item or profile (entity) that was written through the API. It was put or deleted last at cleared_at: what files
-- had delivered until then does not count. `deleted`: it is gone until a write or a later file brings it back.
CREATE TABLE IF NOT EXISTS written_rows (
    entity VARCHAR, id VARCHAR, deleted BOOLEAN, cleared_at TIMESTAMP, written_at TIMESTAMP);
-- Last value of one property that was written through the API; null: it was taken away.
CREATE TABLE IF NOT EXISTS written_values (entity VARCHAR, id VARCHAR, key VARCHAR, value JSON, written_at TIMESTAMP);
-- State of one item or profile that was written through the API, beside its properties; null: not written.
CREATE TABLE IF NOT EXISTS written_facts (
    entity VARCHAR, id VARCHAR, has_charged BOOLEAN, status VARCHAR, status_at TIMESTAMP, platform_info JSON);
-- One event of a session. Those of a resolved session are among the profile's events too, under the same event_id.
CREATE TABLE IF NOT EXISTS session_events (
    event_id VARCHAR, session_id VARCHAR, event_type VARCHAR, item_id VARCHAR, created_at TIMESTAMP, properties JSON);
-- One session that is known to be a profile's.
CREATE TABLE IF NOT EXISTS sessions (session_id VARCHAR, profile_id VARCHAR, resolved_at TIMESTAMP);
-- One subject of one A/B test: a user's own id or a session's (subject_kind user or session), with the group it was
-- first seen in, when, and by which scenario and run. crossed_at: when it was first in the other group, null: never.
CREATE TABLE IF NOT EXISTS exposures (
    test_id VARCHAR, subject_kind VARCHAR, subject VARCHAR, profile_id VARCHAR, group_name VARCHAR, first_at TIMESTAMP,
    crossed_at TIMESTAMP, reco_type VARCHAR, scenario_name VARCHAR, run_id VARCHAR);
-- One customer whose profiles were deleted: how often. The id of the next profile goes by it.
CREATE TABLE IF NOT EXISTS profile_deletions (customer_id VARCHAR, deletions BIGINT);
-- One answer of an agent to one call: the arm, what it was drawn from, with which total probabilities, by which policy,
-- and the context it was drawn in. candidates and probs are in the order of the arms; both are empty where there were
-- too many arms to list. Sticky rows repeat the draw that they go back to.
CREATE TABLE IF NOT EXISTS decisions (
    event_id VARCHAR, owner VARCHAR, agent VARCHAR, session VARCHAR, epoch BIGINT, point VARCHAR, decision_set VARCHAR,
    arm VARCHAR, candidates VARCHAR[], probs DOUBLE[], probability DOUBLE, policy VARCHAR, requested VARCHAR,
    version VARCHAR, backoff VARCHAR, sticky BOOLEAN, status VARCHAR, live BOOLEAN, segment VARCHAR, features JSON,
    pattern VARCHAR, seq BIGINT, ts TIMESTAMP, received_ts TIMESTAMP, ts_given BOOLEAN, source VARCHAR,
    propensity_assumed BOOLEAN);
-- One call of a goal. reward_accepted is 0 for the reason told; epoch is null where the session has none.
CREATE TABLE IF NOT EXISTS goals (
    event_id VARCHAR, owner VARCHAR, agent VARCHAR, session VARCHAR, epoch BIGINT, goal VARCHAR, reward_sent DOUBLE,
    reward_accepted DOUBLE, reason VARCHAR, ts TIMESTAMP, received_ts TIMESTAMP, ts_given BOOLEAN, source VARCHAR);
-- One call that stored features of a session (kind features) or ended its epoch (kind expire).
CREATE TABLE IF NOT EXISTS decision_sessions (
    event_id VARCHAR, owner VARCHAR, agent VARCHAR, session VARCHAR, epoch BIGINT, kind VARCHAR, segment VARCHAR,
    features JSON, ts TIMESTAMP, received_ts TIMESTAMP, ts_given BOOLEAN);
-- One reward that a decision log told with the decision itself, and its goal.
CREATE TABLE IF NOT EXISTS decision_rewards (event_id VARCHAR, goal VARCHAR, reward DOUBLE);
-- One row of a decision or goal log that was not loaded.
CREATE TABLE IF NOT EXISTS decision_rejects (
    file VARCHAR, content_hash VARCHAR, line BIGINT, reason VARCHAR, raw VARCHAR, loaded_at TIMESTAMP);
-- One profile that the published run has in another one, as of the last ingest.
CREATE TABLE IF NOT EXISTS merged_profiles (child VARCHAR, parent VARCHAR);
-- One drain of the journal, up to and with journal_seq.
CREATE TABLE IF NOT EXISTS journal_drains (journal_seq BIGINT, rows BIGINT, drained_at TIMESTAMP);
-- One row; the version grows with every change of the entity tables.
CREATE TABLE IF NOT EXISTS warehouse_state (version BIGINT, schema_version INTEGER);
"""

# Whether a delivered row is dated, and which load brought it, is history, not content.
_CONTENT = {
    "profiles": (
        "profile_id",
        "customer_id",
        "has_charged",
        "status",
        "profile_data",
        "platform_info",
        "created_at",
        "updated_at",
        "dated",
    ),
    "items": (
        "item_id",
        "item_category",
        "item_name",
        "item_description",
        "item_price",
        "status",
        "properties",
        "created_at",
        "updated_at",
        "dated",
    ),
    "events": ("event_id", "event_type", "profile_id", "item_id", "created_at", "properties"),
    "property_types": ("entity", "parent", "key", "type"),
    "written_rows": ("entity", "id", "deleted", "cleared_at", "written_at"),
    "written_values": ("entity", "id", "key", "value", "written_at"),
    "written_facts": ("entity", "id", "has_charged", "status", "status_at", "platform_info"),
    "session_events": ("event_id", "session_id", "event_type", "item_id", "created_at", "properties"),
    "sessions": ("session_id", "profile_id", "resolved_at"),
    "exposures": (
        "test_id", "subject_kind", "subject", "profile_id", "group_name", "first_at", "crossed_at", "reco_type",
        "scenario_name", "run_id",
    ),
    "decisions": (
        "event_id", "owner", "agent", "session", "epoch", "point", "decision_set", "arm", "candidates", "probs",
        "probability", "policy", "requested", "version", "backoff", "sticky", "status", "live", "segment", "features",
        "pattern", "seq", "ts", "received_ts", "ts_given", "source", "propensity_assumed",
    ),
    "goals": (
        "event_id", "owner", "agent", "session", "epoch", "goal", "reward_sent", "reward_accepted", "reason", "ts",
        "received_ts", "ts_given", "source",
    ),
    "decision_rewards": ("event_id", "goal", "reward"),
    "decision_sessions": (
        "event_id", "owner", "agent", "session", "epoch", "kind", "segment", "features", "ts", "received_ts",
        "ts_given",
    ),
}


@contextmanager
def open_warehouse(
    layout: Layout, pipeline: Pipeline, *, read_only: bool = False
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection to the workspace's warehouse, made with its schema when absent; closed and checkpointed
    afterwards.

    Raises ``StorageError`` when the file is locked by another process, unreadable, from a newer version, or the disk is
    full.
    """
    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": pipeline.threads,
        "memory_limit": pipeline.memory_limit,
        "temp_directory": str(layout.scratch / "warehouse.spill"),
        "preserve_insertion_order": True,
        # Small loads go to the log and are folded into the file together, at the end.
        "wal_autocheckpoint": "1GB",
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    with _storage_errors(layout):
        layout.root.mkdir(parents=True, exist_ok=True)
        if not layout.warehouse.exists():
            _create(layout.warehouse)
        elif read_only:
            _upgrade(layout.warehouse, config)
        con = duckdb.connect(str(layout.warehouse), read_only=read_only, config=config)
        try:
            con.execute("SET TimeZone = 'UTC'")
            # Without a script's name (python -c) DuckDB takes standard output for a terminal.
            con.execute("SET enable_progress_bar = false")
            if not read_only:
                create_schema(con)
            _check_version(con)
            yield con
        finally:
            con.close()


def _create(path: Path) -> None:
    """Make an empty warehouse aside and put it in place whole: a file that a full disk or a kill cut short could
    never be opened again.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with duckdb.connect(str(fresh), config={"storage_compatibility_version": STORAGE}) as con:
            create_schema(con)
            con.execute("CHECKPOINT")
        sync_file(fresh)
        with suppress(FileExistsError):
            os.link(fresh, path)
        sync_folder(path.parent)
    finally:
        for left in (fresh, fresh.with_name(fresh.name + ".wal")):
            left.unlink(missing_ok=True)


def _upgrade(path: Path, config: dict[str, str | bool | int | float | list[str]]) -> None:
    """Add what an earlier version lacks: who only reads cannot."""
    with duckdb.connect(str(path), read_only=True, config=config) as con:
        row = con.execute("SELECT max(schema_version) FROM warehouse_state").fetchone()
    if row is not None and row[0] is not None and row[0] < SCHEMA_VERSION:
        with duckdb.connect(str(path), config=config) as con:
            create_schema(con)


def create_schema(con: duckdb.DuckDBPyConnection) -> None:
    """Make the tables that are missing; a file of an earlier version has this one's tables then. Works on any DuckDB
    database (tests, scratch files).
    """
    con.execute(SCHEMA)
    for table, column in ADDED:
        con.execute(f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {column}")
    con.execute(
        "INSERT INTO warehouse_state SELECT 0, $v WHERE NOT EXISTS (FROM warehouse_state)", {"v": SCHEMA_VERSION}
    )
    # Versions added tables, and what is in ADDED.
    con.execute("UPDATE warehouse_state SET schema_version = $v WHERE schema_version < $v", {"v": SCHEMA_VERSION})


@contextmanager
def transaction(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All or nothing: commit what is done inside, or roll it back when it raises."""
    con.begin()
    try:
        yield
        con.commit()
    except BaseException:
        # After a failed write the database may refuse even the rollback; the error that counts is the first.
        with suppress(duckdb.Error):
            con.rollback()
        raise


def bump_version(con: duckdb.DuckDBPyConnection) -> None:
    """Note, inside the caller's transaction, that an entity table changed."""
    con.execute("UPDATE warehouse_state SET version = version + 1")


def version(con: duckdb.DuckDBPyConnection) -> int:
    """The warehouse's version: grows with every change of an entity table."""
    row = con.execute("SELECT max(version) FROM warehouse_state").fetchone()
    return int(row[0]) if row and row[0] is not None else 0


def warehouse_digest(con: duckdb.DuckDBPyConnection, schema: str = "main") -> str:
    """Digest of the content of the entity tables, independent of row order, threads and loads.

    Two 64-bit hashes of each row are summed exactly over the table: equal content gives equal sums. Computed at every
    night, so it uses DuckDB's own hash, which is fast and may change with DuckDB's version (then a night sees news
    where there is none); it is not meant against somebody who forges rows.
    """
    parts = []
    for table, columns in _CONTENT.items():
        row = ", ".join(columns)
        found = con.execute(
            f"SELECT count(*), sum(hash({row})::HUGEINT), sum(hash({row}, 1)::HUGEINT) FROM {schema}.{table}"
        ).fetchone()
        assert found is not None
        parts.append("-".join(str(int(value or 0)) for value in found))
    summary = con.execute("SELECT sha256($text)", {"text": "/".join(parts)}).fetchone()
    assert summary is not None
    return str(summary[0])


def _check_version(con: duckdb.DuckDBPyConnection) -> None:
    row = con.execute("SELECT max(schema_version) FROM warehouse_state").fetchone()
    if row is None or row[0] is None or row[0] > SCHEMA_VERSION:
        raise StorageError(
            f"the warehouse has schema version {row[0] if row else None}, this program knows {SCHEMA_VERSION}",
            hint="run the version of nightloom that wrote it, or rebuild the warehouse from the archive",
        )


@contextmanager
def _storage_errors(layout: Layout) -> Iterator[None]:
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise StorageError(
            f"the warehouse ran out of memory or spill space: {error}",
            hint="raise pipeline.memory_limit or free disk space",
        ) from error
    except duckdb.IOException as error:
        busy = "lock" in str(error).lower()
        hint = (
            "wait for the other process, or end it"
            if busy
            else "free disk space, or check the permissions of the data folder"
        )
        raise StorageError(f"cannot use {layout.warehouse.name}: {error}", hint=hint) from error
    except (duckdb.FatalException, duckdb.InternalException, duckdb.TransactionException) as error:
        raise StorageError(
            f"the warehouse refused: {error}", hint="free disk space and run again: nothing was half loaded"
        ) from error
    except OSError as error:
        raise StorageError(
            f"cannot use the data folder: {error}", hint="check free space and permissions of the data folder"
        ) from error
