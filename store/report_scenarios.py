"""The report's section on scenarios: which rules have lists in the run, and what each costs or brings."""

from __future__ import annotations

from store.report_data import Row, RunTables

HEADLINE = "ndcg@10"
METRICS = ("hit_rate@10", "recall@10", HEADLINE, "coverage@10", "diversity@10", "full@10")
_SPREAD = 1.96


def scenarios(run: RunTables) -> list[Row]:
    """One block a reco type with stored scenarios: every set of rules with its lists and its metrics beside those of
    the lists without rules, and the points of the headline metric's differences.
    """
    if not run.has("scenario_tables"):
        return []
    judged: dict[tuple[str, str], list[Row]] = {}
    for row in run.table("scenario_evaluation", "reco_type, table_name, metric"):
        judged.setdefault((row["reco_type"], row["table_name"]), []).append(row)
    blocks: dict[str, list[Row]] = {}
    for row in run.table("scenario_tables", "reco_type DESC, len(scenarios) > 0, table_name"):
        blocks.setdefault(row["reco_type"], []).append(row)
    return [_block(kind, rows, judged) for kind, rows in blocks.items() if any(row["scenarios"] for row in rows)]


def _block(reco_type: str, rows: list[Row], judged: dict[tuple[str, str], list[Row]]) -> Row:
    sets = []
    for row in rows:
        metrics = judged.get((reco_type, row["table_name"]), [])
        name = row["table_name"].partition(".")[2] or "without rules"
        sets.append(row | {"label": name, "cells": {one["metric"]: one for one in metrics}})
    windows = [one for row in sets for one in row["cells"].values()]
    points = [_point(row) for row in sets if HEADLINE in row["cells"] and row["scenarios"]]
    return {
        "reco_type": reco_type, "sets": sets, "metrics": METRICS, "headline": HEADLINE, "points": points,
        "window": windows[0] if windows else None,
    }


def _point(row: Row) -> Row:
    cell = row["cells"][HEADLINE]
    spread = _SPREAD * (cell["difference_error"] or 0.0)
    value = cell["difference"]
    return {"name": row["label"], "value": value, "low": value - spread, "high": value + spread}
