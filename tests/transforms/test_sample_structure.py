"""The generated shop has the structure that its description promises."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import duckdb
import pytest

from contracts.errors import UsageError
from transforms import sample

HAPPENED = """
SELECT happened.*, item.category_index, item.item_category, item.launch_day
FROM kept AS happened LEFT JOIN sample_items AS item USING (item_index)
"""


@pytest.fixture(scope="module")
def shop() -> Iterator[duckdb.DuckDBPyConnection]:
    """4,000 profiles and all their events in ``kept``."""
    planned = sample.plan(4000, items=400)
    with duckdb.connect(":memory:", config={"threads": 2}) as con:
        months = sample.prepare(con, planned)
        con.execute("CREATE TABLE kept AS SELECT 0 AS month_index, * FROM sample_carried")
        for month in months:
            made = sample.make_month(con, planned, month)
            turn = month.to_day * 86400
            con.execute(f"INSERT INTO kept SELECT {month.index}, * FROM sample_happened WHERE moment < {turn}")
            assert made == _one(con, f"SELECT count(*) FROM kept WHERE month_index = {month.index}")
        con.execute(f"CREATE VIEW happened AS {HAPPENED}")
        yield con


def _one(con: duckdb.DuckDBPyConnection, query: str) -> float:
    row = con.execute(query).fetchone()
    assert row is not None
    return float(row[0])


def test_draws_are_uniform_and_do_not_follow_the_place(shop: duckdb.DuckDBPyConnection) -> None:
    draws = """
        SELECT i, sample_unit(sample_key(7, i), 1) AS a, sample_unit(sample_key(7, i), 2) AS b
        FROM range(200000) AS places (i)
    """
    mean, spread, together, with_place, low, high, distinct = shop.execute(
        f"SELECT avg(a), stddev(a), corr(a, b), corr(a, i), min(a), max(a), count(DISTINCT a) FROM ({draws})"
    ).fetchall()[0]
    assert mean == pytest.approx(0.5, abs=0.003)
    assert spread == pytest.approx(12**-0.5, abs=0.003)
    assert abs(together) < 0.01
    assert abs(with_place) < 0.01
    assert 0 < low < high < 1
    assert distinct == 200_000  # no two profiles share their draws
    fullest = _one(shop, f"SELECT max(n) FROM (SELECT count(*) AS n FROM ({draws}) GROUP BY floor(a * 100))")
    assert fullest < 2000 * 1.12


def test_every_event_of_a_profile_lies_between_its_sign_up_and_its_departure(shop: duckdb.DuckDBPyConnection) -> None:
    outside = """
        SELECT count(*) FROM happened JOIN sample_profiles USING (profile_index)
        WHERE moment < signup_at
           OR (churn_month IS NOT NULL AND moment > churn_at AND event_type <> 'returned')
    """
    assert _one(shop, outside) == 0
    assert _one(shop, "SELECT count(*) FROM happened WHERE moment >= 546 * 86400 OR moment < 0") == 0


def test_nothing_is_bought_before_its_launch(shop: duckdb.DuckDBPyConnection) -> None:
    assert _one(shop, "SELECT count(*) FROM happened WHERE moment < launch_day * 86400") == 0
    assert (
        _one(
            shop,
            "SELECT count(*) FROM happened WHERE item_index IS NULL AND event_type NOT IN ('complaint', 'churned')",
        )
        == 0
    )


def test_late_items_exist_and_are_nearly_unbought(shop: duckdb.DuckDBPyConnection) -> None:
    cold = _one(shop, "SELECT count(*) FROM sample_items WHERE launch_day >= 546 - 42")
    assert 12 <= cold <= 60
    share = "SELECT avg((launch_day >= 504)::INTEGER) FROM happened WHERE event_type = 'charged'"
    assert _one(shop, share) < 0.02


def test_a_return_follows_a_purchase_of_the_item(shop: duckdb.DuckDBPyConnection) -> None:
    orphans = """
        SELECT count(*) FROM happened AS back WHERE event_type = 'returned' AND NOT EXISTS (
            FROM happened AS bought WHERE bought.event_type = 'charged' AND bought.profile_index = back.profile_index
            AND bought.item_index = back.item_index
            AND back.moment - bought.moment BETWEEN 2 * 86400 AND 21 * 86400 + 7200)
    """
    assert _one(shop, orphans) == 0
    returns = """
        SELECT item_category, count(*) FILTER (event_type = 'returned') / count(*) FILTER (event_type = 'charged')
        FROM happened WHERE item_category IN ('Clothing', 'Pantry') GROUP BY item_category
    """
    by_category = dict(shop.execute(returns).fetchall())
    assert by_category["Clothing"] > 5 * by_category["Pantry"] > 0


def test_december_peaks_and_seasons_move_categories(shop: duckdb.DuckDBPyConnection) -> None:
    monthly = """
        SELECT name, count(*) FROM kept JOIN sample_months USING (month_index)
        WHERE event_type = 'charged' GROUP BY name
    """
    bought = dict(shop.execute(monthly).fetchall())
    assert bought["2025-12"] > 1.3 * bought["2025-11"]
    assert bought["2025-12"] > 1.3 * bought["2026-01"]
    share = "SELECT avg((item_category = '{}')::INTEGER) FROM happened WHERE month_index = {}"
    assert _one(shop, share.format("Garden", 4)) > 1.2 * _one(shop, share.format("Garden", 11))
    assert _one(shop, share.format("Toys", 11)) > 1.2 * _one(shop, share.format("Toys", 4))


def test_popularity_and_activity_are_heavy_tailed(shop: duckdb.DuckDBPyConnection) -> None:
    top = """
        SELECT sum(n) FILTER (place <= 40) / sum(n) FROM (
            SELECT count(*) AS n, row_number() OVER (ORDER BY count(*) DESC) AS place
            FROM happened WHERE event_type = 'charged' GROUP BY item_index)
    """
    assert 0.25 < _one(shop, top) < 0.6  # a tenth of the items
    skew = """
        SELECT quantile_cont(n, 0.99) / quantile_cont(n, 0.5) FROM (
            SELECT count(*) AS n FROM happened WHERE event_type = 'charged' GROUP BY profile_index)
    """
    assert _one(shop, skew) > 6


def test_tastes_are_stable(shop: duckdb.DuckDBPyConnection) -> None:
    """Where a profile bought most in the first year, it buys far more than others do afterwards."""
    lift = """
        WITH first AS (
            SELECT profile_index, mode(category_index ORDER BY category_index) AS favourite
            FROM happened WHERE event_type = 'charged' AND moment < 365 * 86400 GROUP BY ALL HAVING count(*) >= 10),
        later AS (
            SELECT category_index, favourite FROM happened JOIN first USING (profile_index)
            WHERE event_type = 'charged' AND moment >= 365 * 86400)
        SELECT (SELECT avg((category_index = favourite)::INTEGER) FROM later)
            / (SELECT sum(share * share) FROM (
                SELECT count(*) / sum(count(*)) OVER () AS share FROM later GROUP BY category_index))
    """
    assert _one(shop, lift) > 2


def test_staples_are_bought_again(shop: duckdb.DuckDBPyConnection) -> None:
    again = """
        SELECT avg((n > 1)::INTEGER) FROM (
            SELECT count(DISTINCT moment // 86400) AS n FROM happened JOIN sample_items USING (item_index)
            WHERE event_type = 'charged' AND staple = {} GROUP BY profile_index, item_index)
    """
    assert _one(shop, again.format("true")) > 1.7 * _one(shop, again.format("false"))


def test_churn_depends_on_the_plan_and_on_complaints(shop: duckdb.DuckDBPyConnection) -> None:
    leavers = """
        SELECT plan, avg((churn_month IS NOT NULL)::INTEGER) FROM sample_profiles WHERE signup_day < 0 GROUP BY plan
    """
    left = dict(shop.execute(leavers).fetchall())
    assert left["free"] > 1.5 * left["plus"] > 1.5 * left["gold"] > 0
    hazard = """
        SELECT avg((churn_month = month_index)::INTEGER) FROM sample_profiles JOIN sample_months
            ON signup_day < from_day AND (churn_month IS NULL OR churn_month >= month_index)
        WHERE {} sample_complains(key, month_index - 1)
    """
    assert _one(shop, hazard.format("")) > 1.5 * _one(shop, hazard.format("NOT"))


def test_those_who_leave_visit_less_before(shop: duckdb.DuckDBPyConnection) -> None:
    fading = """
        SELECT count(*) FILTER (churn_month - month_index = 1) / count(*) FILTER (churn_month - month_index = 5)
        FROM kept JOIN sample_profiles USING (profile_index)
        WHERE {} fades AND churn_month BETWEEN 6 AND 10 AND signup_day < 0 AND kept.event_type IN ('charged', 'view')
    """
    assert _one(shop, fading.format("")) < 0.75 * _one(shop, fading.format("NOT"))


@pytest.mark.parametrize("items", [1, 7, 40, 1000])
def test_items_are_named_once_and_priced(items: int) -> None:
    planned = sample.plan(5, items=items, days=40)
    with duckdb.connect(":memory:") as con:
        sample.prepare(con, planned)
        rows, names, ids, cheapest, longest = con.execute(
            "SELECT count(*), count(DISTINCT (item_category, item_name)), count(DISTINCT item_id), min(item_price), "
            "max(length(item_description)) FROM sample_items"
        ).fetchall()[0]
    assert (rows, names, ids) == (items, items, items)
    assert cheapest > 0
    assert longest <= 1000


@pytest.mark.parametrize(
    ("profiles", "wishes"),
    [(0, {}), (1, {"items": -1}), (1, {"days": 0}), (1, {"dirty": 0.9}), (1, {"events_per_profile": 0.0})],
)
def test_impossible_wishes_are_refused(profiles: int, wishes: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=r"cannot|not possible"):
        sample.plan(profiles, **wishes)  # type: ignore[arg-type]


def test_the_period_ends_where_asked() -> None:
    planned = sample.plan(10, days=31, end=date(2024, 3, 1))
    assert planned.first_day == date(2024, 1, 30)
    with duckdb.connect(":memory:") as con:
        assert [month.name for month in sample.prepare(con, planned)] == ["2024-01", "2024-02"]
