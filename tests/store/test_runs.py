"""Runs on disk: what is written is verified, broken files are found, equal identities share a name."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import duckdb
import pytest

from contracts.errors import NotFound, StorageError, VerificationFailed
from contracts.manifest import Identity, Manifest
from contracts.published import TABLE_BY_NAME, TABLES
from store import analytics, runs
from store.exports import export_monthly, export_table
from store.layout import Layout

IDENTITY = Identity("default", "2024-07-01T00:00:00", 7, "w" * 64, "d" * 64, "c" * 16, 0)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path)
    made.create()
    return made


def workbench(threads: int = 2) -> duckdb.DuckDBPyConnection:
    """A workbench with every published table: a few rows where the tests look, empty otherwise."""
    con = duckdb.connect(config={"threads": threads})
    for table in TABLES:
        con.execute(
            f"CREATE TABLE {table.name} ({', '.join(f'{column.name} {column.type}' for column in table.columns)})"
        )
    con.execute(
        "INSERT INTO items BY NAME SELECT 'i' || n AS item_id, n::INTEGER AS item_index, 'name ' || n AS item_name, "
        "100 * n AS item_price, "
        "'active' AS status FROM range(300000) AS t(n)"
    )
    con.execute(
        "INSERT INTO events BY NAME SELECT 'e' || n AS event_id, 'charged' AS event_type, 'p' || n % 50 AS profile_id, "
        "TIMESTAMP '2024-01-01' + to_hours(n) AS created_at, '{}' AS properties FROM range(3000) AS t(n)"
    )
    con.execute(
        "INSERT INTO churn BY NAME SELECT 'p' || n AS profile_id, n / 10.0 AS churn_score FROM range(5) AS t(n)"
    )
    con.execute(
        "INSERT INTO recommendation_lists BY NAME SELECT 'p1' AS profile_id, ['i3', 'i1'] AS item_ids, [0.5, "
        "0.25]::FLOAT[] AS scores"
    )
    return con


def stage(
    layout: Layout,
    con: duckdb.DuckDBPyConnection,
    identity: Identity = IDENTITY,
    previous: tuple[Path, Manifest] | None = None,
) -> Path:
    folder = runs.stage(layout, runs.run_id_of(identity))
    (folder / "models" / "m").mkdir()
    (folder / "models" / "m" / "card.json").write_text("{}")
    events, months = export_monthly(con, "events", folder, previous)
    tables = [export_table(con, table.name, folder) for table in TABLES if table.name != "events"]
    runs.write_manifest(
        folder, folder.name, datetime(2024, 7, 1), identity, [*tables, events], {}, {"event_months": months}
    )
    return folder


def test_a_staged_run_verifies_and_reads_back(layout: Layout) -> None:
    folder = stage(layout, workbench())
    manifest = runs.verify(folder)
    assert manifest == runs.read_manifest(folder)
    assert {table.name: table.rows for table in manifest.tables}["items"] == 300_000
    assert manifest.files.keys() == {"models/m/card.json"}
    settled = runs.settle(layout, folder)
    assert runs.verify(settled).run_id == folder.name
    assert not folder.exists()


@pytest.mark.parametrize("threads", [1, 4])
def test_bytes_do_not_depend_on_threads(layout: Layout, threads: int) -> None:
    one, many = (stage(layout, workbench(count), replace(IDENTITY, seed=count)) for count in (2, threads + 10))
    first, second = runs.read_manifest(one), runs.read_manifest(many)
    assert [table.digests for table in first.tables] == [table.digests for table in second.tables]


@pytest.mark.parametrize("harm", ["flip", "truncate", "remove"])
@pytest.mark.parametrize("victim", ["tables/items.parquet", "models/m/card.json", "tables/events/2024-02.parquet"])
def test_a_damaged_file_is_found(layout: Layout, harm: str, victim: str) -> None:
    folder = stage(layout, workbench())
    path = folder / victim
    if harm == "remove":
        path.unlink()
    elif harm == "truncate":
        path.write_bytes(path.read_bytes()[:-1])
    else:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    with pytest.raises(VerificationFailed, match=Path(victim).name):
        runs.verify(folder)


def test_identity_decides_the_name() -> None:
    assert runs.run_id_of(IDENTITY) == runs.run_id_of(replace(IDENTITY))
    changed = [
        replace(IDENTITY, **{field: value})
        for field, value in {
            "as_of": "2024-07-02T00:00:00",
            "journal_seq": 8,
            "warehouse_digest": "x",
            "definitions_digest": "x",
            "code_version": "x",
            "seed": 1,
        }.items()
    ]
    assert len({runs.run_id_of(identity) for identity in [IDENTITY, *changed]}) == 7


def test_unchanged_months_are_linked_and_changed_ones_written(layout: Layout) -> None:
    con = workbench()
    first = runs.settle(layout, stage(layout, con))
    con.execute(
        "UPDATE events SET event_type = 'returned' WHERE created_at >= '2024-03-01' AND created_at < '2024-03-02'"
    )
    second = stage(layout, con, replace(IDENTITY, seed=1), (first, runs.read_manifest(first)))

    def inode(folder: Path, month: str) -> int:
        return (folder / "tables" / "events" / f"{month}.parquet").stat().st_ino

    assert inode(first, "2024-01") == inode(second, "2024-01")
    assert inode(first, "2024-03") != inode(second, "2024-03")
    runs.verify(second)
    runs.remove(layout, first.name)
    runs.verify(second)


def test_missing_and_broken_manifests_say_so(layout: Layout) -> None:
    with pytest.raises(NotFound, match="r-nowhere"):
        runs.read_manifest(layout.run("r-nowhere"))
    folder = stage(layout, workbench())
    (folder / runs.MANIFEST).write_text("{")
    with pytest.raises(StorageError, match="manifest"):
        runs.read_manifest(folder)


def test_what_a_dead_night_left_is_cleared(layout: Layout) -> None:
    folder = runs.stage(layout, "r-dead")
    (layout.scratch / "r-dead.duckdb.wal").write_bytes(b"x")
    assert runs.clear_leftovers(layout) == ("r-dead", "r-dead.duckdb.wal")
    assert not folder.exists()
    assert not list(layout.scratch.iterdir())


def test_analysts_see_the_current_run_the_history_and_what_changed(layout: Layout) -> None:
    con = workbench()
    first = runs.settle(layout, stage(layout, con))
    con.execute("UPDATE churn SET churn_score = 0.9 WHERE profile_id = 'p2'")
    con.execute("DELETE FROM churn WHERE profile_id = 'p3'")
    con.execute("UPDATE recommendation_lists SET item_ids = ['i3', 'i9']")
    second = runs.settle(layout, stage(layout, con, replace(IDENTITY, as_of="2024-07-02T00:00:00")))
    analytics.refresh(layout, second.name, runs.kept(layout)[0])
    with duckdb.connect(str(layout.analytics), read_only=True) as views:
        assert views.execute("SELECT DISTINCT run_id FROM churn").fetchall() == [(second.name,)]
        assert views.execute("SELECT run_id, count(*) FROM history.churn GROUP BY 1 ORDER BY 2").fetchall() == [
            (second.name, 4),
            (first.name, 5),
        ]
        assert views.execute("SELECT rank, item_id, score FROM recommendations ORDER BY rank").fetchall() == [
            (1, "i3", 0.5),
            (2, "i9", 0.25),
        ]
        changes = views.execute("SELECT profile_id, score_before, score_now FROM churn_changes ORDER BY 1").fetchall()
        assert changes == [("p2", 0.2, 0.9), ("p3", 0.3, None)]
        assert views.execute("SELECT entered, left_out FROM recommendation_changes").fetchall() == [(["i9"], ["i1"])]
        assert views.execute("SELECT run_id, current FROM runs ORDER BY as_of").fetchall() == [
            (first.name, False),
            (second.name, True),
        ]


def test_every_view_and_column_is_documented_in_the_file_itself(layout: Layout) -> None:
    run = runs.settle(layout, stage(layout, workbench()))
    analytics.refresh(layout, run.name, runs.kept(layout)[0])
    with duckdb.connect(str(layout.analytics), read_only=True) as views:
        bare = views.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal AND comment IS NULL").fetchall()
        undocumented = views.execute(
            "SELECT table_name || '.' || column_name FROM duckdb_columns() WHERE NOT internal AND comment IS NULL AND "
            "table_name IN "
            f"({', '.join(repr(name) for name in TABLE_BY_NAME)})"
        ).fetchall()
    assert bare == []
    assert undocumented == []
