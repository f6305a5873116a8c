"""Judge the A/B tests of stored scenarios: who was exposed, who converted, and what may be concluded tonight."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from contracts.published import TABLE_BY_NAME
from contracts.settings import Experiments
from flows.stages.publish import insert_rows
from models import experiments
from scenarios.graph import Graph
from scenarios.spec import AbTest
from transforms import tables

COUNTS = ("subjects", "judged", "converted")
Columns = Mapping[str, NDArray[Any]]


def judge(con: duckdb.DuckDBPyConnection, settings: Experiments, as_of: datetime, graph: Graph) -> int:
    """Create tables ``experiments`` and ``experiment_days`` on the workbench ``con``; returns how many tests there are.

    Every test of ``graph`` is one, and every other one that somebody was exposed to before ``as_of``. ``con`` has the
    warehouse attached, and the tables of the build stage.
    """
    goals = list(settings.goal_event_types)
    tables.create(con, "experiment_subjects", as_of=as_of, goals=goals, window_days=settings.window_days)
    tables.create(con, "experiment_counts", as_of=as_of)
    days = con.execute("SELECT * FROM experiment_counts ORDER BY test_id, day").to_arrow_table()
    found = _read({name: days[name].to_numpy() for name in days.column_names if name != "test_id"}, settings)
    _create_days(con, days, found)
    tests = days["test_id"].to_pylist()
    # Rows are by test and day: the last of each test is what it reads tonight.
    latest = {test: row for row, test in enumerate(tests)}
    stored, seen = _stored(graph), _seen(con, as_of)
    common = {"goal_event_types": goals, "window_days": settings.window_days, "level": settings.level}
    rows = []
    for test in sorted(stored.keys() | seen.keys()):
        row = latest.get(test)
        read = {name: found[name][row].item() for name in found} if row is not None else _nobody(settings)
        rows.append(common | read | {
            "test_id": test,
            "scenarios": sorted({*stored.get(test, ()), *seen.get(test, {}).get("scenarios", ())}),
            "running": test in stored,
            "first_at": seen.get(test, {}).get("first_at"),
            "crossovers": seen.get(test, {}).get("crossovers", 0),
        })
    return insert_rows(con, "experiments", [{name: _known(value) for name, value in row.items()} for row in rows])


def _read(counted: Columns, settings: Experiments) -> dict[str, NDArray[Any]]:
    """Everything that is said of each reading, by the name of its column."""
    pairs = {name: np.stack([counted[f"{name}_a"], counted[f"{name}_b"]], axis=1) for name in COUNTS}
    rates = experiments.rates(pairs["judged"], pairs["converted"])
    between = experiments.difference(pairs["judged"], pairs["converted"], settings.level, settings.planned_subjects)
    split = experiments.split_p_value(pairs["subjects"])
    said = np.array(experiments.verdicts(between, split, settings.level), dtype=object)
    counts = {f"{name}_{group}": counted[f"{name}_{group}"] for name in COUNTS for group in "ab"}
    return counts | {
        "rate_a": rates[:, experiments.A], "rate_b": rates[:, experiments.B], "difference": between.value,
        "low": between.low, "high": between.high, "p_value": between.p_value, "split_p_value": split,
        "verdict": said.astype(str),
    }


def _nobody(settings: Experiments) -> dict[str, Any]:
    """What is said of a test that nobody was exposed to."""
    none = {f"{name}_{group}": np.zeros(1, np.int64) for name in COUNTS for group in "ab"}
    return {name: values[0].item() for name, values in _read(none, settings).items()}


def _known(value: Any) -> Any:
    """A rate of nobody is null, not a number that is none."""
    return None if isinstance(value, float) and np.isnan(value) else value


def _create_days(con: duckdb.DuckDBPyConnection, days: pa.Table, found: Columns) -> None:
    """Create ``experiment_days`` from the counts and what was read from them."""
    table = TABLE_BY_NAME["experiment_days"]
    told = {name: pa.array(found[name], from_pandas=True) for name in ("difference", "low", "high", "p_value",
                                                                      "split_p_value")}
    for name, values in told.items():
        days = days.append_column(name, values)
    con.register("readings", days)
    columns = ", ".join(f"{column.name}::{column.type} AS {column.name}" for column in table.columns)
    con.execute(f"CREATE OR REPLACE TABLE {table.name} AS SELECT {columns} FROM readings")
    con.unregister("readings")


def _stored(graph: Graph) -> dict[str, list[str]]:
    """Scenarios by the id of the test that they split by."""
    found: dict[str, list[str]] = {}
    for (reco_type, name), one in graph.definitions.items():
        if isinstance(one.scenario, AbTest):
            found.setdefault(one.scenario.id, []).append(f"{reco_type}/{name}")
    return found


def _seen(con: duckdb.DuckDBPyConnection, as_of: datetime) -> dict[str, dict[str, Any]]:
    """First exposure, scenarios and crossovers of every test that somebody was exposed to."""
    rows = con.execute(
        "SELECT s.test_id, s.first_at, e.scenarios, s.crossovers FROM (SELECT test_id, min(first_at) AS first_at, "
        "count(*) FILTER (crossed) AS crossovers FROM experiment_subjects GROUP BY test_id) AS s JOIN (SELECT test_id, "
        "list_sort(list_distinct(list(reco_type || '/' || scenario_name))) AS scenarios FROM warehouse.exposures "
        "WHERE first_at < $as_of GROUP BY test_id) AS e USING (test_id)",
        {"as_of": as_of},
    ).fetchall()
    return {
        test: {"first_at": first, "scenarios": names, "crossovers": crossovers}
        for test, first, names, crossovers in rows
    }
