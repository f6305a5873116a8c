"""What is particular to single recommenders: each against the formula it is from."""

from __future__ import annotations

import numpy as np
import pytest
from implicit.cpu.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix

from models.interactions import Interactions
from models.items import Items
from models.recommenders.als import Als
from models.recommenders.content import Content
from models.recommenders.ease import Ease
from models.recommenders.neighbours import Neighbours
from models.recommenders.popular import Popular
from models.threads import one_thread, over_shards


def random_interactions(n_profiles: int = 80, n_items: int = 40, seed: int = 0) -> Interactions:
    rng = np.random.default_rng(seed)
    profile, item = np.nonzero(rng.random((n_profiles, n_items)) < rng.random(n_items) * 0.4)
    return Interactions.from_columns(n_profiles, n_items, profile, item, rng.integers(1, 2**20, len(item)) / 2**20)


def test_ease_is_the_closed_form() -> None:
    interactions = random_interactions()
    model = Ease(regularization=5.0).fit(interactions)
    matrix = interactions.matrix().toarray().astype(np.float64)
    inverse = np.linalg.inv(matrix.T @ matrix + 5.0 * np.eye(40))
    expected = -inverse / np.diag(inverse)
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(model.similarity_.toarray(), expected, atol=2e-5)
    np.testing.assert_allclose(model.scores(interactions.matrix()), matrix @ expected, atol=1e-4)
    assert "truncated" not in model.notes_


def test_ease_keeps_the_strongest_weights_of_each_item() -> None:
    interactions = random_interactions()
    whole = Ease(regularization=5.0).fit(interactions).similarity_.toarray()
    model = Ease(regularization=5.0, keep=6).fit(interactions)
    floor = np.sort(np.abs(whole), axis=1)[:, [-6]]
    expected = np.where(np.abs(whole) >= floor, whole, 0)
    assert (model.similarity_.toarray() == expected).all()
    assert (expected < 0).any(), "a strong reason against an item is kept as well"
    assert model.similarity_.has_sorted_indices
    share = np.abs(expected).sum() / np.abs(whole).sum()
    assert model.notes_["truncated"].startswith(f"the 6 strongest of 39 weights of each item are kept, {share:.1%}")
    np.testing.assert_allclose(model.scores(interactions.matrix()), interactions.matrix() @ expected, atol=1e-5)


def test_ease_of_a_large_catalogue_is_solved_for_its_head() -> None:
    interactions = random_interactions()
    model = Ease(regularization=5.0, head=10).fit(interactions)
    profiles = interactions.item_profiles()
    head = np.flatnonzero(np.diff(model.similarity_.indptr))
    assert len(head) == 10
    assert profiles[head].min() >= np.sort(profiles)[-10]
    assert "head" not in model.notes_
    assert "10 items" in model.notes_["restricted"]
    scores = model.scores(interactions.matrix())
    tail = np.setdiff1d(np.arange(40), head)
    assert (scores[:, tail] == 0).all()
    assert (scores[:, head] != 0).any()
    assert (model.neighbours(3)[0][tail] == -1).all()


def test_als_folds_a_profile_in_like_the_library_solves_it() -> None:
    interactions = random_interactions(400, 120)
    history = interactions.matrix()
    model = Als(factors=16).fit(interactions)
    library = AlternatingLeastSquares(factors=16, regularization=model.chosen_[1], num_threads=1)
    library.item_factors = model.item_factors_
    with one_thread():
        exact = library.recalculate_user(np.arange(400), (history * model.chosen_[0]).tocsr())
    ours = model.fold_in(history)
    assert np.linalg.norm(ours - exact) < 2e-3 * np.linalg.norm(exact)


def test_als_gives_untouched_items_nothing() -> None:
    interactions = random_interactions()
    untouched = np.flatnonzero(interactions.item_profiles() == 0)
    model = Als(factors=4).fit(interactions)
    assert (model.item_factors_[untouched] == 0).all()


def test_als_starts_from_its_seed() -> None:
    interactions = random_interactions()
    one, same, other = (Als(factors=4, seed=seed).fit(interactions).item_factors_ for seed in (1, 1, 2))
    assert (one == same).all()
    assert not (one == other).all()


def test_neighbours_are_the_shrunk_cosine() -> None:
    interactions = random_interactions()
    model = Neighbours(k=5, weighting="none", shrinkage=2.0).fit(interactions)
    matrix = interactions.matrix().toarray()
    norms = np.linalg.norm(matrix, axis=0)
    cosine = matrix.T @ matrix / (np.outer(norms, norms) + 2.0)
    np.fill_diagonal(cosine, 0)
    expected = np.where(cosine >= np.sort(cosine, axis=1)[:, [-5]], cosine, 0)
    np.testing.assert_allclose(model.similarity_.toarray(), expected, atol=1e-6)
    assert (np.diff(model.similarity_.indptr) <= 5).all()


@pytest.mark.parametrize("weighting", ["tfidf", "bm25"])
def test_profiles_with_everything_say_little(weighting: str) -> None:
    # Items 0 and 1 are shared by two choosy profiles; items 2 and 3 by two that want everything.
    wanted = np.zeros((4, 30))
    wanted[:2, :2] = 1
    wanted[2:, 2:] = 1
    profile, item = np.nonzero(wanted)
    interactions = Interactions.from_columns(4, 30, profile, item, np.ones(len(item)))
    model = Neighbours(weighting=weighting, shrinkage=1.0).fit(interactions)  # type: ignore[arg-type]
    similarity = model.similarity_.toarray()
    assert similarity[0, 1] > similarity[2, 3] >= 0


def test_content_knows_items_nobody_touched() -> None:
    items = Items(
        ["red wool hat", "red wool scarf", "steel kettle", "copper kettle", "", "red wool socks"],
        [["kind=wear"], ["kind=wear"], ["kind=kitchen"], ["kind=kitchen"], ["kind=kitchen"], ["kind=wear"]],
    )
    interactions = Interactions.from_columns(1, 6, np.array([0]), np.array([0]), np.array([1.0]))
    model = Content().fit(interactions, items)
    listed, _ = model.recommend(interactions.matrix(), 2, exclude=interactions.matrix())
    assert set(listed[0].tolist()) == {1, 5}
    assert set(model.neighbours(5)[0][4].tolist()) == {2, 3, -1}, "by its token alone"
    with pytest.raises(ValueError, match="number"):
        model.fit(interactions, Items(["one"], [[]]))


def test_popular_scores_are_the_sums_of_recent_weights() -> None:
    interactions = Interactions.from_columns(
        2, 3, np.array([0, 1, 1]), np.array([1, 1, 0]), np.ones(3), np.array([0.5, 0.25, 0.125])
    )
    scores = Popular().fit(interactions).scores(csr_matrix((2, 3), dtype=np.float32))
    assert scores.tolist() == [[0.125, 0.75, 0]] * 2


def test_shards_raise_the_error_of_a_worker() -> None:
    def work(start: int, stop: int) -> None:
        if start == 4:
            raise ValueError(f"{start} to {stop}")

    for threads in (1, 2):
        with pytest.raises(ValueError, match="4 to 6"):
            over_shards(work, 7, 2, threads)
