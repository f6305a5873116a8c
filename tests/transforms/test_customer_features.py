"""RFM and segments as features: all as of the date that is asked for, nothing later."""

from __future__ import annotations

from datetime import datetime, timedelta

import duckdb

from contracts.account import Account, Algorithm, Element, Segment
from contracts.settings import Churn, Rfm
from transforms import churn_inputs
from transforms.churn_inputs import Inputs
from transforms.customer_features import create_customer_features, create_live_changes, features_of
from transforms.segments import create_definitions

C = datetime(2024, 6, 1)
PAST = Segment("s_past", "Buyers", "past", 1, 30, (Element("charged", True),))
LIVE = Segment("s_live", "buyers", "live", 1, 0, (Element("charged", True),))
ACCOUNT = Account(True, churn=Algorithm(), segments=(PAST, LIVE))
WANTED = features_of(ACCOUNT, Rfm(min_profiles=1))
DAY = timedelta(days=1)
# Where a row of features has each segment: after the score, by name.
IS_PAST, IS_LIVE = 1, 2


def shop() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute("""
        CREATE TABLE profiles AS SELECT unnest(['a', 'b', 'c']) AS profile_id, false AS has_charged,
            '{}'::JSON AS profile_data, '{}'::JSON AS platform_info;
        CREATE TABLE items (item_id VARCHAR, item_price BIGINT);
        CREATE TABLE profile_merges AS SELECT 'child' AS child, 'b' AS parent;
        CREATE TABLE events AS SELECT 'charged' AS event_type, profile_id, NULL::VARCHAR AS item_id, created_at,
            '{}'::JSON AS properties
        FROM (VALUES ('a', TIMESTAMP '2024-05-20'), ('b', TIMESTAMP '2024-06-01'), ('c', TIMESTAMP '2024-04-01'))
            AS made (profile_id, created_at);
    """)
    create_definitions(con, [PAST])
    return con


def features(con: duckdb.DuckDBPyConnection, cut: datetime) -> dict[str, tuple[float, ...]]:
    assert WANTED is not None
    create_customer_features(con, cut, WANTED)
    return {row[0]: row[1:] for row in con.execute("FROM churn_customers ORDER BY profile_id").fetchall()}


def test_names_that_columns_could_not_tell_apart() -> None:
    assert WANTED is not None
    assert WANTED.flags == ("segment.Buyers", "segment.buyers~")
    inputs = Inputs(customers=WANTED)
    assert Inputs.restore(inputs.card()) == inputs
    assert set(WANTED.flags) <= set(inputs.booleans) < set(inputs.numbers)
    assert "rfm_score" in inputs.numbers
    assert features_of(Account(), Rfm()) is None


def test_a_tag_set_at_or_after_the_snapshot_is_not_seen() -> None:
    con = shop()
    create_live_changes(con, [
        ("s_live", "a", "enter", C - DAY), ("s_live", "b", "enter", C), ("s_live", "c", "enter", C - 2 * DAY),
        ("s_live", "c", "exit", C - DAY), ("s_live", "c", "enter", C + DAY),
    ])
    live = {name: row[IS_LIVE] for name, row in features(con, C).items()}
    assert live == {"a": 1.0, "b": 0.0, "c": 0.0}
    assert {name: row[IS_LIVE] for name, row in features(con, C + 2 * DAY).items()} == {"a": 1.0, "b": 1.0, "c": 1.0}


def test_a_merged_child_s_tag_is_its_parent_s() -> None:
    con = shop()
    create_live_changes(con, [("s_live", "child", "enter", C - DAY)])
    assert features(con, C)["b"][IS_LIVE] == 1.0


def test_past_segments_and_rfm_know_only_events_before_the_snapshot() -> None:
    con = shop()
    before, after = features(con, C), features(con, C + DAY)
    assert {name: row[IS_PAST] for name, row in before.items()} == {"a": 1.0, "b": 0.0, "c": 0.0}
    assert {name: row[IS_PAST] for name, row in after.items()} == {"a": 1.0, "b": 1.0, "c": 0.0}
    # b has no charged event yet: the lowest score.
    assert before["b"][0] == 111.0
    assert before["a"][0] > before["c"][0]
    assert after["b"][0] > after["a"][0]


def test_the_model_reads_them() -> None:
    con = shop()
    con.execute("CREATE SCHEMA warehouse; CREATE TABLE warehouse.property_types (entity VARCHAR, key VARCHAR, type "
                "VARCHAR)")
    create_live_changes(con, [("s_live", "a", "enter", C - DAY)])
    inputs = churn_inputs.find_inputs(con, Churn(), WANTED)
    churn_inputs.create_attributes(con, inputs)
    churn_inputs.create_inputs(con, C, Churn(), inputs)
    names = [row[0] for row in con.execute("DESCRIBE churn_inputs").fetchall()]
    assert names == ["profile_id", *inputs.numbers]
    assert con.execute(
        'SELECT "segment.buyers", "segment.Buyers~" FROM churn_inputs ORDER BY profile_id'
    ).fetchall() == [(1.0, 1.0), (0.0, 0.0), (0.0, 0.0)]
