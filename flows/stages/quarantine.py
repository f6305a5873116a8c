"""Rows that were held back: list them, show and export them, and load them again once something was repaired."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from contracts.definitions import ENTITIES, FileFormat, ReadOptions, Source
from contracts.errors import NotFound, UsageError
from contracts.settings import Settings
from flows.stages.deliveries import Delivery, FileLoad
from flows.stages.ingest import declared_event_types, release_waiting
from flows.stages.loading import Continuation, Times, load_file
from store import inbox, warehouse
from store.disk import digest, storage_errors
from store.layout import Layout
from store.source_files import format_of, plain_text
from transforms import csv_files, layouts

# Rules of rows that were never split into columns: their raw text is the line itself.
_WHOLE_LINE = ("column_count", "bad_quoting", "bad_json")


@dataclass(frozen=True, slots=True)
class Held:
    """Rows of one load that broke one rule in one column."""

    load_id: int
    entity: str
    file: str
    rule: str
    column_name: str
    rows: int
    open: int
    first_line: int
    ingested_at: datetime

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class HeldRow:
    """One rule broken by one row."""

    load_id: int
    entity: str
    file: str
    line: int
    column_name: str
    value: str | None
    rule: str
    reason: str
    raw: str | None
    ingested_at: datetime
    resolved_at: datetime | None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What a replay did: its loads, rows of the quarantine that are resolved now, and rows still open."""

    loads: tuple[FileLoad, ...] = ()
    resolved: int = 0
    still_open: int = 0
    released: int = 0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def list_held(layout: Layout, settings: Settings, *, everything: bool = False) -> list[Held]:
    """What is held back, by load and rule; ``everything`` adds what was resolved."""
    with warehouse.open_warehouse(layout, settings.pipeline, read_only=True) as con:
        rows = con.execute(
            "SELECT load_id, entity, any_value(file), rule, column_name, count(*), count(*) FILTER (resolved_at IS "
            "NULL), min(line), "
            f"min(ingested_at) FROM quarantine {'' if everything else 'WHERE resolved_at IS NULL'} "
            "GROUP BY load_id, entity, rule, column_name ORDER BY load_id, entity, rule, column_name"
        ).fetchall()
    return [Held(*row) for row in rows]


def show_held(
    layout: Layout, settings: Settings, load_id: int, *, limit: int = 20, everything: bool = False
) -> list[HeldRow]:
    """Rows of one load by line; at most ``limit`` (0: all). Raises ``NotFound`` for a load that does not exist."""
    with warehouse.open_warehouse(layout, settings.pipeline, read_only=True) as con:
        _load_row(con, load_id)
        rows = con.execute(
            "SELECT load_id, entity, file, line, column_name, value, rule, reason, raw, ingested_at, resolved_at "
            "FROM quarantine "
            f"WHERE load_id = $load {'' if everything else 'AND resolved_at IS NULL'} "
            "ORDER BY line, entity, rule, column_name"
            f"{f' LIMIT {int(limit)}' if limit else ''}",
            {"load": load_id},
        ).fetchall()
    return [HeldRow(*row) for row in rows]


def export_held(layout: Layout, settings: Settings, sources: Sequence[Source], load_id: int, target: Path) -> int:
    """Write the open rows of a load to ``target`` in the layout of the original, to be repaired there and replayed;
    returns the records.

    CSV keeps the original's delimiter and columns; JSON lines stay so; rows of a Parquet file are written as JSON
    lines.
    """
    with warehouse.open_warehouse(layout, settings.pipeline, read_only=True) as con:
        original = _original(layout, con, sources, load_id)
        records = _records(con, original, load_id, layout.scratch / "export")
    if not records.lines:
        raise UsageError(f"load {load_id} has no open rows", hint="nightloom quarantine list")
    with storage_errors(f"write {target.name}"):
        target.write_bytes(records.content)
    return len(records.lines)


