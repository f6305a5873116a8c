"""The nightly report: one page, complete in itself, of what a night did and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from store import plots, report_data
from store.check_page import drifted, failures
from store.pages import trusted, write_page
from store.report_agents import agents
from store.report_data import RunTables
from store.report_scenarios import scenarios
from transforms.check_results import CheckResult
from transforms.drift import Drift

_SHOWN_DRIFT = 15
_SERVED = {
    "rec": "recommendations",
    "churn": "churn",
    "churn-prediction": "churn",
    "rfm-analysis": "recency, frequency and money",
}


@dataclass(frozen=True, slots=True)
class Night:
    """What the run's tables do not say. ``laps`` are the stages' timings (keys of ``flows.stopwatch.Lap.as_dict``)."""

    run_id: str
    as_of: datetime
    previous_run: Path | None
    laps: Sequence[Mapping[str, Any]]
    loads: Sequence[Mapping[str, Any]]
    checks: Sequence[CheckResult]
    drift: Sequence[Drift]
    quarantined: int


def write_report(target: Path, night: Night) -> Path:
    """Write ``target/reports/index.html`` from ``target/tables`` and ``night``; returns its path."""
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        run = RunTables(con, target)
        before = RunTables(con, night.previous_run) if night.previous_run is not None else None
        values = _values(run, before, night)
    return write_page("report.html", target / "reports" / "index.html", values)


def _values(run: RunTables, before: RunTables | None, night: Night) -> dict[str, Any]:
    jobs = report_data.training(run)
    churn, spread = report_data.churn(run), report_data.recommendations(run)
    blocks = report_data.evaluation(run)
    return {
        "run_id": night.run_id,
        "as_of": night.as_of,
        "previous": night.previous_run.name if night.previous_run is not None else "",
        "sizes": report_data.table_sizes(run, before),
        "ingest": report_data.ingest(run, [dict(load) for load in night.loads]),
        "checks": night.checks,
        "failed": failures(night.checks),
        "drift": night.drift,
        "drifted": drifted(night.drift)[:_SHOWN_DRIFT],
        "drifts": sum(1 for row in night.drift if row.drifted),
        "quarantined": night.quarantined,
        "jobs": jobs,
        "served": _SERVED,
        "evaluation": [block | {"plot": _scores(block, number)} for number, block in enumerate(blocks)],
        "churn": churn,
        "churn_plots": _churn_plots(churn, jobs),
        "recommendations": spread,
        "recommendation_plot": trusted(plots.shares(spread["curves"], "shares")) if spread else "",
        "scenarios": [block | {"plot": _costs(block, number)} for number, block in enumerate(scenarios(run))],
        "experiments": [
            test | {"plot": trusted(plots.band(test["points"], f"test{number}")) if test["points"] else ""}
            for number, test in enumerate(report_data.experiments(run))
        ],
        "agents": [agent | {"plots": _agent_plots(agent, number)} for number, agent in enumerate(agents(run))],
        "changes": report_data.changes(run, before),
        "laps": night.laps,
        "laps_plot": _laps_plot(night.laps),
        "total_seconds": sum(float(lap.get("seconds", 0.0)) for lap in night.laps),
    }


def _scores(block: dict[str, Any], number: int) -> Any:
    """Models beside each other with their intervals; nothing to compare with one model."""
    if len(block["points"]) < 2:
        return ""
    return trusted(plots.scores(block["points"], block["headline"], f"scores{number}"))


def _costs(block: dict[str, Any], number: int) -> Any:
    """What each set of rules does to the headline metric."""
    if not block["points"]:
        return ""
    title = f"{block['headline']} against the list without rules"
    return trusted(plots.differences(block["points"], title, f"costs{number}"))


def _agent_plots(agent: dict[str, Any], number: int) -> list[tuple[str, Any]]:
    """What an agent's arms earn, and what policies would have earned on its log."""
    found = []
    for name, caption in (("arms", "posterior mean of each arm, 90 % interval"),
                          ("values", "value of an exposure under each policy, doubly robust, 95 % interval")):
        if agent[name]:
            svg = plots.scores(agent[name], "value of an exposure", f"{name}{number}")
            found.append((f"{agent['agent']}: {caption}", trusted(svg)))
    return found


def _churn_plots(churn: dict[str, Any] | None, jobs: list[dict[str, Any]]) -> list[tuple[str, Any]]:
    found = []
    if churn:
        found.append(
            (
                "Scores of all profiles, by label",
                plots.histogram(churn["bins"], "probability of churning", "profiles", "churn"),
            )
        )
    for job in jobs:
        if job["calibration"]:
            found.append(
                (
                    "Calibration on data not used for fitting",
                    plots.calibration(job["calibration"], f"cal-{job['algorithm']}"),
                )
            )
        if job["importances"]:
            found.append(
                (
                    "What the churn score is made of",
                    plots.bars(job["importances"], "importance", f"imp-{job['algorithm']}"),
                )
            )
    return [(caption, trusted(svg)) for caption, svg in found]


def _laps_plot(laps: Sequence[Mapping[str, Any]]) -> Any:
    rows = [{"name": str(lap["stage"]), "value": float(lap["seconds"])} for lap in laps]
    return trusted(plots.bars(rows, "seconds", "laps")) if rows else ""
