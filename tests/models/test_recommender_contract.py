"""What holds for every recommender, whatever it learns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from models.interactions import Interactions
from models.items import Items
from models.recommenders.carried import Carried
from models.recommenders.recommender import Recommender
from models.registry import RECOMMENDERS, describe, restore
from store.models import load_recommender, save_recommender

SMALL: dict[str, dict[str, Any]] = {
    "als": {"factors": 8},
    "blend": {"regularization": 1.0},
    "ensemble": {"regularization": 1.0, "factors": 8},
    "spectral": {"rank": 8},
    "ranker": {"regularization": 1.0, "trees": 40},
    "ease": {"regularization": 1.0},
    "neighbours": {"shrinkage": 0.0},
}
NAMES = sorted(RECOMMENDERS)
PERSONAL = [name for name in NAMES if RECOMMENDERS[name].personal]


def make(name: str) -> Recommender:
    return RECOMMENDERS[name](**SMALL.get(name, {}))


def taste(n_profiles: int = 300, n_items: int = 900, seed: int = 0) -> tuple[Interactions, Items]:
    """Profiles of three tastes and items of three kinds; enough items for the grouped top-k, last ten never touched."""
    rng = np.random.default_rng(seed)
    wanted = rng.random((n_profiles, n_items)) < 0.01 + 0.04 * (
        np.arange(n_profiles)[:, None] % 3 == np.arange(n_items)[None, :] % 3
    )
    wanted[:, -10:] = False
    profile, item = np.nonzero(wanted)
    weight = rng.integers(1, 2**20, len(profile)) / 2**20
    recent = rng.integers(1, 2**20, len(profile)) / 2**20
    kinds = ("mug blue", "lamp brass", "rug woven")
    items = Items(
        [f"{kinds[index % 3]} number {index % 7}" for index in range(n_items)],
        [[f"kind={index % 3}"] for index in range(n_items)],
    )
    return Interactions.from_columns(n_profiles, n_items, profile, item, weight, recent), items


def shuffled(interactions: Interactions) -> Interactions:
    order = np.random.default_rng(1).permutation(interactions.entries)
    profile = np.repeat(np.arange(interactions.n_profiles), np.diff(interactions.indptr))
    return Interactions.from_columns(
        interactions.n_profiles,
        interactions.n_items,
        profile[order],
        interactions.indices[order],
        interactions.weight[order],
        interactions.recent_weight[order],
        interactions.events[order],
    )


def checkerboard(size: int = 50) -> tuple[Interactions, Items]:
    """Even profiles want even items and odd ones odd items; each leaves out the item of its own number."""
    wanted = np.add.outer(np.arange(size), np.arange(size)) % 2 == 0
    np.fill_diagonal(wanted, False)
    profile, item = np.nonzero(wanted)
    words = [("even" if index % 2 == 0 else "odd") + " square" for index in range(size)]
    items = Items(words, [[f"colour={index % 2}"] for index in range(size)])
    return Interactions.from_columns(size, size, profile, item, np.ones(len(profile))), items


def outputs(model: Recommender, interactions: Interactions, threads: int = 1) -> list[np.ndarray[Any, Any]]:
    history = interactions.matrix()
    lists = model.recommend(history, 20, exclude=history, threads=threads)
    return [*lists, *model.neighbours(10, threads=threads), *(array for _, array in sorted(model.to_arrays().items()))]


def equal(ours: list[np.ndarray[Any, Any]], theirs: list[np.ndarray[Any, Any]]) -> bool:
    return all(a.dtype == b.dtype and a.tobytes() == b.tobytes() for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_threads_and_row_order_do_not_change_a_bit(name: str) -> None:
    interactions, items = taste()
    first = outputs(make(name).fit(interactions, items, threads=1), interactions, threads=1)
    assert equal(first, outputs(make(name).fit(interactions, items, threads=2), interactions, threads=2))
    other = shuffled(interactions)
    assert equal(first, outputs(make(name).fit(other, items), other))


@pytest.mark.parametrize("name", NAMES)
def test_second_fit_equals_first(name: str) -> None:
    interactions, items = taste()
    model = make(name).fit(interactions, items)
    first = outputs(model, interactions)
    other, other_items = taste(seed=5)
    model.fit(other, other_items)
    assert equal(first, outputs(model.fit(interactions, items), interactions))


@pytest.mark.parametrize("name", PERSONAL)
def test_checkerboard(name: str) -> None:
    interactions, items = checkerboard()
    history = interactions.matrix()
    model = make(name).fit(interactions, items)
    best, scores = model.recommend(history, 1, exclude=history)
    assert (best[:, 0] == np.arange(50)).all(), "the one item of the right colour that was left out comes first"
    assert (scores > 0).all()
    near, _ = model.neighbours(5)
    assert (near % 2 == np.arange(50)[:, None] % 2).all()
    assert (near != np.arange(50)[:, None]).all()


@pytest.mark.parametrize("name", PERSONAL)
def test_a_session_and_a_held_out_profile_are_scored_like_trained_ones(name: str) -> None:
    interactions, items = checkerboard()
    model = make(name).fit(interactions, items)
    session = csr_matrix((np.float32([1, 0.9]), ([0, 0], [4, 8])), shape=(1, 50))
    best, _ = model.recommend(session, 10, exclude=session)
    assert (best % 2 == 0).all()
    assert not np.isin(best, [4, 8]).any()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("profiles", "columns"), [(0, 0), (0, 7), (3, 0), (3, 7), (2, 600)])
def test_nothing_to_learn_from(name: str, profiles: int, columns: int) -> None:
    nothing = np.zeros(0, np.int32)
    interactions = Interactions.from_columns(profiles, columns, nothing, nothing, nothing)
    model = make(name).fit(interactions, Items([""] * columns, [[]] * columns))
    items, scores = model.recommend(interactions.matrix(), 5)
    expected = np.full((profiles, 5), -1)
    expected[:, : min(5, columns)] = np.arange(min(5, columns))
    assert (items == expected).all(), "without any information: popularity, which is by index"
    assert (scores == 0).all()
    assert (model.neighbours(3)[0] == -1).all()


@pytest.mark.parametrize("name", NAMES)
def test_one_row(name: str) -> None:
    interactions = Interactions.from_columns(1, 4, np.array([0]), np.array([2]), np.array([1.0]))
    model = make(name).fit(interactions, Items(["a", "b", "c", "d"], [[]] * 4))
    items, scores = model.recommend(interactions.matrix(), 4, exclude=interactions.matrix())
    assert sorted(items[0].tolist()) == [-1, 0, 1, 3]
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("name", NAMES)
def test_items_without_interactions_never_spoil_a_list(name: str) -> None:
    interactions, items = taste()
    model = make(name).fit(interactions, items)
    scores = model.scores(interactions.matrix())
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()
    if name != "content":
        listed, _ = model.recommend(interactions.matrix(), 20, exclude=interactions.matrix())
        assert (listed < 890).all()


@pytest.mark.parametrize("name", NAMES)
def test_histories_of_items_that_nobody_knows(name: str) -> None:
    interactions, items = taste()
    model = make(name).fit(interactions, items)
    strangers = csr_matrix((np.ones(3, np.float32), ([0, 0, 1], [890, 899, 895])), shape=(3, 900))
    listed, scores = model.recommend(strangers, 10, exclude=strangers)
    assert np.isfinite(scores).all()
    assert (listed >= 0).all()
    assert listed[2].tolist() == model.order_[:10].tolist(), "nothing is known of the last: popularity"
    if name != "content":
        assert (listed < 890).all(), "who had only what nobody knows is not shown more of it"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("profiles", "columns"), [(1, 5_000), (4_000, 1), (4_000, 2), (2, 5_000)])
def test_very_wide_and_very_tall(name: str, profiles: int, columns: int) -> None:
    rng = np.random.default_rng(0)
    pairs = np.unique(rng.integers(0, profiles * columns, 1_000))
    interactions = Interactions.from_columns(profiles, columns, pairs // columns, pairs % columns, np.ones(len(pairs)))
    model = make(name).fit(interactions, Items([f"thing {index % 50}" for index in range(columns)], [[]] * columns))
    some = interactions.matrix()[:50]
    listed, scores = model.recommend(some, 10, exclude=some)
    assert np.isfinite(scores).all()
    free = columns - np.diff(some.indptr)
    assert ((listed >= 0).sum(axis=1) == np.minimum(free, 10)).all()
    near, values = model.neighbours(3)
    assert near.shape == values.shape == (columns, 3)
    assert np.isfinite(values).all()


@pytest.mark.parametrize("name", NAMES)
def test_constant_weights(name: str) -> None:
    interactions, items = taste()
    profile = np.repeat(np.arange(interactions.n_profiles), np.diff(interactions.indptr))
    constant = Interactions.from_columns(
        interactions.n_profiles, interactions.n_items, profile, interactions.indices, np.full(interactions.entries, 0.5)
    )
    _, scores = make(name).fit(constant, items).recommend(constant.matrix(), 10)
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("name", NAMES)
def test_weights_that_decayed_to_nothing(name: str) -> None:
    interactions, items = taste()
    profile = np.repeat(np.arange(interactions.n_profiles), np.diff(interactions.indptr))
    faded = Interactions.from_columns(
        interactions.n_profiles, interactions.n_items, profile, interactions.indices, np.zeros(interactions.entries)
    )
    listed, scores = make(name).fit(faded, items).recommend(faded.matrix(), 10, exclude=faded.matrix())
    assert np.isfinite(scores).all()
    assert (listed >= 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_k_beyond_the_catalogue(name: str) -> None:
    interactions, items = checkerboard()
    model = make(name).fit(interactions, items)
    listed, scores = model.recommend(interactions.matrix(), 80)
    assert listed.shape == scores.shape == (50, 80)
    assert (np.sort(listed[:, :50], axis=1) == np.arange(50)).all()
    assert (listed[:, 50:] == -1).all()
    assert (scores[:, 50:] == 0).all()
    assert model.neighbours(80)[0].shape == (50, 80)


@pytest.mark.parametrize("name", NAMES)
def test_lists_fall_and_keep_the_rules(name: str) -> None:
    interactions, items = taste()
    history = interactions.matrix()
    allowed = np.arange(900) % 5 != 0
    listed, scores = make(name).fit(interactions, items).recommend(history, 30, exclude=history, allowed=allowed)
    assert (listed >= 0).all()
    assert (np.diff(scores, axis=1) <= 0).all()
    assert (listed % 5 != 0).all()
    seen = history.toarray() > 0
    assert not seen[np.arange(300)[:, None], listed].any()
    assert all(len(set(row)) == 30 for row in listed.tolist())


@pytest.mark.parametrize("name", NAMES)
def test_ties_go_by_popularity_then_index(name: str) -> None:
    interactions, items = taste()
    model = make(name).fit(interactions, items)
    history = interactions.matrix()
    listed, scores = model.recommend(history, 900)
    rank = model.rank_[listed]
    tied = np.diff(scores, axis=1) == 0
    assert (np.diff(rank.astype(np.int64), axis=1)[tied] > 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_another_order_changes_ties_only(name: str) -> None:
    interactions, items = taste()
    model = make(name).fit(interactions, items)
    other = model.with_order(model.order_[::-1].copy())
    history = interactions.matrix()
    assert (other.scores(history) == model.scores(history)).all()
    stranger = csr_matrix((1, 900), dtype=np.float32)
    if model.personal:
        assert other.recommend(stranger, 5)[0][0].tolist() == model.order_[-5:][::-1].tolist()
        assert model.recommend(stranger, 5)[0][0].tolist() == model.order_[:5].tolist()


@pytest.mark.parametrize("name", NAMES)
def test_save_and_load(name: str, tmp_path: Any) -> None:
    interactions, items = taste()
    model = make(name).fit(interactions, items)
    ids = [f"item é {index}" for index in range(900)]
    save_recommender(tmp_path / name, model, ids, {"trained_by_run": "r-1"})
    again, ids_again, card = load_recommender(tmp_path / name)
    assert equal(outputs(model, interactions), outputs(again, interactions))
    assert ids_again == ids
    assert card["trained_by_run"] == "r-1"
    assert again.get_params() == model.get_params()
    for path in (tmp_path / name).glob("*.npy"):
        np.load(path, allow_pickle=False)
    assert {path.suffix for path in (tmp_path / name).iterdir()} == {".npy", ".json"}


@pytest.mark.parametrize("name", NAMES)
def test_params_make_an_equal_model(name: str) -> None:
    interactions, items = taste()
    model = make(name)
    twin = type(model)(**model.get_params())
    assert equal(
        outputs(model.fit(interactions, items), interactions), outputs(twin.fit(interactions, items), interactions)
    )
    restored = restore(describe(model), model.to_arrays())
    assert equal(outputs(model, interactions), outputs(restored, interactions))


@pytest.mark.parametrize("name", NAMES)
def test_carried_to_the_same_items_changes_nothing(name: str) -> None:
    interactions, items = taste()
    model = make(name).fit(interactions, items)
    carried = Carried(model, np.arange(900), interactions.popularity_order())
    history = interactions.matrix()
    ours, theirs = carried.recommend(history, 20, exclude=history), model.recommend(history, 20, exclude=history)
    assert (ours[0] == theirs[0]).all()
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", PERSONAL)
def test_carried_to_renumbered_items(name: str) -> None:
    interactions, items = checkerboard()
    model = make(name).fit(interactions, items)
    # Tonight there is a new item 0, and item 49 of the old night is gone; the rest moved by one, so colours swapped.
    mapping = np.append(np.arange(1, 50), -1)
    carried = Carried(model, mapping, np.arange(50, dtype=np.int32))
    history = csr_matrix((np.ones(2, np.float32), ([0, 0], [5, 9])), shape=(1, 50))
    listed, _ = carried.recommend(history, 10, exclude=history)
    assert (listed % 2 == 1).all()
    assert (carried.neighbours(3)[0][1:] % 2 == np.arange(1, 50)[:, None] % 2).all()