def replay(
    layout: Layout,
    settings: Settings,
    sources: Sequence[Source],
    now: datetime,
    *,
    load_id: int | None = None,
    file: Path | None = None,
) -> ReplayReport:
    """Load held rows again: as they were delivered, under the definitions of today, or from a repaired ``file`` of one
    load.

    The rows go on from the original load (its time, and the numbering of equal rows), so the warehouse ends as if the
    file had been delivered right. With ``file`` all open rows of the load count as repaired by it; what is still wrong
    is held back under the replay's own number. Without, rows that are still wrong stay where they are.
    """
    if file is not None and load_id is None:
        raise UsageError(
            "a repaired file belongs to one load", hint="nightloom quarantine replay --load ID --file FILE"
        )
    layout.create()
    loads: list[FileLoad] = []
    with warehouse.open_warehouse(layout, settings.pipeline) as con:
        before = _open_rows(con)
        chosen = (
            [load_id]
            if load_id is not None
            else [
                int(row[0])
                for row in con.execute(
                    "SELECT DISTINCT load_id FROM quarantine JOIN file_loads USING (load_id) WHERE resolved_at IS "
                    "NULL AND status = 'loaded' "
                    "ORDER BY load_id"
                ).fetchall()
            ]
        )
        types = declared_event_types(settings, sources)
        for one in chosen:
            original = _original(layout, con, sources, one)
            if file is not None:
                loads.extend(_replay_file(layout, con, settings, types, original, file, now))
            else:
                loads.extend(_replay_rows(layout, con, settings, types, original, now))
        released = release_waiting(con, now)
        after = _open_rows(con)
    return ReplayReport(tuple(loads), max(0, before - after), after, released)


@dataclass(frozen=True, slots=True)
class _Original:
    load_id: int
    delivery: Delivery
    format: FileFormat
    loaded_at: datetime
    before: tuple[Delivery, ...]


@dataclass(frozen=True, slots=True)
class _Records:
    """Open records of a load as a file: its bytes, and for each record its line in the original and in this file."""

    content: bytes
    suffix: str
    lines: tuple[tuple[int, int], ...]


def _replay_file(
    layout: Layout,
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    types: frozenset[str],
    original: _Original,
    file: Path,
    now: datetime,
) -> list[FileLoad]:
    if not file.is_file():
        raise NotFound(f"no such file: {file}")
    claimed = inbox.adopt(layout, file)
    content_hash = digest(claimed.path)
    again = con.execute(
        "SELECT count(*) FROM file_loads WHERE replay_of = $load AND content_hash = $hash",
        {"load": original.load_id, "hash": content_hash},
    ).fetchone()
    if again and again[0]:
        inbox.archive(layout, claimed, content_hash)
        return []

    def finish(con: duckdb.DuckDBPyConnection, new: int) -> None:  # noqa: ARG001
        con.execute("DELETE FROM pending_events WHERE load_id = $load", {"load": original.load_id})
        con.execute("UPDATE quarantine SET resolved_at = $now WHERE load_id = $load AND resolved_at IS NULL",
                    {"now": now, "load": original.load_id})

    delivery = Delivery(file.name, claimed.path, content_hash, original.delivery.resource)
    try:
        loads, _ = load_file(con, delivery, settings, types, Times(original.loaded_at, now), layout.scratch / "ingest",
                             _continuation(original, finish))
    except BaseException:
        claimed.path.unlink(missing_ok=True)
        raise
    inbox.archive(layout, claimed, content_hash)
    return loads


def _replay_rows(
    layout: Layout,
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    types: frozenset[str],
    original: _Original,
    now: datetime,
) -> list[FileLoad]:
    records = _records(con, original, original.load_id, layout.scratch / "export")
    if not records.lines:
        return []
    written = layout.claimed.parent / f".replay-{original.load_id}{records.suffix}"
    with storage_errors("write the rows to replay"):
        written.write_bytes(records.content)
    content_hash = digest(written)

    def finish(con: duckdb.DuckDBPyConnection, new: int) -> None:
        failing = {
            int(row[0])
            for row in con.execute(
                "SELECT DISTINCT line FROM quarantine WHERE load_id = $load", {"load": new}
            ).fetchall()
        }
        good = [line for line, copy in records.lines if copy not in failing]
        # What is still wrong is already in the quarantine, under the original.
        for table in ("quarantine", "pending_events"):
            con.execute(f"DELETE FROM {table} WHERE load_id = $load", {"load": new})
        con.execute(
            "UPDATE quarantine SET resolved_at = $now WHERE load_id = $load AND resolved_at IS NULL AND line IN "
            "(SELECT unnest($lines::BIGINT[]))",
            {"now": now, "load": original.load_id, "lines": good},
        )
        con.execute("DELETE FROM pending_events WHERE load_id = $load AND line IN (SELECT unnest($lines::BIGINT[]))",
                    {"load": original.load_id, "lines": good})

    try:
        delivery = Delivery(original.delivery.name, written, content_hash, original.delivery.resource)
        loads, _ = load_file(con, delivery, settings, types, Times(original.loaded_at, now), layout.scratch / "ingest",
                             _continuation(original, finish))
        if any(load.rows_in > load.rows_quarantined for load in loads):
            folder = layout.archive / content_hash[:2]
            folder.mkdir(parents=True, exist_ok=True)
            written.replace(folder / f"{content_hash}{records.suffix}")
    finally:
        written.unlink(missing_ok=True)
    return loads


