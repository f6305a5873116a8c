"""Merging of profiles: the contract's example, what is left alone, chains, and what holds for good."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import duckdb
import pytest

from contracts.published import TABLE_BY_NAME
from store.warehouse import SCHEMA
from transforms import tables
from transforms.merge import Merged, merge_profiles

T = datetime(2024, 7, 1)
Carrier = tuple[str, dict[str, Any], str | None]
EXAMPLE: list[Carrier] = [
    ("profile_1", {"shop_id": 77, "age": 30}, "2024-06-01"),
    ("profile_2", {"shop_id": "77", "age": 31, "plan": "gold"}, "2024-05-01"),
    ("profile_3", {"shop_id": 77.0, "plan": "free", "city": "x"}, "2024-06-09"),
    ("profile_4", {"shop_id": 78}, None),
]


def shop(carriers: list[Carrier], threads: int = 2) -> duckdb.DuckDBPyConnection:
    """A workbench with a warehouse of these profiles; each with at most one event."""
    con = duckdb.connect(config={"threads": threads})
    con.execute("ATTACH ':memory:' AS warehouse; USE warehouse")
    con.execute(SCHEMA)
    con.execute("USE memory")
    for name, data, event in carriers:
        con.execute(
            "INSERT INTO warehouse.profiles BY NAME SELECT ? AS profile_id, ? AS customer_id, false AS has_charged, "
            "?::JSON AS profile_data, '{}'::JSON AS platform_info, TIMESTAMP '2024-01-01' AS created_at, "
            "TIMESTAMP '2024-01-01' AS updated_at, 1 AS load_id, true AS dated",
            [name, f"c_{name}", json.dumps(data)],
        )
        if event:
            con.execute(
                "INSERT INTO warehouse.events BY NAME SELECT ? AS event_id, 'charged' AS event_type, ? AS profile_id, "
                "CAST(? AS TIMESTAMP) AS created_at, '{}'::JSON AS properties", [f"e_{name}", name, event]
            )
    return con


def merge(
    con: duckdb.DuckDBPyConnection, *, key: str = "shop_id", run: str = "r-1", before: str | None = None, most: int = 50
) -> Merged:
    tables.build(con, T)
    return merge_profiles(con, T, key, most, run, before)


def keep(con: duckdb.DuckDBPyConnection) -> str:
    """The merges of the run as the next one reads them."""
    con.execute("CREATE OR REPLACE TABLE published AS FROM profile_merges")
    return "FROM published"


def profiles(con: duckdb.DuckDBPyConnection) -> dict[str, dict[str, Any]]:
    found = con.execute("SELECT profile_id, profile_data FROM profiles ORDER BY profile_index").fetchall()
    return {name: json.loads(data) for name, data in found}


def parents(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    return dict(con.execute("SELECT child, parent FROM profile_merges ORDER BY child").fetchall())


def test_the_example_of_the_contract() -> None:
    con = shop(EXAMPLE)
    assert merge(con) == Merged(2)
    found = profiles(con)
    assert list(found) == ["profile_3", "profile_4"]
    assert found["profile_3"] == {"shop_id": 77.0, "plan": "free", "city": "x", "age": 31}
    assert parents(con) == {"profile_1": "profile_3", "profile_2": "profile_3"}
    assert con.execute("SELECT value, merged_by, place FROM profile_merges ORDER BY place").fetchall() == [
        ("77", "r-1", 2), ("77", "r-1", 3)
    ]
    events = con.execute("SELECT profile_id, source_profile_id FROM events ORDER BY event_id").fetchall()
    assert events == [("profile_3", "profile_1"), ("profile_3", "profile_2"), ("profile_3", None)]
    flags = con.execute("SELECT profile_index, has_charged FROM profiles ORDER BY 1").fetchall()
    assert flags == [(0, True), (1, False)]


def test_columns_are_those_published() -> None:
    con = shop(EXAMPLE)
    merge(con)
    for name in ("profiles", "events", "profile_merges", "suspect_groups"):
        described = [(row[0], row[1]) for row in con.execute(f"DESCRIBE {name}").fetchall()]
        assert described == [(column.name, column.type) for column in TABLE_BY_NAME[name].columns]


@pytest.mark.parametrize(
    ("carriers", "most", "suspects"),
    [
        (EXAMPLE[:2], 50, []),  # fewer than three carriers
        (EXAMPLE, 2, [("shop_id", "77", 3, ["profile_1", "profile_2"])]),
        ([(f"p{n}", {"shop_id": value}, None) for n, value in enumerate(("", "null", "", "null", 1, 2, 3))], 50, []),
    ],
)
def test_what_is_left_alone(carriers: list[Carrier], most: int, suspects: list[tuple[Any, ...]]) -> None:
    con = shop(carriers)
    assert merge(con, most=most) == Merged(0, len(suspects))
    assert con.execute("SELECT * FROM suspect_groups").fetchall() == suspects
    assert set(profiles(con)) == {name for name, _, _ in carriers}


def test_without_a_key_nobody_is_merged() -> None:
    con = shop(EXAMPLE)
    assert merge(con, key="") == Merged()
    assert len(profiles(con)) == 4


def test_a_merge_holds_for_good_also_when_the_key_is_unset() -> None:
    con = shop(EXAMPLE)
    merge(con)
    after = profiles(con)
    before = keep(con)
    for key in ("shop_id", ""):
        assert merge(con, key=key, run="r-2", before=before) == Merged()
        assert profiles(con) == after
        assert con.execute("SELECT DISTINCT merged_by FROM profile_merges").fetchall() == [("r-1",)]


def test_chains_lead_to_the_last_parent() -> None:
    con = shop(EXAMPLE)
    merge(con)
    before = keep(con)
    for number, data in enumerate(({"shop_id": 77, "a": 1, "b": 2, "c": 3, "d": 4}, {"shop_id": 79}), 5):
        con.execute(
            "INSERT INTO warehouse.profiles BY NAME SELECT ? AS profile_id, 'x' AS customer_id, false AS has_charged, "
            "?::JSON AS profile_data, '{}'::JSON AS platform_info, TIMESTAMP '2024-01-01' AS created_at, "
            "TIMESTAMP '2024-01-01' AS updated_at, 1 AS load_id, true AS dated", [f"profile_{number}", json.dumps(data)]
        )
    assert merge(con, run="r-2", before=before) == Merged(1)
    assert parents(con) == dict.fromkeys(("profile_1", "profile_2", "profile_3"), "profile_5")
    assert con.execute("SELECT merged_into FROM profile_merges ORDER BY child").fetchall() == [
        ("profile_3",), ("profile_3",), ("profile_5",)
    ]
    whole = {"shop_id": 77, "a": 1, "b": 2, "c": 3, "d": 4, "plan": "free", "city": "x", "age": 31}
    assert profiles(con)["profile_5"] == whole
    assert {one for (one,) in con.execute("SELECT DISTINCT profile_id FROM events").fetchall()} == {"profile_5"}
    before = keep(con)
    merge(con, run="r-3", before=before)
    assert profiles(con)["profile_5"] == whole


def test_what_is_written_of_the_parent_later_replaces_the_union() -> None:
    con = shop(EXAMPLE)
    merge(con)
    before = keep(con)
    con.execute("UPDATE warehouse.profiles SET profile_data = '{\"shop_id\": 77}', updated_at = '2024-06-30' "
                "WHERE profile_id = 'profile_3'")
    merge(con, run="r-2", before=before)
    assert profiles(con)["profile_3"] == {"shop_id": 77}
    assert set(parents(con)) == {"profile_1", "profile_2"}


def test_order_and_threads_do_not_matter() -> None:
    found = []
    for carriers, threads in ((EXAMPLE, 1), (EXAMPLE[::-1], 2)):
        con = shop(carriers, threads)
        merge(con)
        rows = (con.execute(f"FROM {name} ORDER BY ALL").fetchall() for name in ("profiles", "profile_merges"))
        found.append(tuple(rows))
    assert found[0] == found[1]
