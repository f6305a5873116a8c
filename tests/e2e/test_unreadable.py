"""Folders and files that the account of the night may not read: it goes on with the rest or says plainly what
stops it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

from benchmarks.children import FAULT, Ended
from store.layout import Layout
from tests.e2e.conftest import facts, night, pointer

pytestmark = [pytest.mark.slow]
NOBODY = 65534
NOT_ALLOWED = 77


@pytest.fixture
def theirs(yesterday: Path) -> Iterator[Path]:
    """The shop between two nights in a folder that belongs to an ordinary account."""
    folder = Path(tempfile.mkdtemp(prefix="nightloom-"))
    home = folder / "home"
    shutil.copytree(yesterday, home)
    if os.geteuid() == 0:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
    yield home
    shutil.rmtree(folder)


def ordinary() -> None:
    """Become an ordinary account: the superuser may read everything. Ends the child where that account may not read
    the program.
    """
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    os.environ["HOME"] = tempfile.gettempdir()
    if not (os.access(__file__, os.R_OK) and os.access(duckdb.__file__, os.R_OK)):
        raise SystemExit(NOT_ALLOWED)


def ordinary_night(home: Path) -> Ended:
    ended = night(home, ordinary)
    if ended.code == NOT_ALLOWED:
        pytest.skip("an ordinary account may not read the program here")
    assert ended.code != FAULT, ended.output
    return ended


@contextmanager
def closed(path: Path) -> Iterator[None]:
    """``path`` with no rights for anybody."""
    mode = path.stat().st_mode & 0o777
    path.chmod(0)
    try:
        yield
    finally:
        path.chmod(mode)


def test_what_may_not_be_read_stops_nobody_else_and_is_named(theirs: Path, undisturbed: dict[str, Any]) -> None:
    layout, before = Layout(theirs), pointer(theirs)
    closed_drop = sorted((layout.inbox / "events").iterdir())[0]
    with closed(layout.inbox / "items"), closed(closed_drop):
        ended = ordinary_night(theirs)
        assert ended.code == 0, ended.output
        assert "Left in the inbox" in ended.output
        assert "Permission denied" in ended.output
        assert closed_drop.name[:12] in ended.output
    assert pointer(theirs) not in (before, undisturbed["run"])
    assert ordinary_night(theirs).code == 0
    assert facts(theirs)["warehouse"] == undisturbed["warehouse"]


def test_what_a_night_cannot_do_without_stops_it_plainly_and_yesterday_serves(
    theirs: Path, undisturbed: dict[str, Any]
) -> None:
    layout, before = Layout(theirs), pointer(theirs)
    sources = layout.definitions / "sources"
    sources.mkdir()
    served = layout.run(before)
    for path in (
        layout.definitions / "settings.toml",
        sources,
        layout.root,
        layout.journal,
        layout.warehouse,
        layout.claimed,
        layout.archive,
        layout.staging,
        layout.scratch,
        layout.runs,
        served,
    ):
        with closed(path):
            ended = ordinary_night(theirs)
        assert ended.code == 6, (path, ended.output)
        assert "Traceback" not in ended.output
        message = ended.output[ended.output.rindex("nightloom: ") :]
        assert "\n  try: " in message, path
        assert pointer(theirs) == before, path
    assert ordinary_night(theirs).code == 0
    assert facts(theirs) == undisturbed
