"""Files that deliver what happened in sessions, through a source mapping."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from contracts.definitions import Source
from contracts.settings import Ingest, Settings
from flows.stages.ingest import IngestReport, ingest
from store.layout import Layout
from store.warehouse import open_warehouse, warehouse_digest
from transforms.sources import parse_source

NOW = datetime(2026, 1, 1)
SETTINGS = Settings(ingest=Ingest(settle_seconds=0.0))
MAPPING = """
name: clicks
match: clicks/*
event_types: [view]
entities:
  - entity: events
    columns: {event_type: "'view'", session_id: visit, customer_id: who, created_at: moment, item_id: item}
"""
HEAD = "visit,who,moment,item\n"


def source(text: str = MAPPING) -> Source:
    parsed = parse_source(yaml.safe_load(text), "clicks.yaml")
    assert parsed.problems == () and parsed.source is not None
    return parsed.source


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path)
    made.create()
    (made.inbox / "clicks").mkdir()
    (made.inbox / "profiles" / "p.csv").write_text("customer_id,profile_data>>age\nc-1,30\nc-2,40\n")
    ingest(made, SETTINGS, (), NOW)
    return made


def deliver(layout: Layout, name: str, *lines: str, mapping: Source | None = None) -> IngestReport:
    (layout.inbox / "clicks" / name).write_text(HEAD + "".join(f"{line}\n" for line in lines))
    return ingest(layout, SETTINGS, (mapping or source(),), NOW)


def rows(layout: Layout, query: str) -> list[tuple[Any, ...]]:
    with open_warehouse(layout, SETTINGS.pipeline) as con:
        return con.execute(query).fetchall()


def of_events(layout: Layout) -> list[tuple[Any, ...]]:
    return rows(layout, "SELECT customer_id, e.item_id, minute(e.created_at) FROM events e JOIN profiles "
                        "USING (profile_id) ORDER BY 3, 1")


def test_events_of_nobody_belong_to_their_session_until_it_is_somebodys(layout: Layout) -> None:
    first = ["s1,,2025-01-01 10:00:00,a", "s1,,2025-01-01 10:01:00,b", "s2,,2025-01-01 10:02:00,a",
             ",c-2,2025-01-01 10:03:00,c"]
    report = deliver(layout, "1.csv", *first)
    assert (report.loads[0].rows_loaded, report.rows_quarantined) == (4, 0)
    assert rows(layout, "SELECT session_id, item_id, properties FROM session_events ORDER BY created_at") == [
        ("s1", "a", '{"item_id":"a"}'), ("s1", "b", '{"item_id":"b"}'), ("s2", "a", '{"item_id":"a"}'),
    ]
    assert of_events(layout) == [("c-2", "c", 3)]
    # Again under another name, with a row more: only that is new, and makes the session a profile's.
    report = deliver(layout, "2.csv", *first, "s1,c-1,2025-01-01 10:04:00,d")
    assert (report.loads[0].rows_loaded, report.loads[0].rows_already) == (1, 4)
    assert rows(layout, "SELECT session_id, customer_id FROM sessions JOIN profiles USING (profile_id)") == [
        ("s1", "c-1")
    ]
    assert of_events(layout) == [("c-1", "a", 0), ("c-1", "b", 1), ("c-2", "c", 3), ("c-1", "d", 4)]
    # What comes of that session later is the profile's at once.
    deliver(layout, "3.csv", "s1,,2025-01-01 10:05:00,e", "s1,,2025-01-01 10:05:00,e")
    assert of_events(layout)[4:] == [("c-1", "e", 5), ("c-1", "e", 5)]
    assert rows(layout, "SELECT count(*), count(DISTINCT event_id) FROM session_events") == [(6, 6)]


def test_how_rows_are_delivered_does_not_matter(tmp_path: Path) -> None:
    lines = [f"s{n % 3},{'c-1' if n == 7 else ''},2025-01-01 10:{n:02}:00,i{n % 4}" for n in range(20)]
    digests = set()
    for at, pieces in enumerate(([lines], [lines[:9], lines[9:]], [lines[9:], lines[:9]], [lines, lines[::2]])):
        layout = Layout(tmp_path / str(at))
        layout.create()
        (layout.inbox / "clicks").mkdir()
        (layout.inbox / "profiles" / "p.csv").write_text("customer_id\nc-1\n")
        ingest(layout, SETTINGS, (), NOW)
        for number, piece in enumerate(pieces):
            deliver(layout, f"{number}.csv", *piece)
        with open_warehouse(layout, SETTINGS.pipeline) as con:
            digests.add(warehouse_digest(con))
    assert len(digests) == 1


def test_a_visit_that_waits_for_its_profile_keeps_its_session(tmp_path: Path) -> None:
    lines = ["s1,,2025-01-01 10:00:00,a", "s1,c-9,2025-01-01 10:05:00,b", ",c-9,2025-01-01 10:06:00,c"]
    people = "customer_id\nc-9\n"
    digests = []
    for people_first in (True, False):
        layout = Layout(tmp_path / str(people_first))
        layout.create()
        (layout.inbox / "clicks").mkdir()
        for step in (people_first, not people_first):
            if step:
                (layout.inbox / "profiles" / "p.csv").write_text(people)
                ingest(layout, SETTINGS, (source(),), NOW)
            else:
                deliver(layout, "1.csv", *lines)
        assert of_events(layout) == [("c-9", "a", 0), ("c-9", "b", 5), ("c-9", "c", 6)]
        assert rows(layout, "SELECT session_id, customer_id FROM sessions JOIN profiles USING (profile_id)") == [
            ("s1", "c-9")
        ]
        assert rows(layout, "SELECT item_id FROM session_events ORDER BY created_at") == [("a",), ("b",)]
        assert rows(layout, "SELECT count(*) FROM pending_events") == [(0,)]
        with open_warehouse(layout, SETTINGS.pipeline) as con:
            digests.append(warehouse_digest(con))
    assert digests[0] == digests[1]


def test_a_warehouse_of_an_earlier_version_gets_the_columns_that_came_later(layout: Layout) -> None:
    with open_warehouse(layout, SETTINGS.pipeline) as con:
        con.execute("ALTER TABLE pending_events DROP COLUMN session_id")
        con.execute("UPDATE warehouse_state SET schema_version = 5")
    deliver(layout, "1.csv", "s1,c-9,2025-01-01 10:05:00,b")
    assert rows(layout, "SELECT profile_key, session_id FROM pending_events") == [("c-9", "s1")]


def test_faults(layout: Layout) -> None:
    report = deliver(
        layout, "1.csv", ",,2025-01-01 10:00:00,a", '"s,1",,2025-01-01 10:00:00,a', "s1,nobody,2025-01-01 10:00:00,a",
        "s1,,soon,a", "s1,,2025-01-01 10:00:00,a",
    )
    assert report.loads[0].rows_loaded == 1
    assert rows(layout, "SELECT line, column_name, rule FROM quarantine ORDER BY line, rule") == [
        (2, "session_id", "missing_required"), (3, "session_id", "bad_identifier"),
        (4, "customer_id", "unknown_profile"), (5, "created_at", "bad_timestamp"),
    ]
    assert rows(layout, "SELECT count(*) FROM events") == [(0,)]


def test_a_mapping_of_sessions_alone(layout: Layout) -> None:
    report = deliver(layout, "1.csv", "s1,,2025-01-01 10:00:00,a", mapping=source(MAPPING.replace(
        "customer_id: who, ", ""
    )))
    assert report.loads[0].rows_loaded == 1
    assert rows(layout, "SELECT session_id FROM session_events") == [("s1",)]


def test_a_plain_file_has_no_sessions(layout: Layout) -> None:
    (layout.inbox / "events" / "e.csv").write_text(
        "event_type,customer_id,session_id,event_properties>>item_id\ncharged,c-1,s1,a\n"
    )
    assert ingest(layout, SETTINGS, (), NOW).rows_loaded == 1
    assert rows(layout, "SELECT (SELECT count(*) FROM session_events), (SELECT count(*) FROM events)") == [(0, 1)]
