"""Recency, frequency and money: the contract's example, the rule of the digits, and what does not count."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.published import TABLE_BY_NAME
from contracts.settings import Rfm
from transforms.rfm import create_rfm

T = datetime(2024, 7, 1)
EXAMPLE = {
    "a": (2, 9, 900, 444, "Best"),
    "b": (5, 4, 400, 333, "Best"),
    "c": (5, 1, 50, 311, "Promising"),
    "d": (12, 2, 400, 333, "Best"),
    "e": (30, 1, 50, 211, "Slipping"),
    "f": (45, 1, 120, 212, "Slipping"),
    "g": (80, 6, 700, 144, "Lapsed valuable"),
    "h": (200, 1, 20, 111, "Lost"),
}
PAID = Rfm(amount_property="paid")
Rows = dict[str, tuple[int, str, int, int, float]]


def shop(events: Sequence[tuple[str, datetime, str | None, str]], threads: int = 2) -> duckdb.DuckDBPyConnection:
    """Events as (profile, time, item, properties)."""
    con = duckdb.connect(config={"threads": threads})
    con.execute("CREATE TABLE profiles (profile_id VARCHAR); CREATE TABLE items (item_id VARCHAR, item_price BIGINT)")
    con.execute("CREATE TABLE events (event_type VARCHAR, profile_id VARCHAR, item_id VARCHAR, created_at TIMESTAMP, "
                "properties JSON)")
    con.execute("INSERT INTO items VALUES ('i', 7)")
    if events:
        con.executemany("INSERT INTO profiles VALUES (?)", [[one] for one in {row[0] for row in events}])
        con.executemany(
            "INSERT INTO events VALUES ('charged', ?, ?, ?, ?)", [[one, item, at, p] for one, at, item, p in events]
        )
    return con


def scores(con: duckdb.DuckDBPyConnection, wanted: Rfm = PAID) -> Rows:
    create_rfm(con, T, wanted)
    return {row[0]: row[1:] for row in con.execute("FROM rfm ORDER BY profile_id").fetchall()}


def purchases(name: str, recency: int, frequency: int, money: int) -> list[tuple[str, datetime, str | None, str]]:
    """One event a date, the last ``recency`` days ago; the money on the last one."""
    last = T - timedelta(days=recency)
    return [
        (name, last - timedelta(days=back), None, f'{{"paid": "{0 if back else money}"}}') for back in range(frequency)
    ]


def test_the_example_of_the_contract() -> None:
    found = scores(shop([row for name, one in EXAMPLE.items() for row in purchases(name, *one[:3])]))
    assert {name: (row[2], row[3], row[4], row[0], row[1]) for name, row in found.items()} == EXAMPLE


def test_columns_are_those_published() -> None:
    con = shop([])
    create_rfm(con, T, Rfm())
    described = [(row[0], row[1]) for row in con.execute("DESCRIBE rfm").fetchall()]
    assert described == [(column.name, column.type) for column in TABLE_BY_NAME["rfm"].columns]


def test_the_window_and_the_minimum() -> None:
    events = [
        ("in", T - timedelta(days=365), "i", "{}"),
        ("out", T - timedelta(days=365, seconds=1), "i", "{}"),
        ("late", T, "i", "{}"),
        ("newest", T - timedelta(microseconds=1), "i", "{}"),
    ]
    assert scores(shop(events)) == {}
    found = scores(shop(events), Rfm(min_profiles=2))
    assert {name: (row[2], row[4]) for name, row in found.items()} == {"in": (365, 7.0), "newest": (0, 7.0)}


@pytest.mark.parametrize(
    ("item", "properties", "money"),
    [
        ("i", "{}", 7.0), ("i", '{"paid": "12.5"}', 12.5), ("i", '{"paid": 3}', 3.0), ("i", '{"paid": "free"}', 7.0),
        ("x", "{}", 0.0), (None, '{"other": 4}', 0.0),
    ],
)
def test_where_the_money_comes_from(item: str | None, properties: str, money: float) -> None:
    found = scores(shop([("a", T - timedelta(days=1), item, properties)]), Rfm(amount_property="paid", min_profiles=1))
    assert found["a"][4] == money


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 20), st.integers(1, 3), st.integers(0, 30)), min_size=4, max_size=12),
    st.randoms(use_true_random=False),
)
def test_digits_by_counting(customers: list[tuple[int, int, int]], random: object) -> None:
    events = [row for number, one in enumerate(customers) for row in purchases(f"p{number}", *one)]
    found = scores(shop(events))
    getattr(random, "shuffle")(events)  # noqa: B009 - hypothesis gives an untyped Random
    assert scores(shop(events, threads=1)) == found
    for number, (recency, frequency, money) in enumerate(customers):
        worse = (
            sum(one[0] > recency for one in customers), sum(one[1] < frequency for one in customers),
            sum(one[2] < money for one in customers),
        )
        r, f, m = (1 + 4 * count // len(customers) for count in worse)
        assert found[f"p{number}"][0] == 100 * r + 10 * f + m
