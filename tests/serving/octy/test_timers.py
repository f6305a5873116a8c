"""Timers of accounts that nobody asks anything of."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from pathlib import Path

from contracts.settings import Settings
from serving.app import Endpoint
from store.journal import Journal, Write, documents, live_tags, utc_now
from store.layout import Layout
from store.live_segments import LiveSegments
from tests.serving.served import serving


def test_overdue_tags_of_every_account_are_handled_after_a_start(tmp_path: Path) -> None:
    settings, element = Settings(), {"exp_timeframe": 0, "action_inaction": "action", "event_properties": None}
    body = {
        "segment_name": "abandoned", "segment_type": "live", "segment_sub_type": 2, "segment_timeframe": 0,
        "event_sequence": [
            {**element, "event_type": "cart", "exp_timeframe": 2},
            {**element, "event_type": "charged", "action_inaction": "inaction"},
        ],
    }
    at = utc_now() - timedelta(hours=1)
    event = {
        "event_type": "cart", "profile_id": "p", "typed": True, "item_id": None, "properties": {},
        "created_at": f"{at:%Y-%m-%d %H:%M:%S}",
    }
    own, other = Layout(tmp_path), Layout(tmp_path, "other")
    own.create()
    other.create()
    with Journal.open(other, settings) as journal:
        journal.observers.append(LiveSegments(settings.live_segments).on_writes)
        with journal.writing() as connection:
            documents.put(connection, "segment", "segment_1", json.dumps(body), "test", journal.clock())
        journal.append([Write("events", "p", "create", json.dumps(event))])
        with serving(Endpoint(own, settings)):
            deadline, counted = time.monotonic() + 15, 0
            while not counted and time.monotonic() < deadline:
                time.sleep(0.1)
                with journal.reading() as connection:
                    counted = live_tags.counts(connection).get("segment_1", 0)
        assert counted == 1
