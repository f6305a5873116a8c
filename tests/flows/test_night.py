"""Whole nights on the tracked sample: what is published, what is not, and what a failure leaves."""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb
import pytest

from contracts.errors import LeaseHeld, NotFound, RunBlocked, StorageError
from contracts.published import TABLES
from flows.desk import open_desk
from flows.history import dates, fill
from flows.night import Order, Outcome
from flows.stages import publish
from store import runs
from store.definitions import load_settings
from store.journal import Journal
from store.layout import Layout

REPOSITORY = Path(__file__).resolve().parents[2]
Nightly = Callable[..., Outcome]


def serving(home: Path) -> str | None:
    layout = Layout(home)
    with Journal.open(layout, load_settings(layout)) as journal:
        pointer = journal.pointer()
    return pointer.run_id if pointer else None


def statuses(home: Path) -> dict[str, str]:
    layout = Layout(home)
    with Journal.open(layout, load_settings(layout)) as journal:
        return {record.run_id: record.status for record in journal.runs()}


def settings(home: Path, seed: int, keep: int = 7) -> None:
    path = home / "definitions" / "settings.toml"
    lines = [
        f"seed = {seed}" if line.startswith("seed") else f"keep_runs = {keep}" if line.startswith("keep_runs") else line
        for line in path.read_text().splitlines()
    ]
    path.write_text("\n".join(lines))


def test_the_first_night_publishes_every_table(first_night: tuple[Path, Outcome]) -> None:
    home, outcome = first_night
    assert outcome.made
    assert outcome.promoted
    assert serving(home) == outcome.run_id
    manifest = runs.verify(Layout(home).run(outcome.run_id))
    assert {table.name for table in manifest.tables} == {table.name for table in TABLES}
    rows = {table.name: table.rows for table in manifest.tables}
    for name in (
        "profiles",
        "items",
        "events",
        "interactions",
        "popularity",
        "profile_features",
        "recommendation_lists",
        "item_neighbour_lists",
        "churn",
        "evaluation",
        "checks",
        "training_jobs",
        "file_loads",
        "quarantine",
    ):
        assert rows[name] > 0, name
    assert {job["algorithm"]: job["status"] for job in outcome.jobs} == {"rec": "Completed", "churn": "Completed"}
    assert (Layout(home).run(outcome.run_id) / "reports" / "index.html").is_file()


def test_what_was_planted_is_what_is_held_back(first_night: tuple[Path, Outcome]) -> None:
    home, _ = first_night
    with (REPOSITORY / "data" / "sample" / "planted.csv").open(newline="") as file:
        planted = {(Path(row["file"]).name, int(row["line"]), row["rule"]) for row in csv.DictReader(file)}
    with duckdb.connect(str(Layout(home).analytics), read_only=True) as con:
        found = set(con.execute("SELECT file, line, rule FROM quarantine").fetchall())
    assert {(Path(file).name, line, rule) for file, line, rule in found} == planted
    assert len(planted) > 10


def test_every_row_delivered_is_accounted_for(first_night: tuple[Path, Outcome]) -> None:
    _, outcome = first_night
    assert outcome.ingest is not None
    for load in outcome.ingest.loads:
        assert load.rows_in == load.rows_loaded + load.rows_already + load.rows_skipped + load.rows_quarantined, load


