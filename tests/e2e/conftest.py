"""A shop between two nights: yesterday's run is served, new files lie in the inbox, and acknowledged writes wait
in the journal.

Every night runs in a child process with the same clock, so that whatever happened in between, equal data gives
equal runs.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import datetime, tzinfo
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from benchmarks.children import Ended, command, in_child
from benchmarks.kills import contents, deliver, sample, set_seed
from store import runs
from store.definitions import load_settings
from store.journal import Journal, Write
from store.layout import Layout

WRITES = 7


class StoppedClock(datetime):
    """A clock that always shows the same time, after everything in the sample."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime(2026, 7, 1, 3, 0, 0, tzinfo=tz)


def night(home: Path, before: Callable[[], object] | None = None) -> Ended:
    """``nightloom run --no-prefect`` in a child, with ``before`` (importable by name) done there first."""
    return in_child(partial(_night, home, before))


def _night(home: Path, before: Callable[[], object] | None) -> None:
    import flows.desk

    flows.desk.datetime = StoppedClock  # type: ignore[misc]
    if before is not None:
        before()
    command(home, "run", "--no-prefect")


def pointer(home: Path) -> str:
    """The run that is served."""
    with Journal.open(Layout(home), load_settings(Layout(home))) as journal:
        found = journal.pointer()
    assert found is not None
    return found.run_id


def statuses(home: Path) -> dict[str, str]:
    """Every run of the journal and where it stands."""
    with Journal.open(Layout(home), load_settings(Layout(home))) as journal:
        return {record.run_id: record.status for record in journal.runs()}


def facts(home: Path) -> dict[str, Any]:
    """What must be equal however a night came about: warehouse and served run, but for the ledger of attempts."""
    layout = Layout(home)
    manifest = runs.verify(layout.run(pointer(home)))
    tables = {table.name: table.digests for table in manifest.tables if table.name not in ("file_loads", "quarantine")}
    return {"run": manifest.run_id, "tables": tables, "files": manifest.files, "warehouse": contents(layout)}


@pytest.fixture(scope="session")
def yesterday(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop between two nights; not to be changed by a test."""
    root = tmp_path_factory.mktemp("nights")
    home = root / "home"
    drops = sample(root / "sample", 120)
    set_seed(home, 0)
    layout = Layout(home)
    layout.create()
    deliver(layout, drops[:-2])
    ended = night(home)
    assert ended.code == 0, ended.output
    deliver(layout, drops[-2:])
    set_seed(home, 1)
    with Journal.open(layout, load_settings(layout)) as journal:
        journal.append(
            [Write("events", f"customer-{number}", "create", _event(number), _id(number)) for number in range(WRITES)]
        )
    return home


def _id(number: int) -> str:
    return f"event_written{number:04d}"


def _event(number: int) -> str:
    return json.dumps(
        {
            "event_id": _id(number),
            "event_type": "view",
            "profile_id": f"customer-{number}",
            "item_id": "sku-1",
            "created_at": "2026-06-01 00:00:00",
            "properties": {},
        }
    )


@pytest.fixture(scope="session")
def undisturbed(yesterday: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The facts after a night in which nothing happened."""
    home = tmp_path_factory.mktemp("undisturbed") / "home"
    shutil.copytree(yesterday, home)
    ended = night(home)
    assert ended.code == 0, ended.output
    return facts(home)


@pytest.fixture
def home(yesterday: Path, tmp_path: Path) -> Path:
    """A copy of the shop between two nights."""
    copy = tmp_path / "home"
    shutil.copytree(yesterday, copy)
    return copy
