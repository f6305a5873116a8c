"""Interactions, popularity and item text as of a date, against a plain computation over the rows."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

import duckdb
import numpy as np
import pytest

from contracts.published import TABLE_BY_NAME
from contracts.settings import Recommendations
from models.interactions import Interactions
from transforms import interactions as source

AS_OF = datetime(2024, 7, 1)
SETTINGS = Recommendations(
    event_weights={"charged": 4.0, "viewed": 0.5}, half_life_days=90, popularity_half_life_days=10
)


def workbench(
    seed: int = 0, shuffle: int = 0, threads: int = 2
) -> tuple[duckdb.DuckDBPyConnection, list[tuple[Any, ...]]]:
    con = duckdb.connect(config={"threads": threads})
    con.execute(
        "CREATE TABLE profiles AS SELECT 'p' || i AS profile_id, i::INTEGER AS profile_index FROM range(40) r(i)"
    )
    con.execute(
        "CREATE TABLE items AS SELECT 'i' || lpad(i::VARCHAR, 3, '0') AS item_id, i::INTEGER AS item_index, "
        "'mugs' AS item_category, 'Mug ' || i AS item_name, NULL::VARCHAR AS item_description, 'active' AS status, "
        "NULL::JSON AS properties FROM range(30) r(i)"
    )
    rng = np.random.default_rng(seed)
    rows = [
        (
            f"e{number}",
            str(rng.choice(["charged", "viewed", "other"])),
            f"p{rng.integers(0, 45)}",
            f"i{rng.integers(0, 28):03d}" if rng.random() > 0.1 else None,
            AS_OF - timedelta(seconds=int(rng.integers(1, 200 * 86400))),
        )
        for number in range(3000)
    ]
    if shuffle:
        rows = [rows[index] for index in np.random.default_rng(shuffle).permutation(len(rows))]
    con.execute(
        "CREATE TABLE events "
        "(event_id VARCHAR, event_type VARCHAR, profile_id VARCHAR, item_id VARCHAR, created_at TIMESTAMP)"
    )
    con.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?)", rows)
    return con, rows


def plain(rows: list[tuple[Any, ...]], as_of: datetime) -> dict[tuple[int, int], list[float]]:
    """profile, item -> weight, recent weight, events."""
    found: dict[tuple[int, int], list[float]] = defaultdict(lambda: [0.0, 0.0, 0])
    for _, kind, profile, item, created_at in rows:
        if kind in SETTINGS.event_weights and item is not None and int(profile[1:]) < 40 and created_at < as_of:
            age = (as_of - created_at).total_seconds() / 86400
            pair = found[int(profile[1:]), int(item[1:])]
            pair[0] += SETTINGS.event_weights[kind] * 0.5 ** (age / 90)
            pair[1] += SETTINGS.event_weights[kind] * 0.5 ** (age / 10)
            pair[2] += 1
    return found


@pytest.mark.parametrize("as_of", [AS_OF, AS_OF - timedelta(days=60)])
def test_weights_as_of_any_date(as_of: datetime) -> None:
    con, rows = workbench()
    source.create_interactions(con, SETTINGS, as_of)
    found = con.execute("SELECT profile_index, item_index, weight, recent_weight, events FROM interactions").fetchall()
    expected = plain(rows, as_of)
    assert {row[:2] for row in found} == set(expected)
    for profile, item, *values in found:
        assert values == pytest.approx(expected[profile, item], abs=1e-8)


def test_columns_and_types_are_the_published_ones() -> None:
    con, _ = workbench()
    source.create_interactions(con, SETTINGS, AS_OF)
    source.create_popularity(con)
    for name in ("interactions", "popularity"):
        described = con.execute(f"SELECT column_name, column_type FROM (DESCRIBE {name})").fetchall()
        assert described == [(column.name, column.type) for column in TABLE_BY_NAME[name].columns]


def test_order_of_rows_and_threads_do_not_change_a_bit() -> None:
    seen = []
    for shuffle, threads in ((0, 1), (1, 2), (2, 3)):
        con, _ = workbench(shuffle=shuffle, threads=threads)
        source.create_interactions(con, SETTINGS, AS_OF)
        source.create_popularity(con)
        seen.append(
            (
                con.execute("SELECT * FROM interactions ORDER BY profile_id, item_id").fetchall(),
                con.execute("SELECT * FROM popularity ORDER BY rank").fetchall(),
            )
        )
    assert seen[0] == seen[1] == seen[2]


def test_popularity_table_and_model_order_agree() -> None:
    con, _ = workbench()
    source.create_interactions(con, SETTINGS, AS_OF)
    assert source.create_popularity(con) == 30
    columns = source.read_interactions(con, SETTINGS, AS_OF, created=True)
    interactions = Interactions.from_columns(40, 30, **columns)
    listed = con.execute("SELECT item_id, score, profiles, events FROM popularity ORDER BY rank").fetchall()
    assert [int(row[0][1:]) for row in listed] == interactions.popularity_order().tolist()
    assert listed[-1][1:] == (0, 0, 0), "items that nobody wanted come last"


def test_reading_an_earlier_date_equals_the_table_of_that_date() -> None:
    con, _ = workbench()
    cut = AS_OF - timedelta(days=30)
    direct = source.read_interactions(con, SETTINGS, cut)
    source.create_interactions(con, SETTINGS, cut)
    stored = source.read_interactions(con, SETTINGS, cut, created=True)
    ours, theirs = (Interactions.from_columns(40, 30, **columns) for columns in (direct, stored))
    assert ours.weight.tobytes() == theirs.weight.tobytes()
    assert ours.strength.tobytes() == theirs.strength.tobytes()
    assert ours.last_day.tobytes() == theirs.last_day.tobytes()


def test_strength_is_at_most_one_heaviest_event_at_the_time_of_the_last() -> None:
    con, rows = workbench()
    columns = source.read_interactions(con, SETTINGS, AS_OF)
    expected = plain(rows, AS_OF)
    last: dict[tuple[int, int], datetime] = {}
    for _, kind, profile, item, created_at in rows:
        if kind in SETTINGS.event_weights and item is not None:
            pair = int(profile[1:]), int(item[1:])
            last[pair] = max(created_at, last.get(pair, created_at))
    pairs = zip(columns["profile_index"].tolist(), columns["item_index"].tolist(), strict=True)
    for pair, strength in zip(pairs, columns["strength"].tolist(), strict=True):
        fresh = 0.5 ** ((AS_OF - last[pair]).total_seconds() / 86400 / 90)
        assert strength == pytest.approx(min(expected[pair][0] / 4, fresh), abs=1e-8)


def test_window_and_cut() -> None:
    con, rows = workbench()
    cut = source.time_cut(con, SETTINGS)
    assert cut is not None
    weighted = [row for row in rows if row[1] in SETTINGS.event_weights and row[3] and int(row[2][1:]) < 40]
    after = {(int(row[2][1:]), int(row[3][1:])) for row in weighted if row[4] >= cut}
    late = sum(row[4] >= cut for row in weighted)
    assert late == pytest.approx(0.1 * len(weighted), abs=2)
    window = source.read_window(con, SETTINGS, cut)
    assert set(zip(window["profile_index"].tolist(), window["item_index"].tolist(), strict=True)) == after
    con.execute("DELETE FROM events")
    assert source.time_cut(con, SETTINGS) is None


def test_no_events_give_empty_tables() -> None:
    con, _ = workbench()
    con.execute("DELETE FROM events")
    assert source.create_interactions(con, SETTINGS, AS_OF) == 0
    assert source.create_popularity(con) == 30
    assert (
        Interactions.from_columns(40, 30, **source.read_interactions(con, SETTINGS, AS_OF, created=True)).entries == 0
    )


def test_item_text() -> None:
    con, _ = workbench()
    con.execute("DELETE FROM items WHERE item_index > 2")
    con.execute(
        "UPDATE items SET item_description = 'Blue, glazed', properties = "
        """'{"colour":"Blue","fits":["Dish","Washer"],"a.b\\"c":"x","new":true,"size":3,"none":null}' """
        "WHERE item_index = 1"
    )
    words, tokens = source.read_item_text(con)
    assert words[0] == "Mug 0 mugs"
    assert words[1] == "Mug 1 Blue, glazed mugs"
    assert tokens[0] == ["item_category=mugs"]
    assert tokens[1] == ['a.b"c=x', "colour=blue", "fits=dish", "fits=washer", "item_category=mugs", "new=true"]