def test_lists_keep_their_rules(first_night: tuple[Path, Outcome]) -> None:
    home, _ = first_night
    with duckdb.connect(str(Layout(home).analytics), read_only=True) as con:
        def count(query: str) -> int:
            return int(con.execute(query).fetchone()[0])  # type: ignore[index]

        assert (
            count(
                "SELECT count(*) FROM recommendations r JOIN interactions i USING (profile_id, item_id) "
                "WHERE i.excludes"
            )
            == 0
        )
        assert count("SELECT count(*) FROM recommendations r SEMI JOIN events e "
                     "ON e.profile_id = r.profile_id AND e.item_id = r.item_id AND e.event_type = 'charged'") == 0
        assert count("SELECT count(*) FROM recommendations r ANTI JOIN items i USING (item_id)") == 0
        assert count("SELECT count(*) FROM recommendations GROUP BY ALL HAVING false UNION ALL SELECT count(*) FROM "
                     "(SELECT profile_id, item_id FROM recommendations GROUP BY ALL HAVING count(*) > 1)") == 0
        assert count("SELECT count(*) FROM profiles ANTI JOIN recommendation_lists USING (profile_id)") == 0
        assert count("SELECT count(*) FROM churn WHERE NOT churn_score BETWEEN 0 AND 1") == 0
        assert count("SELECT count(*) FROM events WHERE created_at >= as_of") == 0


def test_a_night_with_nothing_new_makes_no_run(shop: Path, nightly: Nightly) -> None:
    before = serving(shop)
    outcome = nightly(shop)
    assert not outcome.made
    assert outcome.run_id == before == serving(shop)
    assert "nothing new" in outcome.reason


def test_the_same_files_again_are_nothing_new(shop: Path, nightly: Nightly) -> None:
    for path in (REPOSITORY / "data" / "sample" / "events").iterdir():
        shutil.copy(path, Layout(shop).inbox / "events" / f"again-{path.name}")
    outcome = nightly(shop)
    assert outcome.ingest is not None
    assert Counter(load.status for load in outcome.ingest.loads) == {"duplicate": len(outcome.ingest.loads)}
    assert not outcome.made


@pytest.mark.parametrize("threads", [1, 3])
def test_a_run_made_again_is_identical(shop: Path, nightly: Nightly, threads: int) -> None:
    before = serving(shop)
    path = shop / "definitions" / "settings.toml"
    path.write_text(path.read_text().replace("[pipeline]", f"[pipeline]\nthreads = {threads}"))
    outcome = nightly(shop, Order(force=True))
    assert outcome.run_id == before
    assert outcome.made
    assert serving(shop) == before
    runs.verify(Layout(shop).run(outcome.run_id))


def test_new_definitions_make_a_new_run_and_rollback_holds(shop: Path, nightly: Nightly) -> None:
    first = serving(shop)
    settings(shop, seed=1)
    second = nightly(shop).run_id
    assert serving(shop) == second != first
    with open_desk(shop) as desk, desk.journal.lease("pipeline", "test", 60) as lease:
        publish.rollback(desk, str(first), lease, who="test")
    assert serving(shop) == first
    again = nightly(shop)
    assert not again.made
    assert serving(shop) == first
    with duckdb.connect(str(Layout(shop).analytics), read_only=True) as con:
        assert con.execute("SELECT DISTINCT run_id FROM churn").fetchall() == [(first,)]
        assert {row[0] for row in con.execute("SELECT DISTINCT run_id FROM history.churn").fetchall()} == {
            first,
            second,
        }


def test_rolling_back_to_a_damaged_run_is_refused(shop: Path, nightly: Nightly) -> None:
    first = str(serving(shop))
    settings(shop, seed=1)
    second = nightly(shop).run_id
    (Layout(shop).run(first) / "tables" / "churn.parquet").write_bytes(b"damaged")
    with (
        open_desk(shop) as desk,
        desk.journal.lease("pipeline", "test", 60) as lease,
        pytest.raises(Exception, match=r"churn\.parquet"),
    ):
        publish.rollback(desk, first, lease, who="test")
    assert serving(shop) == second


def test_a_blocking_check_stops_the_night_and_yesterday_serves(shop: Path, nightly: Nightly) -> None:
    before = serving(shop)
    (shop / "definitions" / "features.yaml").write_text("table:\n  min_rows: 1000000\n  severity: block\n")
    with pytest.raises(RunBlocked, match=r"1000000|1,000,000"):
        nightly(shop)
    assert serving(shop) == before
    assert "failed" in statuses(shop).values()
    (shop / "definitions" / "features.yaml").unlink()
    assert not nightly(shop).made


