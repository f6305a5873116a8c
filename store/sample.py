"""Write a generated sample as drops: profiles, items and events, and beside them the list of the damaged lines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import duckdb

from contracts.errors import StorageError
from contracts.progress import Progress, Silent
from store.disk import storage_errors
from transforms import sample
from transforms.quoting import text_literal
from transforms.sample import DEFAULT_DAYS, DEFAULT_END, Month, SamplePlan

Format = Literal["parquet", "csv", "jsonl"]

_COPY = {
    "parquet": "FORMAT parquet, COMPRESSION zstd",
    "csv": "FORMAT csv, HEADER true",
    "jsonl": "FORMAT json",
    # lines are put together in SQL, damaged ones among them: a delimiter and no quote, so that nothing is added
    "lines": "FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\x01'",
    "gzip": "FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\x01', COMPRESSION gzip",
}
_NESTED = """
SELECT event_type, customer_id, created_at, struct_pack(
    item_id := "event_properties>>item_id",
    payment_method := "event_properties>>payment_method",
    amount := "event_properties>>amount",
    quantity := "event_properties>>quantity",
    seconds := "event_properties>>seconds",
    channel := "event_properties>>channel",
    reason := "event_properties>>reason") AS event_properties
FROM ({events})
"""


@dataclass(frozen=True, slots=True)
class SampleFile:
    """One written drop, its path relative to the sample's folder, its good rows and its bytes."""

    path: str
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Planted:
    """How many rows of a file break a rule on purpose."""

    file: str
    rule: str
    rows: int


@dataclass(frozen=True, slots=True)
class SampleReport:
    """What was written.

    ``profiles``, ``items`` and ``events`` are good rows; ``redelivered`` are events that another file already holds.
    ``planted`` says what ingest must find, file by file and rule by rule; ``planted.csv`` in the folder says where.
    """

    out: str
    first_day: date
    end: date
    profiles: int
    items: int
    events: int
    redelivered: int
    files: tuple[SampleFile, ...]
    planted: tuple[Planted, ...]

    @property
    def planted_rows(self) -> int:
        return sum(planted.rows for planted in self.planted)

    def by_rule(self) -> dict[str, int]:
        """Damaged rows of all files by rule."""
        rules: dict[str, int] = {}
        for planted in self.planted:
            rules[planted.rule] = rules.get(planted.rule, 0) + planted.rows
        return dict(sorted(rules.items()))

    def as_dict(self) -> dict[str, Any]:
        """The report as plain values."""
        return {**asdict(self), "planted_rows": self.planted_rows, "by_rule": self.by_rule()}


def write_sample(
    out: Path,
    profiles: int,
    seed: int = 0,
    *,
    items: int = 0,
    days: int = DEFAULT_DAYS,
    end: date = DEFAULT_END,
    dirty: float = 0.01,
    events_per_profile: float = 30.0,
    format: Format = "parquet",
    threads: int = 2,
    memory_limit: str = "1500MB",
    progress: Progress | None = None,
) -> SampleReport:
    """Generate a sample into ``out`` (made if missing; files of the same names are replaced) and say what it holds.

    The events of each calendar month are one file of the given format; profiles are CSV and items JSON lines, unless
    the format is ``csv`` or ``jsonl``. With ``dirty`` above 0 the last month is a gzip CSV with damaged and redelivered
    lines, and the profiles are a CSV with damaged lines. The bytes do not depend on ``threads`` or ``memory_limit``.
    Raises ``UsageError`` for impossible sizes, ``StorageError`` when the disk refuses.
    """
    planned = sample.plan(
        profiles, seed=seed, items=items, days=days, end=end, dirty=dirty, events_per_profile=events_per_profile
    )
    with storage_errors("write the sample"):
        for folder in ("profiles", "items", "events"):
            (out / folder).mkdir(parents=True, exist_ok=True)
        with _generator(out, threads, memory_limit) as con:
            return _Writer(con, out, planned, format, progress or Silent()).write()


