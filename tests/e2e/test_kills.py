"""SIGKILL: at random moments by the harness, and exactly between the steps where something could be lost, doubled
or half published.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.children import die
from benchmarks.kills import house_is_tidy, set_seed
from store import analytics
from store.definitions import load_settings
from store.journal import Journal
from store.layout import Layout
from store.warehouse import open_warehouse
from tests.e2e.conftest import WRITES, facts, night, pointer, statuses

REPOSITORY = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.slow]


def written(home: Path) -> tuple[int, int]:
    """Acknowledged writes that are still in the journal, and those of them that are in the warehouse."""
    layout = Layout(home)
    with Journal.open(layout, load_settings(layout)) as journal:
        kept = sum(len(batch) for batch in journal.writes_between(0, journal.last_seq()))
    with open_warehouse(layout, load_settings(layout).pipeline, read_only=True) as con:
        row = con.execute("SELECT count(*) FROM events WHERE event_id SIMILAR TO 'event_written[0-9]{4}'").fetchone()
    assert row is not None
    return kept, row[0]


def after_draining() -> None:
    import flows.night

    drain = flows.night.drain_journal
    flows.night.drain_journal = lambda desk: (drain(desk), die())[0]


def between_commit_and_archive() -> None:
    from store import inbox

    inbox.archive = lambda *_: die()  # type: ignore[assignment,return-value]


def between_settle_and_promote() -> None:
    Journal.promote = lambda *_, **__: die()  # type: ignore[assignment,method-assign,return-value]


def while_the_views_are_written() -> None:
    analytics._runs = lambda *_: die()  # type: ignore[assignment]


def before_the_journal_is_pruned() -> None:
    Journal.prune = lambda *_: die()  # type: ignore[assignment,method-assign,return-value]


def killed(home: Path, where: Callable[[], None]) -> None:
    ended = night(home, where)
    assert ended.signal == signal.SIGKILL, ended.output


def test_killed_between_any_two_steps_the_next_night_repairs(home: Path, undisturbed: dict[str, Any]) -> None:
    before = pointer(home)
    for where in (after_draining, between_commit_and_archive, between_settle_and_promote):
        killed(home, where)
        assert pointer(home) == before, where
        assert written(home) == (WRITES, WRITES), where
    assert statuses(home)[undisturbed["run"]] == "building"
    assert Layout(home).run(undisturbed["run"]).exists()

    killed(home, while_the_views_are_written)
    assert pointer(home) == undisturbed["run"]
    assert statuses(home)[undisturbed["run"]] == "published"
    assert analytics.shown(Layout(home)) == {before: True}

    ended = night(home)
    assert ended.code == 0, ended.output
    assert "nothing new" in ended.output
    assert analytics.shown(Layout(home)) == {before: False, undisturbed["run"]: True}
    assert facts(home) == undisturbed
    house_is_tidy(Layout(home))


def test_killed_before_the_journal_is_pruned_nothing_is_drained_twice(home: Path, undisturbed: dict[str, Any]) -> None:
    killed(home, before_the_journal_is_pruned)
    assert written(home) == (WRITES, WRITES)
    set_seed(home, 2)
    assert night(home).code == 0
    assert pointer(home) != undisturbed["run"]
    assert facts(home)["warehouse"] == undisturbed["warehouse"]
    assert written(home)[1] == WRITES
    house_is_tidy(Layout(home))


def test_killed_at_random_moments() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "benchmarks.kills",
            "--nights",
            "5",
            "--writes",
            "3",
            "--profiles",
            "60",
            "--seed",
            "11",
        ],
        cwd=REPOSITORY,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
