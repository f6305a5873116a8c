"""What is written through the API is read the same before a night and after it, from a real serving pack."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.drain_law import consistent, picture
from contracts.settings import Settings
from flows.night import Outcome
from serving.effective import Effective
from serving.live import Live
from store.journal import Journal, Write
from store.layout import Layout

PROPERTIES = {
    "item_property": {
        "price": ("float64", False), "labels": ("unicode16", True), "blurb": ("text", False), "stock": ("int16", False),
    },
    "user_property": {"Plan": ("unicode32", False)},
}


def write(entity: str, key: str, op: str, **body: Any) -> Write:
    return Write(entity, key, op, json.dumps(body))


def declare(journal: Journal) -> None:
    for kind, named in PROPERTIES.items():
        for name, (value_type, repeated) in named.items():
            body = {"property_name": name, "value_type": value_type, "repeated": repeated, "metadata": {}}
            journal.put_document(kind, name.lower(), json.dumps(body), "test")


def state(layout: Layout, journal: Journal) -> Effective:
    live = Live(layout, Settings(), journal)
    live.open_now()
    return live.effective()


@pytest.mark.slow
def test_a_night_changes_nothing_that_was_written(shop: Path, nightly: Callable[..., Outcome]) -> None:
    layout = Layout(shop)
    with Journal.open(layout, Settings()) as journal:
        declare(journal)
        before = state(layout, journal)
        known_item, other_item, third_item = list(before.item_ids())[:3]
        known_user, other_user = list(before.user_ids())[:2]
        met = before.interactions(known_user)
        assert met and before.n_interactions(known_user) == len(met)
        journal.append([
            write("items", known_item, "patch", item_id=known_item,
                  properties={"price": 2.5, "labels": ["b", "a"], "item_name": None, "blurb": "Red shoes"}),
            write("items", "a", "put", item_id="a", properties={"price": 1.0, "stock": 3, "item_name": "new"}),
            write("items", other_item, "delete", item_id=other_item),
            write("items", third_item, "put", item_id=third_item, properties={"labels": ["x"]}),
            write("profiles", known_user, "patch", customer_id=known_user, properties={"Plan": "gold"}),
            write("profiles", "u1", "put", customer_id="u1", properties={"Plan": "silver"}),
            write("profiles", other_user, "delete", customer_id=other_user),
            write("ratings", known_user, "put", customer_id=known_user, item_id=known_item, rating=7.5, at=5_000_000),
            write("ratings", "u2", "put", customer_id="u2", item_id="unknown", rating=3.0, at=123_456),
            write("events", "5", "create", event_id="event_x", event_type="view", profile_id="5", item_id=known_item,
                  at=1_700_000_000_000_001, properties={"n": {"z": 1, "a": [1.5]}}),
            write("events", "5", "create", event_id="event_w", event_type="an \"old\" one, \'quoted\'", profile_id="5",
                  item_id="gone", at=-62_135_596_800_000_000, properties={}),
            write("session_events", "s1", "put", event_id="event_y", event_type="buy", session_id="s1",
                  item_id=third_item, at=77, properties={}),
            write("session_resolve", "s1", "put", session_id="s1", customer_id=known_user, at=99),
            write("session_events", "s2", "put", event_id="event_z", event_type="buy", session_id="s2", item_id="a",
                  at=-62_135_596_800_000_000, properties={}),
        ])
        first = state(layout, journal)
        wanted = picture(first)
        consistent(first)
        assert wanted["items"]["a"] == {"price": 1.0, "stock": 3, "item_name": "new"}
        assert "item_name" not in wanted["items"][known_item] and other_item not in wanted["items"]
        outcome = nightly(shop)
        assert outcome.made and journal.pointer() is not None
        second = state(layout, journal)
        assert second.run.item_row("a") >= 0, "the run has it now"
        assert not second.changes.items.rows and not second.changes.interactions
        assert picture(second) == wanted
        consistent(second)
        assert second.run.item_types["price"].value_type == "float64"
        assert second.properties("user")["plan"].name == "Plan"
        assert second.catalogue().columns["blurb"].of_item(second.run.item_row(known_item)) == ["red", "shoes"]
        journal.append([write("profiles", known_user, "erase", customer_id=known_user, sessions=["s1"])])
        third = picture(state(layout, journal))
        assert known_user not in third["users"] and third["sessions"]["s1"] == []
        nightly(shop)
        assert picture(state(layout, journal)) == third
