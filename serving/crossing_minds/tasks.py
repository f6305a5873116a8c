"""Background tasks (§14): a trigger starts the database's pipeline run; a list tells what became of runs."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

from serving.crossing_minds import schemas as s
from serving.crossing_minds.call import Answer, Call
from serving.crossing_minds.errors import DuplicatedError, wrong_type
from serving.crossing_minds.pages import TASK_AMOUNT, numbered
from serving.crossing_minds.router import Route
from serving.crossing_minds.tenant import Tenant
from store.control import AlreadyRunning, Control, Task
from store.journal import RunRecord

RETRAIN = "ml_model_retrain"
NAMES = (RETRAIN, "item_popularity_score_recalibrate", "ml_new_users", "ml_new_items")
WORKING = ("RUNNING", "CANCELLED_REQUESTED")
LEASE = "pipeline"


async def trigger(call: Call) -> Answer:
    """Queue a run of the database's pipeline."""
    name, tenant, control = _name(call), call.database, call.installation.control
    if name == RETRAIN and await asyncio.to_thread(_scheduled_works, control, tenant):
        raise DuplicatedError("TASK_ALREADY_RUNNING", "task", name)
    try:
        return {"task_id": await asyncio.to_thread(control.request_task, tenant.id, name)}
    except AlreadyRunning:
        raise DuplicatedError("TASK_ALREADY_RUNNING", "task", name) from None


async def recents(call: Call) -> Answer:
    """Tasks of one name, the newest first; the scheduled runs stand among those of ``ml_model_retrain``."""
    page = numbered(call.query, TASK_AMOUNT)
    found = await asyncio.to_thread(_rows, call.installation.control, call.database, _name(call))
    end = page.offset + page.amt
    return {"tasks": found[page.offset : end], **page.answer(more=len(found) > end)}


async def trained_models(call: Call) -> Answer:
    """What the current run trained."""
    view = call.database.view()
    if view is None:
        return {"trained_models": []}
    at = view.snapshot.created_at.replace(tzinfo=UTC).timestamp()
    run_id = view.snapshot.run_id
    pack = view.pack
    names = dict.fromkeys((*pack.algorithms("profile_to_items"), *pack.algorithms("item_to_items")))
    found = [{"id": f"{run_id}/{name}", "trained_timestamp": at, "algorithm": name} for name in names]
    return {"trained_models": found}


def _name(call: Call) -> str:
    name = call.params["task_name"]
    if name not in NAMES:
        raise wrong_type("task_name", f"there is no task {name[:100]!r}, only {', '.join(NAMES)}")
    return name


def _scheduled_works(control: Control, tenant: Tenant) -> bool:
    """Whether a run works on the database that no task asked for."""
    if any(task.status in WORKING for task in control.unfinished_tasks() if task.database_id == tenant.id):
        return False
    return tenant.journal.lease_holder(LEASE) is not None


def _rows(control: Control, tenant: Tenant, name: str) -> list[dict[str, Any]]:
    tasks = control.tasks(tenant.id)
    rows = [_row(task) for task in tasks if task.name == name]
    if name == RETRAIN:
        busy = tenant.journal.lease_holder(LEASE) is not None
        rows += [_scheduled(run, busy) for run in scheduled(tenant.journal.runs(), tasks)]
    return sorted(rows, key=lambda row: -row["start_time"])


def scheduled(runs: list[RunRecord], tasks: list[Task]) -> list[RunRecord]:
    """Runs that no task asked for. A run that is being made while a task works is the task's."""
    asked = {task.run_id for task in tasks}
    since = [task.started_at for task in tasks if task.status in WORKING and task.started_at is not None]
    return [
        run for run in runs
        if run.run_id not in asked
        and not (run.status == "building" and any(run.started_at >= started for started in since))
    ]


def _row(task: Task) -> dict[str, Any]:
    return {
        "task_id": task.task_id, "name": task.name, "start_time": _seconds(task.started_at or task.requested_at),
        "status": task.status, "progress": task.message,
    }


def _scheduled(run: RunRecord, busy: bool) -> dict[str, Any]:
    status, progress = "COMPLETED", run.message
    if run.status == "building":
        status, progress = ("RUNNING", "") if busy else ("FAILED", "interrupted")
    elif run.status == "failed":
        status = "FAILED"
    return {
        "task_id": run.run_id, "name": RETRAIN, "start_time": _seconds(run.started_at), "status": status,
        "progress": progress,
    }


def _seconds(moment: datetime) -> float:
    return moment.replace(tzinfo=UTC).timestamp()


TASK = s.obj({
    "task_id": s.string(), "name": s.string(), "start_time": s.number(), "progress": s.string(),
    "status": s.words("REQUEST_SENT", "RUNNING", "COMPLETED", "FAILED", "CANCELLED_REQUESTED", "CANCELLED"),
})
PAGE = {"page": s.integer(1, default=1), "amt": s.integer(1, 64, default=50)}
MODEL = s.obj({"id": s.string(), "trained_timestamp": s.number(), "algorithm": s.string()})

ROUTES: tuple[Route, ...] = (
    Route(
        "POST", "tasks/{task_name}/", "RMB", trigger, "Start a run of the pipeline",
        body=s.obj({"payload": s.anything()}, optional=("payload",)), answer=s.obj({"task_id": s.string()}),
    ),
    Route(
        "GET", "tasks/{task_name}/recents/", "RMBV", recents, "Recent runs, the newest first", query=PAGE,
        answer=s.numbered_page("tasks", TASK),
    ),
    Route(
        "GET", "pretrained-ml/trained-models/", "RMBV", trained_models, "What the current run trained", mark="M2",
        answer=s.obj({"trained_models": s.array(MODEL)}),
    ),
)