def test_a_failing_stage_leaves_yesterday_and_the_next_night_succeeds(
    shop: Path, nightly: Nightly, monkeypatch: pytest.MonkeyPatch
) -> None:
    import flows.night

    before = serving(shop)
    settings(shop, seed=1)

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    for stage in ("build", "check", "train", "train_churn", "precompute", "stage_run"):
        with monkeypatch.context() as patch:
            patch.setattr(flows.night, stage, fail)
            with pytest.raises(StorageError, match="No space"):
                nightly(shop)
        assert serving(shop) == before
    assert nightly(shop).promoted
    assert not list(Layout(shop).staging.iterdir())


def test_a_second_night_at_once_is_refused(shop: Path, nightly: Nightly) -> None:
    with (
        open_desk(shop) as desk,
        desk.journal.lease("pipeline", "somebody", 60),
        pytest.raises(LeaseHeld, match="somebody"),
    ):
        nightly(shop)


def test_old_runs_leave_the_views_first_and_the_disk_a_night_later(shop: Path, nightly: Nightly) -> None:
    settings(shop, seed=0, keep=2)
    made = [str(serving(shop))]
    for seed in (1, 2, 3):
        settings(shop, seed=seed, keep=2)
        made.append(nightly(shop).run_id)
    kept = {path.name for path in Layout(shop).runs.iterdir()}
    assert kept == set(made[1:])
    with duckdb.connect(str(Layout(shop).analytics), read_only=True) as con:
        assert {row[0] for row in con.execute("SELECT run_id FROM runs").fetchall()} == set(made[2:])
    assert [statuses(shop)[run] for run in made] == ["pruned", "retired", "published", "published"]


def test_past_dates_come_out_the_same_in_any_order(shop: Path, tmp_path: Path) -> None:
    with duckdb.connect(str(Layout(shop).analytics), read_only=True) as con:
        last = con.execute("SELECT max(created_at)::DATE FROM events").fetchone()[0]  # type: ignore[index]
    days = [date(last.year, last.month, 1), last]
    other = tmp_path / "other"
    shutil.copytree(shop, other)
    digests = []
    for home, order in ((shop, days), (other, days[::-1])):
        found = {}
        for day in order:
            with open_desk(home) as desk:
                (outcome,) = fill(desk, day, day)
            manifest = runs.read_manifest(Layout(home).run(outcome.run_id))
            found[day] = (outcome.run_id, manifest.tables, manifest.files)
        digests.append(found)
    assert digests[0] == digests[1]
    assert serving(shop) == serving(other) not in {run for run, _, _ in digests[0].values()}
    assert set(statuses(shop).values()) == {"published", "kept"}


def test_dates_of_a_backfill() -> None:
    assert [moment.day for moment in dates(date(2024, 2, 28), date(2024, 3, 1))] == [28, 29, 1]
    with pytest.raises(Exception, match="before it starts"):
        list(dates(date(2024, 3, 1), date(2024, 2, 1)))


def test_a_profile_is_explained(first_night: tuple[Path, Outcome]) -> None:
    from flows.explanation import explain

    home, outcome = first_night
    with duckdb.connect(str(Layout(home).analytics), read_only=True) as con:
        profile, customer = con.execute(  # type: ignore[misc]
            "SELECT profile_id, customer_id FROM profiles JOIN interactions USING (profile_id) JOIN churn USING "
            "(profile_id) ORDER BY 1 LIMIT 1"
        ).fetchone()
    one, other = explain(Layout(home), profile), explain(Layout(home), customer)
    assert one == other
    assert one.run_id == outcome.run_id
    assert len(one.items) == 10
    assert any(item["because"] for item in one.items)
    assert one.churn is not None
    assert one.churn["churn_reasons"]
    json.dumps(one.items, default=str)
    with pytest.raises(NotFound, match="nobody"):
        explain(Layout(home), "nobody")
