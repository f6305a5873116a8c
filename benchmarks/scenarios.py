"""Times the materialization of stored scenarios, and evaluation and row reading at lookup, on made-up runs.

    python -m benchmarks.scenarios --profiles 10000 100000 --items 20000 --cases 64

64 cases for profiles: filters, exclusions and one reranking by diversity each. Beside the night's evaluation in shards
stands the same evaluation subject by subject, as a lookup without rows would do it for everybody; and what SQL needs
for the filters and exclusions alone (DuckDB over the published tables, without diversity). Prints figures; with
--json FILE all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from benchmarks.synthetic_run import write_run
from contracts.progress import Silent
from contracts.settings import Pipeline, Scenarios, Settings
from flows.stages.documents import RunDocuments
from flows.stages.materialize import materialize
from scenarios.evaluate import evaluate
from scenarios.graph import Graph
from scenarios.parse import parse
from scenarios.plan import plan
from scenarios.spec import Case, Definition
from store.layout import Layout
from store.pack.read import ServingPack

PROPERTIES = """
    ('{"brand":"brand ' || (i * 7919 % 997) || '","genres":["g' || (i % 18) || '","g' || (i * 31 % 17) || '"],"stock":'
    || (i * 101 % 50) || ',"used":' || CASE WHEN i % 11 = 0 THEN 'true' ELSE 'false' END || ',"weight":'
    || (i * 13 % 1000) / 10.0 || ',"year":' || (1950 + i * 37 % 75) || '}')::JSON
