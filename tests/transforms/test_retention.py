"""Profile features and churn labels in SQL, against the contract's examples and a plain Python reading of its rules."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.published import TABLE_BY_NAME
from contracts.settings import Churn
from transforms import churn_inputs, churn_labels, retention
from transforms.churn_inputs import Inputs

START = datetime(2024, 1, 1)
DAY = timedelta(days=1)
PLAIN = Churn()

Event = tuple[str, str, datetime]


def bench(
    con: duckdb.DuckDBPyConnection,
    events: Sequence[Event],
    as_of: datetime,
    *,
    statuses: dict[str, tuple[str, datetime | None]] | None = None,
    flags: dict[str, bool] | None = None,
    data: dict[str, str] | None = None,
    properties: Sequence[str] = (),
) -> None:
    """Tables of the build stage, of events (profile, type, time) on items i0, i1, ...

    in turn; profiles p0..p4 always exist.
    """
    known = sorted({f"p{n}" for n in range(5)} | {profile for profile, _, _ in events})
    con.execute("""
        CREATE SCHEMA IF NOT EXISTS warehouse;
        CREATE OR REPLACE TABLE warehouse.profiles (profile_id VARCHAR, status VARCHAR, status_at TIMESTAMP);
        CREATE OR REPLACE TABLE warehouse.property_types (entity VARCHAR, parent VARCHAR, key VARCHAR, type VARCHAR);
        CREATE OR REPLACE TABLE profiles (profile_id VARCHAR, has_charged BOOLEAN, status VARCHAR, profile_data JSON,
                                          platform_info JSON, created_at TIMESTAMP);
        CREATE OR REPLACE TABLE items (item_id VARCHAR, item_price BIGINT);
        INSERT INTO items SELECT 'i' || n, 100 * (n + 1) FROM range(3) AS r (n);
        CREATE OR REPLACE TABLE all_events (event_id VARCHAR, event_type VARCHAR, profile_id VARCHAR, item_id VARCHAR,
                                            created_at TIMESTAMP, properties JSON);
        CREATE OR REPLACE TABLE quarantined_profiles (profile_id VARCHAR);
    """)
    for profile in known:
        status, at = (statuses or {}).get(profile, ("active", None))
        first = min([when for one, _, when in events if one == profile] + [START])
        con.execute("INSERT INTO warehouse.profiles VALUES (?, ?, ?)", [profile, status, at])
        con.execute(
            "INSERT INTO profiles VALUES (?, ?, ?, ?, '{}', ?)",
            [profile, (flags or {}).get(profile, False), status, (data or {}).get(profile, "{}"), first],
        )
    rows = [
        (f"e{n}", kind, profile, f"i{n % 4}", when, properties[n] if n < len(properties) else "{}")
        for n, (profile, kind, when) in enumerate(events)
    ]
    if rows:
        con.executemany("INSERT INTO all_events VALUES (?, ?, ?, ?, ?, ?)", rows)
    con.execute(f"CREATE OR REPLACE VIEW events AS SELECT * FROM all_events WHERE created_at < TIMESTAMP '{as_of}'")


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def features(con: duckdb.DuckDBPyConnection, cut: datetime, churn: Churn = PLAIN) -> list[tuple[Any, ...]]:
    retention.create_profile_features(con, cut, churn, "f")
    return con.execute("SELECT * FROM f ORDER BY profile_id").fetchall()


def feature(con: duckdb.DuckDBPyConnection, profile: str, name: str) -> Any:
    row = con.execute(f"SELECT {name} FROM f WHERE profile_id = ?", [profile]).fetchone()
    assert row is not None
    return row[0]


moments = st.integers(0, 200 * 24).map(lambda hour: START + timedelta(hours=hour))
happenings = st.lists(
    st.tuples(
        st.sampled_from(["p0", "p1", "p2", "p3"]),
        st.sampled_from(["charged", "charged", "charged", "churned", "visit"]),
        moments,
    ),
    max_size=25,
)
relaxed = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


# --- features


def test_the_table_has_the_published_columns(con: duckdb.DuckDBPyConnection) -> None:
    bench(con, [("p0", "charged", START)], START + DAY)
    features(con, START + DAY)
    described = [(row[0], row[1]) for row in con.execute("DESCRIBE f").fetchall()]
    assert described == [(column.name, column.type) for column in TABLE_BY_NAME["profile_features"].columns]


def test_features_of_one_profile_by_hand(con: duckdb.DuckDBPyConnection) -> None:
    cut = START + 100 * DAY
    days = [0, 10, 40, 40, 95]
    bench(con, [*(("p0", "charged", START + day * DAY) for day in days), ("p0", "returned", START + 96 * DAY)], cut)
    features(con, cut)
    expected = {
        "events": 5,
        "recency_days": 5.0,
        "tenure_days": 100.0,
        "active_days": 4,
        "items": 4,
        "events_30d": 1,
        "events_90d": 4,
        "events_365d": 5,
        "active_days_90d": 3,
        "gap_mean_days": 95 / 3,
        "gap_longest_days": 55.0,
        "gap_last_days": 55.0,
        "recency_to_gap": 5 / (95 / 3),
        "trend_events": math.log(5 / 2),
        "other_events": 1,
        "other_recency_days": 4.0,
        "amount": 100.0 + 200 + 300 + 0 + 100,
        "events_per_active_day": 1.25,
        "has_charged": True,
    }
    gaps = [10, 30, 55]
    mean = sum(gaps) / 3
    expected["gap_std_days"] = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / 2)
    found = {name: feature(con, "p0", name) for name in expected}
    assert found == pytest.approx(expected, rel=1e-12)
    assert feature(con, "p1", "events") == 0
    assert feature(con, "p1", "recency_days") is None


def test_the_amount_is_the_property_else_the_price_else_nothing(con: duckdb.DuckDBPyConnection) -> None:
    events = [("p0", "charged", START + n * DAY) for n in range(5)]
    texts = ['{"paid": "12.5"}', '{"paid": 7}', '{"paid": "free"}', "{}", '{"paid": "1e400"}']
    bench(con, events, START + 10 * DAY, properties=texts)
    features(con, START + 10 * DAY, Churn(amount_property="paid"))
    # i2 costs 300; i3 is no known item; the last one is too large for a number and on i0
    assert feature(con, "p0", "amount") == 12.5 + 7 + 300 + 0 + 100
    features(con, START + 10 * DAY)
    assert feature(con, "p0", "amount") == 100 + 200 + 300 + 0 + 100


@given(happenings, moments, happenings)
@relaxed
def test_later_events_never_change_features(
    con: duckdb.DuckDBPyConnection, events: list[Event], cut: datetime, later: list[Event]
) -> None:
    end = START + 300 * DAY
    early = [event for event in events if event[2] < cut]
    bench(con, early, end)
    before = features(con, cut)
    bench(con, early + [event for event in later if event[2] >= cut], end)
    assert features(con, cut) == before


def test_the_flag_counts_only_without_any_charged_event(con: duckdb.DuckDBPyConnection) -> None:
    late = START + 50 * DAY
    bench(con, [("p0", "charged", late), ("p1", "charged", START)], START + 99 * DAY, flags={"p0": True, "p2": True})
    features(con, START + 10 * DAY)
    assert [feature(con, f"p{n}", "has_charged") for n in range(4)] == [False, True, True, False]


def test_threads_and_row_order_do_not_matter() -> None:
    draw = random.Random(1)
    events = [
        (
            f"p{draw.randrange(300)}",
            draw.choice(["charged", "visit"]),
            START + timedelta(seconds=draw.randrange(200 * 86400)),
        )
        for _ in range(5000)
    ]
    amounts = [f'{{"paid": {draw.random() * 1e6:.7f}}}' for _ in events]
    results = []
    for threads, shuffled in ((1, False), (4, True)):
        with duckdb.connect(config={"threads": threads}) as connection:
            bench(connection, events, START + 200 * DAY, properties=amounts)
            if shuffled:
                connection.execute("CREATE TABLE mixed AS FROM all_events ORDER BY hash(event_id)")
                connection.execute("CREATE OR REPLACE VIEW events AS FROM mixed")
            results.append(features(connection, START + 150 * DAY, Churn(amount_property="paid")))
    assert results[0] == results[1]


# --- labels


def label_rows(
    con: duckdb.DuckDBPyConnection, as_of: datetime, cut: datetime, days: int, churn: Churn
) -> dict[str, tuple[int, int, bool]]:
    defined = churn.definition
    assert defined != "auto"
    churn_labels.create_moments(con, as_of, churn)
    churn_inputs.create_attributes(con, Inputs())
    churn_labels.create_exclusions(con, as_of, churn, defined)
    churn_labels.create_labels(con, as_of, [(as_of - cut) // DAY], days, churn, defined)
    return {
        row[0]: row[1:] for row in con.execute("SELECT profile_id, label, duration, event FROM churn_labels").fetchall()
    }


def test_the_example_of_the_contract(con: duckdb.DuckDBPyConnection) -> None:
    as_of, cut = datetime(2024, 7, 1), datetime(2024, 6, 1)
    bench(
        con,
        [
            ("p0", "charged", datetime(2024, 5, 10)),
            ("p0", "charged", datetime(2024, 6, 20)),
            ("p1", "charged", datetime(2024, 5, 31, 23, 59, 59)),
            ("p2", "charged", datetime(2024, 6, 1)),
        ],
        as_of,
    )
    found = label_rows(con, as_of, cut, 30, Churn(definition="inactivity"))
    assert {profile: row[0] for profile, row in found.items()} == {"p0": 0, "p1": 1}


def naive_label(
    events: list[Event],
    profile: str,
    status: tuple[str, datetime | None],
    first: datetime,
    as_of: datetime,
    cut: datetime,
    days: int,
    churn: Churn,
) -> tuple[int, int, bool] | None:
    """(label, duration, event) of one profile by the words of the contract, None outside the population."""
    mine = [event for event in events if event[0] == profile and event[2] < as_of]
    acted = sorted(when for _, kind, when in mine if kind in churn.activity_event_types)
    churns = [when for _, kind, when in mine if kind == "churned"]
    ends = list(acted)
    if status[1] is not None and status[1] < as_of:
        (churns if status[0] == "churned" else ends).append(status[1])
    until = cut + days * DAY

    def standing(low: datetime | None, high: datetime) -> datetime | None:
        """The last explicit churn in [low, high) that nothing ended before high."""
        left = [when for when in churns if (low is None or when >= low) and when < high]
        left = [when for when in left if not any(when < end < high for end in ends)]
        return max(left) if left else None

    if status[0] == "inactive" or standing(None, cut) is not None:
        return None
    if churn.definition == "inactivity":
        if not any(cut - churn.lookback_days * DAY <= when < cut for when in acted):
            return None
        silent = not any(cut <= when < until for when in acted)
        if silent or standing(cut, until) is not None:
            return 1, days, True
        for place, when in enumerate(acted):
            following = acted[place + 1] if place + 1 < len(acted) else as_of
            if when >= cut and following - when >= days * DAY:
                return 0, max(1, math.ceil((when - cut) / DAY)) + days, True
        return 0, max(days, (as_of - cut) // DAY), False
    if first >= cut:
        return None
    churned = standing(cut, until)
    if churned is not None:
        return 1, max(1, math.ceil((churned - cut) / DAY)), True
    later = [when for when in churns if when >= until]
    if later:
        return 0, max(days + 1, math.ceil((min(later) - cut) / DAY)), True
    return 0, max(days, (as_of - cut) // DAY), False


@pytest.mark.parametrize("definition", ["inactivity", "explicit"])
@pytest.mark.parametrize("seed", range(3))
def test_labels_are_those_of_a_plain_reading(con: duckdb.DuckDBPyConnection, definition: Any, seed: int) -> None:
    """400 profiles with one to five events each, most of them on or a second beside a border of the label."""
    draw = random.Random(seed)
    days, lookback = draw.randint(7, 9), 10
    as_of = START + 60 * DAY
    cut = as_of - (days + draw.randint(0, 12)) * DAY
    churn = Churn(definition=definition, lookback_days=lookback)
    places = [cut - lookback * DAY, cut, cut, cut + days * DAY, as_of]

    def moment() -> datetime:
        return (
            draw.choice(places) + draw.choice([0, 0, 1, -1, 3]) * DAY + timedelta(seconds=draw.choice([0, 0, 0, 1, -1]))
        )

    profiles = [f"p{n}" for n in range(400)]
    kinds = ["charged", "charged", "charged", "churned", "visit"]
    events = [(one, draw.choice(kinds), moment()) for one in profiles for _ in range(draw.randint(1, 5))]
    statuses = {
        one: (draw.choice(["active", "active", "churned", "inactive"]), draw.choice([None, moment()]))
        for one in profiles
        if draw.random() < 0.4
    }
    bench(con, events, as_of, statuses=statuses)
    found = label_rows(con, as_of, cut, days, churn)
    expected = {}
    for profile in profiles:
        first = min([event[2] for event in events if event[0] == profile] + [START])
        row = naive_label(events, profile, statuses.get(profile, ("active", None)), first, as_of, cut, days, churn)
        if row is not None:
            expected[profile] = row
    assert len(expected) > 100
    assert {row[0] for row in expected.values()} == {0, 1}
    assert found == expected


def test_auto_is_explicit_from_ten_profiles_on() -> None:
    assert churn_labels.definition(9, Churn()) == "inactivity"
    assert churn_labels.definition(10, Churn()) == "explicit"
    assert churn_labels.definition(10, Churn(definition="inactivity")) == "inactivity"


def test_gaps_are_between_dates_of_activity(con: duckdb.DuckDBPyConnection) -> None:
    events = [("p0", "charged", START + hours * timedelta(hours=1)) for hours in (1, 2, 25, 24 * 10)]
    bench(con, [*events, ("p1", "charged", START), ("p1", "visit", START + DAY)], START + 20 * DAY)
    gaps, times = churn_labels.gaps(con, START + 20 * DAY, Churn())
    assert (gaps.tolist(), times.tolist()) == ([1, 9], [1, 1])
    assert churn_labels.activity(con, START + 20 * DAY, Churn()) == (5, 20)
    assert churn_labels.activity(con, START, Churn()) == (0, None)


def test_snapshots_are_a_horizon_apart_with_one_a_year_ago() -> None:
    assert churn_labels.snapshot_ages(90, 648, 4) == (90, 180, 270, 360, 450)
    assert churn_labels.snapshot_ages(30, 648, 4) == (30, 60, 90, 120, 365, 395)
    assert churn_labels.snapshot_ages(30, 394, 4) == (30, 60, 90, 120)
    assert churn_labels.snapshot_ages(30, 61, 4) == (30,)
    assert churn_labels.snapshot_ages(30, 648, 1) == (30,)


# --- exclusions, inputs, report


def test_exclusions_give_reason_and_missing_keys(con: duckdb.DuckDBPyConnection) -> None:
    as_of = START + 100 * DAY
    bench(
        con,
        [(f"p{n}", "charged", START + 90 * DAY) for n in range(4)],
        as_of,
        statuses={"p1": ("inactive", None)},
        data={"p0": '{"age": 3, "plan": "null"}', "p2": '{"age": 1, "plan": "a"}', "p3": '{"plan": "b"}'},
    )
    con.execute("INSERT INTO warehouse.property_types VALUES ('profiles', 'profile_data', 'age', 'number')")
    con.execute("INSERT INTO quarantined_profiles VALUES ('p2')")
    churn = Churn(profile_features=("age", "plan"))
    inputs = churn_inputs.find_inputs(con, churn)
    assert (inputs.numbers[-1], inputs.texts) == ("age", ("plan",))
    assert Inputs.restore(inputs.card()) == inputs
    churn_labels.create_moments(con, as_of, churn)
    churn_inputs.create_attributes(con, inputs)
    churn_labels.create_exclusions(con, as_of, churn, "inactivity")
    found = con.execute("SELECT profile_id, reason, missing_keys FROM churn_exclusions ORDER BY ALL").fetchall()
    assert found == [
        ("p0", "missing_profile_feature", ["plan"]),
        ("p1", "missing_profile_feature", ["age", "plan"]),
        ("p1", "status", None),
        ("p2", "check", None),
        ("p3", "missing_profile_feature", ["age"]),
        ("p4", "missing_profile_feature", ["age", "plan"]),
        ("p4", "no_activity", None),
    ]


def test_a_configured_key_may_be_named_as_a_feature_and_hold_quotes(con: duckdb.DuckDBPyConnection) -> None:
    as_of = START + DAY
    key = 'it\'s "a/b"~'
    bench(
        con,
        [("p0", "charged", START), ("p0", "visit", START)],
        as_of,
        data={"p0": '{"events": "x", "it\'s \\"a/b\\"~": "y"}'},
    )
    churn = Churn(profile_features=("events", key))
    inputs = churn_inputs.find_inputs(con, churn)
    row = churn_inputs.inputs_of(con, as_of, churn, inputs, "p0")
    assert row is not None
    assert (row["events"], row["profile.events"], row[key], row["events.visit"]) == (1.0, "x", "y", 1.0)
    assert churn_inputs.inputs_of(con, as_of, churn, inputs, "nobody") is None


def test_names_that_differ_only_in_case_stay_apart(con: duckdb.DuckDBPyConnection) -> None:
    bench(
        con,
        [("p0", "charged", START), ("p0", "Visit", START), ("p0", "visit", START)],
        START + DAY,
        data={"p0": '{"age": "old", "Age": "young"}'},
    )
    churn = Churn(profile_features=("age", "Age"))
    inputs = churn_inputs.find_inputs(con, churn)
    row = churn_inputs.inputs_of(con, START + DAY, churn, inputs, "p0")
    assert row is not None
    assert [row[name] for name in inputs.texts] == ["old", "young"]
    assert [row[name] for name in inputs.numbers if name.startswith("events.")] == [1.0, 1.0, 1.0]


def test_the_report_counts_as_the_contract_says(con: duckdb.DuckDBPyConnection) -> None:
    as_of = START + 100 * DAY
    bench(
        con,
        [
            ("p0", "charged", START + 95 * DAY),
            ("p1", "charged", START + 10 * DAY),
            ("p2", "charged", START + 95 * DAY),
            ("p2", "churned", START + 96 * DAY),
            ("p3", "charged", START + 1 * DAY),
        ],
        as_of,
        statuses={"p3": ("inactive", None)},
    )
    churn_labels.create_moments(con, as_of, Churn())
    # p4 never acted; p3 is inactive; p1 is silent; p2 churned explicitly
    assert churn_labels.report(con, as_of, Churn(), "inactivity", 30) == (3, 2)
    assert churn_labels.report(con, as_of, Churn(), "explicit", 30) == (4, 1)
