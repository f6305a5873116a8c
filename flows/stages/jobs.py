"""What the stages say of their trainings, as the records of the retention contract (section 6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from contracts.account import JOB_NAMES, Account
from store.journal import jobs

if TYPE_CHECKING:
    import duckdb

    from flows.stages.publish import PreviousRun

_SAMPLE = 20


@dataclass(frozen=True, slots=True)
class Records:
    """Rows of ``training_jobs`` and of ``training_skips``, and by algorithm (as webhooks name it) the job whose outputs
    the run serves: training_job_id, as_of and metrics.
    """

    jobs: list[dict[str, Any]] = field(default_factory=list)
    skips: list[dict[str, Any]] = field(default_factory=list)
    serving: dict[str, dict[str, Any]] = field(default_factory=dict)


def exclusions(con: duckdb.DuckDBPyConnection, table: str) -> dict[str, Any]:
    """Profiles that ``table`` (rows of ``training_exclusions``) names: total, by reason, and the first 20."""
    total = con.execute(f"SELECT count(DISTINCT profile_id) FROM {table}").fetchone()
    reasons = con.execute(f"SELECT reason, count(*) FROM {table} GROUP BY reason ORDER BY reason").fetchall()
    first = con.execute(
        f"SELECT profile_id, reason, coalesce(missing_keys, []) FROM {table} "
        f"ORDER BY profile_id, reason LIMIT {_SAMPLE}"
    ).fetchall()
    return {
        "total": int(total[0]) if total else 0,
        "by_reason": {str(reason): int(number) for reason, number in reasons},
        "sample": [dict(zip(("profile_id", "reason", "missing_keys"), row, strict=True)) for row in first],
    }


def records(
    found: Iterable[Mapping[str, Any]], run_id: str, as_of: datetime, account: Account, previous: PreviousRun | None,
    excluded: Mapping[str, Mapping[str, Any]],
) -> Records:
    """The records from the jobs of the stages; ``excluded`` has what ``exclusions`` says for ``rec`` and ``churn``.

    Where an account uses configurations, what did not start is a skip and no job; without any it is a job all the same.
    """
    rows = [_record(one, run_id, as_of, account, previous, excluded.get(one["algorithm"], {})) for one in found]
    serving = {row["algorithm"]: row["serving"] for row in rows if row["serving"]}
    if not account.configured:
        return Records(rows, [], serving)
    skips = [
        {"algorithm": row["algorithm"], "reason": row["reason"].split(":")[0], "figures": row["figures"]}
        for row in rows
        if row["status"] == "Skipped"
    ]
    return Records([row for row in rows if row["status"] != "Skipped"], skips, serving)


def body(row: Mapping[str, Any]) -> dict[str, Any]:
    """What the journal keeps of a row of ``training_jobs`` beside its times."""
    names = ("row_counts", "metrics", "gates", "excluded_profiles", "configuration", "failure_reason")
    return {name: row[name] for name in names}


def _record(
    job: Mapping[str, Any], run_id: str, as_of: datetime, account: Account, previous: PreviousRun | None,
    excluded: Mapping[str, Any],
) -> dict[str, Any]:
    details = job["details"]
    name = JOB_NAMES[job["algorithm"]]
    completed, failed = job["status"] == "Completed", job["status"] == "Failed"
    identity = jobs.job_id(run_id, name)
    metrics = details.get("metrics", {})
    serving = {"training_job_id": identity, "as_of": as_of.isoformat(), "metrics": metrics} if completed else None
    if not completed and job["trained_by_run"] not in ("", run_id) and previous is not None:
        serving = previous.manifest.models.get(job["algorithm"], {}).get("serving")
    configured = getattr(account, job["algorithm"], None)
    return {
        "training_job_id": identity,
        "algorithm": name,
        "model": job["model"],
        "status": job["status"],
        "trained_by_run": job["trained_by_run"] or (run_id if completed else ""),
        "serving": serving,
        "serving_job_id": serving["training_job_id"] if serving else None,
        "serving_as_of": datetime.fromisoformat(serving["as_of"]) if serving else None,
        "reason": job["reason"],
        "failure_reason": {"code": _code(job["reason"]), "message": job["reason"]} if failed else None,
        "row_counts": _counts(details.get("row_counts", {})),
        "metrics": metrics,
        "gates": _gates(details.get("gates", [])),
        "excluded_profiles": dict(excluded) or {"total": 0, "by_reason": {}, "sample": []},
        "configuration": {
            "algorithm": None if configured is None else _configuration(job["algorithm"], configured),
            "settings": details.get("settings", details.get("configuration", {})),
            "model": details.get("configuration", {}) if "settings" in details else {},
        },
        "figures": details.get("figures", _counts(details.get("row_counts", {}))),
        "details": dict(details),
    }


def _code(reason: str) -> jobs.FailureCode:
    return "gate_rejected" if reason.startswith("gate_rejected") else "internal_error"


def _configuration(algorithm: str, configured: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"profile_features": list(configured.profile_features)}
    if algorithm == "rec":
        found["recommend_interacted_items"] = configured.recommend_interacted_items
        found["item_id_stop_list"] = list(configured.item_stop_list)
    return found


def _counts(counts: Mapping[str, Any]) -> dict[str, Any]:
    """The counts of the contract first, also where a stage names its events otherwise."""
    named = {"profiles": 0, "items": 0, "events": counts.get("activity_events", 0), "training_rows": 0}
    return {**named, **counts}


def _gates(gates: Any) -> list[dict[str, Any]]:
    """Gates as a list; a recommender's verdicts become one each."""
    if isinstance(gates, list):
        return gates
    return [
        {
            "name": f"{model}: not below popularity", "threshold": -2.0 * float(one.get("standard_error") or 0.0),
            "value": one.get("above_popularity"), "passed": bool(one["passed"]),
        }
        for model, one in sorted(gates.items())
    ]
