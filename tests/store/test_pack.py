"""The serving pack: what is read back is what the tables say, the same bytes each time, and faults are refused."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from benchmarks.synthetic_run import write_run
from contracts.errors import StorageError, VerificationFailed
from contracts.settings import Recommendations, Settings
from store.layout import Layout
from store.pack.build import build_pack
from store.pack.read import ServingPack
from store.pack.rows import RowIndex, RowsWriter, write_row_index
from store.snapshot import Snapshot

PROFILES, ITEMS = 120, 70


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(Layout(tmp_path_factory.mktemp("home")), "r1", PROFILES, ITEMS, 10)


@pytest.fixture(scope="module")
def pack(folder: Path) -> ServingPack:
    return ServingPack(folder / "pack")


def rows(folder: Path, table: str, order: str) -> list[dict[str, Any]]:
    with duckdb.connect() as con:
        return con.read_parquet(str(folder / "tables" / f"{table}.parquet")).order(order).df().to_dict("records")


def test_every_profile_is_found_by_both_of_its_ids(folder: Path, pack: ServingPack) -> None:
    for profile in rows(folder, "profiles", "profile_index"):
        index = profile["profile_index"]
        assert pack.profile_row(profile["profile_id"]) == index
        assert pack.profile_row(profile["customer_id"]) == index
        sent = json.loads(pack.profiles[index])
        assert sent["customer_id"] == profile["customer_id"]
        assert sent["profile_data"] == json.loads(profile["profile_data"])
        assert sent["updated_at"] == "2026-02-01T03:04:05Z"
    for unknown in ("", "c-", "c-120", "profile_", "\0", "ü" * 300):
        assert pack.profile_row(unknown) == -1


def test_items_and_their_fragments(folder: Path, pack: ServingPack) -> None:
    for item in rows(folder, "items", "item_index"):
        index = item["item_index"]
        assert pack.item_row(item["item_id"]) == index
        assert json.loads(pack.items[index])["properties"] == {"tags": ["a", "b"]}
        listed = json.loads(pack.listed[index] + b"1}")
        assert listed == {
            "item_id": item["item_id"],
            "item_name": item["item_name"],
            "item_category": item["item_category"],
            "item_price": item["item_price"],
            "score": 1,
        }
        assert bool(pack.eligible[index]) == (item["status"] == "active")
    assert not pack.eligible[-1]


def test_churn_stands_at_its_profile_or_is_empty(folder: Path, pack: ServingPack) -> None:
    scored = {row["profile_id"]: row for row in rows(folder, "churn", "profile_id")}
    for index in range(PROFILES):
        row = scored.get(pack.profile_ids[index].decode())
        if row is None:
            assert pack.churn[index] == b""
        else:
            sent = json.loads(pack.churn[index])
            assert sent["churn_score"] == row["churn_score"]
            assert sent["survival"] == row["survival"].tolist()
            assert sent["churn_reasons"][0]["contribution"] == 0.25


def test_seen_items_and_lists(folder: Path, pack: ServingPack) -> None:
    seen: dict[int, list[int]] = {}
    for row in rows(folder, "interactions", "profile_index, item_index"):
        if row["excludes"]:
            seen.setdefault(row["profile_index"], []).append(row["item_index"])
    lists = np.load(folder / "pack" / "lists_items.npy")
    for index in range(PROFILES):
        assert pack.seen(index) == seen.get(index, [])
        assert pack.lists.row(index) == lists[index].tolist()
        assert bool(pack.lists_cold[index]) == (index % 10 == 9)
        assert pack.models[pack.lists_model[index]] == ("popular" if index % 10 == 9 else "ease")
    assert not all(row["excludes"] for row in rows(folder, "interactions", "profile_id"))


def test_neighbours_name_the_model_of_their_item(pack: ServingPack) -> None:
    names = [pack.models[pack.neighbours_model[index]] for index in range(ITEMS)]
    assert names == ["content" if index % 9 == 8 else "ease" for index in range(ITEMS)]


def test_an_id_that_is_two_things_is_the_profile_id(tmp_path: Path, folder: Path) -> None:
    copied = tmp_path / "run"
    shutil.copytree(folder, copied)
    with duckdb.connect() as con:
        source = copied / "tables" / "profiles.parquet"
        con.execute(f"CREATE TABLE p AS SELECT * FROM '{source}'")
        con.execute(
            "UPDATE p SET customer_id = (SELECT profile_id FROM p WHERE profile_index = 5) WHERE profile_index = 3"
        )
        con.execute("UPDATE p SET customer_id = NULL WHERE profile_index = 4")
        con.execute(f"COPY (SELECT * FROM p ORDER BY profile_id) TO '{source}' (FORMAT parquet)")
    build_pack(copied, Settings(), tmp_path / "scratch")
    changed = ServingPack(copied / "pack")
    assert changed.profile_row(changed.profile_ids[5].decode()) == 5
    assert json.loads(changed.profiles[4])["customer_id"] is None
    assert changed.profile_row("") == -1


def test_the_stop_list_is_not_eligible_and_missing_items_end_the_popular_order(tmp_path: Path, folder: Path) -> None:
    copied = tmp_path / "run"
    shutil.copytree(folder, copied)
    np.save(copied / "pack" / "popularity.npy", np.array([7, 3], np.int32))
    stopped = Settings(recommendations=Recommendations(item_stop_list=("i-0000003", "nobody")))
    build_pack(copied, stopped, tmp_path / "scratch")
    pack = ServingPack(copied / "pack")
    assert list(pack.popular)[:4] == [7, 0, 1, 2]
    assert 3 not in list(pack.popular) and 49 not in list(pack.popular)
    assert len(pack.popular) == ITEMS - 2


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in (folder / "pack").rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_same_tables_give_the_same_bytes(tmp_path: Path, folder: Path) -> None:
    copied = tmp_path / "run"
    shutil.copytree(folder, copied)
    before = digests(copied)
    build_pack(copied, Settings(), tmp_path / "scratch")
    assert digests(copied) == before


@pytest.mark.parametrize("empty", ["profiles", "items"])
def test_a_run_without_rows_is_a_run(tmp_path: Path, empty: str) -> None:
    run = write_run(Layout(tmp_path), "r1", profiles=0 if empty == "profiles" else 5, items=1, width=4)
    pack = ServingPack(run / "pack")
    assert pack.profile_row("c-1") == (-1 if empty == "profiles" else pack.profile_row("c-1"))
    assert pack.item_row("i-0000000") == 0


def test_tables_and_arrays_that_do_not_fit_are_refused(tmp_path: Path, folder: Path) -> None:
    def broken(name: str) -> Path:
        copied = tmp_path / name
        shutil.copytree(folder, copied)
        return copied

    short = broken("short")
    np.save(short / "pack" / "lists_items.npy", np.zeros((3, 10), np.int32))
    beyond = broken("beyond")
    np.save(beyond / "pack" / "neighbours_items.npy", np.full((ITEMS, 10), ITEMS, np.int32))
    twice = broken("twice")
    np.save(twice / "pack" / "popularity.npy", np.array([1, 1], np.int32))
    gap = broken("gap")
    with duckdb.connect() as con:
        table = gap / "tables" / "profiles.parquet"
        con.execute(f"CREATE TABLE p AS SELECT * FROM '{table}' WHERE profile_index <> 7")
        con.execute(f"COPY (SELECT * FROM p ORDER BY profile_id) TO '{table}' (FORMAT parquet)")
    for run in (short, beyond, twice, gap):
        with pytest.raises(VerificationFailed):
            build_pack(run, Settings(), tmp_path / "scratch")


def test_a_damaged_or_missing_run_is_a_storage_error(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    with pytest.raises(StorageError):
        Snapshot.open(layout, "nobody")
    run = write_run(layout, "r1", 10, 10, 3)
    assert Snapshot.open(layout, "r1").pack.profile_count == 10
    (run / "pack" / "profile_digests.npy").write_bytes(b"not an array")
    with pytest.raises(StorageError, match="profile_digests"):
        Snapshot.open(layout, "r1")
    (run / "pack" / "pack.json").unlink()
    with pytest.raises(StorageError):
        Snapshot.open(layout, "r1")


def test_a_mapped_run_outlives_its_files(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    run = write_run(layout, "r1", 10, 10, 3)
    snapshot = Snapshot.open(layout, "r1")
    shutil.rmtree(run)
    row = snapshot.pack.profile_row("c-3")
    assert json.loads(snapshot.pack.profiles[row])["customer_id"] == "c-3"


def test_the_catalogue_and_the_histories_are_mapped_as_they_are(folder: Path, pack: ServingPack) -> None:
    catalogue = pack.catalogue()
    assert catalogue is pack.catalogue()
    assert [catalogue.columns["tags"].vocabulary[code] for code in range(2)] == ["a", "b"]  # type: ignore[index]
    assert not set(catalogue.popular.tolist()) & {row for row in range(ITEMS) if not pack.eligible[row]}
    for item in rows(folder, "items", "item_index"):
        assert catalogue.columns["item_price"].of_item(item["item_index"]) == [item["item_price"]]
        assert catalogue.columns["tags"].of_item(item["item_index"]) == ["a", "b"]
        assert catalogue.row_of(item["item_id"]) == item["item_index"]
    events = rows(folder, "events/*", "created_at")
    met = {(event["profile_id"], event["item_id"], event["event_type"]) for event in events}
    chosen = np.array([5, 3, 9, 3])
    for history, profiles in ((pack.history(slice(2, 7)), range(2, 7)), (pack.history(chosen), chosen.tolist())):
        assert history.type_names == ("charged", "rating", "view")
        for at, profile in enumerate(profiles):
            span = slice(int(history.offsets[at]), int(history.offsets[at + 1]))
            found = {
                (pack.profile_ids[profile].decode(), pack.item_ids[item].decode(), history.type_names[kind])
                for item, kind in zip(history.items[span], history.types[span], strict=True)
            }
            assert found == {one for one in met if one[0] == pack.profile_ids[profile].decode()}


def test_rows_are_read_back_and_say_where_they_end(tmp_path: Path, folder: Path) -> None:
    copied = tmp_path / "run"
    shutil.copytree(folder, copied)
    for number, items in enumerate((ITEMS, 65_535, 65_536)):
        writer = RowsWriter(copied / "pack", number, 3, 4, items)
        writer.put(1, np.array([[items - 1, 2, 3, 4], [5, -1, -1, -1]], np.int32), np.array([200, 1], np.int32))
        writer.close()
    index = [RowIndex(n, "profile_to_items", f"d{n}", f"n{n}", (f"profile_to_items.{n}",)) for n in range(3)]
    write_row_index(copied / "pack", index)
    pack = ServingPack(copied / "pack")
    for number, items in enumerate((ITEMS, 65_535, 65_536)):
        found = pack.materialized["profile_to_items", f"d{number}"]
        assert found.items.dtype == (np.int32 if number == 2 else np.uint16)
        assert pack.tables[f"profile_to_items.{number}"] is found
        assert found.part(1, 0, 3) == [items - 1, 2, 3] and found.part(1, 2, 3) is None
        assert found.part(2, 0, 64) == [5] and found.part(2, 1, 64) == [] and found.part(0, 0, 9) == []
        assert found.length(1) == 200
