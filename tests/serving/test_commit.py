"""Group commit: shared transactions, honest failures."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection

from contracts.errors import StorageError
from contracts.settings import Settings
from serving import commit as module
from serving.commit import GroupCommit
from serving.refusals import Refusal
from store.journal import Accepted, Journal, Write, writes
from store.layout import Layout


def event(event_id: str) -> Write:
    return Write("events", "c", "create", "{}", event_id)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


def test_many_requests_share_few_transactions(layout: Layout) -> None:
    sizes: list[int] = []

    async def run(journal: Journal) -> list[list[Accepted]]:
        commit = GroupCommit(journal, 5, lambda writes, _seconds: sizes.append(writes))
        answers = await asyncio.gather(*(commit.submit([event(f"{n}"), event("same")]) for n in range(100)))
        await asyncio.to_thread(commit.stop)
        return answers

    with Journal.open(layout, Settings()) as journal:
        answers = asyncio.run(run(journal))
        assert journal.last_seq() == 101
    assert sum(sizes) == 200 and len(sizes) < 20
    assert sum(not places[1].repeated for places in answers) == 1
    assert len({places[0].seq for places in answers}) == 100


class Broken(Journal):
    """A journal whose disk refuses, or that chokes on one write."""

    full = False

    def accept(self, batch: Sequence[Write]) -> list[Accepted]:
        if self.full:
            raise StorageError("disk is full")
        if any(write.event_id == "poison" for write in batch):
            raise ValueError("poison")
        return super().accept(batch)


def test_a_refusing_disk_is_503_and_recovers(layout: Layout) -> None:
    async def run(journal: Broken) -> None:
        commit = GroupCommit(journal, 1, lambda _writes, _seconds: None)
        journal.full = True
        for refused in await asyncio.gather(
            *(commit.submit([event(f"{n}")]) for n in range(5)), return_exceptions=True
        ):
            assert isinstance(refused, Refusal) and refused.status == 503 and "full" in refused.message
        assert journal.last_seq() == 0
        journal.full = False
        assert (await commit.submit([event("after")]))[0].seq == 1
        commit.stop()
        with pytest.raises(Refusal):
            await commit.submit([event("late")])

    with Broken.open(layout, Settings()) as journal:
        assert isinstance(journal, Broken)
        asyncio.run(run(journal))


def test_one_bad_request_does_not_take_others_along(layout: Layout) -> None:
    async def run(journal: Journal) -> None:
        commit = GroupCommit(journal, 5, lambda _writes, _seconds: None)
        good, bad = await asyncio.gather(
            commit.submit([event("a")]), commit.submit([event("poison")]), return_exceptions=True
        )
        assert isinstance(good, list) and isinstance(bad, ValueError)
        commit.stop()

    with Broken.open(layout, Settings()) as journal:
        asyncio.run(run(journal))


def test_too_much_waiting_is_refused(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PENDING", 3)

    async def run(journal: Journal) -> None:
        commit = GroupCommit(journal, 1, lambda _writes, _seconds: None)
        first = asyncio.create_task(commit.submit([event("a"), event("b")]))
        await asyncio.sleep(0)
        with pytest.raises(Refusal, match="too many"):
            await commit.submit([event("c"), event("d")])
        assert len(await first) == 2
        assert len(await commit.submit([event("c"), event("d")])) == 2
        commit.stop()

    with Journal.open(layout, Settings()) as journal:
        asyncio.run(run(journal))


def test_patient_requests_wait_for_their_turn_and_others_are_refused(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_PENDING", 10)

    async def run(journal: Journal) -> list[list[Accepted] | BaseException]:
        commit = GroupCommit(journal, 1, lambda _writes, _seconds: None)
        bulk = [commit.submit([event(f"{n} {m}") for m in range(25)], patient=True) for n in range(8)]
        small = [commit.submit([event(f"small {n}")]) for n in range(5)]
        answers = await asyncio.gather(*bulk, *small, return_exceptions=True)
        await asyncio.to_thread(commit.stop)
        return answers

    with Journal.open(layout, Settings()) as journal:
        answers = asyncio.run(run(journal))
        assert journal.last_seq() == 200
    assert [len(answer) for answer in answers[:8] if isinstance(answer, list)] == [25] * 8
    assert all(isinstance(answer, Refusal) and answer.status == 503 for answer in answers[8:])
    for answer in answers[:8]:
        assert isinstance(answer, list)
        places = [one.seq for one in answer]
        assert places == list(range(places[0], places[0] + 25)), "a bulk is one transaction"


def test_calls_of_one_transaction_are_answered_in_order_and_each_alone_when_one_breaks(layout: Layout) -> None:
    groups: list[list[str]] = []

    def together(connection: Connection, calls: Sequence[str]) -> list[str | Exception]:
        groups.append(list(calls))
        if "broken" in calls:
            raise RuntimeError("a fault that nobody foresaw")
        writes.append_all(connection, [event(call) for call in calls if call != "bad"], datetime(2026, 1, 1))
        return [ValueError(call) if call == "bad" else call.upper() for call in calls]

    async def run(journal: Journal) -> None:
        commit = GroupCommit(journal, 200, lambda _writes, _seconds: None)
        try:
            found = await asyncio.gather(
                *(commit.call(together, call) for call in ("a", "bad", "b")), commit.submit([event("e")]),
                return_exceptions=True,
            )
            assert found[0] == "A" and found[2] == "B" and isinstance(found[1], ValueError)
            assert groups == [["a", "bad", "b"]] and isinstance(found[3], list)
            broken = await asyncio.gather(
                *(commit.call(together, call) for call in ("c", "broken", "d")), return_exceptions=True
            )
            assert broken[0] == "C" and broken[2] == "D" and isinstance(broken[1], RuntimeError)
            assert groups[1:] == [["c", "broken", "d"], ["c"], ["broken"], ["d"]]
        finally:
            await asyncio.to_thread(commit.stop)

    with Journal.open(layout, Settings()) as journal:
        asyncio.run(run(journal))
        stored = [one.event_id for batch in journal.writes_between(0, 99) for one in batch]
    assert sorted(filter(None, stored)) == ["a", "b", "c", "d", "e"]
