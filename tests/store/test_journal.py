"""The journal: numbers, repeats, durability, pruning, pointer, schema."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from contracts.errors import NotFound, StorageError, UsageError
from contracts.settings import Settings
from store.journal import Journal, Write, schema
from store.layout import Layout

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(Layout(tmp_path), Settings()) as opened:
        yield opened


def event(key: str = "c-1", event_id: str | None = None) -> Write:
    return Write("events", key, "create", "{}", event_id)


def test_numbers_rise_and_survive_reopening(tmp_path: Path) -> None:
    with Journal.open(Layout(tmp_path), Settings()) as journal:
        assert journal.append([event(), event()]) == [1, 2]
    with Journal.open(Layout(tmp_path), Settings()) as journal:
        assert journal.append([event()]) == [3]
        assert [write.seq for batch in journal.writes_between(0, 3) for write in batch] == [1, 2, 3]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.one_of(st.none(), st.sampled_from("abcdef")), max_size=8), max_size=5))
def test_a_repeated_event_id_is_stored_once(batches: list[list[str | None]]) -> None:
    with tempfile.TemporaryDirectory() as home, Journal.open(Layout(Path(home)), Settings()) as journal:
        first: dict[str, int] = {}
        stored = 0
        for batch in batches:
            for event_id, place in zip(batch, journal.accept([event(event_id=i) for i in batch]), strict=True):
                known = event_id is not None and event_id in first
                assert place.repeated == known
                if known:
                    assert event_id is not None and place.seq == first[event_id]
                else:
                    stored += 1
                    assert place.seq == stored
                    if event_id is not None:
                        first[event_id] = place.seq
        assert journal.last_seq() == stored


def test_batches_are_bounded_and_ordered(journal: Journal) -> None:
    journal.append([event(str(number)) for number in range(25)])
    batches = list(journal.writes_between(3, 22, batch=10))
    assert [len(batch) for batch in batches] == [10, 9]
    assert [write.entity_key for batch in batches for write in batch] == [str(number) for number in range(3, 22)]


def test_pruned_numbers_are_never_given_again(journal: Journal) -> None:
    journal.append([event()] * 5)
    journal.record_run("r1", "building")
    with pytest.raises(UsageError):
        journal.prune(1)
    journal.promote("r1", 5, "test")
    with pytest.raises(UsageError):
        journal.prune(6)
    assert journal.prune(5) == 5
    assert journal.last_seq() == 5
    assert journal.append([event()]) == [6]


def test_the_pointer_moves_with_what_belongs_to_it_or_not_at_all(journal: Journal) -> None:
    assert journal.pointer() is None
    with pytest.raises(NotFound):
        journal.promote("r1", 0, "test")
    journal.record_run("r1", "building")
    first = journal.promote("r1", 3, "anna")

    def fails(_connection: object) -> None:
        raise RuntimeError

    journal.record_run("r2", "building")
    with pytest.raises(RuntimeError):
        journal.promote("r2", 4, "test", within=[fails])
    assert journal.pointer() == first
    journal.promote("r2", 4, "test")
    back = journal.promote("r1", 3, "bert", "rollback")
    assert (back.run_id, back.watermark) == ("r1", 3)
    history = [(move.run_id, move.previous, move.kind, move.who) for move in journal.promotions()]
    assert history == [
        ("r1", "r2", "rollback", "bert"),
        ("r2", "r1", "promote", "test"),
        ("r1", None, "promote", "anna"),
    ]
    assert journal.promoted_order() == ["r2", "r1"]


def test_a_run_keeps_what_was_said_of_it_before(journal: Journal) -> None:
    journal.record_run("r1", "building", as_of=journal.clock().replace(microsecond=0), watermark=7)
    journal.record_run("r1", "failed", message="disk")
    journal.record_run("r2", "building")
    journal.record_run("r2", "retired")
    failed = next(run for run in journal.runs() if run.run_id == "r1")
    assert (failed.status, failed.watermark, failed.message) == ("failed", 7, "disk")
    assert failed.as_of is not None and failed.finished_at is not None
    assert journal.retired() == ["r2"]


def test_the_change_token_tells_commits_of_others(tmp_path: Path, journal: Journal) -> None:
    token = journal.change_token()
    assert journal.change_token() == token
    with Journal.open(Layout(tmp_path), Settings()) as other:
        other.append([event()])
    assert journal.change_token() != token
    token = journal.change_token()
    journal.append([event()])
    assert journal.change_token() != token


def test_state_is_one_moment(journal: Journal) -> None:
    journal.append([event(), event()])
    journal.record_run("r1", "building")
    journal.promote("r1", 1, "test")
    state = journal.state(after=None)
    assert state.pointer is not None and state.pointer.run_id == "r1"
    assert [write.seq for write in state.writes] == [2]
    assert state.last_seq == 2


WRITER = """
import sys
from pathlib import Path
from contracts.settings import Settings
from store.journal import Journal, Write
from store.layout import Layout
name, rounds = sys.argv[2], int(sys.argv[3])
with Journal.open(Layout(Path(sys.argv[1])), Settings()) as journal:
    for number in range(rounds):
        ids = [f"{name}-{number}-{part}" for part in range(3)]
        journal.append([Write("events", "c", "create", "{}", event_id) for event_id in ids])
        print(*ids, sep="\\n", flush=True)
