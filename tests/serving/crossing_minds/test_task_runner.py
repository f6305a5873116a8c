"""Background tasks in processes of their own: what becomes of them (§14)."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from contracts.settings import Settings
from serving.crossing_minds.task_runner import TaskRunner
from store.control import AlreadyRunning, Control, NewDatabase, Task
from store.control.tasks import as_text
from store.journal import Journal
from store.journal.lease import is_dead, this_process
from store.layout import Layout

GOOD = (sys.executable, "-c", "import json; print(json.dumps({'run_id': 'r-1', 'reason': ''}))")
BAD = (sys.executable, "-c", "import sys; print('nightloom: the disk is full', file=sys.stderr); sys.exit(6)")
BUSY = (sys.executable, "-c", "import sys; sys.exit(4)")
LONG = (sys.executable, "-c", "import sys, time; print('step 1', file=sys.stderr, flush=True); time.sleep(60)")


@dataclass
class Place:
    """An installation with one database, and its tasks."""

    layout: Layout
    control: Control
    database: str

    def runner(self, command: tuple[str, ...]) -> TaskRunner:
        return TaskRunner(self.control, self.layout, command)

    def request(self, name: str = "ml_model_retrain") -> str:
        return self.control.request_task(self.database, name)

    def task(self, task_id: str) -> Task:
        return next(task for task in self.control.tasks(self.database) if task.task_id == task_id)

    def until(self, runner: TaskRunner, task_id: str, *statuses: str) -> Task:
        """Step until a task has one of the statuses."""
        give_up = time.monotonic() + 20
        while self.task(task_id).status not in statuses:
            assert time.monotonic() < give_up, self.task(task_id)
            runner.step()
            time.sleep(0.01)
        return self.task(task_id)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    layout = Layout(tmp_path)
    (tmp_path / "definitions").mkdir()
    with Control.open(layout) as control:
        made = control.create_database(NewDatabase("films", "uint32", "uuid", workspace="films"))
        Layout(tmp_path, "films").create()
        yield Place(layout, control, made.id)


def test_a_task_that_ends_well(place: Place) -> None:
    runner, task_id = place.runner(GOOD), place.request()
    done = place.until(runner, task_id, "COMPLETED")
    assert done.message == "published r-1" and done.started_at and done.finished_at
    assert done.child is not None and is_dead(done.child)


def test_a_task_that_fails_says_why(place: Place) -> None:
    runner, task_id = place.runner(BAD), place.request()
    assert place.until(runner, task_id, "FAILED").message == "the disk is full"


def test_a_command_that_cannot_be_started(place: Place) -> None:
    runner, task_id = place.runner(("/nowhere/at/all",)), place.request()
    assert "FileNotFoundError" in place.until(runner, task_id, "FAILED").message


def test_one_task_of_a_database_at_a_time_and_one_of_a_name(place: Place) -> None:
    runner = place.runner(LONG)
    first = place.request()
    with pytest.raises(AlreadyRunning):
        place.request()
    place.until(runner, first, "RUNNING")
    with pytest.raises(AlreadyRunning):
        place.request()
    second = place.request("ml_new_users")
    for _ in range(5):
        runner.step()
    assert place.task(second).status == "REQUEST_SENT"
    give_up = time.monotonic() + 10
    while place.task(first).message != "step 1" and time.monotonic() < give_up:
        time.sleep(0.01)
    assert place.task(first).message == "step 1", "progress is noted while it works"
    runner.stop()
    stopped = place.task(first)
    assert (stopped.status, stopped.message) == ("CANCELLED", "the endpoint was stopped")
    assert stopped.child is not None and is_dead(stopped.child)
    again = place.runner(GOOD)
    assert place.until(again, second, "COMPLETED"), "what waits is taken up by the next endpoint"


def test_a_task_waits_while_a_scheduled_run_works(place: Place) -> None:
    layout = Layout(place.layout.home, "films")
    runner, task_id = place.runner(GOOD), place.request()
    with Journal.open(layout, Settings()) as journal, journal.lease("pipeline", "a night"):
        runner.step()
        assert place.task(task_id).status == "REQUEST_SENT"
    place.until(runner, task_id, "COMPLETED")


def test_a_run_that_finds_another_one_waits_again(place: Place) -> None:
    runner, task_id = place.runner(BUSY), place.request()
    runner.step()
    give_up = time.monotonic() + 10
    while place.task(task_id).message != "another run works" and time.monotonic() < give_up:
        time.sleep(0.01)
    waiting = place.task(task_id)
    assert (waiting.status, waiting.started_at, waiting.child) == ("REQUEST_SENT", None, None)
    place.until(place.runner(GOOD), task_id, "COMPLETED")


def dead() -> str:
    """A process that is gone."""
    return as_text(dataclasses.replace(this_process(), started="1"))


@pytest.mark.parametrize(("published", "status"), [(True, "COMPLETED"), (False, "FAILED")])
def test_what_a_dead_endpoint_left_is_settled_by_the_runs_record(place: Place, published: bool, status: str) -> None:
    task_id = place.request()
    assert place.control.claim_task(task_id, this_process())
    place.control.change_task(task_id, runner=dead(), child=dead())
    if published:
        with Journal.open(Layout(place.layout.home, "films"), Settings()) as journal:
            journal.record_run("r-2", "building")
            journal.promote("r-2", 0, "test")
    place.runner(GOOD).step()
    settled = place.task(task_id)
    assert (settled.status, settled.run_id) == (status, "r-2" if published else None)
    assert settled.message == ("" if published else "interrupted")


def test_a_claim_is_given_once(place: Place) -> None:
    task_id = place.request()
    assert place.control.claim_task(task_id, this_process())
    assert not place.control.claim_task(task_id, this_process())


def test_cancelling_what_works_and_what_waits(place: Place) -> None:
    runner = place.runner(LONG)
    first, second = place.request(), place.request("ml_new_items")
    place.until(runner, first, "RUNNING")
    place.control.remove_database(place.database)
    assert place.task(second).status == "CANCELLED"
    assert place.task(first).status == "CANCELLED_REQUESTED"
    assert place.until(runner, first, "CANCELLED").finished_at is not None
    assert json.loads(as_text(this_process()))["pid"]
