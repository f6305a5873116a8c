"""The written sample: the same bytes every time, the damage where it is said to be, and any size."""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter
from datetime import date
from pathlib import Path

import duckdb
import pytest

from store.disk import digest
from store.sample import SampleReport, write_sample

ROOT = Path(__file__).resolve().parents[2]
TRACKED = ROOT / "data" / "sample"


def _digests(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): digest(path) for path in sorted(folder.rglob("*")) if path.is_file()}


def _read_lines(path: Path) -> list[list[str]]:
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return list(csv.reader(content.decode().splitlines()))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> SampleReport:
    return write_sample(tmp_path_factory.mktemp("sample"), 600, 3, threads=2)


def test_threads_memory_and_repetition_do_not_change_a_byte(written: SampleReport, tmp_path: Path) -> None:
    again = write_sample(tmp_path / "again", 600, 3, threads=1, memory_limit="300MB")
    assert _digests(tmp_path / "again") == _digests(Path(written.out))
    assert again.planted == written.planted
    assert again.files == written.files


def test_threads_that_share_the_work_change_nothing_either(tmp_path: Path) -> None:
    """As many profiles as DuckDB splits between threads."""
    for threads in (1, 2):
        write_sample(tmp_path / str(threads), 130_000, days=5, items=120, events_per_profile=10.0, threads=threads)
    assert _digests(tmp_path / "1") == _digests(tmp_path / "2")


def test_another_seed_is_another_shop(written: SampleReport, tmp_path: Path) -> None:
    write_sample(tmp_path, 600, 4, days=60)
    ours, other = _digests(tmp_path), _digests(Path(written.out))
    shared = set(ours) & set(other)
    assert shared
    assert all(ours[path] != other[path] for path in shared)


def test_the_tracked_sample_is_what_the_generator_makes(tmp_path: Path) -> None:
    write_sample(tmp_path, 300)
    fresh, tracked = _digests(tmp_path), _digests(TRACKED)
    assert set(fresh) == set(tracked)
    assert sum(path.stat().st_size for path in TRACKED.rglob("*") if path.is_file()) < 1_000_000
    for path in fresh:
        if path.endswith(".parquet"):  # its bytes also tell the version of the library
            rows = duckdb.sql(f"SELECT * FROM '{tmp_path / path}'").fetchall()
            assert rows == duckdb.sql(f"SELECT * FROM '{TRACKED / path}'").fetchall(), path
        elif path.endswith(".gz"):
            assert gzip.decompress((tmp_path / path).read_bytes()) == gzip.decompress((TRACKED / path).read_bytes())
        else:
            assert fresh[path] == tracked[path], path


def test_the_report_counts_what_the_files_hold(written: SampleReport) -> None:
    out = Path(written.out)
    assert {path for path in _digests(out) if path.split("/")[0] in ("profiles", "items", "events")} == {
        file.path for file in written.files
    }
    assert len((out / "items/items.jsonl").read_text().splitlines()) == written.items
    parquet = duckdb.sql(f"SELECT count(*) FROM '{out}/events/*.parquet'").fetchall()[0][0]
    last = _read_lines(out / "events/events-2026-06.csv.gz")
    damaged = Counter(planted.file for planted in written.planted for _ in range(planted.rows))
    good = len(last) - 1 - damaged["events/events-2026-06.csv.gz"]
    assert parquet + good == written.events + written.redelivered
    assert len(_read_lines(out / "profiles/profiles.csv")) - 1 - damaged["profiles/profiles.csv"] == written.profiles
    assert sum(damaged.values()) == written.planted_rows == sum(written.by_rule().values())


def test_planted_lines_are_damaged_and_no_others(written: SampleReport) -> None:
    """A plain reading of the rules finds exactly the planted lines."""
    out = Path(written.out)
    with (out / "planted.csv").open(newline="") as file:
        planted = {(row["file"], int(row["line"])): row["rule"] for row in csv.DictReader(file)}
    assert Counter(planted.values()) == Counter(written.by_rule())
    profiles = _read_lines(out / "profiles/profiles.csv")
    found = {("profiles/profiles.csv", line): rule for line, rule in _profile_faults(profiles).items()}
    customers = {row[0] for line, row in enumerate(profiles, 1) if ("profiles/profiles.csv", line) not in found}
    last = "events/events-2026-06.csv.gz"
    found |= {(last, line): rule for line, rule in _event_faults(_read_lines(out / last), customers).items()}
    assert found == planted


def _profile_faults(lines: list[list[str]]) -> dict[int, str]:
    faults, seen = {}, set()
    for line, row in enumerate(lines[1:], 2):
        if len(row) != len(lines[0]):
            faults[line] = "column_count"
        elif not row[0]:
            faults[line] = "missing_required"
        elif "," in row[0]:
            faults[line] = "bad_identifier"
        elif row[4] and not row[4].isdigit():
            faults[line] = "bad_type"
        elif row[0] in seen:
            faults[line] = "duplicate_in_file"
        else:
            seen.add(row[0])
    return faults


