"""What the published run says beside its rows: jobs whose outputs it serves, the churn report, members of segments."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from serving.octy.accounts import Account
from store.journal import jobs
from store.pack.account import read_account

RECOMMENDATIONS, CHURN = "recommendations", "churn-prediction"


@dataclass(frozen=True, slots=True)
class Served:
    """A job whose outputs are served; ``at``: when it was published. ``configuration``: the algorithm's, as it was.
    ``carried_from``: its cut-off where a later run serves its outputs on, None in its own run.
    """

    training_job_id: str
    at: datetime
    metrics: dict[str, Any]
    configuration: dict[str, Any] = field(default_factory=dict)
    carried_from: datetime | None = None


@lru_cache(maxsize=64)
def _facts(pack: Path) -> dict[str, Any]:
    return read_account(pack)


async def facts(account: Account) -> dict[str, Any]:
    """The facts of the run that is served; empty before the first."""
    view = account.view
    if view is None:
        return {"jobs": {}, "churn_report": None, "segment_counts": {}}
    return await asyncio.to_thread(_facts, account.layout.run(view.snapshot.run_id) / "pack")


async def served(account: Account, algorithm: str) -> Served | None:
    """The job of an algorithm whose outputs are served, None when none ever completed."""
    told = (await facts(account))["jobs"].get(algorithm)
    if told is None:
        return None
    job = await asyncio.to_thread(_job, account, told["training_job_id"])
    at = as_of = datetime.fromisoformat(told["as_of"])
    configuration: dict[str, Any] = {}
    if job is not None:
        at = job.finished_at or at
        configuration = (job.body.get("configuration") or {}).get("algorithm") or {}
    view = account.view
    own = view is not None and told["training_job_id"] == jobs.job_id(view.snapshot.run_id, algorithm)
    return Served(
        told["training_job_id"], at, dict(told.get("metrics") or {}), configuration, None if own else as_of
    )


def _job(account: Account, training_job_id: str) -> jobs.Job | None:
    with account.journal.reading() as connection:
        return jobs.get(connection, training_job_id)
