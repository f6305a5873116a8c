from __future__ import annotations

import numpy as np
import pytest

from models.interactions import QUANTUM, Interactions


def some(order: list[int]) -> Interactions:
    columns = {
        "profile_index": [2, 0, 2, 1],
        "item_index": [1, 3, 0, 3],
        "weight": [0.5, 2.0, 0.25, 1.0],
        "recent_weight": [0.125, 1.0, 0.25, 0.5],
        "events": [1, 4, 1, 2],
        "last_day": [10, 20, 30, 40],
    }
    return Interactions.from_columns(3, 5, **{name: np.array(values)[order] for name, values in columns.items()})


def test_any_order_of_rows_gives_the_same() -> None:
    ours, theirs = some([0, 1, 2, 3]), some([3, 1, 0, 2])
    for name in ("indptr", "indices", "weight", "recent_weight", "strength", "events", "last_day", "popularity"):
        assert getattr(ours, name).tobytes() == getattr(theirs, name).tobytes(), name
    assert ours.indptr.tolist() == [0, 1, 2, 4]
    assert ours.indices.tolist() == [3, 3, 0, 1]
    assert ours.last_day.tolist() == [20, 40, 30, 10]


def test_strength_counts_at_most_one_fresh_event() -> None:
    assert some([0, 1, 2, 3]).matrix().toarray().tolist() == [[0, 0, 0, 1, 0], [0, 0, 0, 1, 0], [0.25, 0.5, 0, 0, 0]]


def test_popularity_is_exact_and_orders_the_items() -> None:
    interactions = some([0, 1, 2, 3])
    assert (interactions.popularity / QUANTUM).tolist() == [0.25, 0.125, 0, 1.5, 0]
    assert interactions.popularity_order().tolist() == [3, 0, 1, 2, 4]
    assert interactions.item_events().tolist() == [1, 1, 0, 6, 0]


def test_popularity_ties_go_by_profiles_then_events_then_index() -> None:
    interactions = Interactions.from_columns(
        2,
        4,
        np.array([0, 1, 0, 0, 0]),
        np.array([3, 3, 2, 1, 0]),
        np.ones(5),
        np.array([0.5, 0.5, 1, 1, 1]),
        np.array([1, 1, 2, 1, 1]),
    )
    assert interactions.popularity_order().tolist() == [3, 2, 0, 1]


@pytest.mark.parametrize(
    ("profile", "item", "weight", "message"),
    [
        ([0, 0], [1, 1], [1, 1], "twice"),
        ([3], [0], [1], "profile_index"),
        ([0], [-1], [1], "item_index"),
        ([0], [0], [float("nan")], "weight"),
        ([0], [0], [-1], "weight"),
        ([0], [0, 1], [1, 1], "length"),
    ],
)
def test_wrong_columns_are_refused(profile: list[int], item: list[int], weight: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Interactions.from_columns(3, 5, np.array(profile), np.array(item), np.array(weight))


def test_a_pair_without_events_only_excludes() -> None:
    profile, item = np.array([1, 0, 1, 0]), np.array([2, 0, 0, 1])
    events, excludes = np.array([0, 2, 1, 1]), np.array([True, False, True, True])
    made = Interactions.from_columns(
        2, 3, profile, item, np.array([0, 0.5, 1, 0.25]), events=events, excludes=excludes
    )
    assert made.matrix(made.events).toarray().tolist() == [[2, 1, 0], [1, 0, 0]]
    assert made.excluded().toarray().tolist() == [[0, 1, 0], [1, 0, 1]]
    assert made.item_profiles().tolist() == [2, 1, 0]
    assert made.entries == 3
    every = Interactions.from_columns(2, 3, profile, item, np.ones(4))
    assert (every.excluded().toarray() == (every.matrix().toarray() > 0)).all()