def _continuation(original: _Original, finish: Any) -> Continuation:
    return Continuation(original.load_id, original.delivery.content_hash, original.delivery, original.before, finish)


def _original(layout: Layout, con: duckdb.DuckDBPyConnection, sources: Sequence[Source], load_id: int) -> _Original:
    resource_name, file, content_hash, status, loaded_at = _load_row(con, load_id)
    if status != "loaded":
        raise UsageError(
            f"load {load_id} is {status}: nothing of it was held back row by row",
            hint="repair the file and deliver it again",
        )
    path = inbox.archived(layout, content_hash)
    if path is None:
        raise NotFound(
            f"the original of load {load_id} is not in the archive", hint="deliver the repaired rows as a new file"
        )
    resource: Any = next((source for source in sources if source.name == resource_name), None)
    if resource is None and resource_name in ENTITIES:
        resource = resource_name
    if resource is None:
        raise NotFound(
            f"the source mapping {resource_name!r} of load {load_id} is gone",
            hint="put it back into definitions/sources",
        )
    delivery = Delivery(file, path, content_hash, resource)
    options = resource.read if isinstance(resource, Source) else ReadOptions()
    before = []
    for (earlier,) in con.execute(
        "SELECT DISTINCT content_hash FROM file_loads WHERE replay_of = $load AND status = 'loaded' ORDER BY "
        "content_hash",
        {"load": load_id},
    ).fetchall():
        kept = inbox.archived(layout, earlier)
        if kept is not None:
            before.append(Delivery(kept.name, kept, earlier, resource))
    return _Original(load_id, delivery, format_of(file, path, options.format), loaded_at, tuple(before))


def _load_row(con: duckdb.DuckDBPyConnection, load_id: int) -> tuple[str, str, str, str, datetime]:
    row = con.execute(
        "SELECT resource, file, content_hash, status, loaded_at FROM file_loads WHERE load_id = $load "
        "ORDER BY entity LIMIT 1",
        {"load": load_id},
    ).fetchone()
    if row is None:
        raise NotFound(f"there is no load {load_id}", hint="nightloom quarantine list")
    return row


def _open_rows(con: duckdb.DuckDBPyConnection) -> int:
    row = con.execute("SELECT count(*) FROM quarantine WHERE resolved_at IS NULL").fetchone()
    assert row is not None
    return int(row[0])


def _records(con: duckdb.DuckDBPyConnection, original: _Original, load_id: int, scratch: Path) -> _Records:
    whole = ", ".join(f"'{rule}'" for rule in _WHOLE_LINE)
    rows = con.execute(
        f"SELECT line, arg_min(raw, entity || rule), bool_or(rule IN ({whole})) FROM quarantine "
        "WHERE load_id = $load AND resolved_at IS NULL AND raw IS NOT NULL GROUP BY line ORDER BY line",
        {"load": load_id},
    ).fetchall()
    out = io.StringIO(newline="")
    lines: list[tuple[int, int]] = []
    at = 1
    if original.format != "csv":
        for line, raw, _ in rows:
            lines.append((line, at))
            out.write(raw.rstrip("\r\n") + "\n")
            at += 1
        return _Records(out.getvalue().encode(), ".jsonl", tuple(lines))
    options = original.delivery.resource.read if isinstance(original.delivery.resource, Source) else ReadOptions()
    required = (
        layouts.REQUIRED[original.delivery.resource] if not isinstance(original.delivery.resource, Source) else ()
    )
    with plain_text(original.delivery.path, scratch) as plain:
        dialect, names = csv_files.header(con, plain, options, required)
    writer = csv.writer(out, delimiter=dialect.delimiter, quotechar=dialect.quote or '"', lineterminator="\n")
    writer.writerow(names)
    at = 1 + out.getvalue().count("\n")
    for line, raw, unsplit in rows:
        lines.append((line, at))
        mark = out.tell()
        if unsplit:
            out.write(raw.rstrip("\r\n") + "\n")
        else:
            cells = json.loads(raw)
            writer.writerow([cells.get(name) for name in names])
        out.seek(mark)
        at += out.read().count("\n")
    return _Records(out.getvalue().encode(), ".csv", tuple(lines))
