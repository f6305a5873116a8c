"""Times ingest of one file of events beside what DuckDB alone needs for it, in the same run, with the same threads.

    python -m benchmarks.ingest --rows 1000000 --formats csv csv.gz parquet --into build/benchmarks

Three figures a format, each the best of ``--repeat`` processes, the table on disk and checkpointed:

- *types*: CREATE TABLE AS SELECT from the file with the file's types, nothing checked;
- *columns*: CREATE TABLE AS SELECT that writes the columns of the warehouse, the customer's profile found, the row's
  key hashed and the properties as JSON, nothing checked; what is left is the price of checks, quarantine and ledger;
- *ingest*: the stage itself, from the file in the inbox to the original in the archive.

Beside the ratios of wall seconds stand those of processor seconds, which other work on the machine disturbs less.
The last lines load the months of the same events as files of their own: what a file costs by itself.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.data import Wishes, inputs
from contracts.settings import Ingest, Pipeline, Settings
from flows.stages.ingest import ingest
from store.layout import Layout

FORMATS = ("csv", "csv.gz", "parquet")
EVENTS_PER_PROFILE = 100
NOW = datetime(2027, 1, 1)
TYPES = {
    "event_type": "VARCHAR",
    "customer_id": "VARCHAR",
    "created_at": "TIMESTAMP",
    "event_properties>>item_id": "VARCHAR",
    "event_properties>>payment_method": "VARCHAR",
    "event_properties>>amount": "DOUBLE",
    "event_properties>>quantity": "BIGINT",
    "event_properties>>seconds": "BIGINT",
    "event_properties>>channel": "VARCHAR",
    "event_properties>>reason": "VARCHAR",
}
_NAMES = ", ".join(f"'{name}': '{kind}'" for name, kind in TYPES.items())
_JSON = ", ".join(
    f"'\"{key}\":' || {f'CAST(to_json({column}) AS VARCHAR)' if kind == 'VARCHAR' else f'CAST({column} AS VARCHAR)'}"
    for key, column, kind in sorted(
        (name.rpartition(">")[2], f'"{name}"', kind) for name, kind in TYPES.items() if ">" in name
    )
)
_COLUMNS = f"""
SELECT 'event_' || left(sha256(concat(event_type, chr(10), profile_id, chr(10), epoch(created_at)::BIGINT, chr(10),
    properties)), 32) AS event_id, event_type, profile_id, item_id, created_at, properties::JSON AS properties,
    1::BIGINT AS load_id
FROM (SELECT event_type, profile_id, "event_properties>>item_id" AS item_id, created_at,
    '{{' || concat_ws(',', {_JSON}) || '}}' AS properties
    FROM {{relation}} JOIN profiles USING (customer_id))
"""


class Watch:
    """Wall and processor seconds since it was made."""

    def __init__(self) -> None:
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def stop(self) -> dict[str, float]:
        return {"seconds": time.perf_counter() - self.wall, "cpu": time.process_time() - self.cpu}


def wishes(rows: int) -> Wishes:
    """The shop whose events are about ``rows``."""
    return Wishes(max(1, rows // EVENTS_PER_PROFILE), events_per_profile=EVENTS_PER_PROFILE, format="csv")


def files(into: Path, rows: int, kinds: list[str]) -> Path:
    """Folder with ``profiles.csv`` and one ``events.<kind>`` for each kind, of about ``rows`` events."""
    months = inputs(into, wishes(rows))
    folder = into / f"ingest-{rows}"
    folder.mkdir(exist_ok=True)
    shutil.copy(months / "profiles" / "profiles.csv", folder / "profiles.csv")
    source = f"read_csv('{months}/events/*.csv', columns = {{{_NAMES}}}, header = true)"
    with duckdb.connect() as con:
        for kind in kinds:
            target = folder / f"events.{kind}"
            if not target.exists():
                how = {"csv": "HEADER true", "csv.gz": "HEADER true, COMPRESSION gzip"}.get(kind, "FORMAT parquet")
                con.execute(f"COPY (FROM {source}) TO '{target}' ({how})")
    return folder


def relation(path: Path) -> str:
    """SQL that reads a file with its types."""
    if path.suffix == ".parquet":
        return f"read_parquet('{path}')"
    return f"read_csv('{path}', columns = {{{_NAMES}}}, header = true, auto_detect = false)"


def by_duckdb(home: Path, folder: Path, path: Path, pipeline: Pipeline, *, columns: bool) -> dict[str, float]:
    """DuckDB's own load of the file; with ``columns`` into the columns of the warehouse."""
    config: dict[str, Any] = {"threads": pipeline.threads, "memory_limit": pipeline.memory_limit}
    with duckdb.connect(str(home / "reference.duckdb"), config=config) as con:
        con.execute(
            "CREATE TABLE profiles AS SELECT customer_id, 'profile_' || left(sha256(customer_id || chr(10) || '0'), 32)"
            f" AS profile_id FROM read_csv('{folder}/profiles.csv')"
        )
        con.execute("CHECKPOINT")
        select = _COLUMNS.replace("{relation}", relation(path)) if columns else f"SELECT * FROM {relation(path)}"
        watch = Watch()
        con.execute(f"CREATE TABLE events AS {select}")
        con.execute("CHECKPOINT")
        return {**watch.stop(), "rows": con.execute("SELECT count(*) FROM events").fetchall()[0][0]}


