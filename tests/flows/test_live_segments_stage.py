"""Events of files change live tags: once, in the order they happened, in the transaction that notes the file."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from contracts.settings import Ingest, Settings
from flows.stages.ingest import ingest
from flows.stages.live_segments import follow_files
from store.journal import Journal, documents, live_tags, outbox
from store.layout import Layout

SETTINGS = Settings(ingest=Ingest(settle_seconds=0.0, create_profiles=True, event_types=("cart",)))


def _drop(layout: Layout, name: str, rows: list[tuple[str, str, datetime]]) -> None:
    folder = layout.inbox / "events"
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        f"{kind},{profile},{at:%Y-%m-%d %H:%M:%S}," + ("visa,sku" if kind == "charged" else ",")
        for kind, profile, at in rows
    ]
    head = "event_type,customer_id,created_at,event_properties>>payment_method,event_properties>>item_id"
    (folder / name).write_text("\n".join([head, *lines]) + "\n")


def _tags(journal: Journal) -> dict[str, int]:
    with journal.reading() as connection:
        return live_tags.counts(connection)


def _sent(journal: Journal) -> int:
    with journal.reading() as connection:
        return len(outbox.listed(connection))


def test_a_files_events_are_applied_before_its_tags_are_swept(tmp_path: Path) -> None:
    layout, now = Layout(tmp_path), datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    hour = timedelta(hours=1)
    element: dict[str, Any] = {"exp_timeframe": 0, "action_inaction": "action", "event_properties": None}
    body = {
        "segment_name": "abandoned", "segment_type": "live", "segment_sub_type": 2, "segment_timeframe": 0,
        "event_sequence": [
            {**element, "event_type": "cart", "exp_timeframe": 30},
            {**element, "event_type": "charged", "action_inaction": "inaction"},
        ],
    }
    with Journal.open(layout, SETTINGS) as journal:
        with journal.writing() as connection:
            documents.put(connection, "segment", "segment_1", json.dumps(body), "test", now)
        _drop(layout, "a.csv", [
            ("charged", "bought", now - 2 * hour + timedelta(minutes=30)), ("cart", "bought", now - 2 * hour),
            ("cart", "left", now - 2 * hour), ("charged", "left", now - 2 * hour + timedelta(minutes=30, seconds=1)),
            ("cart", "long ago", now - 50 * hour), ("cart", "open", now),
        ])
        ingest(layout, SETTINGS, (), now)
        assert follow_files(layout, SETTINGS, journal) == 1
        assert _tags(journal) == {"segment_1": 1}
        assert _sent(journal) == 1
        assert follow_files(layout, SETTINGS, journal) == 0
        _drop(layout, "b.csv", [("charged", "open", now), ("charged", "left", now)])
        ingest(layout, SETTINGS, (), now)
        assert follow_files(layout, SETTINGS, journal) == 1
        assert _tags(journal) == {}
        assert _sent(journal) == 1


def test_an_event_that_waited_for_its_profile_is_evaluated_when_it_comes(tmp_path: Path) -> None:
    settings = replace(SETTINGS, ingest=replace(SETTINGS.ingest, create_profiles=False))
    layout, now = Layout(tmp_path), datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    hour = timedelta(hours=1)
    element = {"event_type": "cart", "exp_timeframe": 0, "action_inaction": "action", "event_properties": None}
    body = {
        "segment_name": "cart", "segment_type": "live", "segment_sub_type": 1, "segment_timeframe": 0,
        "event_sequence": [element],
    }

    def profile(name: str) -> None:
        folder = layout.inbox / "profiles"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.csv").write_text(f"customer_id,profile_data>>age\n{name},3\n")

    with Journal.open(layout, settings) as journal:
        with journal.writing() as connection:
            documents.put(connection, "segment", "segment_1", json.dumps(body), "test", now)
        profile("known")
        ingest(layout, settings, (), now)
        _drop(layout, "a.csv", [
            ("cart", "late", now - hour), ("cart", "late", now - hour), ("cart", "later", now - hour),
            ("cart", "old", now - 47 * hour), ("cart", "known", now - hour),
        ])
        ingest(layout, settings, (), now)
        assert follow_files(layout, settings, journal) == 1
        assert (_tags(journal), _sent(journal)) == ({"segment_1": 1}, 1)
        for name, tags in (("late", 2), ("old", 2), ("later", 3)):
            profile(name)
            # It is as old as it is when it can be told of.
            ingest(layout, settings, (), now + (2 * hour if name == "old" else timedelta()))
            for _ in range(2):
                assert follow_files(layout, settings, journal) == 0
                assert (_tags(journal), _sent(journal)) == ({"segment_1": tags}, tags)
        # Event and profile in one ingest, evaluated together.
        _drop(layout, "b.csv", [("cart", "last", now - hour)])
        ingest(layout, settings, (), now)
        profile("last")
        ingest(layout, settings, (), now)
        assert follow_files(layout, settings, journal) == 1
        assert (_tags(journal), _sent(journal)) == ({"segment_1": 4}, 4)
        assert follow_files(layout, settings, journal) == 0


def test_without_segments_files_are_only_noted(tmp_path: Path) -> None:
    layout, now = Layout(tmp_path), datetime(2024, 6, 1)
    with Journal.open(layout, SETTINGS) as journal:
        assert follow_files(layout, SETTINGS, journal) == 0
        _drop(layout, "a.csv", [("cart", "x", now)])
        ingest(layout, SETTINGS, (), now)
        assert follow_files(layout, SETTINGS, journal) == 0
        assert _sent(journal) == 0
