"""The analysts' views after something went wrong right behind the promotion: what is served is never called
failed, and the views follow.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from contracts.errors import NightloomError, StorageError
from flows.desk import open_desk
from flows.night import Order, Outcome
from flows.stages import publish
from store import analytics, runs
from store.definitions import load_settings
from store.journal import Journal
from store.layout import Layout

Nightly = Callable[..., Outcome]


def journal_of(home: Path) -> tuple[str, dict[str, str]]:
    """The run that is served, and where every run stands."""
    with Journal.open(Layout(home), load_settings(Layout(home))) as journal:
        pointer = journal.pointer()
        assert pointer is not None
        return pointer.run_id, {record.run_id: record.status for record in journal.runs()}


def new_seed(home: Path, seed: int) -> None:
    path = home / "definitions" / "settings.toml"
    lines = [f"seed = {seed}" if line.startswith("seed") else line for line in path.read_text().splitlines()]
    path.write_text("\n".join(lines))


def refuse(*_: object, **__: object) -> None:
    raise StorageError("cannot write analytics.duckdb: no space", hint="free disk space")


def current(home: Path) -> list[str]:
    return [run for run, is_current in (analytics.shown(Layout(home)) or {}).items() if is_current]


def test_a_night_whose_views_fail_has_published_and_the_next_one_renews_them(
    shop: Path, nightly: Nightly, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, _ = journal_of(shop)
    new_seed(shop, 1)
    with monkeypatch.context() as patch, pytest.raises(StorageError, match=r"analytics\.duckdb"):
        patch.setattr(analytics, "refresh", refuse)
        nightly(shop)
    served, statuses = journal_of(shop)
    assert served != before
    assert statuses[served] == "published"
    assert current(shop) == [before]

    outcome = nightly(shop)
    assert not outcome.made
    assert outcome.run_id == served
    assert current(shop) == [served]
    with duckdb.connect(str(Layout(shop).analytics), read_only=True) as con:
        assert con.execute("SELECT DISTINCT run_id FROM churn").fetchall() == [(served,)]


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"no database")])
def test_views_that_are_missing_or_unreadable_are_written_again(
    shop: Path, nightly: Nightly, damage: Callable[[Path], None]
) -> None:
    damage(Layout(shop).analytics)
    assert not nightly(shop).made
    assert current(shop) == [journal_of(shop)[0]]


def test_views_that_are_right_are_left_alone(shop: Path, nightly: Nightly) -> None:
    before = Layout(shop).analytics.stat().st_ino
    nightly(shop)
    assert Layout(shop).analytics.stat().st_ino == before


def test_a_rollback_whose_views_fail_holds_and_rolling_back_again_renews_them(
    shop: Path, nightly: Nightly, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = journal_of(shop)
    new_seed(shop, 1)
    second = nightly(shop).run_id
    with (
        open_desk(shop) as desk, desk.journal.lease("pipeline", "test", 60) as lease,
        monkeypatch.context() as patch, pytest.raises(StorageError),
    ):
        patch.setattr(analytics, "refresh", refuse)
        publish.rollback(desk, first, lease, who="test")
    assert journal_of(shop)[0] == first
    assert current(shop) == [second]

    from cli.rollback import rollback

    monkeypatch.setenv("NIGHTLOOM_HOME", str(shop))
    rollback(first)
    assert current(shop) == [first] == [journal_of(shop)[0]]
    with pytest.raises(NightloomError, match="served now"):
        rollback(first)


def test_an_old_run_that_cannot_be_read_stops_no_night(shop: Path, nightly: Nightly) -> None:
    first, _ = journal_of(shop)
    new_seed(shop, 1)
    second = nightly(shop).run_id
    (Layout(shop).run(first) / runs.MANIFEST).write_text(json.dumps(["damaged"]))
    new_seed(shop, 2)
    third = nightly(shop).run_id
    assert analytics.shown(Layout(shop)) == {second: False, third: True}


def test_a_served_run_that_vanished_is_made_again_and_stays_served(shop: Path, nightly: Nightly) -> None:
    served, _ = journal_of(shop)
    runs.remove(Layout(shop), served)
    outcome = nightly(shop)
    assert outcome.made
    assert outcome.run_id == served
    assert journal_of(shop) == (served, {served: "published"})
    assert not nightly(shop).made
    assert runs.complete(Layout(shop), served)


def test_a_run_that_failed_after_it_was_moved_into_place_leaves_no_folder(
    shop: Path, nightly: Nightly, monkeypatch: pytest.MonkeyPatch
) -> None:
    served, _ = journal_of(shop)
    new_seed(shop, 1)
    with monkeypatch.context() as patch, pytest.raises(StorageError):
        patch.setattr(Journal, "promote", refuse)
        nightly(shop, Order())
    failed = next(run for run, status in journal_of(shop)[1].items() if status == "failed")
    assert Layout(shop).run(failed).exists()
    new_seed(shop, 0)
    assert not nightly(shop).made
    assert [path.name for path in Layout(shop).runs.iterdir()] == [served]
