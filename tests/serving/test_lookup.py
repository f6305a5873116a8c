"""Laws of a list: nothing forbidden, nothing twice, full while anything eligible is left."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.synthetic_run import write_run
from contracts.settings import Recommendations, Settings
from serving import answers
from serving.live import Live, View
from serving.lookup import Ranked, for_item, for_profile, for_session
from store.journal import Journal, Write
from store.layout import Layout

PROFILES, ITEMS, WIDTH = 60, 70, 8
AMOUNTS = st.integers(0, ITEMS + 5)
EXCLUDED = st.sets(st.integers(0, ITEMS - 1))


def event(profile: str, item: int, kind: str = "charged") -> Write:
    body = {"event_type": kind, "profile_id": profile, "item_id": f"i-{item:07d}", "properties": {}}
    return Write("events", profile, "create", orjson.dumps(body).decode())


def open_view(home: Path, settings: Settings, writes: list[Write]) -> Iterator[View]:
    layout = Layout(home)
    with Journal.open(layout, settings) as journal:
        write_run(layout, "r1", PROFILES, ITEMS, WIDTH, seed=3, settings=settings)
        journal.record_run("r1", "building")
        journal.promote("r1", 0, "test")
        journal.append(writes)
        live = Live(layout, settings, journal)
        live.open_now()
        view = live.view()
        assert view is not None
        yield view


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> Iterator[View]:
    writes = [event("c-7", 0), event("c-7", 20), event("stranger", 0), event("c-8", 1, "viewed"), event("c-9", 10**6)]
    yield from open_view(tmp_path_factory.mktemp("home"), Settings(), writes)


def eligible(view: View) -> set[int]:
    return {item for item in range(ITEMS) if view.pack.eligible[item]}


def check(view: View, ranked: Ranked, amount: int, forbidden: set[int]) -> None:
    assert len(ranked.items) == len(ranked.scores) == min(amount, len(eligible(view) - forbidden))
    assert len(set(ranked.items)) == len(ranked.items)
    assert not forbidden & set(ranked.items) and set(ranked.items) <= eligible(view)
    orjson.loads(answers.listed(view, ranked))


@given(st.integers(0, PROFILES - 1), AMOUNTS, EXCLUDED)
def test_lists_of_profiles(view: View, number: int, amount: int, excluded: set[int]) -> None:
    asked = f"c-{number}"
    row = view.pack.profile_row(asked)
    ranked = for_profile(view, row, asked, amount, sorted(excluded))
    seen = set(view.pack.seen(row)) | ({0, 20} if number == 7 else set())
    check(view, ranked, amount, seen | excluded)
    stored = [item for item in view.pack.lists.row(row) if item >= 0 and item not in seen | excluded][:amount]
    assert ranked.items[: len(stored)] == stored
    rest = [item for item in range(ITEMS) if item in eligible(view) - seen - excluded - set(stored)]
    assert ranked.items[len(stored) :] == rest[: amount - len(stored)], "then the popular order"
    assert ranked.scores[len(stored) :] == [b"null"] * (len(ranked.items) - len(stored))


@given(st.integers(0, ITEMS - 1), AMOUNTS, EXCLUDED)
def test_lists_of_items(view: View, item: int, amount: int, excluded: set[int]) -> None:
    check(view, for_item(view, item, amount, sorted(excluded)), amount, excluded | {item})


@given(st.lists(st.integers(0, ITEMS - 1), max_size=30), AMOUNTS, EXCLUDED)
def test_lists_of_sessions(view: View, items: list[int], amount: int, excluded: set[int]) -> None:
    ranked = for_session(view, items, amount, sorted(excluded))
    check(view, ranked, amount, excluded | set(items))
    weights: dict[int, float] = {}
    for age, item in enumerate(list(dict.fromkeys(items))[:20]):
        for rank, neighbour in enumerate(view.pack.neighbours.row(item)):
            if neighbour >= 0:
                weights[neighbour] = weights.get(neighbour, 0.0) + 0.9**age / (1 + rank)
    allowed = [item for item in weights if item in eligible(view) - excluded - set(items)]
    expected = sorted(allowed, key=lambda item: (-round(weights[item], 9), item))[:amount]
    found = ranked.items[: len(expected)]
    assert [round(weights[item], 9) for item in found] == [round(weights[item], 9) for item in expected]


def test_unknown_profiles_and_those_without_a_list_are_cold(view: View) -> None:
    stranger = for_profile(view, -1, "stranger", 3, [])
    assert (stranger.cold, stranger.model) == (False, view.pack.models[view.pack.neighbours_model[0]])
    assert stranger.items == for_session(view, [0], 3, []).items and 0 not in stranger.items
    another = for_profile(view, -1, "another", 1, [])
    assert (another.items, another.cold, another.model) == ([0], True, "popular")
    minted = "profile_" + __import__("hashlib").sha256(b"stranger\n0").hexdigest()[:32]
    assert for_profile(view, -1, minted, 3, []).items == stranger.items
    row = next(row for row in range(PROFILES) if row % 10 == 9)
    assert for_profile(view, row, "", 1, []).cold


def test_a_profile_unknown_to_the_run_is_followed_by_its_newest_items(tmp_path: Path) -> None:
    ranking = dataclasses.replace(Settings().recommendations, event_weights={"charged": 1.0, "viewed": 0.1})
    settings = dataclasses.replace(Settings(), recommendations=ranking)
    met = [*range(25), 3]
    writes = [event("new", item, "viewed") for item in met] + [event("new", 30), event("new", 31, "unweighted")]
    for view in open_view(tmp_path, settings, writes):
        newest = [30, 3, *range(24, 6, -1)]
        assert view.overlay.recent_of_stranger("new") == newest
        ranked = for_profile(view, -1, "new", 10, [5])
        assert 30 not in ranked.items and 5 not in ranked.items, "bought, and left out; what was viewed may come"
        free = {item for row in newest for item in view.pack.neighbours.row(row)} & eligible(view) - {30, 5}
        assert set(ranked.items) <= free and not ranked.cold


def test_only_interactions_exclude(view: View) -> None:
    assert view.overlay.writes == 5
    assert view.overlay.seen(view.pack.profile_row("c-8")) == frozenset()
    assert view.overlay.seen(view.pack.profile_row("c-9")) == frozenset()


def test_the_types_that_exclude_are_those_of_the_settings(tmp_path: Path) -> None:
    wanted = Recommendations(event_weights={"viewed": 1.0, "charged": 1.0}, exclude_event_types=("returned",))
    writes = [event("c-7", 0, "returned"), event("c-7", 1, "charged"), event("c-7", 2, "viewed")]
    for view in open_view(tmp_path, Settings(recommendations=wanted), writes):
        assert view.overlay.seen(view.pack.profile_row("c-7")) == {0}


def test_a_list_names_the_models_of_its_items(view: View) -> None:
    assert for_item(view, 8, 3, []).model == "content"
    assert for_item(view, 7, 3, []).model == "ease"
    assert for_session(view, [7, 8], 3, []).model == "content+ease"
    assert for_session(view, [6, 7], 3, []).model == "ease"
    assert for_session(view, [], 3, []).model == "popular"


def test_scores_are_the_stored_ones(view: View) -> None:
    row = view.pack.profile_row("c-3")
    ranked = for_profile(view, row, "c-3", WIDTH, [])
    listed = [place for place, item in enumerate(view.pack.lists.row(row)) if item >= 0]
    sent = [np.float32(score) for score in ranked.scores if score != b"null"]
    assert sent == view.pack.lists.scores[row][listed].tolist()[:WIDTH]


def test_seen_items_may_come_again_when_allowed(tmp_path: Path) -> None:
    allowed = Settings(recommendations=Recommendations(recommend_interacted_items=True))
    for view in open_view(tmp_path, allowed, [event("c-7", 0)]):
        row = view.pack.profile_row("c-7")
        everything = for_profile(view, row, "c-7", ITEMS, [])
        assert set(everything.items) == eligible(view)
        assert set(for_session(view, [0, 1], ITEMS, []).items) == eligible(view)