"""


def documents(cases: int) -> RunDocuments:
    """Cases of filters of every kind, an exclusion and one diversity rule."""
    found: dict[tuple[str, str], Definition] = {}
    for number in range(cases):
        case: dict[str, Any] = {
            "filters": [
                {"property_name": "year", "op": "gte", "value": 1950 + number},
                {"property_name": "stock", "op": "gt", "value": number % 5},
                {"property_name": "genres", "op": "notin", "value": [f"g{number % 18}"]},
                {"property_name": "used", "op": "neq", "value": True},
                {"property_name": "weight", "op": "lt", "value": 95.5 - number % 20},
            ][: 1 + number % 5],
            "exclude_rated_items": number % 3 == 0,
            "reranking": [{
                "property_name": ("genres", "brand", "item_category")[number % 3], "op": "diversity",
                "weight": 0.2 + number % 7 / 5,
            }],
        }
        if number % 3 == 1:
            case["exclude_items_with_interaction_types"] = ["charged"]
        if number % 8 == 2:
            entry = {"property_name": "brand", "interaction_types": ["charged"]}
            case["exclude_props_of_items_with_interaction_types"] = [entry]
        definition, problems = parse("profile_to_items", f"case{number:02}", {"scenario_type": "case", "case": case})
        assert definition is not None, problems
        found["profile_to_items", definition.name] = definition
    return RunDocuments(Graph(found))


def measured(work: Any) -> tuple[float, float, Any]:
    """Wall and processor seconds of a call, and what it gave."""
    cpu, wall = time.process_time(), time.perf_counter()
    result = work()
    return time.perf_counter() - wall, time.process_time() - cpu, result


def one_size(profiles: int, arguments: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as folder:
        settings = Settings(
            pipeline=Pipeline(threads=arguments.threads), scenarios=Scenarios(max_rows=arguments.cases + 1)
        )
        made, _, target = measured(lambda: write_run(
            Layout(Path(folder)), "r", profiles, arguments.items, 50, settings=settings, properties=PROPERTIES,
        ))
        stored = documents(arguments.cases)
        wall, cpu, outcome = measured(lambda: materialize(target, stored, settings, Silent()))
        pack = ServingPack(target / "pack")
        result = {
            "profiles": profiles, "items": arguments.items, "sets of rules": len(outcome.row_sets),
            "rows": outcome.rows, "materialize seconds": wall, "processor seconds": cpu,
            "rows per second": outcome.rows / wall, "made-up run seconds": made,
            "peak MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "pack rows MB": size(target / "pack" / "rows"), "table MB": size(target / "tables" / "scenario_rows"),
        }
        return result | lookups(pack, stored, arguments.lookups) | in_sql(target, arguments, profiles)


def size(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.iterdir()) / 2**20


def lookups(pack: ServingPack, stored: RunDocuments, amount: int) -> dict[str, Any]:
    """Seconds of single lookups: rows read, and evaluated with five filters and a reranking; both must agree."""
    rng = np.random.default_rng(0)
    case = stored.graph.definitions["profile_to_items", "case04"].scenario
    assert isinstance(case, Case)
    ready = plan(case.rules, pack.property_types)
    rows = pack.materialized["profile_to_items", ready.digest]
    catalogue = pack.catalogue()
    subjects = rng.integers(0, pack.profile_count, amount).tolist()
    read, evaluated = [], []
    for subject in subjects:
        start = time.perf_counter()
        found = rows.part(subject, 0, 10)
        read.append(time.perf_counter() - start)
        start = time.perf_counter()
        one = slice(subject, subject + 1)
        lists = evaluate(catalogue, ready.rules, pack.lists.items[one], pack.history(one), positions=10)
        evaluated.append(time.perf_counter() - start)
        assert found == [item for item in lists.items[0].tolist() if item >= 0]
    return {
        "row read us": 1e6 * float(np.median(read)), "evaluated us": 1e6 * float(np.median(evaluated)),
        "evaluated p99 us": 1e6 * float(np.percentile(evaluated, 99)),
        "one by one rows per second": 1 / float(np.mean(evaluated)),
    }


def in_sql(target: Path, arguments: argparse.Namespace, profiles: int) -> dict[str, Any]:
    """Rows a second of SQL for filters and exclusions of one case over the lists alone (neither backfill nor
    diversity).
    """
    pack = np.load(target / "pack" / "lists_items.npy")
    with duckdb.connect(config={"threads": arguments.threads}) as con:
        con.execute(f"CREATE TABLE items AS SELECT * FROM '{target}/tables/items.parquet'")
        con.execute(f"CREATE TABLE met AS SELECT DISTINCT profile_index, item_index FROM "
                    f"'{target}/tables/interactions.parquet'")
        flat = {"place": np.tile(np.arange(pack.shape[1]), profiles), "item_index": pack.ravel(),
                "profile_index": np.repeat(np.arange(profiles), pack.shape[1])}
        con.register("flat", __import__("pyarrow").table(flat))
        con.execute("CREATE TABLE listed AS SELECT * FROM flat WHERE item_index >= 0")
        wall, _, _ = measured(lambda: con.execute(
            "CREATE TABLE answer AS SELECT profile_index, list(item_index ORDER BY place)[1:64] AS found FROM listed "
            "JOIN items USING (item_index) ANTI JOIN met USING (profile_index, item_index) "
            "WHERE (properties->>'$.year')::INT >= 1954 AND (properties->>'$.stock')::INT > 4 "
            "GROUP BY profile_index"
        ))
    return {"SQL rows per second": profiles / wall}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profiles", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--cases", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--lookups", type=int, default=2000)
    parser.add_argument("--scratch", type=Path, default=None, help="folder for the generated data")
    parser.add_argument("--json", type=Path, default=None)
    arguments = parser.parse_args()
    results = []
    for profiles in arguments.profiles:
        results.append(one_size(profiles, arguments))
        print(f"\n{profiles:,} profiles, {arguments.items:,} items, {arguments.cases} cases, "
              f"{arguments.threads} threads")
        for name, value in results[-1].items():
            print(f"  {name:<28} {value:>14,.1f}")
    if arguments.json:
        machine = {"machine": platform.platform(), "processors": os.cpu_count()}
        arguments.json.write_text(json.dumps({**machine, "results": results}, indent=1))


if __name__ == "__main__":
    main()
