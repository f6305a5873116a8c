"""Leases: one holder, who renews, dies, sleeps or loses it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from contracts.errors import LeaseHeld
from contracts.settings import Settings
from store.journal import Journal
from store.journal.schema import leases
from store.layout import Layout

ROOT = Path(__file__).resolve().parents[2]

HOLDER = """
import sys, time
from pathlib import Path
from contracts.settings import Settings
from store.journal import Journal
from store.layout import Layout
with Journal.open(Layout(Path(sys.argv[1])), Settings()) as journal, journal.lease("pipeline", "the other", 3600):
    print("held", flush=True)
    time.sleep(600)
"""


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def journal(tmp_path: Path, clock: Clock) -> Iterator[Journal]:
    with Journal.open(Layout(tmp_path), Settings(), clock) as opened:
        yield opened


def test_a_held_lease_names_its_holder(journal: Journal) -> None:
    with journal.lease("pipeline", "anna's night", 60):
        with pytest.raises(LeaseHeld) as refused, journal.lease("pipeline"):
            pass
        assert "anna's night" in str(refused.value) and str(os.getpid()) in str(refused.value)
        with journal.lease("another"):
            pass
    with journal.lease("pipeline"):
        pass


def test_a_dead_holder_is_replaced_at_once_and_a_live_one_is_not(tmp_path: Path) -> None:
    with Journal.open(Layout(tmp_path), Settings()) as journal:
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with pytest.raises(LeaseHeld, match=f"process {holder.pid}"), journal.lease("pipeline"):
            pass
        holder.kill()
        holder.wait()
        holder.stdout.close()
        with journal.lease("pipeline") as lease:
            assert lease.token == 2


def test_a_process_number_that_was_given_again_does_not_keep_the_lease(journal: Journal) -> None:
    lease = journal.lease("pipeline", "before", 3600).__enter__()
    with journal.writing() as connection:
        connection.execute(update(leases).values(process_started="1"))
    with (
        journal.lease("pipeline", "after"),
        pytest.raises(LeaseHeld, match="lost"),
        journal.writing() as connection,
    ):
        lease.guard(connection)
    lease.__exit__(None, None, None)


def test_a_holder_elsewhere_keeps_it_until_it_expires(journal: Journal, clock: Clock) -> None:
    lease = journal.lease("pipeline", "far away", 3600).__enter__()
    with journal.writing() as connection:
        connection.execute(update(leases).values(place="another machine", pid=1, process_started="1"))
    with pytest.raises(LeaseHeld, match="far away"), journal.lease("pipeline"):
        pass
    clock.now += timedelta(seconds=3601)
    with journal.lease("pipeline", "next") as following:
        assert following.token == lease.token + 1
    lease.__exit__(None, None, None)


def test_who_lost_the_lease_cannot_publish(journal: Journal, clock: Clock) -> None:
    journal.record_run("r1", "building")
    sleeper = journal.lease("pipeline", "sleeper", 60).__enter__()
    clock.now += timedelta(seconds=61)
    with journal.lease("pipeline", "awake", 60) as awake:
        with pytest.raises(LeaseHeld):
            journal.promote("r1", 0, "sleeper", lease=sleeper)
        assert journal.pointer() is None
        with pytest.raises(LeaseHeld):
            sleeper.check()
        sleeper.__exit__(None, None, None)
        journal.promote("r1", 0, "awake", lease=awake)
    assert journal.pointer() is not None


def test_a_lease_is_renewed_while_it_is_held(tmp_path: Path) -> None:
    with Journal.open(Layout(tmp_path), Settings()) as journal, journal.lease("pipeline", "long", 0.3) as lease:
        time.sleep(0.7)
        lease.check()
        with pytest.raises(LeaseHeld), journal.lease("pipeline"):
            pass
