"""Live segments of sub-type 2 with many concurrent episodes: when each tag became active after it was due, none early,
none twice, across a restart. ``python -m benchmarks.live_segments --episodes 10000``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from contracts.settings import Settings
from serving.background import Background
from store.journal import Journal, Write, documents, live_tags, outbox, utc_now
from store.layout import Layout

SPREAD = 10  # seconds over which the deadlines lie


def main() -> None:
    """Open the episodes, serve, restart in the middle, and print what was measured as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--episodes", type=int, default=10_000)
    episodes = parser.parse_args().episodes
    with tempfile.TemporaryDirectory() as home:
        print(json.dumps(measure(Path(home), episodes), indent=1))


def measure(home: Path, episodes: int) -> dict[str, Any]:
    """Delays in seconds between a tag's due moment and its activation, and what went wrong."""
    layout, settings = Layout(home), Settings()
    with Journal.open(layout, settings) as journal:
        _define(journal)
        background = Background(journal, settings)
        start = utc_now().replace(microsecond=0) - timedelta(minutes=2) + timedelta(seconds=15)
        began = time.perf_counter()
        for at in range(0, episodes, 500):
            journal.append([
                _event(f"profile_{number:032x}", start + timedelta(seconds=number % SPREAD))
                for number in range(at, min(at + 500, episodes))
            ])
        stored = time.perf_counter() - began
        background.start()
        _wait(start + timedelta(minutes=2, seconds=SPREAD / 2))
        background.stop()
    with Journal.open(layout, settings) as journal:  # a restart
        background = Background(journal, settings)
        background.start()
        deadline = time.monotonic() + 60
        while _count(journal) < episodes and time.monotonic() < deadline:
            time.sleep(0.1)
        background.stop()
        with journal.reading() as connection:
            entered = live_tags.changes(connection)
            told = len(outbox.listed(connection))
    delays = sorted(
        (at - (start + timedelta(minutes=2, seconds=int(profile[8:], 16) % SPREAD))).total_seconds()
        for _, profile, _, at in entered
    )
    return {
        "episodes": episodes, "events_per_second_stored_and_evaluated": round(episodes / stored),
        "activated": len(entered), "notifications": told, "twice": len(entered) - len({one[1] for one in entered}),
        "early": sum(delay <= 0 for delay in delays), "later_than_two_seconds": sum(delay > 2 for delay in delays),
        "median_delay": delays[len(delays) // 2], "longest_delay": delays[-1],
    }


def _wait(until: Any) -> None:
    time.sleep(max(0.0, (until - utc_now()).total_seconds()))


def _count(journal: Journal) -> int:
    with journal.reading() as connection:
        return sum(live_tags.counts(connection).values())


def _define(journal: Journal) -> None:
    element = {"exp_timeframe": 0, "action_inaction": "action", "event_properties": None}
    body = {
        "segment_name": "abandoned", "segment_type": "live", "segment_sub_type": 2, "segment_timeframe": 0,
        "event_sequence": [
            {**element, "event_type": "cart", "exp_timeframe": 2},
            {**element, "event_type": "charged", "action_inaction": "inaction"},
        ],
    }
    with journal.writing() as connection:
        documents.put(connection, "segment", "segment_1", json.dumps(body), "benchmark", journal.clock())


def _event(profile: str, at: Any) -> Write:
    body = {
        "event_type": "cart", "profile_id": profile, "typed": True, "item_id": None, "properties": {},
        "created_at": f"{at:%Y-%m-%d %H:%M:%S}",
    }
    return Write("events", profile, "create", json.dumps(body))


if __name__ == "__main__":
    main()
