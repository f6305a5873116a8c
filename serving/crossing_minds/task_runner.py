"""Looks after background tasks: starts those that wait, one at a time of a database, as ``nightloom run`` in a process
of its own; notes what became of them, also of those whose endpoint died.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from contracts.errors import LeaseHeld, NightloomError
from serving.crossing_minds.tasks import LEASE
from store.control import Control, DatabaseRecord, Task, TaskStatus
from store.control.tasks import WAITING, as_text
from store.journal import Journal, RunRecord
from store.journal.lease import is_dead, process_of, this_process
from store.layout import Layout
from store.settings_file import load_settings

log = logging.getLogger("nightloom.serving")

COMMAND = (sys.executable, "-m", "cli.main", "run", "--json")
NOTED_EVERY = 1.0  # seconds between two notes of a task's progress
LONGEST = 500  # characters of a note
STOPPED = "the endpoint was stopped"


class TaskRunner:
    """One process's share of the work. ``command`` is called with ``--workspace <name>`` added."""

    def __init__(self, control: Control, layout: Layout, command: Sequence[str] = COMMAND) -> None:
        self._control = control
        self._layout = layout
        self._command = tuple(command)
        self._me = this_process()
        self._working: dict[str, _Work] = {}
        self._stopping = False

    def step(self) -> bool:
        """Start what can start, stop what is to stop, settle what was left behind.

        False: nothing waits or works, so it need not be called again before the control journal changes.
        """
        unfinished = [] if self._stopping else self._control.unfinished_tasks()
        databases = self._control.directory().databases if unfinished else {}
        for task in unfinished:
            work = self._working.get(task.task_id)
            if work is not None:
                if task.status == "CANCELLED_REQUESTED":
                    work.stop("")
            elif task.status == WAITING:
                self._start(task, databases.get(task.database_id))
            elif task.runner is None or is_dead(task.runner):
                self._settle(task, databases.get(task.database_id))
        return bool(unfinished)

    def stop(self) -> None:
        """Stop every run of this process and note it."""
        self._stopping = True
        works = list(self._working.values())
        for work in works:
            work.stop(STOPPED)
        for work in works:
            work.join(10)

    def _start(self, task: Task, database: DatabaseRecord | None) -> None:
        if database is None or self._busy(database) or not self._control.claim_task(task.task_id, self._me):
            return
        command = (*self._command, "--workspace", database.workspace)
        work = _Work(self._control, Layout(self._layout.home, database.workspace), task, command, self._working)
        self._working[task.task_id] = work
        work.start()

    def _busy(self, database: DatabaseRecord) -> bool:
        """Whether a run that no task asked for works on the database."""
        with _journal(Layout(self._layout.home, database.workspace)) as journal:
            return journal.lease_holder(LEASE) is not None

    def _settle(self, task: Task, database: DatabaseRecord | None) -> None:
        """A task whose endpoint is gone: its run may still work; when it does not, its record tells."""
        if task.child is not None and not is_dead(task.child):
            if task.status == "CANCELLED_REQUESTED":
                _end(task.child.pid)
            return
        run = None
        if database is not None and task.started_at is not None:
            run = _run_of(Layout(self._layout.home, database.workspace), task.started_at)
        done = run is not None and run.status in ("published", "kept", "retired", "pruned")
        failed: TaskStatus = "CANCELLED" if task.status == "CANCELLED_REQUESTED" else "FAILED"
        message = (run.message if run is not None else "") or ("" if done else "interrupted")
        _finish(self._control, task, "COMPLETED" if done else failed, message, run)


