"""Blended lists of many sessions are those that a lookup makes of one."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.sessions import sessions
from scenarios.base_list import blend, ordered, session_weights

ITEMS, WIDTH = 9, 4


@given(
    seed=st.integers(0, 10_000),
    met=st.lists(st.lists(st.integers(0, ITEMS - 1), max_size=5, unique=True), max_size=4),
)
def test_each_session_is_what_its_seeds_say(seed: int, met: list[list[int]]) -> None:
    rng = np.random.default_rng(seed)
    neighbours = np.array([rng.permutation(ITEMS)[:WIDTH] for _ in range(ITEMS)], np.int32)
    neighbours[rng.random(neighbours.shape) < 0.2] = -1
    popular = rng.permutation(ITEMS).astype(np.int32)
    rank = np.argsort(popular).astype(np.int32)
    offsets = np.concatenate([[0], np.cumsum([len(one) for one in met])]).astype(np.int64)
    seeds = np.array([item for one in met for item in one], np.int32)
    weights = rng.choice([1.0, 0.5], len(seeds))
    found = sessions(neighbours, popular, offsets, seeds, weights)
    assert len(found) == len(met)
    for at, one in enumerate(met):
        listed = [item for item in found[at].tolist() if item >= 0]
        own = session_weights(weights[offsets[at] : offsets[at + 1]].tolist())
        expected = ordered(*blend(neighbours, one, own), rank)[0].tolist() if one else []
        assert listed == expected