def by_stage(home: Path, folder: Path, paths: list[Path], pipeline: Pipeline) -> dict[str, float]:
    """The ingest stage, profiles loaded before."""
    layout = Layout(home)
    layout.create()
    settings = Settings(pipeline=pipeline, ingest=Ingest(settle_seconds=0.0, event_types=("view", "returned")))
    shutil.copy(folder / "profiles.csv", layout.inbox / "profiles")
    ingest(layout, settings, (), NOW)
    for path in paths:
        shutil.copy(path, layout.inbox / "events" / path.name)
    watch = Watch()
    report = ingest(layout, settings, (), NOW)
    taken = watch.stop()
    if report.rows_loaded != report.rows_in:
        raise SystemExit(f"not all rows were loaded: {report.loads}")
    size = layout.warehouse.stat().st_size
    return {**taken, "rows": report.rows_in, "MB on disk": size / 1e6}


def child(asked: argparse.Namespace) -> None:
    """One measurement in this process, printed as JSON."""
    folder, path = Path(asked.folder), Path(asked.path)
    pipeline = Pipeline(threads=asked.threads, memory_limit=asked.memory)
    runs: dict[str, Callable[[Path], dict[str, float]]] = {
        "types": lambda home: by_duckdb(home, folder, path, pipeline, columns=False),
        "columns": lambda home: by_duckdb(home, folder, path, pipeline, columns=True),
        "ingest": lambda home: by_stage(home, folder, [path], pipeline),
        "months": lambda home: by_stage(home, folder, sorted(path.glob("*.csv")), pipeline),
    }
    with tempfile.TemporaryDirectory(dir=asked.into) as home:
        found = runs[asked.child](Path(home))
    found["peak MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(found))


def measured(what: str, folder: Path, path: Path, asked: argparse.Namespace) -> dict[str, float]:
    """The best of several processes, each figure by itself."""
    command = [
        sys.executable, "-m", "benchmarks.ingest", "--child", what, "--folder", str(folder), "--path", str(path),
        "--into", str(asked.into), "--threads", str(asked.threads), "--memory", asked.memory,
    ]  # fmt: skip
    found = [
        json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout) for _ in range(asked.repeat)
    ]
    return {name: min(float(one[name]) for one in found) for name in found[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=list(FORMATS))
    parser.add_argument("--into", type=Path, required=True, help="folder for the generated files, kept")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--memory", default="4GB")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--no-months", action="store_true", help="leave out the many small files")
    parser.add_argument("--json", type=Path, default=None)
    for inner in ("--child", "--folder", "--path"):
        parser.add_argument(inner, default="", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        child(asked)
        return
    asked.into = asked.into.resolve()
    asked.into.mkdir(parents=True, exist_ok=True)
    folder = files(asked.into, asked.rows, asked.formats)
    results: dict[str, Any] = {}
    print(f"{'file':<10}{'rows':>12}{'types':>9}{'columns':>9}{'ingest':>9}{'of types':>10}{'of columns':>11}"
          f"{'(cpu)':>7}{'(cpu)':>7}{'rows/s':>11}{'peak MB':>9}{'stored MB':>10}")  # fmt: skip
    for kind in asked.formats:
        path = folder / f"events.{kind}"
        found = {what: measured(what, folder, path, asked) for what in ("types", "columns", "ingest")}
        ours = found["ingest"]
        shares = {what: found[what]["seconds"] / ours["seconds"] for what in ("types", "columns")}
        busy = {what: found[what]["cpu"] / ours["cpu"] for what in ("types", "columns")}
        results[kind] = {**found, "shares": shares, "cpu shares": busy}
        print(f"{kind:<10}{ours['rows']:>12,.0f}{found['types']['seconds']:>9.2f}{found['columns']['seconds']:>9.2f}"
              f"{ours['seconds']:>9.2f}{shares['types']:>10.2f}{shares['columns']:>11.2f}"
              f"{busy['types']:>7.2f}{busy['columns']:>7.2f}"
              f"{ours['rows'] / ours['seconds']:>11,.0f}{ours['peak MB']:>9.0f}"
              f"{ours['MB on disk']:>10.0f}")  # fmt: skip
    if not asked.no_months:
        months = inputs(asked.into, wishes(asked.rows)) / "events"
        many = results["months"] = measured("months", folder, months, asked)
        count = len(list(months.glob("*.csv")))
        single = results["csv"]["ingest"]["seconds"] if "csv" in results else float("nan")
        each = (many["seconds"] - single) / count
        print(f"{count} CSV files of months: {many['seconds']:.2f} s; a file by itself costs {each:.3f} s")
    if asked.json:
        asked.json.write_text(json.dumps({"threads": asked.threads, "rows": asked.rows, "results": results}, indent=1))


if __name__ == "__main__":
    main()
