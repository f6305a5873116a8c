"""The journal's writes reach the warehouse exactly once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from contracts.settings import Settings
from flows.stages.drain import drain
from store.layout import Layout
from store.warehouse import open_warehouse, version

SETTINGS = Settings()


def write(seq: int, **changes: Any) -> dict[str, Any]:
    body = {
        "event_id": f"event_{seq}",
        "event_type": "view",
        "profile_id": "profile_x",
        "item_id": "sku-1",
        "created_at": "2024-05-01 10:00:00",
        "properties": {"b": 1.5, "a": 'x"y', "item_id": "sku-1"},
        **changes,
    }
    return {"seq": seq, "entity": "events", "body": json.dumps(body), "received_at": datetime(2026, 1, 1, 0, 0, seq)}


class Journal:
    def __init__(self, writes: list[dict[str, Any]]) -> None:
        self.writes = writes

    def between(self, after: int, up_to: int) -> Iterator[list[dict[str, Any]]]:
        found = [one for one in self.writes if after < one["seq"] <= up_to]
        for at in range(0, len(found), 2):
            yield found[at : at + 2]


def rows(layout: Layout, sql: str) -> list[tuple[Any, ...]]:
    with open_warehouse(layout, SETTINGS.pipeline) as con:
        return con.execute(sql).fetchall()


def test_each_write_is_drained_once(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.create()
    journal = Journal([write(seq) for seq in range(1, 6)])
    assert drain(layout, SETTINGS, journal.between, 3).loaded == 3
    assert drain(layout, SETTINGS, journal.between, 3).rows == 0
    assert drain(layout, SETTINGS, journal.between, 5).loaded == 2
    assert rows(layout, "SELECT count(*), count(DISTINCT event_id) FROM events") == [(5, 5)]
    assert rows(layout, "SELECT journal_seq, rows FROM journal_drains ORDER BY 1") == [(3, 3), (5, 2)]
    assert rows(layout, "SELECT DISTINCT properties FROM events") == [('{"a":"x\\"y","b":1.5,"item_id":"sku-1"}',)]


def test_known_events_and_other_writes_are_left_out(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.create()
    other = {"seq": 2, "entity": "unheard_of", "body": "{}", "received_at": datetime(2026, 1, 1)}
    journal = Journal([write(1), other, write(3, event_id="event_1"), write(4, created_at=None, properties=None)])
    report = drain(layout, SETTINGS, journal.between, 4)
    assert (report.rows, report.loaded, report.other) == (4, 2, 1)
    assert rows(layout, "SELECT created_at, properties FROM events WHERE event_id = 'event_4'") == [
        (datetime(2026, 1, 1, 0, 0, 4), "{}")
    ]


def test_a_reader_that_dies_leaves_nothing_behind(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.create()

    def dies(after: int, up_to: int) -> Iterator[list[dict[str, Any]]]:
        yield [write(1)]
        raise RuntimeError("gone")

    with pytest.raises(RuntimeError, match="gone"):
        drain(layout, SETTINGS, dies, 2)
    with open_warehouse(layout, SETTINGS.pipeline) as con:
        assert version(con) == 0
        assert con.execute("SELECT count(*) FROM journal_drains").fetchall() == [(0,)]
    assert drain(layout, SETTINGS, Journal([write(1), write(2)]).between, 2).loaded == 2
