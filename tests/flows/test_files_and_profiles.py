"""Files of the retention contract (10): its example, profiles that were merged into others, and deleted customers."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from contracts.settings import Ingest, Settings
from flows.stages.drain import drain
from flows.stages.ingest import ingest
from flows.stages.live_segments import follow_files
from store.journal import Journal, Write, documents, live_tags
from store.layout import Layout
from store.warehouse import open_warehouse

NOW = datetime(2024, 6, 1)
SETTINGS = Settings(ingest=Ingest(settle_seconds=0.0))
Rows = list[tuple[object, ...]]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path)
    made.create()
    return made


def drop(layout: Layout, name: str, text: str) -> None:
    (layout.inbox / name).write_text(text)


def rows(layout: Layout, sql: str) -> Rows:
    with open_warehouse(layout, SETTINGS.pipeline) as con:
        return con.execute(sql).fetchall()


def minted(customer_id: str, deletions: int = 0) -> str:
    return "profile_" + hashlib.sha256(f"{customer_id}\n{deletions}".encode()).hexdigest()[:32]


def merges(folder: Path, child: str, parent: str) -> Path:
    """The file of a published run's merges."""
    path = folder / "profile_merges.parquet"
    with duckdb.connect() as con:
        con.execute(f"COPY (SELECT '{child}' AS child, '{parent}' AS parent) TO '{path}'")
    return path


def test_the_example_of_the_contract(layout: Layout) -> None:
    drop(layout, "profiles/p.csv",
         "customer_id,has_charged,profile_data>>age,platform_info>>os,profile_data>>plan\nc-100,true,28,ios,gold\n")
    drop(layout, "events/e.csv",
         "event_type,profile_id,created_at,event_properties>>item_id,event_properties>>payment_method\n"
         "charged,c-100,2024-05-01 10:00:00,sku-1,visa\n")
    report = ingest(layout, SETTINGS, (), NOW)
    assert [(load.rows_loaded, load.rows_quarantined) for load in report.loads] == [(1, 0), (1, 0)]
    ((own, *facts, data, platform),) = rows(
        layout, "SELECT profile_id, customer_id, has_charged, profile_data, platform_info FROM profiles"
    )
    assert (own, facts) == (minted("c-100"), ["c-100", True])
    assert (json.loads(str(data)), json.loads(str(platform))) == ({"age": 28, "plan": "gold"}, {"os": "ios"})
    ((*event, properties),) = rows(
        layout, "SELECT event_type, profile_id, item_id, created_at, properties FROM events"
    )
    assert event == ["charged", own, "sku-1", datetime(2024, 5, 1, 10)]
    assert json.loads(str(properties)) == {"item_id": "sku-1", "payment_method": "visa"}


def test_rows_of_merged_profiles_are_skipped_and_counted(layout: Layout, tmp_path: Path) -> None:
    drop(layout, "profiles/a.csv", "customer_id,profile_data>>age\nparent,1\nchild,2\n")
    ingest(layout, SETTINGS, (), NOW)
    found = merges(tmp_path, minted("child"), minted("parent"))
    drop(layout, "profiles/b.csv", "customer_id,profile_data>>age\nparent,3\nchild,4\nnew,5\n")
    (load,) = ingest(layout, SETTINGS, (), NOW, merges=found).loads
    assert (load.rows_in, load.rows_loaded, load.skips) == (3, 2, {"merged_profile": 1})
    ages = dict(rows(layout, "SELECT customer_id, (profile_data->>'$.age')::INTEGER FROM profiles"))
    assert ages == {"parent": 3, "child": 2, "new": 5}
    # It holds until a later run says otherwise.
    drop(layout, "profiles/c.csv", f"customer_id,profile_id,profile_data>>age\nchild,{minted('child')},6\n")
    assert ingest(layout, SETTINGS, (), NOW).loads[0].skips == {"merged_profile": 1}
    drop(layout, "profiles/d.csv", "customer_id,profile_data>>age\nchild,7\n")
    (load,) = ingest(layout, SETTINGS, (), NOW, merges=merges(tmp_path, minted("x"), minted("y"))).loads
    assert (load.rows_loaded, load.skips) == (1, {})


def test_an_event_of_a_merged_profile_tags_its_parent(layout: Layout, tmp_path: Path) -> None:
    now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    body = {
        "segment_name": "buyers", "segment_type": "live", "segment_sub_type": 1, "segment_timeframe": 0,
        "event_sequence": [
            {"event_type": "charged", "exp_timeframe": 0, "action_inaction": "action", "event_properties": None}
        ],
    }
    drop(layout, "profiles/a.csv", "customer_id\nparent\nchild\n")
    ingest(layout, SETTINGS, (), now)
    with Journal.open(layout, SETTINGS) as journal:
        with journal.writing() as connection:
            documents.put(connection, "segment", "segment_1", json.dumps(body), "test", now)
        drop(layout, "events/e.csv", "event_type,customer_id,created_at,event_properties>>item_id\n"
                                     f"charged,child,{now:%Y-%m-%d %H:%M:%S},sku\n")
        ingest(layout, SETTINGS, (), now, merges=merges(tmp_path, minted("child"), minted("parent")))
        follow_files(layout, SETTINGS, journal)
        with journal.reading() as connection:
            assert live_tags.members(connection, "segment_1") == [minted("parent")]
    # What is stored is whose the event was.
    assert rows(layout, "SELECT profile_id FROM events") == [(minted("child"),)]


def test_a_file_gives_a_deleted_customer_the_next_id(layout: Layout) -> None:
    settings = Settings(ingest=Ingest(settle_seconds=0.0, create_profiles=True))
    drop(layout, "profiles/a.csv", "customer_id\none\ntwo\nthree\n")
    ingest(layout, settings, (), NOW)
    with Journal.open(layout, settings) as journal:
        for customer_id in ("one", "two"):
            body = {
                "customer_id": customer_id, "profile_id": minted(customer_id), "sessions": [],
                "next_profile_id": minted(customer_id, 1),
            }
            journal.append([Write("profiles", minted(customer_id), "erase", json.dumps(body))])
        # One more write of a customer that is gone, by another dialect, is of the next profile.
        journal.append([Write("profiles", "two", "put", json.dumps({"customer_id": "two", "properties": {"a": 1}}))])
        drain(layout, settings, journal.writes_between, journal.last_seq())
    assert rows(layout, "SELECT customer_id, profile_id FROM profiles ORDER BY 1") == [
        ("three", minted("three")), ("two", minted("two", 1))
    ]
    drop(layout, "profiles/b.csv", "customer_id,profile_data>>age\none,1\nthree,2\n")
    drop(layout, "events/e.csv", "event_type,customer_id,created_at,event_properties>>item_id\n"
                                 "charged,one,2024-05-01 10:00:00,s\ncharged,four,2024-05-01 10:00:00,s\n")
    ingest(layout, settings, (), NOW)
    assert rows(layout, "SELECT customer_id, profile_id FROM profiles ORDER BY 1") == [
        ("four", minted("four")), ("one", minted("one", 1)), ("three", minted("three")), ("two", minted("two", 1))
    ]
    assert rows(layout, "SELECT DISTINCT profile_id FROM events ORDER BY 1") == sorted(
        [(minted("four"),), (minted("one", 1),)]
    )
