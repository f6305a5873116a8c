"""What the benchmark says of items that came lately and of profiles without a past."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from models.benchmark import cold
from models.evaluate import Judgement
from models.interactions import Interactions
from models.recommenders.popular import Popular
from models.split import time_split


def judged(lists: list[list[int]], relevant: list[list[int]]) -> Judgement:
    items = np.array(lists, np.int32)
    wanted = csr_matrix(np.array(relevant, np.float32))
    nothing = np.zeros(len(lists))
    return Judgement("one", "new", (), nothing, np.arange(len(lists)), items, wanted)


def test_cold_items_are_those_first_seen_in_the_last_part_of_the_time() -> None:
    day = np.array([0, 50, 94, 96, 99])
    train = Interactions.from_columns(2, 5, np.zeros(5), np.array([0, 1, 2, 3, 3 + 1]), np.ones(5), last_day=day)
    assert cold.cold_items(train.dated(100)).tolist() == [False, False, False, True, True]
    nothing = np.zeros(0, np.int32)
    assert not cold.cold_items(Interactions.from_columns(2, 5, nothing, nothing, nothing)).any()


def test_cold_items_are_compared_with_others_as_popular() -> None:
    young = np.array([True, True, False, False, False])
    popularity = np.array([1, 8, 1, 9, 1000])
    # Items 0 and 2 stand on one level, 1 and 3 on another; item 4, which everybody finds, on one of its own.
    one = judged(
        [[0, 4, -1], [4, 3, -1], [4, 2, 1]], [[1, 0, 1, 0, 1], [0, 1, 0, 1, 1], [0, 1, 1, 1, 1]]
    )
    found = cold.item_figures(one, young, popularity)
    assert found["cold items@50"][0] == pytest.approx(1 / 3 * 1 + 2 / 3 * 0.5)
    assert found["as popular@50"][0] == pytest.approx(1 / 3 * 0.5 + 2 / 3 * 0.5)
    assert cold.item_figures(one, np.zeros(5, np.bool_), popularity) == {}


def test_profiles_without_a_past_are_judged_by_the_list_of_an_empty_history() -> None:
    train = Interactions.from_columns(4, 3, np.array([0, 0, 1]), np.array([0, 1, 0]), np.ones(3))
    split = time_split(train, np.array([0, 2, 3]), np.array([1, 0, 1]))
    found = cold.profile_figures(Popular().fit(train), split, 1)
    assert found["cold profiles ndcg@10"][0] == pytest.approx((1 + 1 / np.log2(3)) / 2)
    assert cold.profile_figures(Popular().fit(train), time_split(train, np.array([0]), np.array([1])), 1) == {}
