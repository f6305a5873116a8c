"""Loads one file into the warehouse: stage, map, check, merge and account for every row, all in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from contracts.definitions import Entity, ReadOptions, Source
from contracts.errors import DropRefused
from contracts.settings import Settings
from flows.stages.deliveries import Delivery, Drift, FileLoad, next_load, record
from store import warehouse
from store.source_files import format_of, plain_text
from transforms import drops, event_load, layouts, register_load, session_load
from transforms.staged import Staged, drop_staging
from transforms.staging import stage
from transforms.terms import Terms, stamp

# The date of a profile that an event made: anything delivered is newer.
NEVER = "TIMESTAMP '1970-01-01 00:00:00'"


@dataclass(frozen=True, slots=True)
class Continuation:
    """A load that goes on from load ``load_id``: rows of ``original`` count as being in the file already, and its time
    is used.

    ``content_hash`` is the original's; ``before`` are repaired files of it that were loaded already. ``finish`` is
    called with the new load's number inside its transaction.
    """

    load_id: int
    content_hash: str
    original: Delivery
    before: tuple[Delivery, ...] = ()
    finish: Callable[[duckdb.DuckDBPyConnection, int], None] | None = None


@dataclass(frozen=True, slots=True)
class Times:
    """``now`` dates what has no date; ``clock`` is the time of day, from which the future is measured."""

    now: datetime
    clock: datetime


def load_file(
    con: duckdb.DuckDBPyConnection,
    delivery: Delivery,
    settings: Settings,
    event_types: frozenset[str],
    times: Times,
    scratch: Path,
    continuation: Continuation | None = None,
) -> tuple[list[FileLoad], list[Drift]]:
    """Load one file and record it; nothing of it is kept when this raises.

    Raises ``DropRefused`` when the file cannot be read as a whole.
    """
    loader = _Loader(con, delivery, settings, event_types, times, continuation)
    try:
        options = delivery.resource.read if isinstance(delivery.resource, Source) else ReadOptions()
        kind = format_of(delivery.name, delivery.path, options.format)
        with plain_text(delivery.path, scratch) as plain:
            counted = loader.count_original(scratch) if continuation else None
            scratch.mkdir(parents=True, exist_ok=True)
            staged = stage(con, plain, kind, options, loader.wanted(), scratch)
            return loader.load(staged, counted or {})
    finally:
        with suppress(duckdb.Error):
            drop_staging(con)


class _Loader:
    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        delivery: Delivery,
        settings: Settings,
        event_types: frozenset[str],
        times: Times,
        continuation: Continuation | None,
    ) -> None:
        self.con, self.delivery, self.settings = con, delivery, settings
        self.event_types, self.times, self.continuation = event_types, times, continuation
        self.load_id = next_load(con)
        self.changed = False

    def wanted(self) -> tuple[str, ...]:
        """Columns that the file must have."""
        if isinstance(self.delivery.resource, Source):
            from transforms.expressions import used_columns

            return tuple(sorted(used_columns(self.delivery.resource)))
        return layouts.REQUIRED[self.delivery.resource]

    def load(self, staged: Staged, counted: dict[Entity, str]) -> tuple[list[FileLoad], list[Drift]]:
        """Merge every entity of a staged file, in one transaction."""
        con = self.con
        loads: list[FileLoad] = []
        try:
            with warehouse.transaction(con):
                for entity in self.delivery.entities:
                    fields = self.fields(staged, entity)
                    loads.append(self.entity(staged, fields, counted.get(entity, "")))
                for load in loads:
                    record(con, load, self.continuation.load_id if self.continuation else None)
                drift = self.columns(staged)
                if self.continuation and self.continuation.finish:
                    self.continuation.finish(con, self.load_id)
                if self.changed:
                    warehouse.bump_version(con)
        except (
            duckdb.BinderException,
            duckdb.ConversionException,
            duckdb.InvalidInputException,
            duckdb.OutOfRangeException,
        ) as error:
            raise DropRefused(
                f"the file does not fit: {str(error).splitlines()[0]}",
                rule="bad_mapping",
                hint="correct the mapping, or the file",
            ) from error
        return loads, drift

    def fields(self, staged: Staged, entity: Entity) -> layouts.Fields:
        resource = self.delivery.resource
        if isinstance(resource, Source):
            mapping = next(mapping for mapping in resource.entities if mapping.entity == entity)
            return layouts.mapped(self.con, staged, resource, mapping)
        return layouts.plain(staged, entity)

    def terms(self, fields: layouts.Fields) -> Terms:
        types = {
            (parent, key): kind
            for parent, key, kind in self.con.execute(
                "SELECT parent, key, type FROM property_types WHERE entity = $entity", {"entity": fields.entity}
            ).fetchall()
        }
        ingest = self.settings.ingest
        content_hash = self.continuation.content_hash if self.continuation else self.delivery.content_hash
        return Terms.at(
            self.times.now,
            ingest.max_future_hours,
            self.event_types,
            ingest.create_profiles or fields.create_profiles,
            content_hash,
            types,
            self.times.clock,
            deletions=drops.count(self.con, table="profile_deletions") > 0,
        )

    def entity(self, staged: Staged, fields: layouts.Fields, counted: str) -> FileLoad:
        """Check and merge one entity of the file; the accounts must balance."""
        con, entity = self.con, fields.entity
        terms = self.terms(fields)
        if entity == "events":
            event_load.know_profiles(con)
            checked = drops.judge(con, fields, terms)
            gathered = event_load.gather(con, checked.good, terms.content_hash)
            drops.set_aside(con, checked, failing=gathered != staged.rows)
        else:
            checked = drops.prepare(con, fields, terms)
            gathered = 0
        skips = drops.skips(con)
        skipped = sum(rows for _, rows in skips)
        self.hold_back(staged, fields, checked, counted)
        held = drops.count(con, table="(SELECT DISTINCT ordinal FROM broken_rows)")
        loaded = self.merge(fields, terms, counted)
        self.learn(entity, drops.learned_by_good(con, checked) if entity == "events" else checked.learned)
        self.changed = self.changed or loaded > 0
        for rule, rows in skips:
            con.execute("INSERT INTO load_skips VALUES ($load, $entity, $rule, $rows)",
                        {"load": self.load_id, "entity": entity, "rule": rule, "rows": rows})
        good = gathered + drops.count(con, "skip_rule IS NULL AND ordinal NOT IN (SELECT ordinal FROM broken_rows)")
        rejected = len(staged.rejects)
        rows_in = staged.rows + rejected
        if rows_in != good + skipped + held + rejected or loaded > good:
            raise AssertionError(
                f"{self.delivery.name}: {rows_in} rows in, but {good} good, {skipped} skipped, {held + rejected} held "
                "back"
            )
        message = "; ".join(
            [*staged.noticed, *([f"columns not used: {', '.join(fields.ignored)}"] if fields.ignored else [])]
        )
        return FileLoad(
            self.load_id,
            entity,
            self.delivery.resource_name,
            self.delivery.name,
            self.delivery.content_hash,
            "loaded",
            rows_in,
            loaded,
            good - loaded,
            skipped,
            held + rejected,
            message,
            self.times.clock,
            dict(skips),
        )

    def hold_back(self, staged: Staged, fields: layouts.Fields, checked: drops.Checked, counted: str) -> None:
        """Write the quarantine rows of one entity; temp table ``broken_rows`` has them by ordinal."""
        con, entity = self.con, fields.entity
        drops.find_broken(con, checked)
        con.execute("CREATE OR REPLACE TEMP TABLE repeats (ordinal BIGINT)")
        if entity == "events":
            named = fields.fields.get("profile_id") or fields.fields.get("customer_id") or fields.fields["session_id"]
            con.execute(
                "INSERT INTO broken_rows SELECT ordinal, 1000, $column, profile_key, 'unknown_profile', "
                "'no profile with that id is known; it is loaded by itself once the profile is delivered' FROM "
                "prepared "
                "WHERE skip_rule IS NULL AND profile_id IS NULL AND profile_key IS NOT NULL "
                "AND ordinal NOT IN (SELECT ordinal FROM broken_rows WHERE rule = 'bad_identifier' AND column_name = "
                "$column)",
                {"column": named.name if fields.plain else "customer_id"},
            )
        elif not fields.latest:
            register = register_load.REGISTERS[entity]
            if register_load.mark_repeats(con, register, known=bool(counted)):
                con.execute(
                    "INSERT INTO broken_rows SELECT ordinal, 1001, $column, "
                    f"{register.content[0] if entity == 'profiles' else register.key}, "
                    "'duplicate_in_file', 'the id stands in the file before; keep one of the rows' "
                    "FROM prepared WHERE ordinal IN (SELECT ordinal FROM repeats)",
                    {"column": "customer_id" if entity == "profiles" else register.key},
                )
        self.write_quarantine(staged, entity)

    def write_quarantine(self, staged: Staged, entity: Entity) -> None:
        con = self.con
        ordinals = con.execute("SELECT DISTINCT ordinal FROM broken_rows ORDER BY ordinal").fetchnumpy()["ordinal"]
        ordinals = np.asarray(ordinals, dtype=np.int64)
        found = staged.lines(ordinals) if ordinals.size else ordinals
        _register(con, "fault_lines", {"ordinal": ordinals, "line": found})
        parameters = {
            "load": self.load_id,
            "entity": entity,
            "file": self.delivery.name,
            "hash": self.delivery.content_hash,
            "now": self.times.clock,
        }
        if ordinals.size:
            con.execute(
                "INSERT INTO quarantine SELECT $load, $entity, $file, $hash, line, column_name, value, rule, reason, "
                "raw, $now, NULL "
                f"FROM broken_rows JOIN fault_lines USING (ordinal) JOIN (SELECT ordinal, CAST({staged.raw} AS "
                "VARCHAR) AS raw "
                f"FROM {staged.raw_relation} WHERE ordinal IN (SELECT ordinal FROM fault_lines)) USING (ordinal) "
                "ORDER BY line, place",
                parameters,
            )
        if staged.rejects:
            _register(con, "rejected_lines", {
                "line": np.array([reject.line for reject in staged.rejects], dtype=np.int64),
                "rule": [reject.rule for reject in staged.rejects],
                "reason": [reject.reason for reject in staged.rejects],
                "raw": [reject.raw for reject in staged.rejects],
            })
            con.execute(
                "INSERT INTO quarantine SELECT $load, $entity, $file, $hash, line, '', NULL, rule, reason, raw, $now, "
                "NULL FROM rejected_lines",
                parameters,
            )
            con.execute("DROP TABLE rejected_lines")

    def merge(self, fields: layouts.Fields, terms: Terms, counted: str) -> int:
        """Merge the good rows; returns how many changed or added something."""
        con = self.con
        if fields.entity != "events":
            return register_load.merge(con, register_load.REGISTERS[fields.entity], self.load_id)
        if terms.create_profiles and event_load.create_profiles(con, self.load_id, stamp(self.times.now), NEVER):
            self.changed = True
        event_load.number_equals(con, terms.content_hash, continued=bool(counted))
        sessions = "session_id" in fields.fields
        event_load.keep_pending(con, self.load_id, terms.content_hash, sessions=sessions)
        if not sessions:
            return event_load.insert_events(con, self.load_id)
        strangers = session_load.split_sessions(con)
        both = event_load.insert_events(con, self.load_id)
        session_load.take_sessions(con, "happened", "resolved")
        return both + strangers

    def learn(self, entity: Entity, learned: Sequence[tuple[str, str, str]]) -> None:
        """Register the types of keys seen for the first time."""
        for parent, key, kind in learned:
            self.con.execute(
                "INSERT INTO property_types SELECT $entity, $parent, $key, $type WHERE NOT EXISTS ("
                "FROM property_types WHERE entity = $entity AND key = $key AND (parent = $parent OR entity = "
                "'profiles'))",
                {"entity": entity, "parent": parent, "key": key, "type": kind},
            )

    def columns(self, staged: Staged) -> list[Drift]:
        """Record the file's columns and what changed since the resource's load before."""
        con, name = self.con, self.delivery.resource_name
        before = dict(
            con.execute(
                "SELECT column_name, type FROM file_columns WHERE change <> 'lost' AND load_id = (SELECT max(load_id) "
                "FROM file_loads "
                "WHERE resource = $resource AND status = 'loaded' AND load_id < $load AND replay_of IS NULL)",
                {"resource": name, "load": self.load_id},
            ).fetchall()
        )
        rows, drift = [], []
        for at, cell in enumerate(staged.cells):
            kind = f"{cell.element}[]" if cell.kind == "list" else cell.kind
            old = before.get(cell.name)
            change = (
                ""
                if not before
                else "new"
                if old is None
                else "retyped"
                if old != kind and "text" not in (old, kind)
                else ""
            )
            rows.append((cell.name, kind, change, at))
        present = {cell.name for cell in staged.cells}
        rows.extend(
            (column, kind, "lost", len(rows)) for column, kind in sorted(before.items()) if column not in present
        )
        for column, kind, change, at in rows:
            con.execute("INSERT INTO file_columns VALUES ($load, $column, $type, $change, $at)",
                        {"load": self.load_id, "column": column, "type": kind, "change": change, "at": at})
            if change and not self.continuation:
                drift.append(Drift(name, self.delivery.name, column, change, kind))
        return drift

    def count_original(self, scratch: Path) -> dict[Entity, str]:
        """Make temp table ``counted``: what the rows of the original, and of repairs of it loaded before, were."""
        assert self.continuation is not None
        parts: list[str] = []
        result: dict[Entity, str] = {}
        for at, delivery in enumerate((self.continuation.original, *self.continuation.before)):
            options = delivery.resource.read if isinstance(delivery.resource, Source) else ReadOptions()
            inner = scratch.with_name(f"{scratch.name}-{at}")
            with plain_text(delivery.path, inner) as plain:
                kind = format_of(delivery.path.name, delivery.path, options.format)
                staged = stage(self.con, plain, kind, options, self.wanted(), inner)
                for entity in self.delivery.entities:
                    if len(self.delivery.entities) > 1 and entity != "events":
                        continue
                    fields = self.fields(staged, entity)
                    terms = self.terms(fields)
                    if entity == "events":
                        event_load.know_profiles(self.con)
                        event_load.gather(self.con, drops.judge(self.con, fields, terms).good, terms.content_hash)
                        rows = "SELECT event_id AS id, count(*) AS n FROM fresh GROUP BY id"
                    else:
                        drops.prepare(self.con, fields, terms)
                        key = register_load.REGISTERS[entity].key
                        rows = f"SELECT DISTINCT {key} AS id FROM prepared WHERE NOT bad AND skip_rule IS NULL"
                    self.con.execute(f"CREATE OR REPLACE TEMP TABLE counted{at} AS {rows}")
                    parts.append(f"counted{at}")
                    result[entity] = entity
                drop_staging(self.con)
        if parts:
            union = " UNION ALL ".join(f"FROM {part}" for part in parts)
            sums = "SELECT id, sum(n)::BIGINT AS n" if "events" in result else "SELECT DISTINCT id"
            self.con.execute(
                f"CREATE OR REPLACE TEMP TABLE counted AS {sums} FROM "
                f"({union}){' GROUP BY id' if 'events' in result else ''}"
            )
        return result


def _register(con: duckdb.DuckDBPyConnection, name: str, columns: dict[str, Any]) -> None:
    """A temporary table from arrays."""
    table = pa.table(columns)
    con.register("arrays", table)
    con.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS FROM arrays")
    con.unregister("arrays")