def _event_faults(lines: list[list[str]], customers: set[str]) -> dict[int, str]:
    faults = {}
    required = {"charged": (3,), "view": (3,), "returned": (3, 9), "complaint": (8,), "churned": ()}
    for line, row in enumerate(lines[1:], 2):
        if len(row) != len(lines[0]):
            faults[line] = "column_count"
        elif not row[0] or not row[1]:
            faults[line] = "missing_required"
        elif row[0] not in required:
            faults[line] = "unknown_event_type"
        elif "," in row[1]:
            faults[line] = "bad_identifier"
        elif row[1] not in customers:
            faults[line] = "unknown_profile"
        elif not _is_time(row[2]):
            faults[line] = "bad_timestamp"
        elif row[2] > "2100":
            faults[line] = "future_timestamp"
        elif row[7] and not row[7].isdigit():
            faults[line] = "bad_type"
        elif not all(row[column] for column in required[row[0]]):
            faults[line] = "missing_property"
    return faults


def _is_time(text: str) -> bool:
    from datetime import datetime

    try:
        datetime.strptime(text, "%Y-%m-%d %H:%M:%S")
    except ValueError:
        return False
    return True


def test_redelivered_rows_are_rows_of_the_month_before(written: SampleReport) -> None:
    out = Path(written.out)
    rows = [tuple(row) for row in _read_lines(out / "events/events-2026-06.csv.gz")[1:] if row[2][:7] == "2026-05"]
    before = duckdb.sql(f"SELECT COLUMNS(*)::VARCHAR FROM '{out}/events/events-2026-05.parquet'").fetchall()
    known = Counter(tuple(cell or "" for cell in row) for row in before)
    good = [row for row in rows if len(row) == 10 and known[row]]
    assert len(good) >= written.redelivered > 0
    assert not Counter(good) - known


def test_without_damage_the_good_rows_are_the_same(written: SampleReport, tmp_path: Path) -> None:
    clean = write_sample(tmp_path, 600, 3, dirty=0)
    assert clean.planted == ()
    assert clean.redelivered == 0
    assert not (tmp_path / "planted.csv").exists()
    assert (clean.events, clean.profiles) == (written.events, written.profiles)
    dirty = Path(written.out)
    ours = {tuple(row) for row in _read_lines(tmp_path / "profiles/profiles.csv")}
    assert ours <= {tuple(row) for row in _read_lines(dirty / "profiles/profiles.csv")}
    month = duckdb.sql(f"SELECT COLUMNS(*)::VARCHAR FROM '{tmp_path}/events/events-2026-06.parquet'").fetchall()
    delivered = Counter(tuple(row) for row in _read_lines(dirty / "events/events-2026-06.csv.gz"))
    assert not Counter(tuple(cell or "" for cell in row) for row in month) - delivered


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_other_formats_hold_the_same_events(written: SampleReport, tmp_path: Path, format: str) -> None:
    write_sample(tmp_path, 600, 3, format=format, dirty=0)  # type: ignore[arg-type]
    same = "event_type, customer_id, created_at, {} AS item_id"
    nested, flat = same.format("event_properties.item_id"), same.format('"event_properties>>item_id"')
    theirs = f"SELECT {nested if format == 'jsonl' else flat} FROM '{tmp_path}/events/events-2025-1*.{format}'"
    ours = f"SELECT {flat} FROM '{written.out}/events/events-2025-1*.parquet'"
    assert duckdb.sql(f"({theirs} EXCEPT ALL {ours}) UNION ALL ({ours} EXCEPT ALL {theirs})").fetchall() == []
    assert duckdb.sql(ours).fetchall()
    if format == "jsonl":
        first = json.loads((tmp_path / "profiles/profiles.jsonl").read_text().splitlines()[0])
        assert first["customer_id"]


def test_items_are_json_lines_with_open_columns(written: SampleReport) -> None:
    items = [json.loads(line) for line in (Path(written.out) / "items/items.jsonl").read_text().splitlines()]
    assert len({item["item_id"] for item in items}) == len(items)
    for item in items:
        assert set(item) >= {"item_id", "item_category", "item_name", "item_description", "item_price", "brand", "tags"}
        assert item["item_category"].lower() in item["tags"]
        assert item["brand"] in item["item_description"]


@pytest.mark.parametrize(
    ("profiles", "wishes"),
    [
        (1, {"items": 1, "days": 1}),
        (7, {"items": 3, "days": 20, "end": date(2024, 3, 1)}),
        (40, {"items": 1000, "days": 70, "events_per_profile": 300.0}),
    ],
)
def test_odd_sizes_work(tmp_path: Path, profiles: int, wishes: dict[str, int]) -> None:
    report = write_sample(tmp_path, profiles, **wishes)  # type: ignore[arg-type]
    assert report.profiles == profiles
    assert report.items == wishes["items"]
    assert (report.end - report.first_day).days == wishes["days"]


def test_events_grow_with_profiles_and_with_the_wish(tmp_path: Path) -> None:
    sizes = {
        (profiles, wish): write_sample(
            tmp_path / f"{profiles}-{wish}", profiles, items=200, events_per_profile=float(wish), dirty=0
        ).events
        / (profiles * wish)
        for profiles, wish in ((500, 30), (3000, 30), (3000, 90))
    }
    assert sizes[500, 30] == pytest.approx(1, rel=0.35)
    assert sizes[3000, 30] == pytest.approx(1, rel=0.15)
    assert sizes[3000, 90] == pytest.approx(1, rel=0.15)


def test_nothing_but_the_sample_is_left_behind(written: SampleReport) -> None:
    assert not list(Path(written.out).rglob(".*"))
