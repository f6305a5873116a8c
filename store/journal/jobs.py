"""Training jobs: when each began and ended, and how (retention contract, section 6). Times are naive UTC."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Literal

from sqlalchemy import Connection, delete, insert, select, update

from store.journal.schema import training_jobs as table

JobStatus = Literal["in_progress", "Completed", "Failed", "Stopped"]
FailureCode = Literal["gate_rejected", "data_error", "internal_error", "interrupted", "publish_failed"]


@dataclass(frozen=True, slots=True)
class Job:
    """One training job. ``algorithm`` as webhooks name it; ``body`` has row_counts, metrics, gates, configuration,
    excluded_profiles and failure_reason, as far as they are known.
    """

    training_job_id: str
    algorithm: str
    run_id: str
    status: JobStatus
    started_at: datetime
    finished_at: datetime | None
    as_of: datetime
    body: dict[str, Any]

    def record(self) -> dict[str, Any]:
        """All fields of the record in one dict."""
        return {
            "training_job_id": self.training_job_id,
            "algorithm": self.algorithm,
            "run_id": self.run_id,
            "status": self.status,
            "started_at": self.started_at,
            "finished_at": self.finished_at,
            "as_of": self.as_of,
            **self.body,
        }


def job_id(run_id: str, algorithm: str) -> str:
    """Id of an algorithm's job in a run, equal whenever that run is made."""
    return "training_job_" + sha256(f"{run_id}\n{algorithm}".encode()).hexdigest()[:32]


def start(connection: Connection, algorithm: str, run_id: str, at: datetime, as_of: datetime) -> str:
    """Record that a job begins, inside a write transaction; one of the same run begins anew. Returns its id."""
    identity = job_id(run_id, algorithm)
    connection.execute(delete(table).where(table.c.training_job_id == identity))
    connection.execute(
        insert(table).values(
            training_job_id=identity, algorithm=algorithm, run_id=run_id, status="in_progress", started_at=at,
            finished_at=None, as_of=as_of, body="{}",
        )
    )
    return identity


def describe(connection: Connection, identity: str, body: Mapping[str, Any]) -> None:
    """Store what is known of a job that goes on."""
    connection.execute(
        update(table).where(table.c.training_job_id == identity).values(body=json.dumps(body, sort_keys=True))
    )


def withdraw(connection: Connection, identity: str) -> None:
    """Forget a job that did not start after all."""
    connection.execute(delete(table).where(table.c.training_job_id == identity))


def finish(connection: Connection, identity: str, status: JobStatus, at: datetime) -> Job | None:
    """Close a job that is in progress, inside a write transaction; returns it as it is now, None when it is closed."""
    changed = connection.execute(
        update(table)
        .where(table.c.training_job_id == identity, table.c.status == "in_progress")
        .values(status=status, finished_at=at)
    )
    return get(connection, identity) if changed.rowcount else None


def fail(connection: Connection, identity: str, code: FailureCode, message: str, at: datetime) -> Job | None:
    """Close a job as failed, with why; returns it as it is now, None when it is closed already."""
    found = get(connection, identity)
    if found is None or found.status != "in_progress":
        return None
    describe(connection, identity, {**found.body, "failure_reason": {"code": code, "message": message}})
    return finish(connection, identity, "Failed", at)


def in_progress(connection: Connection, run_id: str | None = None) -> list[Job]:
    """Jobs in progress, of one run or of all, the earliest first."""
    query = select(table).where(table.c.status == "in_progress")
    if run_id is not None:
        query = query.where(table.c.run_id == run_id)
    return [_job(row) for row in connection.execute(query.order_by(table.c.started_at, table.c.algorithm))]


def get(connection: Connection, identity: str) -> Job | None:
    """One job, None when there is none of that id."""
    row = connection.execute(select(table).where(table.c.training_job_id == identity)).one_or_none()
    return None if row is None else _job(row)


def listed(connection: Connection) -> list[Job]:
    """Every job, the latest first."""
    return [
        _job(row)
        for row in connection.execute(select(table).order_by(table.c.started_at.desc(), table.c.algorithm))
    ]


def _job(row: Any) -> Job:
    identity, algorithm, run_id, status, started_at, finished_at, as_of, body = row
    return Job(identity, algorithm, run_id, status, started_at, finished_at, as_of, json.loads(body))
