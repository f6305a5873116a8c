"""Times whole nights on generated shops of growing size, stage by stage, beside references measured in the same run.

    python -m benchmarks.night --profiles 10000 100000 1000000 --items 20000 --format parquet

References: ingest beside DuckDB's own CREATE TABLE AS SELECT from the same event files with the same types; a night
with nothing new beside the interpreter's start; growth between sizes as the exponent k in time ~ n^k. Prints tables
and, with --json FILE, all figures.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb

from store.sample import write_sample

SETTINGS = """
[pipeline]
as_of = "last_event"
threads = {threads}
memory_limit = "{memory}"
[ingest]
settle_seconds = 0.0
event_types = ["view", "returned"]
[recommendations]
event_weights = {{ charged = 1.0, view = 0.1 }}
[churn]
amount_property = "amount"
"""
READERS = {"parquet": "read_parquet", "csv": "read_csv", "jsonl": "read_json"}


def timed(arguments: list[str], environment: dict[str, str]) -> tuple[float, float, float, str]:
    """Wall seconds, processor seconds, peak MB and standard output of a child process."""
    report = tempfile.NamedTemporaryFile(mode="r", delete=False)  # noqa: SIM115 - read after the child
    start = time.perf_counter()
    script = (
        "import resource, subprocess, sys; done = subprocess.run(sys.argv[2:], stdout=subprocess.PIPE, text=True); "
        "used = resource.getrusage(resource.RUSAGE_CHILDREN); "
        "open(sys.argv[1], 'w').write(f'{used.ru_utime + used.ru_stime} {used.ru_maxrss / 1024}'); "
        "sys.stdout.write(done.stdout); sys.exit(done.returncode)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, report.name, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(f"failed ({done.returncode}): {' '.join(arguments)}")
    processor, peak = (float(figure) for figure in report.read().split())
    return seconds, processor, peak, done.stdout


def reference_load(files: list[Path], kind: str, threads: int) -> tuple[float, int]:
    """Seconds and rows of DuckDB's own load of the event files into a table on disk."""
    with (
        tempfile.TemporaryDirectory() as folder,
        duckdb.connect(f"{folder}/reference.duckdb", config={"threads": threads}) as con,
    ):
        names = ", ".join(f"'{path}'" for path in files)
        start = time.perf_counter()
        con.execute(f"CREATE TABLE events AS SELECT * FROM {READERS[kind]}([{names}], union_by_name = true)")
        con.execute("CHECKPOINT")
        seconds = time.perf_counter() - start
        return seconds, int(con.execute("SELECT count(*) FROM events").fetchone()[0])  # type: ignore[index]


def one_size(profiles: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """Generate a shop, run its night and a night with nothing new, and gather the figures."""
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as folder:
        home = Path(folder)
        (home / "definitions").mkdir()
        (home / "definitions" / "settings.toml").write_text(
            SETTINGS.format(threads=arguments.threads, memory=arguments.memory)
        )
        made = write_sample(
            home / "sample", profiles=profiles, items=arguments.items, seed=1, dirty=0.0, format=arguments.format
        )
        inbox = home / "data" / "inbox"
        for entity in ("profiles", "items", "events"):
            (inbox / entity).mkdir(parents=True, exist_ok=True)
            for path in (home / "sample" / entity).iterdir():
                path.replace(inbox / entity / path.name)
        events = [path for path in sorted((inbox / "events").iterdir()) if f".{arguments.format}" in path.name]
        reference_seconds, reference_rows = reference_load(events, arguments.format, arguments.threads)
        environment = {**os.environ, "NIGHTLOOM_HOME": str(home), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "cli.main", "run", "--no-prefect", "--json"]
        seconds, processor, peak, output = timed(command, environment)
        again, *_ = timed(command, environment)
        bare, *_ = timed([sys.executable, "-c", "pass"], environment)
        outcome = json.loads(output)
        loads = outcome["files"]
        return {
            "profiles": made.profiles,
            "items": made.items,
            "events": made.events,
            "night seconds": seconds,
            "processor seconds": processor,
            "peak MB": peak,
            "nothing new seconds": again,
            "interpreter seconds": bare,
            "stages": {lap["stage"]: lap for lap in outcome["stages"]},
            "ingest rows": sum(load["rows_in"] for load in loads),
            "reference rows/s": reference_rows / reference_seconds,
            "jobs": outcome["jobs"],
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profiles", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--format", choices=sorted(READERS), default="parquet")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--memory", default="4GB")
    parser.add_argument("--scratch", type=Path, default=None, help="folder for the generated data")
    parser.add_argument("--json", type=Path, default=None)
    arguments = parser.parse_args()
    results = []
    for profiles in arguments.profiles:
        results.append(one_size(profiles, arguments))
        show(results[-1])
    for small, large in pairwise(results):
        for kind in ("night seconds", "processor seconds"):
            growth = math.log(large[kind] / small[kind]) / math.log(large["profiles"] / small["profiles"])
            print(f"growth of {kind} {small['profiles']:,} -> {large['profiles']:,} profiles: n^{growth:.2f}")
    if arguments.json:
        arguments.json.write_text(
            json.dumps(
                {"machine": platform.platform(), "processors": os.cpu_count(), "results": results},
                indent=1,
                default=str,
            )
        )


def show(result: dict[str, Any]) -> None:
    print(f"\n{result['profiles']:,} profiles, {result['items']:,} items, {result['events']:,} events")
    print(
        f"  night {result['night seconds']:.1f} s ({result['processor seconds']:.1f} s of processors), peak "
        f"{result['peak MB']:.0f} MB; nothing new "
        f"{result['nothing new seconds']:.1f} s"
    )
    for name, lap in result["stages"].items():
        rate = f"{lap['rows_per_second']:>14,.0f} rows/s" if lap["rows"] else ""
        print(f"  {name:<20} {lap['seconds']:>8.2f} s {lap['peak_mb']:>8.0f} MB {rate}")
    ingest = result["stages"]["ingest"]
    ratio = ingest["rows_per_second"] / result["reference rows/s"]
    print(
        f"  ingest {ingest['rows_per_second']:,.0f} rows/s is {ratio:.2f} of DuckDB's own load of the event files "
        f"({result['reference rows/s']:,.0f} rows/s)"
    )


if __name__ == "__main__":
    main()
