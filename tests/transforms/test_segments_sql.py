"""Past segments: the contract's example, every sub-type, equality by canonical text, and what a kept tag keeps."""

from __future__ import annotations

import json
from datetime import datetime

import duckdb
import pytest

from contracts.account import Element, Segment
from contracts.published import TABLE_BY_NAME
from transforms.segments import create_segments

T = datetime(2024, 7, 1, 2)
EXAMPLE = Segment(
    "segment_1", "ios no buy", "past", 2, 60,
    (Element("login", True, {"device": "ios"}), Element("charged", False)), definition={"event_sequence": []},
)
EVENTS: list[tuple[str, str, str, dict[str, object]]] = [
    ("p1", "login", "2024-05-10", {"device": "ios"}),
    ("p2", "login", "2024-06-01", {"device": "ios"}),
    ("p2", "charged", "2024-06-03", {}),
    ("p3", "login", "2024-04-20", {"device": "ios"}),
    ("p4", "login", "2024-06-30", {"device": "web"}),
    ("p5", "login", "2024-06-29", {"device": "ios"}),
]


def shop(
    events: list[tuple[str, str, str, dict[str, object]]], attributes: dict[str, dict[str, object]] | None = None
) -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute("CREATE TABLE profiles (profile_id VARCHAR, profile_data JSON, platform_info JSON)")
    con.execute("CREATE TABLE events (profile_id VARCHAR, event_type VARCHAR, created_at TIMESTAMP, properties JSON)")
    known = sorted({row[0] for row in events} | set(attributes or {}))
    con.executemany(
        "INSERT INTO profiles VALUES (?, ?, ?)",
        [[one, json.dumps((attributes or {}).get(one, {})), '{"plan": "gold"}'] for one in known],
    )
    if events:
        con.executemany("INSERT INTO events VALUES (?, ?, ?, ?)", [[*row[:3], json.dumps(row[3])] for row in events])
    return con


def members(con: duckdb.DuckDBPyConnection, *segments: Segment, before: str | None = None) -> set[str]:
    create_segments(con, T, segments, before)
    return {row[0] for row in con.execute("SELECT profile_id FROM segment_members").fetchall()}


def test_the_example_of_the_contract() -> None:
    con = shop(EVENTS)
    before = (
        "SELECT 'segment_1' AS segment_id, unnest(['p2', 'p3', 'p5']) AS profile_id, "
        "TIMESTAMP '2024-06-30' AS created_at"
    )
    assert members(con, EXAMPLE, before=before) == {"p1", "p5"}
    assert con.execute("FROM segment_deltas").fetchall() == [
        ("segment_1", "p1", "enter"), ("segment_1", "p2", "exit"), ("segment_1", "p3", "exit")
    ]
    assert con.execute("FROM segment_members").fetchall() == [
        ("segment_1", "ios no buy", "p1", T), ("segment_1", "ios no buy", "p5", datetime(2024, 6, 30))
    ]
    assert con.execute("SELECT profile_count FROM segments").fetchall() == [(2,)]


def test_the_first_run_enters_all_and_a_deleted_segment_exits_nobody() -> None:
    con = shop(EVENTS)
    create_segments(con, T, [EXAMPLE])
    assert con.execute("SELECT profile_id, change FROM segment_deltas").fetchall() == [("p1", "enter"), ("p5", "enter")]
    gone = "SELECT 'gone' AS segment_id, 'p1' AS profile_id, TIMESTAMP '2024-06-30' AS created_at"
    create_segments(con, T, [], gone)
    assert con.execute("SELECT count(*) FROM segment_deltas").fetchone() == (0,)


def test_columns_are_those_published() -> None:
    con = shop(EVENTS)
    create_segments(con, T, [EXAMPLE])
    for name in ("segments", "segment_members", "segment_deltas"):
        described = [(row[0], row[1]) for row in con.execute(f"DESCRIBE {name}").fetchall()]
        assert described == [(column.name, column.type) for column in TABLE_BY_NAME[name].columns]


def test_the_window_is_closed_below_and_open_above() -> None:
    wanted = Segment("s", "s", "past", 1, 60, (Element("login", True),))
    con = shop([
        ("first", "login", "2024-05-02 02:00:00", {}), ("before", "login", "2024-05-02 01:59:59", {}),
        ("last", "login", "2024-07-01 01:59:59", {}), ("after", "login", "2024-07-01 02:00:00", {}),
    ])
    assert members(con, wanted) == {"first", "last"}


def test_all_properties_hold_within_one_event_and_all_actions_in_any_order() -> None:
    both = Segment(
        "s", "s", "past", 1, 60, (Element("buy", True, {"a": "1", "b": "true"}), Element("login", True))
    )
    con = shop([
        ("apart", "buy", "2024-06-01", {"a": 1}), ("apart", "buy", "2024-06-02", {"b": True}),
        ("apart", "login", "2024-06-03", {}),
        ("within", "buy", "2024-06-05", {"a": 1.0, "b": True, "c": 3}), ("within", "login", "2024-06-01", {}),
        ("text", "buy", "2024-06-05", {"a": "1", "b": "true"}), ("text", "login", "2024-06-01", {}),
        ("half", "buy", "2024-06-05", {"a": 1, "b": True}),
    ])
    assert members(con, both) == {"within", "text"}


@pytest.mark.parametrize(
    ("value", "text", "equal"),
    [
        ("gold", "gold", True), (2.0, "2", True), (2.5, "2.5", True), (2, "2", True), (True, "true", True),
        ("2.0", "2", False), (False, "true", False), (None, "null", False),
        (9007199254740993, "9007199254740993", True), (0.1, "0.1", True), (-3.0, "-3", True), ([1], "[1]", False),
    ],
)
def test_equality_of_a_profile_property_goes_by_canonical_text(value: object, text: str, equal: bool) -> None:
    wanted = Segment("s", "s", "past", 3, 60, (Element("login", True),), "plan", text)
    con = shop([("p", "login", "2024-06-01", {})], {"p": {"plan": value}})
    assert members(con, wanted) == ({"p"} if equal else set())


def test_platform_info_does_not_count_and_events_of_strangers_neither() -> None:
    wanted = Segment("s", "s", "past", 3, 60, (Element("login", True),), "plan", "gold")
    con = shop([("p", "login", "2024-06-01", {})])
    con.execute("INSERT INTO events VALUES ('stranger', 'login', '2024-06-01', '{}')")
    assert members(con, wanted) == set()


def test_an_odd_name_of_a_property_is_only_a_name() -> None:
    odd = "it's a/b~c"
    wanted = Segment("s", "s", "past", 1, 60, (Element("login", True, {odd: "x"}),))
    assert members(shop([("p", "login", "2024-06-01", {odd: "x"}), ("q", "login", "2024-06-01", {})]), wanted) == {"p"}
