"""Takes what lies in the inbox into the warehouse: claim, recognise, load, archive, file by file, and account for
every row.
"""

from __future__ import annotations

import fnmatch
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from contracts.definitions import ENTITIES, SYSTEM_EVENT_TYPES, Source
from contracts.errors import DropRefused
from contracts.progress import Progress, Silent
from contracts.settings import Settings
from flows.stages.deliveries import Delivery, Drift, FileLoad, record_duplicate, record_refusal
from flows.stages.loading import Times, load_file
from store import inbox, warehouse
from store.disk import digest
from store.inbox import Claimed, Waiting
from store.layout import Layout
from transforms import event_load
from transforms.terms import stamp

# Documents are not rows: they are applied by their own command.
_OTHER = "documents/"


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What one ingest did. ``released`` are events that had waited for their profile and are loaded now."""

    loads: tuple[FileLoad, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    drift: tuple[Drift, ...] = ()
    released: int = 0
    seconds: float = 0.0

    @property
    def rows_in(self) -> int:
        """Rows of all files; a row that feeds two entities counts twice."""
        return sum(load.rows_in for load in self.loads)

    @property
    def rows_loaded(self) -> int:
        return sum(load.rows_loaded for load in self.loads)

    @property
    def rows_quarantined(self) -> int:
        return sum(load.rows_quarantined for load in self.loads)

    @property
    def refused(self) -> tuple[FileLoad, ...]:
        return tuple(load for load in self.loads if load.status == "refused")

    @property
    def rows_per_second(self) -> float:
        return self.rows_in / self.seconds if self.seconds else 0.0


def declared_event_types(settings: Settings, sources: Sequence[Source]) -> frozenset[str]:
    """Event types that a file may hold: the system's, those of the settings, and those that source mappings name."""
    return frozenset((
        *SYSTEM_EVENT_TYPES,
        *settings.ingest.event_types,
        *settings.recommendations.event_weights,
        *settings.recommendations.exclude_event_types,
        *settings.churn.activity_event_types,
        *(name for source in sources for name in source.event_types),
    ))


def ingest(
    layout: Layout, settings: Settings, sources: Sequence[Source], now: datetime, progress: Progress | None = None,
    merges: Path | None = None,
) -> IngestReport:
    """Load every complete file of the inbox, interrupted ones first. ``now`` (naive UTC) dates what has no date of its
    own. ``merges``: the file of the published run's ``profile_merges``; rows of profiles that were merged into others
    are left out.

    Profiles come before items, items before events, whatever their names; so an event's profile may be delivered beside
    it. A file that cannot be read is set aside and stops nobody else. Raises ``StorageError`` when disk or database
    refuse: what was loaded stays, the rest is claimed and taken up by the next ingest.
    """
    started = time.monotonic()
    progress = progress or Silent()
    layout.create()
    drops, waits = inbox.discover(layout, settings.ingest.settle_seconds)
    known: list[tuple[str, Claimed | inbox.Drop, str | Source]] = []
    found_files: list[Claimed | inbox.Drop] = [*inbox.interrupted(layout), *drops]
    for found in found_files:
        resource = resource_of(found.name, sources)
        if resource is None:
            if not found.name.startswith(_OTHER):
                waits.append(
                    Waiting(
                        found.name,
                        "no folder or source mapping takes it; move it, or add definitions/sources/<name>.yaml",
                    )
                )
            if isinstance(found, Claimed):
                inbox.release(layout, found)
            continue
        known.append((_rank(resource), found, resource))
    known.sort(key=lambda one: (one[0], one[1].name))
    if not known and not layout.warehouse.exists():
        with warehouse.open_warehouse(layout, settings.pipeline):
            pass
    if not known:
        return IngestReport(waiting=tuple(waits), seconds=time.monotonic() - started)
    with warehouse.open_warehouse(layout, settings.pipeline) as con:
        know_merged(con, merges)
        taker = Taker(layout, settings, sources, con, now)
        for at, (_, found, resource) in enumerate(known):
            progress.step("ingest", at, len(known), found.name)
            claimed = found if isinstance(found, Claimed) else inbox.claim(layout, found)
            if claimed is None:
                waits.append(Waiting(found.name, "it could not be moved: check the permissions of its folder"))
                continue
            taker.take(claimed, resource, waits)
        released = taker.finish()
        progress.step("ingest", len(known), len(known))
    return IngestReport(
        tuple(taker.loads),
        tuple(sorted(waits, key=lambda wait: wait.name)),
        tuple(taker.drift),
        released,
        time.monotonic() - started,
    )


