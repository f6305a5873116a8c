"""Training jobs in the journal: begun, failed, or completed by publishing, and the webhook that tells of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Connection

from contracts.account import JOB_NAMES, Account
from contracts.errors import RunBlocked
from flows.stages.identified import merged_profiles
from flows.stages.jobs import Records, body
from flows.stages.steering import not_started
from store.journal import Journal, jobs, live_tags, outbox
from store.journal.jobs import FailureCode, Job
from store.webhooks import messages

if TYPE_CHECKING:
    from flows.desk import Desk

_COUNTS = ("profiles", "items", "events", "training_rows")


@dataclass(slots=True)
class JobLog:
    """The jobs of one run. Nothing is written for an account that configures nothing, nor for a run nobody will serve.
    """

    journal: Journal
    run_id: str
    as_of: datetime
    account: Account
    serve: bool
    style: Literal["object", "text"] = "object"
    begun: dict[str, str] = field(default_factory=dict)

    def start(self, algorithm: Literal["rec", "churn", "rfm"]) -> None:
        """Record that a job begins, unless it is not configured."""
        configured = self.account.configured if algorithm == "rfm" else not not_started(self.account, algorithm)
        if not (self.serve and self.account.configured and configured):
            return
        name = JOB_NAMES[algorithm]
        with self.journal.writing() as connection:
            self.begun[name] = jobs.start(connection, name, self.run_id, self.journal.clock(), self.as_of)

    def settle(self, records: Records) -> None:
        """Store how the trainings went: failed ones are closed and told of, the others wait to be published; those that
        did not start are forgotten.
        """
        found = {row["algorithm"]: row for row in records.jobs}
        for name, identity in self.begun.items():
            with self.journal.writing() as connection:
                row = found.get(name)
                if row is None:
                    jobs.withdraw(connection, identity)
                    continue
                jobs.describe(connection, identity, body(row))
                if row["status"] == "Failed":
                    reason = row["failure_reason"]
                    _fail(connection, identity, reason["code"], reason["message"], self.journal.clock(), self.style)


def completed(desk: Desk, run_id: str) -> Callable[[Connection], None]:
    """A change for the transaction that publishes a run: its jobs are completed, with their webhooks, and receivers are
    told whom it merged.
    """
    merged = merged_profiles(desk.layout.run(run_id), run_id)

    def close(connection: Connection) -> None:
        now = desk.journal.clock()
        outbox.enqueue(connection, messages.identified(merged, run_id, now))
        for parent in merged:
            for child in parent["merged_profiles"]:
                live_tags.merge(connection, child["profile_id"], parent["parent_profile_id"], now)
        for job in jobs.in_progress(connection, run_id):
            done = jobs.finish(connection, job.training_job_id, "Completed", now)
            if done is not None:
                outbox.enqueue(connection, [_message(done, desk.settings.webhooks.training_body)])

    return close


def close_failed(desk: Desk, run_id: str, error: BaseException, *, publishing: bool) -> None:
    """Close the jobs of a run that failed, as stopped by an operator or failed with its reason."""
    code: FailureCode = "publish_failed" if publishing else "internal_error"
    if isinstance(error, RunBlocked):
        code = "data_error"
    with desk.journal.writing() as connection:
        for job in jobs.in_progress(connection, run_id):
            if isinstance(error, KeyboardInterrupt):
                jobs.finish(connection, job.training_job_id, "Stopped", desk.journal.clock())
                continue
            text = f"{type(error).__name__}: {error}"[:2000]
            _fail(
                connection, job.training_job_id, code, text, desk.journal.clock(), desk.settings.webhooks.training_body
            )


def close_interrupted(desk: Desk) -> None:
    """Close the jobs that a dead night left in progress. Called with the lease held."""
    with desk.journal.writing() as connection:
        for job in jobs.in_progress(connection):
            _fail(
                connection, job.training_job_id, "interrupted", "the night that trained it ended before it was done",
                desk.journal.clock(), desk.settings.webhooks.training_body,
            )


def _fail(
    connection: Connection, identity: str, code: FailureCode, message: str, at: datetime,
    style: Literal["object", "text"],
) -> None:
    job = jobs.fail(connection, identity, code, message, at)
    if job is not None:
        outbox.enqueue(connection, [_message(job, style)])


def _message(job: Job, style: Literal["object", "text"]) -> outbox.Message:
    """The notification of a job that ended."""
    assert job.finished_at is not None
    failure = job.body.get("failure_reason")
    counts: Mapping[str, Any] = job.body.get("row_counts") or {}
    text = f"{job.algorithm} failed: {failure['message']}" if failure else f"{job.algorithm} is trained and published"
    told = {
        "algorithm": job.algorithm,
        "job_status": job.status,
        "message": text,
        "training_job_id": job.training_job_id,
        "run_id": job.run_id,
        "started_at": outbox.rfc_1123(job.started_at),
        "finished_at": outbox.rfc_1123(job.finished_at),
        "row_counts": {name: counts.get(name, 0) for name in _COUNTS},
        "metrics": job.body.get("metrics") or {},
        "failure_reason": failure,
        "excluded_profiles": job.body.get("excluded_profiles") or {"total": 0, "by_reason": {}, "sample": []},
    }
    return messages.training_ended(told, job.finished_at, style)
