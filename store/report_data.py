"""What the nightly report shows, read from a run's own Parquet tables with DuckDB. Every function stands for one
section.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb

from contracts.published import TABLES
from transforms.quoting import text_literal

Row = dict[str, Any]
_TOP = 10
_CURVE_POINTS = 50


class RunTables:
    """The tables of one run folder. A table that the run does not have reads as empty."""

    def __init__(self, con: duckdb.DuckDBPyConnection, folder: Path) -> None:
        self.con = con
        self.folder = folder

    def has(self, *names: str) -> bool:
        """Whether the run has all these tables."""
        return all((self.folder / "tables" / f"{name}.parquet").is_file() for name in names)

    def relation(self, name: str) -> str:
        """What to write after FROM."""
        single = self.folder / "tables" / f"{name}.parquet"
        path = single if single.is_file() else self.folder / "tables" / name / "*.parquet"
        return f"read_parquet({text_literal(str(path))})"

    def rows(self, query: str, parameters: Row | None = None) -> list[Row]:
        """Result of ``query`` as dicts."""
        found = self.con.execute(query, parameters or {})
        names = [column[0] for column in found.description or []]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def table(self, name: str, order: str = "ALL") -> list[Row]:
        """All rows of a small table."""
        return self.rows(f"SELECT * FROM {self.relation(name)} ORDER BY {order}") if self.has(name) else []

    def size(self, name: str) -> int | None:
        """Number of rows, or None without the table."""
        folder = self.folder / "tables" / name
        if not self.has(name) and not (folder.is_dir() and any(folder.glob("*.parquet"))):
            return None
        return int(self.rows(f"SELECT count(*) AS n FROM {self.relation(name)}")[0]["n"])


def table_sizes(now: RunTables, before: RunTables | None) -> list[Row]:
    """Rows of every table, with the change since the last run (None where either has no such table)."""
    found = []
    for table in TABLES:
        size, old = now.size(table.name), before.size(table.name) if before else None
        if size is not None:
            found.append(
                {"name": table.name, "grain": table.grain, "rows": size, "change": None if old is None else size - old}
            )
    return found


def ingest(run: RunTables, loads: list[Row] | None) -> Row:
    """Deliveries of this night (``loads``, each with at least a load_id) from the ledger, and why rows were held
    back.
    """
    ids = sorted({int(load["load_id"]) for load in loads or [] if load.get("load_id") is not None})
    files = (
        run.rows(
            f"SELECT * FROM {run.relation('file_loads')} WHERE list_contains($ids, load_id) ORDER BY load_id, entity",
            {"ids": ids},
        )
        if ids and run.has("file_loads")
        else []
    )
    held = (
        run.rows(
            f"SELECT entity, rule, count(*) AS rows, min(reason) AS reason FROM {run.relation('quarantine')} "
            "WHERE list_contains($ids, load_id) GROUP BY ALL ORDER BY rows DESC, entity, rule",
            {"ids": ids},
        )
        if ids and run.has("quarantine")
        else []
    )
    skipped = [
        {"entity": load.get("entity", ""), "file": load.get("file", ""), "rule": rule, "rows": rows}
        for load in loads or []
        for rule, rows in sorted(dict(load.get("skips") or {}).items())
    ]
    names = ("rows_in", "rows_loaded", "rows_already", "rows_skipped", "rows_quarantined")
    return {
        "files": files,
        "held": held,
        "skipped": skipped,
        "totals": {name: sum(row[name] or 0 for row in files) for name in names},
    }


def evaluation(run: RunTables) -> list[Row]:
    """One block per algorithm, cut and mode: metrics across, models down, best first by the headline metric."""
    blocks: dict[tuple[str, str, str], list[Row]] = {}
    for row in run.table("evaluation", "algorithm DESC, cut DESC, mode, model, metric"):
        blocks.setdefault((row["algorithm"], row["cut"], row["mode"] or ""), []).append(row)
    return [_block(key, rows) for key, rows in blocks.items()]


def _block(key: tuple[str, str, str], rows: list[Row]) -> Row:
    algorithm, cut, mode = key
    metrics = sorted({row["metric"] for row in rows}, key=metric_rank)
    models: dict[str, Row] = {}
    for row in rows:
        model = models.setdefault(
            row["model"],
            {name: row[name] for name in ("model", "baseline", "serving", "last_serving")} | {"cells": {}},
        )
        model["cells"][row["metric"]] = row
    headline = metrics[0]
    falling = -1 if _higher_is_better(headline) else 1
    ordered = sorted(
        models.values(),
        key=lambda model: (
            headline not in model["cells"],
            falling * (model["cells"].get(headline, {}).get("value") or 0.0),
            model["model"],
        ),
    )
    for model in ordered:
        model["last"] = model["cells"].get(headline, {}).get("last_value")
    first = rows[0]
    return {
        "algorithm": algorithm,
        "cut": cut,
        "mode": mode,
        "metrics": metrics,
        "models": ordered,
        "headline": headline,
        "window_from": first["window_from"],
        "window_to": first["window_to"],
        "subjects": max(row["subjects"] or 0 for row in rows),
        "compared": any(row["last_value"] is not None for row in rows),
        "points": [_point(model, headline) for model in ordered if headline in model["cells"]],
    }


def _point(model: Row, metric: str) -> Row:
    cell = model["cells"][metric]
    spread = 1.96 * (cell["standard_error"] or 0.0)
    return {
        "model": model["model"],
        "value": cell["value"],
        "low": cell["value"] - spread,
        "high": cell["value"] + spread,
        "role": "serving" if model["serving"] else "baseline" if model["baseline"] else "candidate",
    }


_METRIC_ORDER = ("ndcg@10", "auc", "recall@10", "recall@20", "brier", "calibration_error", "coverage@10")


def metric_rank(metric: str) -> tuple[int, str]:
    """Key to sort metrics by, the one that decides first."""
    return (_METRIC_ORDER.index(metric) if metric in _METRIC_ORDER else len(_METRIC_ORDER), metric)


def _higher_is_better(metric: str) -> bool:
    return not any(part in metric for part in ("brier", "loss", "error"))


def churn(run: RunTables) -> Row | None:
    """Spread of the churn scores in twenty bins by label, counts of the labels, and the mean; None without scores."""
    if not run.has("churn"):
        return None
    source = run.relation("churn")
    # The mean is over integers, so that the page does not depend on the threads.
    summary = run.rows(
        f"SELECT count(*) AS profiles, sum(round(churn_score * 1000000)::BIGINT)::DOUBLE / 1000000 / count(*) AS mean, "
        f"min(horizon_days) AS horizon_days, min(model) AS model FROM {source} WHERE churn_score IS NOT NULL"
    )[0]
    if not summary["profiles"]:
        return None
    bins = run.rows(
        "SELECT least(floor(churn_score * 20), 19) / 20 AS low, low + 0.05 AS high, churn_probability AS label, "
        "count(*) AS count "
        f"FROM {source} WHERE churn_score IS NOT NULL GROUP BY ALL ORDER BY min(churn_score), label"
    )
    labels: dict[str, int] = {}
    for row in bins:
        labels[row["label"]] = labels.get(row["label"], 0) + row["count"]
    return {**summary, "bins": bins, "labels": labels}


def recommendations(run: RunTables) -> Row | None:
    """How lists spread over the catalogue: coverage of the first ten places, share of cold lists, and concentration
    curves.
    """
    if not run.has("recommendation_lists", "items", "popularity"):
        return None
    shown = (
        "SELECT item_id, count(*) AS places FROM ("
        f"SELECT unnest(item_ids[1:{_TOP}]) AS item_id FROM {run.relation('recommendation_lists')}) "
        "GROUP BY item_id"
    )
    ranked = (
        f"SELECT coalesce(s.places, 0) AS places, coalesce(p.events, 0) AS events, "
        f"row_number() OVER (ORDER BY coalesce(p.rank, 2147483647), i.item_id) AS position, count(*) OVER () AS items "
        f"FROM {run.relation('items')} AS i LEFT JOIN ({shown}) AS s USING (item_id) "
        f"LEFT JOIN {run.relation('popularity')} AS p USING (item_id)"
    )
    totals = run.rows(
        "SELECT count(*) AS items, count(*) FILTER (places > 0) AS shown, sum(places) AS places, sum(events) AS events "
        f"FROM ({ranked})"
    )[0]
    lists = run.rows(
        f"SELECT count(*) AS lists, count(*) FILTER (cold) AS cold FROM {run.relation('recommendation_lists')}"
    )[0]
    if not totals["items"] or not totals["places"]:
        return None
    points = run.rows(
        f"SELECT ceil(position * {_CURVE_POINTS} / items) / {_CURVE_POINTS} AS items, "
        "sum(places) AS places, sum(events) AS events "
        f"FROM ({ranked}) GROUP BY 1 ORDER BY 1"
    )
    curves = [
        row
        for name, column in (("places in lists", "places"), ("events", "events"))
        if totals[column]
        for row in _cumulative(points, column, totals[column], name)
    ]
    return {
        "coverage": totals["shown"] / totals["items"],
        "catalogue": totals["items"],
        "shown": totals["shown"],
        "lists": lists["lists"],
        "cold": lists["cold"],
        "curves": curves,
    }


def _cumulative(points: list[Row], column: str, total: int, name: str) -> list[Row]:
    curve, taken = [{"items": 0.0, "share": 0.0, "curve": name}], 0
    for point in points:
        taken += point[column] or 0
        curve.append({"items": float(point["items"]), "share": float(taken / total), "curve": name})
    return curve


def experiments(run: RunTables) -> list[Row]:
    """A/B tests, those that run first, each with ``points``: the difference and its interval by day, once there is one.
    """
    days: dict[str, list[Row]] = {}
    for row in run.table("experiment_days", "test_id, day"):
        if row["difference"] is not None and row["high"] - row["low"] < 2:
            names = ("difference", "low", "high")
            point = {"day": row["day"].isoformat(), **{name: row[name] for name in names}}
            days.setdefault(row["test_id"], []).append(point)
    tests = run.table("experiments", "running DESC, test_id")
    return [test | {"points": days.get(test["test_id"], [])} for test in tests]


def changes(now: RunTables, before: RunTables | None) -> Row | None:
    """How many answers differ from the last run's: first ten places of lists, and labels of churn; None without an
    earlier run.
    """
    if before is None:
        return None
    found: Row = {"lists": None, "churn": None}
    if now.has("recommendation_lists") and before.has("recommendation_lists"):
        found["lists"] = now.rows(
            "SELECT count(*) AS both, "
            f"count(*) FILTER (n.item_ids[1:{_TOP}] IS DISTINCT FROM b.item_ids[1:{_TOP}]) AS changed, "
            f"count(*) FILTER (n.item_ids[1] IS DISTINCT FROM b.item_ids[1]) AS first_changed "
            f"FROM {now.relation('recommendation_lists')} AS n "
            f"JOIN {before.relation('recommendation_lists')} AS b USING (profile_id)"
        )[0]
    if now.has("churn") and before.has("churn"):
        found["churn"] = now.rows(
            f"SELECT b.churn_probability AS was, n.churn_probability AS now, count(*) AS profiles "
            f"FROM {now.relation('churn')} AS n JOIN {before.relation('churn')} AS b USING (profile_id) "
            "WHERE n.churn_probability IS DISTINCT FROM b.churn_probability "
            "GROUP BY ALL ORDER BY profiles DESC, was, now LIMIT 12"
        )
    return found


def training(run: RunTables) -> list[Row]:
    """Training jobs, with what the report shows of their details: why the model is another one than in the last run,
    where the figures of the frozen cut come from, calibration bins, importances.
    """
    jobs = run.table("training_jobs", "algorithm")
    for job in jobs:
        details = _document(job["details"])
        job["carried"] = bool(job["trained_by_run"]) and job["trained_by_run"] != run.folder.name
        job["change"] = _text(details, "change")
        job["frozen"] = _text(details, "frozen")
        job["calibration"] = [
            row for row in _list(details.get("calibration")) if {"predicted", "observed"} <= row.keys()
        ]
        report = details.get("report")
        data = report.get("churn_data", report) if isinstance(report, dict) else {}
        job["importances"] = [
            {"name": str(row["feature_name"]), "value": float(row["feature_importance"])}
            for row in _list(data.get("features_of_importance"))
            if {"feature_name", "feature_importance"} <= row.keys()
        ][:_TOP]
    return jobs


def _document(text: str | None) -> Row:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _text(details: Row, name: str) -> str:
    """The reason that part ``name`` of a job's details gives; empty without one."""
    part = details.get(name)
    return str(part.get("reason", "")) if isinstance(part, dict) else ""


def _list(value: Any) -> list[Row]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []
