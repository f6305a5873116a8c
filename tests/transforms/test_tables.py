"""What is known as of a date: profiles, items and the view of events."""

from __future__ import annotations

from datetime import datetime

import duckdb
import pytest

from store.warehouse import create_schema
from transforms.tables import build

AS_OF = datetime(2024, 6, 1)


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute("ATTACH ':memory:' AS warehouse; USE warehouse")
    create_schema(con)
    con.execute("USE memory")
    return con


def profile(con: duckdb.DuckDBPyConnection, name: str, **values: object) -> None:
    row = {"created_at": "2024-01-01", "updated_at": "2024-01-01", "dated": True, "has_charged": False, **values}
    names = ", ".join(["profile_id", "customer_id", *row])
    con.execute(
        f"INSERT INTO warehouse.profiles ({names}) VALUES ({', '.join('?' * (len(row) + 2))})",
        [name, f"c-{name}", *row.values()],
    )


def event(con: duckdb.DuckDBPyConnection, name: str, kind: str, at: str, item: str | None = None) -> None:
    con.execute(
        "INSERT INTO warehouse.events (event_id, event_type, profile_id, item_id, created_at, properties) VALUES (?, "
        "?, ?, ?, ?, '{}')",
        [f"e-{name}-{kind}-{at}", kind, name, item, at],
    )


def known(con: duckdb.DuckDBPyConnection, columns: str) -> list[tuple[object, ...]]:
    build(con, AS_OF)
    return con.execute(f"SELECT profile_id, {columns} FROM profiles ORDER BY profile_index").fetchall()


def test_a_profile_is_known_from_its_date_its_first_event_or_always(con: duckdb.DuckDBPyConnection) -> None:
    profile(con, "early")
    profile(con, "edge", created_at="2024-06-01")
    profile(con, "late", created_at="2024-07-01")
    profile(con, "late_but_active", created_at="2024-07-01")
    event(con, "late_but_active", "view", "2024-05-31 23:59:59")
    profile(con, "undated", created_at="2026-01-01", dated=False)
    assert [row[0] for row in known(con, "profile_index")] == ["early", "late_but_active", "undated"]
    assert [row[1] for row in known(con, "profile_index")] == [0, 1, 2]
    assert dict(known(con, "created_at"))["late_but_active"] == datetime(2024, 5, 31, 23, 59, 59)


def test_charged_events_make_customers_but_not_before_they_happen(con: duckdb.DuckDBPyConnection) -> None:
    for name in ("flagged", "bought", "will_buy", "looked"):
        profile(con, name, has_charged=name == "flagged")
    event(con, "bought", "charged", "2024-05-01")
    event(con, "will_buy", "charged", "2024-06-01")
    event(con, "looked", "view", "2024-05-01")
    assert known(con, "has_charged") == [("bought", True), ("flagged", True), ("looked", False), ("will_buy", False)]


def test_a_churned_event_sets_the_status_until_a_later_delivery(con: duckdb.DuckDBPyConnection) -> None:
    profile(con, "a_never_said")
    profile(con, "b_said_before", status="active", status_at="2024-02-01")
    profile(con, "c_said_after", status="active", status_at="2024-05-20")
    profile(con, "d_inactive", status="inactive", status_at="2024-02-01")
    profile(con, "e_later_than_cut")
    for name in ("a_never_said", "b_said_before", "c_said_after"):
        event(con, name, "churned", "2024-05-10")
    event(con, "e_later_than_cut", "churned", "2024-06-02")
    assert [row[1] for row in known(con, "status")] == ["churned", "churned", "active", "inactive", "active"]


def test_items_are_numbered_and_events_end_at_the_cut(con: duckdb.DuckDBPyConnection) -> None:
    for item, dated in (("i2", True), ("i1", False), ("i3", True)):
        con.execute("INSERT INTO warehouse.items (item_id, created_at, updated_at, dated) VALUES (?, ?, ?, ?)",
                    [item, "2024-07-01" if item != "i2" else "2024-01-01", "2024-07-01", dated])
    profile(con, "p")
    event(con, "p", "view", "2024-05-31 23:59:59", "i2")
    event(con, "p", "view", "2024-06-01", "i3")
    rows = {built.name: built.rows for built in build(con, AS_OF)}
    assert rows == {"profiles": 1, "items": 2, "ratings": 0, "session_events": 0, "sessions": 0}
    assert con.execute("SELECT item_id, item_index, status FROM items ORDER BY 2").fetchall() == [
        ("i1", 0, "active"),
        ("i2", 1, "active"),
    ]
    assert con.execute("SELECT item_id FROM events").fetchall() == [("i2",)]
