"""What bulk writes cost: the journal, the endpoint's overlay and columns, and the drain into the warehouse.

``python -m benchmarks.writes --items 100000 --bulks 6``
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.synthetic_run import write_run
from contracts.settings import Settings
from flows.stages.drain import drain
from scenarios.spec import Filter
from serving.live import Live
from store.journal import Journal, Write
from store.layout import Layout

BULK = 16_384
PROPERTIES = {"price": ("float64", False), "labels": ("unicode16", True), "stock": ("int32", False)}


def bulk(kind: str, number: int) -> list[Write]:
    """One bulk request's writes: items, ratings or interactions."""
    made: list[Write] = []
    for at in range(BULK):
        item_id, user_id = f"i-{at:07}", f"c-{(at * 7 + number) % 5000}"
        body: dict[str, Any]
        if kind == "items":
            values = {"price": at + number / 8, "labels": ["a", f"b{at % 50}"], "stock": at, "item_price": at}
            body = {"item_id": item_id, "properties": values}
            made.append(Write("items", item_id, "put", json.dumps(body)))
        elif kind == "ratings":
            body = {"customer_id": user_id, "item_id": item_id, "rating": 5.0, "at": at}
            made.append(Write("ratings", user_id, "put", json.dumps(body)))
        else:
            body = {
                "event_id": f"event_{number}_{at}", "event_type": "view", "profile_id": user_id, "item_id": item_id,
                "at": at, "properties": {},
            }
            made.append(Write("events", user_id, "create", json.dumps(body)))
    return made


def timed(work: Callable[[], Any]) -> float:
    """Milliseconds of a call."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def measure(items: int, bulks: int) -> None:
    """Print the figures."""
    settings = Settings()
    with tempfile.TemporaryDirectory() as home:
        layout = Layout(Path(home))
        layout.create()
        with Journal.open(layout, settings) as journal:
            write_run(layout, "r1", 20_000, items, 10, 1, settings)
            journal.record_run("r1", "building")
            journal.promote("r1", 0, "benchmark")
            for name, (kind, repeated) in PROPERTIES.items():
                body = {"property_name": name, "value_type": kind, "repeated": repeated}
                journal.put_document("item_property", name, json.dumps(body), "benchmark")
            live = Live(layout, settings, journal)
            live.open_now()

            def look() -> None:
                catalogue = live.effective().catalogue()
                catalogue.mask(Filter("price", "gt", 3.0))
                catalogue.mask(Filter("item_price", "lt", 1000))

            look()
            for kind in ("items", "ratings", "interactions"):
                for number in range(bulks):
                    writes = bulk(kind, number)
                    stored = timed(lambda writes=writes: journal.append(writes))  # type: ignore[misc]
                    seen = timed(live.effective)
                    looked = timed(look)
                print(f"{BULK} {kind}: stored in {stored:.0f} ms, seen in {seen:.0f} ms, first look {looked:.0f} ms")
            patch = json.dumps({"item_id": "i-0000001", "properties": {"price": 1.0}})
            journal.append([Write("items", "i-0000001", "patch", patch)])
            print(f"one patch after them: seen and two filters judged over {items} items in {timed(look):.1f} ms")
            total = journal.last_seq()
            took = timed(lambda: drain(layout, settings, journal.writes_between, total))
            print(f"drain of {total} writes: {took / 1000:.1f} s, {total / took * 1000:.0f} writes/s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--bulks", type=int, default=6)
    asked = parser.parse_args()
    measure(asked.items, asked.bulks)