class _Work(threading.Thread):
    """One run in a process of its own, watched by a thread."""

    def __init__(
        self, control: Control, layout: Layout, task: Task, command: Sequence[str], working: dict[str, _Work]
    ) -> None:
        super().__init__(name=f"task {task.task_id}", daemon=True)
        self._control = control
        self._layout = layout
        self._task = task
        self._command = command
        self._working = working
        self._child: subprocess.Popen[str] | None = None
        self._told_to_stop: str | None = None
        self._lock = threading.Lock()

    def stop(self, reason: str) -> None:
        """End the run; ``reason`` is noted."""
        with self._lock:
            if self._told_to_stop is None:
                self._told_to_stop = reason
            if self._child is not None and self._child.poll() is None:
                _end(self._child.pid)

    def run(self) -> None:
        try:
            self._watch()
        except Exception as error:
            log.exception("task %s", self._task.task_id)
            self._note("FAILED", f"{type(error).__name__}: {error}", None)
        finally:
            self._working.pop(self._task.task_id, None)

    def _watch(self) -> None:
        home = {**os.environ, "NIGHTLOOM_HOME": str(self._layout.home)}
        began = self._control.clock()
        with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
            with self._lock:
                if self._told_to_stop is None:
                    self._child = subprocess.Popen(  # noqa: S603 - our own command
                        self._command, env=home, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.PIPE,
                        text=True, encoding="utf-8", errors="replace", start_new_session=True,
                    )
            lines = self._progress(self._child) if self._child is not None else []
            code = self._child.wait() if self._child is not None else -1
            said.seek(0)
            self._settle(code, said.read(), lines, began)

    def _progress(self, child: subprocess.Popen[str]) -> list[str]:
        """Note what the run tells of itself; returns its last lines."""
        self._control.change_task(self._task.task_id, child=as_text(process_of(child.pid)))
        noted = 0.0
        lines: list[str] = []
        assert child.stderr is not None
        with child.stderr:
            for line in child.stderr:
                if not line.strip():
                    continue
                lines = [*lines[-4:], line.strip()]
                if time.monotonic() - noted > NOTED_EVERY:
                    self._control.change_task(self._task.task_id, message=line.strip()[:LONGEST])
                    noted = time.monotonic()
        return lines

    def _settle(self, code: int, said: str, lines: list[str], began: datetime) -> None:
        run = _run_of(self._layout, began)
        if code == 0:
            told = _outcome(said)
            self._note("COMPLETED", told.get("reason") or f"published {told.get('run_id', '')}", run)
        elif self._told_to_stop is not None:
            self._note("CANCELLED", self._told_to_stop, run)
        elif code == LeaseHeld.exit_code:
            again = {"status": WAITING, "started_at": None, "runner": None, "child": None}
            self._control.change_task(self._task.task_id, **again, message="another run works")
        else:
            self._note("FAILED", _reason(lines) or f"the run ended with code {code}", run)

    def _note(self, status: TaskStatus, message: str, run: RunRecord | None) -> None:
        _finish(self._control, self._task, status, message, run)


def _journal(layout: Layout) -> Journal:
    return Journal.open(layout, load_settings(layout))


def _run_of(layout: Layout, since: datetime) -> RunRecord | None:
    """The latest run that was begun since a time; None when there is none, or when its journal is gone."""
    if not layout.root.exists():
        return None
    try:
        with _journal(layout) as journal:
            return next((run for run in journal.runs() if run.started_at >= since), None)
    except NightloomError:
        return None


def _finish(control: Control, task: Task, status: TaskStatus, message: str, run: RunRecord | None) -> None:
    control.change_task(
        task.task_id, status=status, message=message[:LONGEST], run_id=None if run is None else run.run_id,
        finished_at=control.clock(),
    )


def _outcome(said: str) -> dict[str, Any]:
    """What ``nightloom run --json`` printed last."""
    try:
        told = json.loads(said[said.index("{") :])
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _reason(lines: list[str]) -> str:
    """Why a run failed: what the command said of itself, else its last line."""
    own = [line.removeprefix("nightloom: ") for line in lines if line.startswith("nightloom: ")]
    return own[-1] if own else (lines[-1] if lines else "")


def _end(pid: int) -> None:
    """Ask a run and all it started to stop."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGTERM)