@contextmanager
def _generator(out: Path, threads: int, memory_limit: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory that spills beside the output; what it spilled is gone afterwards."""
    with TemporaryDirectory(prefix=".sample-", dir=out) as scratch:
        config: dict[str, str | bool | int | float | list[str]] = {
            "threads": threads,
            "memory_limit": memory_limit,
            "temp_directory": scratch,
        }
        try:
            with duckdb.connect(":memory:", config=config) as con:
                yield con
        except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
            hint = "free disk space, or ask for fewer profiles"
            raise StorageError(f"cannot generate the sample: {error}", hint=hint) from error


class _Writer:
    """One generation: writes the files in order and collects the report."""

    def __init__(
        self, con: duckdb.DuckDBPyConnection, out: Path, planned: SamplePlan, format: Format, progress: Progress
    ) -> None:
        self.con, self.out, self.planned, self.format, self.progress = con, out, planned, format, progress
        self.files: list[SampleFile] = []
        self.redelivered = 0
        self.damaged: list[tuple[str, str]] = []

    def write(self) -> SampleReport:
        months = sample.prepare(self.con, self.planned)
        self.progress.step("sample", 1, len(months) + 2, f"{self.planned.profiles:,} profiles")
        self._profiles()
        self._items()
        events = 0
        for month in months:
            events += self._month(month, month is months[-1], len(months) > 1 and month is months[-2])
            self.progress.step("sample", month.index + 2, len(months) + 2, f"events of {month.name}")
        planted = self._planted()
        self.progress.step("sample", len(months) + 2, len(months) + 2, f"{events:,} events")
        return SampleReport(
            out=str(self.out),
            first_day=self.planned.first_day,
            end=self.planned.end,
            profiles=self.planned.profiles,
            items=self.planned.items,
            events=events,
            redelivered=self.redelivered,
            files=tuple(self.files),
            planted=planted,
        )

    def _profiles(self) -> None:
        if self.planned.dirty:
            sample.make_lines(self.con, self.planned, "profile")
            self._lines("profile", "profiles/profiles.csv", self.planned.profiles, "lines")
        else:
            kind = "jsonl" if self.format == "jsonl" else "csv"
            text = "SELECT * FROM sample_profile_rows ORDER BY customer_id"
            self._copy(text, {}, f"profiles/profiles.{kind}", self.planned.profiles, kind)

    def _items(self) -> None:
        text, parameters = sample.query(self.planned, "item_rows")
        kind = "csv" if self.format == "csv" else "jsonl"
        if kind == "csv":
            text = f"SELECT * REPLACE (to_json(tags)::VARCHAR AS tags) FROM ({text})"
        self._copy(text, parameters, f"items/items.{kind}", self.planned.items, kind)

    def _month(self, month: Month, last: bool, last_but_one: bool) -> int:
        rows = sample.make_month(self.con, self.planned, month)
        if not (last and self.planned.dirty):
            text, parameters = sample.query(self.planned, "events", month)
            if self.format == "jsonl":
                text = _NESTED.format(events=text)
            self._copy(text, parameters, f"events/events-{month.name}.{self.format}", rows, self.format)
            if last_but_one and self.planned.dirty:
                again = self.planned.damaged(rows, sample.EVENT_FAULTS)
                self.redelivered = sample.keep_last_events(self.con, self.planned, month, skip=rows - again)
            return rows
        sample.keep_last_events(self.con, self.planned, month)
        sample.make_lines(self.con, self.planned, "event")
        self._lines("event", f"events/events-{month.name}.csv.gz", rows + self.redelivered, "gzip")
        return rows

    def _lines(self, name: str, path: str, rows: int, kind: str) -> None:
        self._copy(f"SELECT line FROM sample_{name}_lines ORDER BY line_number", {}, path, rows, kind)
        self.damaged.append((name, path))

    def _copy(self, text: str, parameters: dict[str, object], path: str, rows: int, kind: str) -> None:
        """Write a query aside and rename it into place: whoever watches the folder sees whole files only."""
        target = self.out / path
        aside = target.with_name(f".{target.name}")
        self.con.execute(f"COPY ({text}) TO {text_literal(str(aside))} ({_COPY[kind]})", parameters)
        aside.replace(target)
        self.files.append(SampleFile(path, rows, target.stat().st_size))

    def _planted(self) -> tuple[Planted, ...]:
        """Write ``planted.csv`` (file, line, column, rule, value) and count it."""
        parts = [
            f"SELECT '{path}' AS file, line_number AS line, column_name, rule, value "
            f"FROM sample_{name}_lines WHERE rule IS NOT NULL"
            for name, path in self.damaged
        ]
        path = self.out / "planted.csv"
        if not parts:
            path.unlink(missing_ok=True)
            return ()
        self.con.execute(f"CREATE OR REPLACE TABLE sample_planted AS {' UNION ALL '.join(parts)}")
        listed = "SELECT * FROM sample_planted ORDER BY file DESC, line"
        self.con.execute(f"COPY ({listed}) TO {text_literal(str(path))} (FORMAT csv, HEADER true)")
        counted = "SELECT file, rule, count(*) FROM sample_planted GROUP BY ALL ORDER BY file DESC, rule"
        counts = self.con.execute(counted).fetchall()
        return tuple(Planted(*row) for row in counts)
