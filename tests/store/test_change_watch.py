"""The look into SQLite's shared memory must not cost the process its locks on it: others would cut the file off."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from contracts.settings import Settings
from store.journal import Journal, Write
from store.layout import Layout

REPOSITORY = Path(__file__).resolve().parents[2]
IN_USE = 128
"""Offset of the byte of the wal-index on which every process that uses it holds a lock (os_unix.c: UNIX_SHM_DMS)."""

ASK = """
import fcntl, sys
with open(sys.argv[1], "r+b") as file:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, int(sys.argv[2]))
    except OSError:
        sys.exit(0)
    sys.exit("nobody holds it: the next to open the journal takes the wal-index for abandoned")
"""

WATCH = """
import sys, time
from pathlib import Path
from contracts.settings import Settings
from store.journal import Journal
from store.layout import Layout
journal = Journal.open(Layout(Path(sys.argv[1])), Settings())
seen = journal.change_token()
print("watching", flush=True)
end = time.monotonic() + float(sys.argv[2])
while time.monotonic() < end:
    now = journal.change_token()
    if now != seen:
        journal.state(after=None)
        seen = now
"""


def held(layout: Layout) -> bool:
    index = f"{layout.journal}-shm"
    return subprocess.run([sys.executable, "-c", ASK, index, str(IN_USE)], check=False).returncode == 0


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path)
    layout.create()
    return layout


def test_watching_keeps_the_locks_of_the_process(layout: Layout) -> None:
    with Journal.open(layout, Settings()) as journal:
        assert held(layout)
        journal.change_token()
        assert held(layout)
        with Journal.open(layout, Settings()) as other:
            other.change_token()
            assert held(layout)
        assert held(layout)


def test_a_journal_closed_and_opened_again_is_watched_anew(layout: Layout) -> None:
    for _ in range(3):
        with Journal.open(layout, Settings()) as journal, Journal.open(layout, Settings()) as writer:
            before = journal.change_token()
            assert journal.change_token() == before
            writer.append([Write("events", "somebody", "create", "{}")])
            assert journal.change_token() != before
            assert held(layout)


def test_a_watcher_survives_others_that_come_and_go(layout: Layout) -> None:
    with Journal.open(layout, Settings()):
        pass
    with subprocess.Popen(
        [sys.executable, "-c", WATCH, str(layout.home), "2"], cwd=REPOSITORY, stdout=subprocess.PIPE
    ) as watcher:
        assert watcher.stdout is not None
        assert watcher.stdout.readline() == b"watching\n"
        written = 0
        while watcher.poll() is None:
            with Journal.open(layout, Settings()) as journal:
                written += len(journal.append([Write("events", "somebody", "create", "{}")]))
            time.sleep(0.001)
    assert watcher.returncode == 0, signal.Signals(-watcher.returncode).name
    with Journal.open(layout, Settings()) as journal:
        assert journal.last_seq() == written > 10
