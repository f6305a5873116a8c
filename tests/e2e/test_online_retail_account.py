"""Online Retail II as an account of the retention dialect: the same through the API and as files, and two nights a
month apart whose report, RFM and segments are held against SQL over the transactions themselves.

``benchmarks/retail_account.py`` does it with every customer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pytest

from benchmarks.retail_account import (
    BATCH,
    BEGIN,
    NIGHTS,
    client_of,
    configure_by_api,
    configure_by_file,
    current_run,
    differences,
    drop_files,
    make_home,
    prepare,
    run_night,
    served,
    upload,
)
from contracts.settings import Settings
from flows.night import Outcome
from store.journal import Journal, outbox
from store.layout import Layout
from tests.store.receiver import receiving

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data" / "online_retail_ii" / "transactions.parquet"
SHARE = 40  # every so many-th customer

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.server,
    pytest.mark.skipif(not (ROOT.parent / "shared").exists(), reason="no data beside the project"),
]

# From the contract's words (14), by counting who is strictly worse.
RFM = """
WITH customers AS (
    SELECT e.customer_id, floor(epoch($t - max(happened)) / 86400) AS recency,
        count(DISTINCT happened::DATE) AS frequency, sum(coalesce(item_price, 0)) AS monetary
    FROM shop_events AS e LEFT JOIN shop_items USING (item_id)
    WHERE event_type = 'charged' AND happened >= $t - INTERVAL 365 DAY AND happened < $t
    GROUP BY e.customer_id
), total AS (
    SELECT count(*) AS n FROM customers
), digits AS (
    SELECT *,
        1 + floor(4 * (SELECT count(*) FROM customers AS o WHERE o.recency > c.recency) / n)::INTEGER AS r,
        1 + floor(4 * (SELECT count(*) FROM customers AS o WHERE o.frequency < c.frequency) / n)::INTEGER AS f,
        1 + floor(4 * (SELECT count(*) FROM customers AS o WHERE o.monetary < c.monetary) / n)::INTEGER AS m
    FROM customers AS c, total
)
SELECT customer_id, 100 * r + 10 * f + m, CASE
    WHEN r >= 3 AND f >= 3 AND m >= 3 THEN 'Best'
    WHEN r >= 3 AND f >= 3 THEN 'Loyal'
    WHEN r >= 3 AND m = 4 THEN 'Big spender'
    WHEN r = 4 AND f = 1 THEN 'New'
    WHEN r >= 3 THEN 'Promising'
    WHEN r = 2 AND (f >= 3 OR m >= 3) THEN 'At risk'
    WHEN r = 1 AND (f >= 3 OR m >= 3) THEN 'Lapsed valuable'
    WHEN r = 2 THEN 'Slipping'
    ELSE 'Lost' END
FROM digits
"""
# The four segments of the benchmark, each by hand (11.3).
SEGMENTS = {
    "hearts": """
        SELECT DISTINCT customer_id FROM shop_events WHERE event_type = 'charged' AND item_id = '85123A'
        AND happened >= $t - INTERVAL 60 DAY AND happened < $t""",
    "keepers": """
        SELECT customer_id FROM shop_events WHERE happened >= $t - INTERVAL 45 DAY AND happened < $t
        GROUP BY customer_id HAVING count(*) FILTER (event_type = 'charged' AND payment_method = 'card') > 0
        AND count(*) FILTER (event_type = 'returned') = 0""",
    "germans": """
        SELECT DISTINCT customer_id FROM shop_events JOIN shop_profiles USING (customer_id)
        WHERE country = 'Germany' AND event_type = 'charged' AND happened >= $t - INTERVAL 90 DAY AND happened < $t""",
    "first customers": """
        SELECT customer_id FROM shop_events JOIN shop_profiles USING (customer_id)
        WHERE first_year = 2009 AND happened >= $t - INTERVAL 30 DAY AND happened < $t
        GROUP BY customer_id HAVING count(*) FILTER (event_type = 'charged') > 0
        AND count(*) FILTER (event_type = 'returned' AND quantity = 1) = 0""",
}
# Horizon and percentage of a night without explicit churn (13).
CHURN = """
WITH days AS (
    SELECT DISTINCT customer_id, happened::DATE AS day FROM shop_events WHERE event_type = 'charged' AND happened < $t
), gaps AS (
    SELECT date_diff('day', lag(day) OVER (PARTITION BY customer_id ORDER BY day), day) AS gap FROM days
    QUALIFY gap IS NOT NULL
), ranked AS (
    SELECT gap, row_number() OVER (ORDER BY gap) AS place, count(*) OVER () AS n FROM gaps
), horizon AS (
    SELECT least(greatest(max(gap), 7), 365, (SELECT floor(epoch($t - min(happened)) / 86400)::BIGINT // 2
        FROM shop_events WHERE event_type = 'charged')) AS h
    FROM ranked WHERE n >= 30 AND place = ceil(0.9 * n)
), customers AS (
    SELECT customer_id, max(happened) AS last_at FROM shop_events WHERE event_type = 'charged' AND happened < $t
    GROUP BY customer_id
)
SELECT h, round(100 * count(*) FILTER (last_at < $t - to_days(h::INTEGER)) / count(*), 1),
    count(*) FILTER (last_at >= $t - INTERVAL 730 DAY AND country IS NOT NULL)
