"""Live segments on a real journal: the contract's examples, and a simulation that knows nothing of the program."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.settings import LiveSegments as Terms
from contracts.settings import Settings
from segments.live import Happened
from store.journal import Journal, Write, documents, live_tags, outbox
from store.layout import Layout
from store.live_segments import LiveSegments

NOON = datetime(2024, 6, 1, 12, 0, 0)
SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)
ELEMENT = {"exp_timeframe": 0, "action_inaction": "action", "event_properties": None}


class World:
    """A journal with a clock that is set."""

    def __init__(self, home: Path, terms: Terms | None = None) -> None:
        terms = terms or Terms()
        self.now = NOON
        self.journal = Journal.open(Layout(home), Settings(), lambda: self.now)
        self.segments = LiveSegments(terms)
        self.journal.observers.append(LiveSegments(terms).on_writes)

    def define(self, segment_id: str, *sequence: dict[str, Any], sub_type: int, name: str = "tag") -> None:
        body = {
            "segment_name": name, "segment_type": "live", "segment_sub_type": sub_type, "segment_timeframe": 0,
            "event_sequence": [{**ELEMENT, **element} for element in sequence],
        }
        with self.journal.writing() as connection:
            documents.put(connection, "segment", segment_id, json.dumps(body), "test", self.now)
            self.segments.opened(connection, segment_id, self.now)

    def cart(self, minutes: int = 5) -> None:
        self.define(
            "segment_9", {"event_type": "cart", "exp_timeframe": minutes},
            {"event_type": "charged", "action_inaction": "inaction"}, sub_type=2, name="cart_abandon",
        )

    def event(self, event_type: str, at: datetime, profile: str = "profile_1", **properties: Any) -> None:
        body = {
            "event_type": event_type, "profile_id": profile, "customer_id": profile, "item_id": None,
            "created_at": f"{at:%Y-%m-%d %H:%M:%S}", "properties": properties,
        }
        self.journal.append([Write("events", profile, "create", json.dumps(body, separators=(",", ":")))])

    def sweep(self) -> int:
        with self.journal.writing() as connection:
            return self.segments.sweep(connection, self.now)

    def tags(self) -> dict[str, str]:
        with self.journal.reading() as connection:
            names = [f"profile_{number}" for number in range(10)]
            return {profile: tag.status for (_, profile), tag in live_tags.of(connection, names).items()}

    def sent(self) -> list[dict[str, Any]]:
        with self.journal.reading() as connection:
            return [json.loads(one.message) for one in outbox.listed(connection)]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.journal.close()


def test_a_match_tags_and_tells_once(world: World) -> None:
    world.define("segment_1", {"event_type": "login", "event_properties": {"device": "ios", "count": 2.0}}, sub_type=1)
    world.event("login", NOON, device="ios")
    world.event("login", NOON, device="web", count=2)
    assert world.tags() == {}
    world.event("login", NOON, device="ios", count=2)
    world.now += MINUTE
    world.event("login", NOON, device="ios", count="2")
    assert world.tags() == {"profile_1": "active"}
    assert world.sent() == [{
        "subject": "Live segment tag created", "date_time": "Sat, 01 Jun 2024 12:00:00 GMT",
        "body": {"profile_id": "profile_1", "segment": {"segment_id": "segment_1", "segment_tag": "tag"}},
    }]


@pytest.mark.parametrize(("bought", "tags"), [(300, {}), (301, {"profile_1": "active"})])
def test_the_example_of_the_contract(world: World, bought: int, tags: dict[str, str]) -> None:
    """Action at 10:00:00, 5 minutes: a purchase at 10:05:00 cancels, one at 10:05:01 does not."""
    world.cart()
    world.event("cart", NOON)
    assert world.tags() == {"profile_1": "pending"}
    world.now = NOON + timedelta(seconds=bought)
    world.event("charged", world.now, payment_method="visa", item_id="sku-1")
    world.now += timedelta(seconds=15)
    world.sweep()
    assert world.tags() == tags
    assert len(world.sent()) == len(tags)


def test_a_deadline_is_over_when_its_second_is(world: World) -> None:
    world.cart()
    world.event("cart", NOON)
    world.now = NOON + 5 * MINUTE + timedelta(milliseconds=999)
    assert world.sweep() == 0
    world.now = NOON + 5 * MINUTE + SECOND
    assert world.sweep() == 1
    assert world.sweep() == 0
    assert len(world.sent()) == 1


def test_further_actions_change_nothing_and_a_later_inaction_opens_the_next_episode(world: World) -> None:
    world.cart()
    world.event("cart", NOON)
    world.now = NOON + 4 * MINUTE
    world.event("cart", world.now)
    world.now = NOON + 6 * MINUTE
    world.sweep()
    world.event("cart", world.now)
    assert world.tags() == {"profile_1": "active"}
    world.event("charged", world.now)
    assert world.tags() == {}
    world.now += SECOND
    world.event("cart", world.now)
    assert world.tags() == {"profile_1": "pending"}
    world.now += 6 * MINUTE
    world.sweep()
    assert world.tags() == {"profile_1": "active"}
    assert len(world.sent()) == 2
    with world.journal.reading() as connection:
        assert [change for _, _, change, _ in live_tags.changes(connection)] == ["enter", "exit", "enter"]


def test_an_inaction_that_arrived_before_its_action_cancels(world: World) -> None:
    world.cart()
    world.event("charged", NOON + 2 * MINUTE)
    world.event("cart", NOON)
    assert world.tags() == {}
    world.event("cart", NOON + 3 * MINUTE)
    assert world.tags() == {"profile_1": "pending"}


def test_so_does_one_that_was_in_the_journal_before_the_segment(world: World) -> None:
    world.event("charged", NOON + 2 * MINUTE)
    world.cart()
    world.event("cart", NOON)
    assert world.tags() == {}


def test_old_events_are_stored_and_change_nothing(world: World) -> None:
    world.define("segment_1", {"event_type": "login"}, sub_type=1)
    world.event("login", NOON - timedelta(hours=48, seconds=1))
    assert world.tags() == {}
    assert world.journal.last_seq() == 1
    world.event("login", NOON - timedelta(hours=48))
    assert world.tags() == {"profile_1": "active"}


def test_tags_end_after_their_time_and_can_be_made_anew(tmp_path: Path) -> None:
    world = World(tmp_path, Terms(tag_ttl_days=1))
    world.define("segment_1", {"event_type": "login"}, sub_type=1)
    world.event("login", NOON)
    world.now = NOON + DAY - SECOND
    assert world.sweep() == 0
    world.now = NOON + DAY
    assert world.sweep() == 1
    assert world.tags() == {}
    world.event("login", world.now)
    world.now += 2 * DAY
    world.event("login", world.now)
    assert world.tags() == {"profile_1": "active"}
    assert len(world.sent()) == 3
    world.journal.close()


def test_overdue_tags_are_handled_after_a_restart(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.cart()
    world.event("cart", NOON)
    world.journal.close()
    again = World(tmp_path)
    again.now = NOON + DAY
    assert again.sweep() == 1
    assert again.tags() == {"profile_1": "active"}
    assert len(again.sent()) == 1
    again.journal.close()


def test_a_deleted_segment_takes_its_tags(world: World) -> None:
    world.cart()
    world.event("cart", NOON)
    with world.journal.writing() as connection:
        documents.delete(connection, "segment", "segment_9", "test", world.now)
        world.segments.closed(connection, "segment_9", world.now)
    world.now += DAY
    assert world.sweep() == 0
    assert world.tags() == {}
    assert world.sent() == []


def test_an_event_that_is_not_stored_changes_nothing(world: World) -> None:
    world.cart()
    with pytest.raises(RuntimeError), world.journal.writing() as connection:
        world.segments.on_events(connection, [Happened("profile_1", "cart", NOON, {})], NOON)
        raise RuntimeError
    assert world.tags() == {}


def test_merged_profiles_keep_the_earlier_and_the_active_tag(world: World) -> None:
    world.cart()
    for profile, at in (("profile_1", NOON), ("profile_2", NOON + MINUTE)):
        world.now = at
        world.event("cart", at, profile)
    world.now = NOON + 5 * MINUTE + SECOND
    world.sweep()
    assert world.tags() == {"profile_1": "active", "profile_2": "pending"}
    with world.journal.writing() as connection:
        live_tags.merge(connection, "profile_1", "profile_2", world.now)
    assert world.tags() == {"profile_2": "active"}


# A simulation, from the words of the contract, by lists and without a state machine's tables.

STEP = st.tuples(
    st.sampled_from(["cart", "charged", "both", "sweep"]), st.integers(0, 9), st.integers(0, 12), st.integers(1, 2)
)


class Naive:
    def __init__(self, window: int) -> None:
        self.window = window
        self.arrived: list[tuple[str, int]] = []
        self.pending: dict[str, int] = {}
        self.active: set[str] = set()
        self.told: list[str] = []

    def event(self, profile: str, at: int, *, acts: bool, ends: bool) -> None:
        if ends:
            self.arrived.append((profile, at))
            opened = self.pending.get(profile)
            if profile in self.active:
                self.active.remove(profile)
            elif opened is not None and opened <= at <= opened + self.window:
                del self.pending[profile]
        stands = profile in self.active or profile in self.pending
        if acts and not stands and not self.ended(profile, at):
            self.pending[profile] = at

    def ended(self, profile: str, at: int) -> bool:
        return any(who == profile and at <= when <= at + self.window for who, when in self.arrived)

    def sweep(self, now: int) -> None:
        for profile, at in sorted(self.pending.items()):
            if at + self.window < now:
                del self.pending[profile]
                self.active.add(profile)
                self.told.append(profile)


@settings(max_examples=60, deadline=None)
@given(st.lists(STEP, max_size=25))
def test_any_sequence_of_events_and_sweeps(steps: list[tuple[str, int, int, int]]) -> None:
    """Late, early and future events; some match both elements."""
    with tempfile.TemporaryDirectory() as home:
        world, naive = World(Path(home)), Naive(4 * 60)
        world.define(
            "s", {"event_type": "go", "exp_timeframe": 4, "event_properties": {"acts": True}},
            {"event_type": "go", "action_inaction": "inaction", "event_properties": {"ends": True}}, sub_type=2,
        )
        minute = 0
        for kind, passed, back, number in steps:
            minute += passed
            world.now, profile, at = NOON + minute * MINUTE, f"profile_{number}", minute - back + 2
            if kind == "sweep":
                world.sweep()
                naive.sweep(minute * 60)
                continue
            acts, ends = kind in ("cart", "both"), kind in ("charged", "both")
            world.event("go", NOON + at * MINUTE, profile, acts=acts, ends=ends)
            naive.event(profile, at * 60, acts=acts, ends=ends)
        expected = {**dict.fromkeys(naive.pending, "pending"), **dict.fromkeys(naive.active, "active")}
        assert world.tags() == expected
        assert sorted(one["body"]["profile_id"] for one in world.sent()) == sorted(naive.told)
        world.journal.close()
