"""Takes decision and goal logs from the inbox into the warehouse, file by file."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import duckdb

from contracts.errors import DropRefused
from contracts.progress import Progress
from contracts.settings import Settings
from decisions.agent import Agent
from flows.stages.deliveries import FileLoad, next_load, record
from store import inbox, warehouse
from store.disk import digest
from store.inbox import Claimed, Drop
from store.layout import Layout
from transforms.decision_log import load_log
from transforms.decision_log_mapping import PLAIN, DecisionLog


def log_of(name: str, logs: Sequence[DecisionLog]) -> DecisionLog | None:
    """The mapping that takes a file of the inbox, else the folder of logs that it lies in."""
    return next(
        (log for log in (*logs, *PLAIN) if any(fnmatch.fnmatchcase(name, pattern) for pattern in log.match)), None
    )


def take_logs(
    layout: Layout, settings: Settings, logs: Sequence[DecisionLog], agents: Sequence[Agent], now: datetime,
    progress: Progress,
) -> tuple[FileLoad, ...]:
    """Load every complete log of the inbox, interrupted ones first, decisions before goals. A file that cannot be used
    is set aside and stops nobody else; one whose bytes were loaded before changes nothing.
    """
    layout.create()
    drops, _ = inbox.discover(layout, settings.ingest.settle_seconds)
    waiting: list[Claimed | Drop] = [*inbox.interrupted(layout), *drops]
    found = [(log, one) for one in waiting if (log := log_of(one.name, logs)) is not None]
    found.sort(key=lambda pair: (pair[0].log, pair[1].name))
    if not found:
        return ()
    loads = []
    with warehouse.open_warehouse(layout, settings.pipeline) as con:
        for at, (log, one) in enumerate(found):
            progress.step("logs", at, len(found), one.name)
            claimed = one if isinstance(one, Claimed) else inbox.claim(layout, one)
            if claimed is None:
                continue
            loads.append(_take(layout, settings.workspace, con, log, claimed, agents, now))
    progress.step("logs", len(found), len(found))
    return tuple(loads)


def _take(
    layout: Layout, owner: str, con: duckdb.DuckDBPyConnection, log: DecisionLog, claimed: Claimed,
    agents: Sequence[Agent], now: datetime,
) -> FileLoad:
    """Load one file, or recognise it, or set it aside; then it is out of the way."""
    content_hash = digest(claimed.path)
    known = con.execute(
        "SELECT count(*) FROM file_loads WHERE content_hash = $hash AND resource = $resource AND status = 'loaded'",
        {"hash": content_hash, "resource": log.name},
    ).fetchone()
    told = FileLoad(next_load(con), log.log, log.name, claimed.name, content_hash, "duplicate", loaded_at=now)
    if known and known[0]:
        return _noted(layout, con, claimed, told, "duplicate", "the same bytes were loaded before")
    try:
        with warehouse.transaction(con):
            con.execute("DELETE FROM decision_rejects WHERE content_hash = $hash", {"hash": content_hash})
            found = load_log(con, log, claimed.path, content_hash, owner, agents, now)
            load = FileLoad(
                told.load_id, log.log, log.name, claimed.name, content_hash, "loaded", found.rows, found.loaded,
                found.already, 0, found.rejected, found.message, now,
            )
            record(con, load)
            if found.loaded:
                warehouse.bump_version(con)
    except DropRefused as error:
        message = f"{error.message}; {error.hint}" if error.hint else error.message
        return _noted(layout, con, claimed, told, "refused", message)
    inbox.archive(layout, claimed, content_hash)
    return load


def _noted(
    layout: Layout, con: duckdb.DuckDBPyConnection, claimed: Claimed, told: FileLoad, status: str, message: str
) -> FileLoad:
    """Note a file of which nothing was loaded, and put it away."""
    load = replace(told, status=status, message=message)
    with warehouse.transaction(con):
        record(con, load)
    put_away = inbox.refuse if status == "refused" else inbox.archive
    put_away(layout, claimed, told.content_hash)
    return load
