"""What the retention dialect adds to a pack: per profile, per merged profile, and of the run."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from benchmarks.synthetic_run import write_run
from contracts.published import TABLE_BY_NAME
from contracts.settings import Settings
from store.layout import Layout
from store.pack.account import write_account
from store.pack.build import build_pack
from store.pack.read import ServingPack

ROWS = {
    "rfm": "SELECT profile_id, 333 AS rfm_score, 'Best' AS rfm_segment_desc, 5 AS recency_days, 4 AS frequency, "
    "40.0::DOUBLE AS monetary FROM profiles WHERE profile_index = 1",
    "segment_members": "SELECT unnest(['s2', 's1']) AS segment_id, unnest(['two', 'one']) AS segment_tag, profile_id, "
    "TIMESTAMP '2024-06-30' AS created_at FROM profiles WHERE profile_index = 1",
    "training_exclusions": "SELECT 'rec' AS algorithm, profile_id, 'missing_profile_feature' AS reason, "
    "['age'] AS missing_keys FROM profiles WHERE profile_index = 2",
    "profile_merges": "SELECT unnest(['child_b', 'child_a']) AS child, unnest(['cb', 'ca']) AS child_customer_id, "
    "profile_id AS parent, profile_id AS merged_into, 'shop' AS key, '77' AS value, "
    "TIMESTAMP '2024-07-01' AS merged_at, 'r-1' AS merged_by, unnest([2, 3]) AS place, "
    "TIMESTAMP '2024-06-01' AS parent_updated_at FROM profiles WHERE profile_index = 3",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = write_run(Layout(tmp_path_factory.mktemp("home")), "r-1", 10, 20)
    with duckdb.connect() as con:
        con.read_parquet(str(run / "tables" / "profiles.parquet")).create_view("profiles")
        for name, query in ROWS.items():
            columns = ", ".join(column.name for column in TABLE_BY_NAME[name].columns)
            con.execute(f"COPY (SELECT {columns} FROM ({query})) TO '{run / 'tables' / name}.parquet'")
    write_account(run / "pack", {"recommendations": {"training_job_id": "j"}}, None, {"s1": 1})
    build_pack(run, Settings(), run / "scratch")
    return run / "pack"


def test_each_profile_has_what_is_known_of_it(folder: Path) -> None:
    pack = ServingPack(folder)
    assert pack.customer(0) == {}
    one = pack.customer(1)
    assert (one["rfm_score"], one["rfm_segment_desc"]) == (333, "Best")
    assert [tag["segment_id"] for tag in one["tags"]] == ["s1", "s2"]
    assert one["tags"][0] == {"segment_id": "s1", "segment_tag": "one", "created_at": "2024-06-30T00:00:00Z"}
    assert pack.customer(2)["exclusions"] == [
        {"algorithm": "rec", "reason": "missing_profile_feature", "missing_keys": ["age"]}
    ]
    assert pack.customer(2)["rfm_score"] is None
    assert [child["profile_id"] for child in pack.customer(3)["children"]] == ["child_a", "child_b"]


def test_a_merged_profile_is_found_by_either_id(folder: Path) -> None:
    pack = ServingPack(folder)
    for text in ("child_a", "ca"):
        found = pack.merged(text)
        assert found is not None
        assert (found["profile_id"], found["customer_id"], found["key"]) == ("child_a", "ca", "shop")
        assert pack.profile_row(found["parent"]) == 3
        assert pack.profile_row(text) == -1
    assert pack.merged("nobody") is None


def test_facts_of_the_run(folder: Path) -> None:
    assert ServingPack(folder).account == {
        "jobs": {"recommendations": {"training_job_id": "j"}}, "churn_report": None, "segment_counts": {"s1": 1},
        "merges": {},
    }


def test_a_run_without_any_of_it(tmp_path: Path) -> None:
    pack = ServingPack(write_run(Layout(tmp_path), "r-1", 5, 5) / "pack")
    assert [pack.customer(row) for row in range(5)] == [{}] * 5
    assert pack.account["jobs"] == {}
    assert pack.merged("profile_0") is None
