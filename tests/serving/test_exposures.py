"""The decision log of A/B tests: once a day and subject, bounded, and never in a lookup's way."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from contracts.settings import Settings
from scenarios.resolve import Split
from serving.commit import GroupCommit
from serving.exposures import TOGETHER, Exposures
from serving.refusals import Refusal
from store.journal import Journal, Write
from store.layout import Layout

HOME = Split("t", "profile_to_items", "home", "A")
OTHER = Split("u", "profile_to_items", "other", "B")
NOON = 1_790_000_000.0


def at_once(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run a test that waits for something."""

    @functools.wraps(test)
    def run(**fixtures: Any) -> None:
        asyncio.run(test(**fixtures))  # type: ignore[arg-type]

    return run


class Disk:
    """Takes what is stored, unless told to refuse."""

    def __init__(self) -> None:
        self.orders: list[list[Write]] = []
        self.full = False

    async def submit(self, writes: Sequence[Write]) -> None:
        await asyncio.sleep(0)
        if self.full:
            raise Refusal(503, "storage", "the disk is full")
        self.orders.append(list(writes))

    @property
    def keys(self) -> list[str]:
        return [write.entity_key for order in self.orders for write in order]


class Clock:
    now = NOON

    def __call__(self) -> float:
        return self.now


@at_once
async def test_a_subject_is_noted_once_a_day_and_test() -> None:
    disk, clock = Disk(), Clock()
    log = Exposures(disk.submit, clock, pause=0.01)
    for _ in range(3):
        log.note((HOME, OTHER), "42", "s-1", "r1")
        log.note((HOME,), None, "s-1", "r1")
    log.note((HOME,), None, None, "r1")
    assert disk.orders == []  # nothing is stored while the lookup is answered
    await log.flush()
    assert disk.keys == ["42", "42", "s-1"]
    body = orjson.loads(disk.orders[0][0].body)
    assert body == {"test_id": "t", "reco_type": "profile_to_items", "scenario_name": "home", "group": "A",
                    "customer_id": "42", "run_id": "r1", "at": int(NOON * 1_000_000)}
    assert orjson.loads(disk.orders[0][2].body)["session_id"] == "s-1"
    clock.now += 86_400
    log.note((HOME,), "42", None, "r1")
    await log.flush()
    assert disk.keys[3:] == ["42"]
    assert len({write.event_id for order in disk.orders for write in order}) == 4


@at_once
async def test_it_is_stored_without_asking() -> None:
    disk = Disk()
    log = Exposures(disk.submit, Clock(), pause=0.01)
    log.note((HOME,), "1", None, "r")
    await asyncio.sleep(0.1)
    log.note((HOME,), "2", None, "r")
    await asyncio.sleep(0.1)
    assert [len(order) for order in disk.orders] == [1, 1]


@at_once
async def test_what_the_disk_refuses_is_noted_again(caplog: pytest.LogCaptureFixture) -> None:
    disk = Disk()
    log = Exposures(disk.submit, Clock(), pause=0.0)
    disk.full = True
    with caplog.at_level(logging.WARNING, "nightloom.serving"):
        for _ in range(3):
            log.note((HOME,), "1", None, "r")
            await log.flush()
    assert log.lost == 3
    assert len(caplog.records) == 1
    disk.full = False
    log.note((HOME,), "1", None, "r")
    await log.flush()
    assert disk.keys == ["1"]


@at_once
async def test_it_is_bounded() -> None:
    disk = Disk()
    log = Exposures(disk.submit, Clock(), pause=0.01, kept=10, most=3 * TOGETHER)
    for number in range(4 * TOGETHER):
        log.note((HOME,), str(number), None, "r")
    assert log.lost == TOGETHER
    assert len(log._seen) <= 10
    await log.flush()
    assert [len(order) for order in disk.orders] == [TOGETHER] * 3
    log.note((HOME,), "0", None, "r")  # forgotten: noted again, which the drain merges
    await log.flush()
    assert disk.keys.count("0") == 2


@at_once
async def test_two_processes_store_an_exposure_once(tmp_path: Path) -> None:
    settings, home = Settings(), Layout(tmp_path)
    home.create()
    with Journal.open(home, settings) as journal:
        commit = GroupCommit(journal, 0.0, lambda count, seconds: None)
        for _ in range(2):
            log = Exposures(commit.submit, Clock(), pause=0.0)
            log.note((HOME,), "1", None, "r")
            await log.flush()
        await asyncio.to_thread(commit.stop)
        assert journal.last_seq() == 1
        log.note((HOME,), "2", None, "r")  # the endpoint is stopping: nothing is raised
        await log.flush()
        assert log.lost == 1
