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
    event_weights={"charged": 4.0, "viewed": 0.5},
    half_life_days=90,
    popularity_half_life_days=10,
    exclude_event_types=("charged", "returned"),
)


def workbench(
    seed: int = 0, shuffle: int = 0, threads: int = 2
) -> tuple[duckdb.DuckDBPyConnection, list[tuple[Any, ...]]]:
    con = duckdb.connect(config={"threads": threads})
    con.execute(
        "CREATE TABLE profiles AS SELECT 'p' || i AS profile_id, i::INTEGER AS profile_index, "
        "CASE WHEN i % 10 < 7 THEN 'active' WHEN i % 10 = 8 THEN 'churned' ELSE 'inactive' END AS status "
        "FROM range(40) r(i)"
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
            str(rng.choice(["charged", "viewed", "other", "returned"], p=[0.3, 0.3, 0.3, 0.1])),
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
    con.execute("CREATE TABLE quarantined_profiles AS SELECT 'p4' AS profile_id, unnest(['a', 'b']) AS expectation")
    source.create_item_events(con, SETTINGS)
    return con, rows


def learned_from(profile: int) -> bool:
    """Active, and no check quarantined it."""
    return profile < 40 and profile % 10 < 7 and profile != 4


def plain(rows: list[tuple[Any, ...]], as_of: datetime) -> dict[tuple[int, int], list[float]]:
    """profile, item -> weight, recent weight, events, whether it excludes."""
    found: dict[tuple[int, int], list[float]] = defaultdict(lambda: [0.0, 0.0, 0, False])
    for _, kind, profile, item, created_at in rows:
        if kind == "other" or item is None or int(profile[1:]) >= 40 or created_at >= as_of:
            continue
        pair = found[int(profile[1:]), int(item[1:])]
        pair[3] = pair[3] or kind in ("charged", "returned")
        if kind in SETTINGS.event_weights:
            age = (as_of - created_at).total_seconds() / 86400
            pair[0] += SETTINGS.event_weights[kind] * 0.5 ** (age / 90)
            pair[1] += SETTINGS.event_weights[kind] * 0.5 ** (age / 10)
            pair[2] += 1
    return found


@pytest.mark.parametrize("as_of", [AS_OF, AS_OF - timedelta(days=60)])
def test_weights_as_of_any_date(as_of: datetime) -> None:
    con, rows = workbench()
    source.create_interactions(con, SETTINGS, as_of)
    found = con.execute(
        "SELECT profile_index, item_index, weight, recent_weight, events, excludes FROM interactions"
    ).fetchall()
    expected = plain(rows, as_of)
    assert {row[:2] for row in found} == set(expected)
    for profile, item, *values in found:
        assert values == pytest.approx(expected[profile, item], abs=1e-8)
    assert {(one[2] > 0, one[3]) for one in expected.values()} == {(True, True), (True, False), (False, True)}
    empty = con.execute("SELECT count(*) FROM interactions WHERE (events = 0) <> (last_at IS NULL)").fetchone()
    assert empty == (0,), "a pair without weighted events has no times"


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
    trained = source.read_trained(con)
    assert trained.tolist() == [learned_from(profile) for profile in range(40)]
    kept = trained[columns["profile_index"]]
    interactions = Interactions.from_columns(40, 30, **{name: values[kept] for name, values in columns.items()})
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
    expected = {pair: values for pair, values in plain(rows, AS_OF).items() if values[2]}
    last: dict[tuple[int, int], datetime] = {}
    for _, kind, profile, item, created_at in rows:
        if kind in SETTINGS.event_weights and item is not None:
            pair = int(profile[1:]), int(item[1:])
            last[pair] = max(created_at, last.get(pair, created_at))
    pairs = zip(columns["profile_index"].tolist(), columns["item_index"].tolist(), strict=True)
    for pair, strength in zip(pairs, columns["strength"].tolist(), strict=True):
        if pair not in expected:
            assert strength == 0, "it only excludes"
            continue
        fresh = 0.5 ** ((AS_OF - last[pair]).total_seconds() / 86400 / 90)
        assert strength == pytest.approx(min(expected[pair][0] / 4, fresh), abs=1e-8)


def test_window_and_cut() -> None:
    con, rows = workbench()
    cut = source.time_cut(con, SETTINGS)
    assert cut is not None
    weighted = [row for row in rows if row[1] in SETTINGS.event_weights and row[3] and learned_from(int(row[2][1:]))]
    after = {(int(row[2][1:]), int(row[3][1:])) for row in weighted if row[4] >= cut}
    late = sum(row[4] >= cut for row in weighted)
    assert late == pytest.approx(0.1 * len(weighted), abs=2)
    window = source.read_window(con, cut)
    assert set(zip(window["profile_index"].tolist(), window["item_index"].tolist(), strict=True)) == after
    con.execute("DELETE FROM item_events")
    assert source.time_cut(con, SETTINGS) is None


def test_profiles_that_nothing_is_learned_from() -> None:
    con, _ = workbench()
    found = con.execute("SELECT * FROM recommender_exclusions ORDER BY ALL").fetchall()
    inactive = [("rec", f"p{i}", "status", None) for i in range(40) if i % 10 >= 7]
    assert found == sorted([("rec", "p4", "check", None), *inactive])
    assert source.read_exclusions(con) == {"check": 1, "status": 12}
    described = con.execute("SELECT column_name, column_type FROM (DESCRIBE recommender_exclusions)").fetchall()
    assert described == [(column.name, column.type) for column in TABLE_BY_NAME["training_exclusions"].columns]


def test_no_events_give_empty_tables() -> None:
    con, _ = workbench()
    con.execute("DELETE FROM events")
    assert source.create_item_events(con, SETTINGS) == 0
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
