"""What the nightly report shows of agents: what each serves and why, its arms, and what policies would have earned."""

from __future__ import annotations

import json
from typing import Any

from store.report_data import Row, RunTables

SHOWN = 12
"""Agents with plots, those with most exposures first."""
_ROLES = {"default": "baseline", "uniform": "baseline", "serving": "serving", "new": "candidate"}


def agents(run: RunTables) -> list[Row]:
    """Every agent of the run by exposures; the first have ``arms`` (posterior means with their 90 % intervals) and
    ``values`` (doubly robust estimates with theirs), both ready to be drawn.
    """
    if not run.has("decision_reports", "agent_flags"):
        return []
    flags: dict[str, list[str]] = {}
    for row in run.table("agent_flags", "agent, flag, version"):
        flags.setdefault(row["agent"], []).append(row["flag"])
    found = []
    for at, row in enumerate(run.table("decision_reports", "exposures DESC, agent")):
        report = json.loads(row.pop("report"))
        more: Row = {"arms": [], "values": [], "gates": report.get("gates", []), "placebo": report.get("placebo")}
        if at < SHOWN:
            more["arms"], more["values"] = _arms(report), _values(report)
        found.append(row | more | {"flags": flags.get(row["agent"], [])})
    return found


def _arms(report: dict[str, Any]) -> list[Row]:
    several = len({one["point"] for one in report.get("arms", ())}) > 1
    return [
        {"model": f"{one['point']} {one['arm']}" if several else one["arm"], "value": one["mean"], "low": one["low"],
         "high": one["high"], "role": "baseline" if one["default"] else "candidate"}
        for one in report.get("arms", ()) if None not in (one["mean"], one["low"], one["high"])
    ][:40]


def _values(report: dict[str, Any]) -> list[Row]:
    found = []
    for name, role in _ROLES.items():
        dr = (report.get("offPolicy", {}).get(name) or {}).get("dr")
        if dr is not None and dr["low"] is not None:
            found.append({"model": name, "value": dr["value"], "low": dr["low"], "high": dr["high"], "role": role})
    return found