FROM customers JOIN shop_profiles USING (customer_id), horizon GROUP BY h
"""


@dataclass
class Account:
    """Both accounts after two nights. ``nights``: what each left, in order: its outcome, tables and differences."""

    con: duckdb.DuckDBPyConnection
    layout: Layout
    client: httpx.Client
    sent: int
    nights: list[Night]
    messages: dict[str, list[tuple[str, dict[str, Any]]]]

    def expected(self, query: str, at: datetime) -> list[tuple[Any, ...]]:
        return sorted(self.con.execute(query, {"t": at}).fetchall())


@dataclass
class Night:
    at: datetime
    outcome: Outcome
    folder: Path
    different: dict[str, tuple[int, int]]


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    home = tmp_path_factory.mktemp("retail") / "home"
    by_api, by_file = make_home(home)
    with (
        duckdb.connect() as con, receiving(home / "receiver.log") as receiver, served(home) as address,
        client_of(by_api, address) as client,
    ):
        prepare(con, DATA, SHARE)
        configure_by_api(client, receiver.url())
        configure_by_file(by_file, receiver.url())
        since, sent, nights = BEGIN, 0, []
        for at in NIGHTS:
            sent += upload(client, con, since, at)
            drop_files(by_file, con, since, at)
            outcome = run_night(home, by_api.workspace, at)
            run_night(home, by_file.workspace, at)
            nights.append(Night(at, outcome, current_run(by_api), differences(con, by_api, by_file)))
            since = at
        messages = {}
        for layout in (by_api, by_file):
            with Journal.open(layout, Settings()) as journal, journal.reading() as connection:
                messages[layout.workspace] = [
                    (one.subject, json.loads(one.message)["body"]) for one in outbox.listed(connection)
                ]
        yield Account(con, by_api, client, sent, nights, messages)


def rows(account: Account, night: Night, query: str) -> list[tuple[Any, ...]]:
    """Rows of a run; ``{name}`` is its table."""
    for table in ("profiles", "rfm", "segments", "segment_members", "segment_deltas", "churn", "churn_report",
                  "training_exclusions", "events"):
        query = query.replace(f"{{{table}}}", f"'{night.folder}/tables/{table}.parquet'")
    return sorted(account.con.execute(query).fetchall())


def test_both_ways_give_the_same(account: Account) -> None:
    assert account.sent > 20 * BATCH
    for night in account.nights:
        assert night.outcome.promoted and night.outcome.as_of == night.at
        statuses = {job["algorithm"]: job["status"] for job in night.outcome.records.jobs}
        assert statuses == dict.fromkeys(("recommendations", "churn-prediction", "rfm-analysis"), "Completed")
        assert set(map(tuple, night.different.values())) == {(0, 0)}, night.different
    counts = [night.outcome.tables["events"] for night in account.nights]
    assert counts == [account.expected("SELECT count(*) FROM shop_events WHERE happened < $t", at)[0][0]
                      for at in NIGHTS]
    charged = rows(account, account.nights[0], "SELECT customer_id FROM {profiles} WHERE has_charged")
    assert charged == account.expected(
        "SELECT DISTINCT customer_id FROM shop_events WHERE event_type = 'charged' AND happened < $t", NIGHTS[0]
    )


def test_old_events_notify_nobody(account: Account) -> None:
    for told in account.messages.values():
        assert {subject for subject, _ in told} == {"Octy training job has successfully completed."}
        assert sorted(body["algorithm"] for _, body in told) == [
            "churn-prediction", "churn-prediction", "recommendations", "recommendations", "rfm-analysis",
            "rfm-analysis",
        ]


@pytest.mark.parametrize("number", [0, 1])
def test_rfm(account: Account, number: int) -> None:
    night = account.nights[number]
    found = rows(account, night, "SELECT customer_id, rfm_score, rfm_segment_desc FROM {rfm} JOIN {profiles} "
                                 "USING (profile_id)")
    assert found == account.expected(RFM, night.at)
    assert len({score for _, score, _ in found}) > 10


def test_segments_entered_and_left(account: Account) -> None:
    before: dict[str, set[str]] = {name: set() for name in SEGMENTS}
    moved = set()
    for night in account.nights:
        now = {name: {one for (one,) in account.expected(query, night.at)} for name, query in SEGMENTS.items()}
        assert rows(account, night, "SELECT segment_tag, customer_id FROM {segment_members} JOIN {profiles} "
                                    "USING (profile_id)") == sorted((name, one) for name in now for one in now[name])
        expected = [(name, one, "enter") for name in now for one in now[name] - before[name]]
        expected += [(name, one, "exit") for name in now for one in before[name] - now[name]]
        assert rows(account, night, "SELECT segment_name, customer_id, change FROM {segment_deltas} JOIN {segments} "
                                    "USING (segment_id) JOIN {profiles} USING (profile_id)") == sorted(expected)
        moved |= {(name, change) for name, _, change in expected}
        before = now
    assert moved == {(name, change) for name in SEGMENTS for change in ("enter", "exit")}, "each is seen both ways"
    told = account.client.get("/v1/retention/segments", headers={"cursor": "0"}).json()["segments"]
    assert {one["segment_name"]: one["profile_count"] for one in told} == {
        name: len(members) for name, members in before.items()
    }


def test_the_churn_report_and_its_direction(account: Account) -> None:
    shares = []
    for night in account.nights:
        ((horizon, share, scored),) = account.expected(CHURN, night.at)
        ((*report, definition),) = rows(
            account, night, "SELECT horizon_days, current_churn_percentage, profiles_scored, churn_definition "
                            "FROM {churn_report}"
        )
        assert (report, definition) == ([horizon, share, scored], "inactivity")
        shares.append(share)
    answer = account.client.get("/v1/retention/churn_prediction/report").json()["churn_prediction_report"]
    difference = round(shares[0] - shares[1], 1)
    assert difference != 0
    assert answer["churn_data"]["current_churn_percentage"] == shares[1]
    assert answer["churn_data"]["churn_percentage_difference"] == difference
    assert answer["churn_data"]["churn_direction_indication"] == ("positive" if difference > 0 else "negative")
    assert answer["training_job_data"]["model_accuracy"] > 0.6


@pytest.mark.parametrize("algorithm", ["rec", "churn"])
def test_who_lacks_a_feature_is_left_out(account: Account, algorithm: str) -> None:
    night = account.nights[1]
    found = rows(account, night, "SELECT customer_id, missing_keys FROM {training_exclusions} JOIN {profiles} "
                                 f"USING (profile_id) WHERE algorithm = '{algorithm}' AND "
                                 "reason = 'missing_profile_feature'")
    lacking = "SELECT customer_id, ['country'] FROM shop_profiles WHERE country IS NULL AND $t IS NOT NULL"
    assert found == account.expected(lacking, night.at)
    assert found


def test_profiles_are_shown_with_what_the_night_said(account: Account) -> None:
    night = account.nights[1]
    score = {customer: told for customer, *told in account.expected(RFM, night.at)}
    members = {name: {one for (one,) in account.expected(query, night.at)} for name, query in SEGMENTS.items()}
    churn = {
        profile: (value, days, horizon) for profile, value, days, horizon in
        rows(account, night, "SELECT profile_id, churn_score, expected_days_to_churn, horizon_days FROM {churn}")
    }
    cursor, total, seen = "0", None, 0
    while total is None or int(cursor) < total:
        page = account.client.get("/v1/retention/profiles", headers={"cursor": cursor})
        body = page.json()
        cursor, total = page.headers["cursor"], body["request_meta"]["total"]
        for one in body["profiles"]:
            customer = one["customer_id"]
            assert [one["rfm_score"], one["rfm_segment_desc"]] == score.get(customer, [None, None])
            assert {tag["segment_tag"] for tag in one["segment_tags"]} == {
                name for name, those in members.items() if customer in those
            }
            value, days, horizon = churn.get(one["profile_id"], (None, None, None))
            label = None if value is None else (
                "low" if value < 0.25 else "mid" if value < 0.5 else "high" if value < 0.75 else "very-high"
            )
            assert (one["churn_probability"], one["expected_days_to_churn"]) == (label, days)
            if value is not None and 0 < value < 1:
                ((median,),) = account.con.execute(
                    "SELECT least(ceil($h * ln(2) / -ln(1 - $p)), 3650)", {"h": horizon, "p": value}
                ).fetchall()
                assert days == median
            seen += 1
    ((known,),) = account.expected("SELECT count(*) FROM shop_profiles WHERE $t IS NOT NULL", night.at)
    assert seen == total == known
