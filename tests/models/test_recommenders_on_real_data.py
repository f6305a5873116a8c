"""The recommenders reach the level of known references on Online Retail II (time split, mode new, NDCG@10)."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from contracts.settings import Recommendations
from models.evaluate import HEADLINE, judge
from models.interactions import Interactions
from models.registry import RECOMMENDERS
from models.split import Split, time_split
from transforms import interactions as source

SHARED = Path(__file__).resolve().parents[3] / "shared"
# Measured references: recent popularity .069, item-kNN .072, EASE with 180 days .086, implicit ALS with 180 days .089.
LEVELS = {"popular": 0.065, "neighbours": 0.070, "ease": 0.090, "als": 0.085}

pytestmark = [pytest.mark.real, pytest.mark.skipif(not SHARED.exists(), reason="the shared data sets are not here")]


@pytest.fixture(scope="module")
def split() -> Split:
    con = duckdb.connect(config={"threads": 2})
    con.execute(
        "CREATE TABLE events AS SELECT 'charged' AS event_type, CustomerID::BIGINT::VARCHAR AS profile_id, "
        "upper(trim(StockCode)) AS item_id, min(InvoiceDate)::TIMESTAMP AS created_at FROM read_parquet($path) "
        "WHERE CustomerID IS NOT NULL AND Quantity > 0 AND regexp_matches(upper(trim(StockCode)), '^[0-9]{5}[A-Z]*$') "
        "GROUP BY CustomerID, upper(trim(StockCode)), InvoiceNo",
        {"path": str(SHARED / "data" / "online_retail_ii" / "transactions.parquet")},
    )
    for table, key in (("profiles", "profile"), ("items", "item")):
        con.execute(
            f"CREATE TABLE {table} AS "
            f"SELECT {key}_id, (row_number() OVER (ORDER BY {key}_id) - 1)::INTEGER AS {key}_index, 'active' AS status "
            f"FROM (SELECT DISTINCT {key}_id FROM events)"
        )
    wanted = Recommendations()
    source.create_item_events(con, wanted)
    cut = source.time_cut(con, wanted)
    assert cut is not None
    sizes = con.execute("SELECT (SELECT count(*) FROM profiles), (SELECT count(*) FROM items)").fetchone()
    assert sizes is not None
    train = Interactions.from_columns(*sizes, **source.read_interactions(con, wanted, cut))
    after = source.read_window(con, cut)
    return time_split(train, after["profile_index"], after["item_index"])


def test_the_split_is_the_published_one(split: Split) -> None:
    assert 1500 < judge(RECOMMENDERS["popular"]().fit(split.train), split, "new")[HEADLINE].subjects < 1560
    assert 1650 < len(split.subjects) < 1680
    assert 4490 < split.known.sum() < 4600


@pytest.mark.parametrize("name", sorted(LEVELS))
def test_level(split: Split, name: str) -> None:
    model = RECOMMENDERS[name]().fit(split.train, threads=2)
    assert judge(model, split, "new", threads=2)[HEADLINE].value >= LEVELS[name]