def ingest_paths(
    layout: Layout, settings: Settings, sources: Sequence[Source], resource: str, paths: Iterable[Path], now: datetime,
    progress: Progress | None = None, merges: Path | None = None,
) -> IngestReport:
    """Load given files as ``resource`` (an entity, or a source mapping's name) without the inbox; the files stay
    where they are.
    """
    started = time.monotonic()
    progress = progress or Silent()
    layout.create()
    chosen: str | Source = next((source for source in sources if source.name == resource), resource)
    files = list(paths)
    with warehouse.open_warehouse(layout, settings.pipeline) as con:
        know_merged(con, merges)
        taker = Taker(layout, settings, sources, con, now)
        for at, path in enumerate(files):
            progress.step("ingest", at, len(files), path.name)
            taker.take(inbox.adopt(layout, path), chosen, [])
        released = taker.finish()
    return IngestReport(tuple(taker.loads), (), tuple(taker.drift), released, time.monotonic() - started)


def resource_of(name: str, sources: Sequence[Source]) -> str | Source | None:
    """Who takes a file: the source mapping that matches its path, else the drop folder it lies in."""
    for source in sources:
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in source.match):
            return source
    folder = name.split("/", 1)[0]
    return folder if folder in ENTITIES and "/" in name else None


def _rank(resource: str | Source) -> str:
    """Profiles, then items, then events; a mapped file goes with the first entity it feeds, after the plain drops."""
    order = [str(entity) for entity in ENTITIES]
    if isinstance(resource, Source):
        return f"{min(order.index(mapping.entity) for mapping in resource.entities)}b"
    return f"{order.index(resource)}a"


def know_merged(con: duckdb.DuckDBPyConnection, merges: Path | None) -> None:
    """Take over which profiles the published run has in others; without a file what was known stays."""
    if merges is None:
        return
    with warehouse.transaction(con):
        con.execute("DELETE FROM merged_profiles")
        con.execute("INSERT INTO merged_profiles SELECT child, parent FROM read_parquet($file)", {"file": str(merges)})


class Taker:
    """Takes claimed files one after the other with one open warehouse."""

    def __init__(
        self,
        layout: Layout,
        settings: Settings,
        sources: Sequence[Source],
        con: duckdb.DuckDBPyConnection,
        now: datetime,
    ) -> None:
        self.layout, self.settings, self.con = layout, settings, con
        self.event_types = declared_event_types(settings, sources)
        self.times = Times(now, now)
        self.loads: list[FileLoad] = []
        self.drift: list[Drift] = []

    def take(self, claimed: Claimed, resource: str | Source, waits: list[Waiting]) -> None:
        """Load one file, or recognise it, or set it aside; then it is out of the way."""
        try:
            content_hash = digest(claimed.path)
        except PermissionError:
            waits.append(Waiting(claimed.name, "cannot be read: permission denied"))
            inbox.release(self.layout, claimed)
            return
        delivery = Delivery(claimed.name, claimed.path, content_hash, resource)  # type: ignore[arg-type]
        if self._loaded(delivery):
            self.loads.extend(record_duplicate(self.con, delivery, self.times.clock))
            inbox.archive(self.layout, claimed, content_hash)
            return
        try:
            loads, drift = load_file(
                self.con, delivery, self.settings, self.event_types, self.times, self.layout.scratch / "ingest"
            )
        except DropRefused as error:
            if not inbox.unchanged(claimed):
                waits.append(Waiting(claimed.name, "somebody wrote to it while it was read"))
                inbox.release(self.layout, claimed)
                return
            self.loads.extend(record_refusal(self.con, delivery, error, self.times.clock))
            inbox.refuse(self.layout, claimed, content_hash)
            return
        self.loads.extend(loads)
        self.drift.extend(drift)
        inbox.archive(self.layout, claimed, content_hash)

    def finish(self) -> int:
        """Load events that waited for a profile that is known now; returns how many."""
        return release_waiting(self.con, self.times.clock)

    def _loaded(self, delivery: Delivery) -> bool:
        row = self.con.execute(
            "SELECT count(*) FROM file_loads WHERE content_hash = $hash AND resource = $resource AND status = 'loaded'",
            {"hash": delivery.content_hash, "resource": delivery.resource_name},
        ).fetchone()
        return bool(row and row[0])


def release_waiting(con: duckdb.DuckDBPyConnection, now: datetime) -> int:
    """Load pending events whose profile is known now, in one transaction; returns how many rows were released."""
    row = con.execute("SELECT count(*) FROM (FROM pending_events LIMIT 1)").fetchone()
    if not row or not row[0]:
        return 0
    with warehouse.transaction(con):
        event_load.know_profiles(con)
        released, new = event_load.release_pending(con, stamp(now))
        if new:
            warehouse.bump_version(con)
    return released
