"""What the models that combine others learn from a window, and what they must not see."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix, vstack

from models.evaluate import judge
from models.histories import Histories
from models.interactions import Interactions
from models.items import Items
from models.lesson import Lesson
from models.ranking import top_k
from models.recommenders import linear
from models.recommenders.blend import Blend
from models.recommenders.carried import Carried
from models.recommenders.ease import Ease
from models.recommenders.linear import affordable
from models.recommenders.ranker import Ranker
from models.recommenders.ranking_features import FEATURES, ITEM, ItemTable, features
from models.recommenders.recommender import Recommender
from models.recommenders.spectral import Spectral
from models.registry import describe, restore
from models.split import Mode, Split, time_split
from models.threads import Scratch

PROFILES, ITEMS, DAYS = 400, 300, 90


@cache
def world(habit: bool) -> tuple[Split, Split, Items]:
    """An earlier and a later split of a shop where dear items are wanted by some and cheap ones by others, some items
    are in fashion, and, with ``habit``, profiles come back for what they had.
    """
    rng = np.random.default_rng(0)
    price = rng.permutation(ITEMS) + 1.0
    taste = rng.random(PROFILES) * ITEMS
    rows: list[tuple[int, int, int]] = []
    had: dict[int, list[int]] = {}
    for day in range(DAYS):
        fashion = np.exp(-((np.arange(ITEMS) * DAYS / ITEMS - day) ** 2) / 200)
        for profile in np.flatnonzero(rng.random(PROFILES) < 0.15):
            own = had.setdefault(profile, [])
            if habit and own and rng.random() < 0.7:
                rows.append((profile, own[rng.integers(len(own))], day))
            pull = np.exp(-((price - taste[profile]) ** 2) / 800) * (fashion + 0.02)
            own.append(int(rng.choice(ITEMS, p=pull / pull.sum())))
            rows.append((profile, own[-1], day))
    events = np.array(rows)
    splits = [_split(events, cut, end) for cut, end in ((60, 75), (75, 90))]
    return splits[0], splits[1], Items([""] * ITEMS, [[]] * ITEMS, price)


def _split(events: np.ndarray[Any, Any], cut: int, end: int) -> Split:
    past, after = events[events[:, 2] < cut], events[(events[:, 2] >= cut) & (events[:, 2] < end)]
    pairs, number = np.unique(past[:, 0] * ITEMS + past[:, 1], return_inverse=True)
    last, first = np.zeros(len(pairs), int), np.full(len(pairs), DAYS)
    np.maximum.at(last, number, past[:, 2])
    np.minimum.at(first, number, past[:, 2])
    weight = np.bincount(number, 0.5 ** ((cut - past[:, 2]) / 180))
    recent = np.bincount(number, 0.5 ** ((cut - past[:, 2]) / 14))
    train = Interactions.from_columns(
        PROFILES, ITEMS, pairs // ITEMS, pairs % ITEMS, weight, recent, np.bincount(number), last, first_day=first
    )
    return time_split(train.dated(cut), after[:, 0], after[:, 1])


@cache
def taught(kind: type[Recommender], mode: Mode, habit: bool, threads: int = 1) -> tuple[Recommender, Split]:
    earlier, later, items = world(habit)
    given = {"trees": 30, "candidates": 60} if kind is Ranker else {}
    model = kind(**given).fit(later.train, items, lesson=Lesson(earlier, mode), threads=threads)
    return model, later


@pytest.mark.parametrize(("mode", "habit"), [("new", False), ("repeat", True)])
def test_each_stage_ranks_better_than_the_one_before(mode: Mode, habit: bool) -> None:
    ranker, split = taught(Ranker, mode, habit)
    blend, _ = taught(Blend, mode, habit)
    ease = Ease().fit(split.train)
    first, second, third = (judge(model, split, mode).headline for model in (ease, blend, ranker))
    assert "trees" in ranker.notes_["forest"]
    for worse, better in ((first, second), (second, third)):
        gain = better - worse
        assert gain.mean() > 2 * gain.std() / np.sqrt(len(gain))


def test_the_habit_is_learned_where_profiles_come_back_and_only_there() -> None:
    assert taught(Blend, "repeat", True)[0].notes_["habit"] > 0
    earlier, later, items = world(True)
    # The same past, but what follows is never what a profile had.
    fresh = earlier.relevant - earlier.relevant.multiply(earlier.train.excluded())
    fresh.eliminate_zeros()
    subjects = np.flatnonzero(np.diff(fresh.indptr) > 0)
    lesson = Lesson(Split(earlier.train, csr_matrix(fresh), subjects), "repeat")
    assert Blend().fit(later.train, items, lesson=lesson).notes_["habit"] == 0


def test_threads_do_not_change_a_bit_of_what_is_learned() -> None:
    one, split = taught(Ranker, "repeat", True)
    two, _ = taught(Ranker, "repeat", True, threads=2)
    history = split.train.histories()
    for ours, theirs in zip(one.recommend(history, 20), two.recommend(history, 20, threads=2), strict=True):
        assert ours.tobytes() == theirs.tobytes()
    for name, array in one.to_arrays().items():
        assert array.tobytes() == two.to_arrays()[name].tobytes(), name


def test_a_forest_is_stored_and_carried() -> None:
    model, split = taught(Ranker, "new", False)
    history, exclude = split.train.histories(), split.train.excluded()
    items, scores = model.recommend(history, 20, exclude=exclude)
    assert (scores[:, 0] > 1).mean() > 0.9, "the first places are chances, above the blend's"
    again = restore(describe(model), model.to_arrays())
    assert (again.recommend(history, 20, exclude=exclude)[1] == scores).all()
    carried = Carried(model, np.arange(ITEMS), split.train.popularity_order())
    assert (carried.recommend(history, 20, exclude=exclude)[0] == items).all()
    assert model.neighbour_source() is not None


@pytest.mark.parametrize(("mode", "habit"), [("new", False), ("repeat", True)])
def test_lists_of_candidates_are_those_of_all_items(mode: Mode, habit: bool) -> None:
    model, split = taught(Ranker, mode, habit)
    history = Histories.of(vstack([split.train.histories().strength, csr_matrix((2, ITEMS), dtype=np.float32)]).tocsr())
    exclude = csr_matrix(np.random.default_rng(0).random(history.shape) < 0.9)
    banned = np.arange(0, ITEMS, 3)
    for k in (10, 60):
        found = model._best(history, k, exclude, banned, Scratch())
        block = model.scored(history, exclude, banned)
        for ours, theirs in zip(found, top_k(block, k, model.order_, model.rank_), strict=True):
            assert (ours == theirs).all()


def test_who_has_no_history_gets_popularity_from_a_forest_too() -> None:
    model, _ = taught(Ranker, "new", False)
    items, scores = model.recommend(csr_matrix((1, ITEMS), dtype=np.float32), 10)
    assert (items[0] == model.order_[:10]).all()
    assert (scores == 0).all()


@pytest.mark.parametrize("subjects", [0, 5])
def test_too_small_a_lesson_leaves_the_blend(subjects: int) -> None:
    earlier, later, items = world(False)
    small = Split(earlier.train, earlier.relevant, earlier.subjects[:subjects])
    model = Ranker().fit(later.train, items, lesson=Lesson(small, "new"))
    assert model.notes_["forest"].startswith("none")
    blend = Blend().fit(later.train, items, lesson=Lesson(small, "new"))
    history = later.train.histories()
    assert (model.recommend(history, 10)[0] == blend.recommend(history, 10)[0]).all()


def test_a_catalogue_too_large_for_a_dense_inverse_is_filtered(monkeypatch: pytest.MonkeyPatch) -> None:
    _, later, items = world(False)
    assert affordable(later.train)[0] == "ease"
    monkeypatch.setattr(linear, "LARGE", 10)
    assert affordable(later.train)[0] == "ease", "all interactions are in the head"
    monkeypatch.setattr(linear, "HEAD", 10)
    model = Blend().fit(later.train, items)
    assert "spectral" in model.notes_["linear"]
    again = restore(describe(model), model.to_arrays())
    history = later.train.histories()
    assert (again.recommend(history, 10)[1] == model.recommend(history, 10)[1]).all()


def test_a_spectral_filter_is_the_formula_of_its_paper() -> None:
    _, later, _ = world(False)
    model = Spectral(rank=6, share=0.3, lift=0.2, sharpening=1.5, keep=ITEMS).fit(later.train)
    dense = later.train.matrix().toarray().astype(np.float64)
    profile, item = np.sqrt(dense.sum(axis=1)), np.sqrt(dense.sum(axis=0))
    normal = dense / np.where(profile > 0, profile, 1)[:, None] / np.where(item > 0, item, 1)
    _, sizes, every = np.linalg.svd(normal)
    vectors, values = every[:6], sizes[:6] ** 2
    near = normal.T @ normal + vectors.T @ np.diag(values * np.expm1(-1.5 * values)) @ vectors
    low_pass = (vectors / np.where(item > 0, item, np.inf)).T @ (vectors * item)
    expected = dense @ (near * item**0.4 + 0.3 * low_pass)
    np.testing.assert_allclose(model.scores(later.train.matrix()), np.maximum(expected, 0), atol=6e-3)


def test_what_followed_is_not_in_the_features() -> None:
    earlier, _, items = world(True)
    train = earlier.train
    table = ItemTable.of(train, items)
    candidates = np.tile(np.arange(5, dtype=np.int32), (PROFILES, 1))
    nothing = np.zeros((PROFILES, ITEMS), np.float32)
    found = features(table, train.histories(), candidates, nothing, nothing, nothing).reshape(PROFILES, 5, -1)
    own = train.matrix().toarray()[:, :5] > 0
    events = found[..., FEATURES.index("events")]
    assert ((events > 0) == own).all()
    assert (np.isnan(found[..., FEATURES.index("last")]) == ~own).all()
    days = train.matrix(train.day - train.last_day + 1).toarray()[:, :5] - 1
    assert (found[..., FEATURES.index("last")][own] == days[own]).all()
    assert table.values.shape == (ITEMS, len(ITEM))
    assert table.column("item_last").min() >= 1, "the cut is after every event of the past"


def test_histories_keep_each_entry_with_its_row() -> None:
    earlier, _, _ = world(True)
    all_rows = earlier.train.histories()
    assert (all_rows.strength != earlier.train.matrix()).nnz == 0
    rows = np.array([7, 3, 3, 399])
    for some in (all_rows[rows], earlier.train.histories(rows)):
        assert (some.strength != earlier.train.matrix()[rows]).nnz == 0
        assert (csr_matrix((some.weight, some.strength.indices, some.strength.indptr), some.shape)
                != earlier.train.matrix(earlier.train.weight)[rows]).nnz == 0
    assert Histories.of(all_rows.strength)[5:9].shape == (4, ITEMS)
    mask = np.arange(PROFILES) % 2 == 0
    assert (all_rows[mask].strength != earlier.train.matrix()[mask]).nnz == 0