"""


def start_writer(home: Path, name: str, rounds: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(home), name, str(rounds)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )


def test_two_processes_write_and_a_reader_sees_no_gap(tmp_path: Path) -> None:
    with Journal.open(Layout(tmp_path), Settings()) as journal:
        writers = [start_writer(tmp_path, name, 60) for name in "ab"]
        while any(writer.poll() is None for writer in writers):
            up_to = journal.last_seq()
            seen = [write.seq for batch in journal.writes_between(0, up_to) for write in batch]
            assert seen == list(range(1, up_to + 1))
        acknowledged = {line for writer in writers for line in writer.communicate()[0].split()}
        assert len(acknowledged) == 2 * 60 * 3
        stored = {write.event_id for batch in journal.writes_between(0, journal.last_seq()) for write in batch}
        assert stored == acknowledged


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    Journal.open(Layout(tmp_path), Settings()).close()
    for number in range(3):
        writer = start_writer(tmp_path, f"w{number}", 100_000)
        assert writer.stdout is not None
        acknowledged = {writer.stdout.readline().strip() for _ in range(30 + 17 * number)}
        writer.send_signal(signal.SIGKILL)
        acknowledged |= set(writer.stdout.read().split("\n")[:-1])
        writer.wait()
        writer.stdout.close()
        with Journal.open(Layout(tmp_path), Settings()) as journal:
            stored = [write for batch in journal.writes_between(0, journal.last_seq()) for write in batch]
        assert acknowledged <= {write.event_id for write in stored}
        assert [write.seq for write in stored] == list(range(1, len(stored) + 1))
        assert len(stored) % 3 == 0, "a batch is stored whole or not at all"


def test_a_journal_of_a_newer_program_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Journal.open(Layout(tmp_path), Settings()).close()
    written = schema.SCHEMA_VERSION
    with monkeypatch.context() as older:
        older.setattr(schema, "SCHEMA_VERSION", 0)
        with pytest.raises(StorageError, match=f"schema version {written}"):
            Journal.open(Layout(tmp_path), Settings())


def test_an_older_journal_is_brought_forward_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Journal.open(Layout(tmp_path), Settings()).close()
    steps: list[int] = []
    now = schema.SCHEMA_VERSION
    monkeypatch.setattr(schema, "SCHEMA_VERSION", now + 2)
    monkeypatch.setattr(
        schema,
        "MIGRATIONS",
        {
            now: lambda connection: (steps.append(1), connection.execute(text("CREATE TABLE added (a INTEGER)"))),
            now + 1: lambda connection: steps.append(2),
        },
    )
    for _ in range(2):
        with Journal.open(Layout(tmp_path), Settings()) as journal, journal.reading() as connection:
            assert connection.execute(text("SELECT count(*) FROM added")).scalar() == 0
    assert steps == [1, 2]


def test_a_folder_that_refuses_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("not a folder")
    with pytest.raises(StorageError):
        Journal.open(Layout(tmp_path), Settings())
    other = Layout(tmp_path / "other")
    other.journal.mkdir(parents=True)
    with pytest.raises(StorageError, match="journal"):
        Journal.open(other, Settings())
