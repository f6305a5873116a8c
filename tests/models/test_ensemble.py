"""What is settled by a lesson: parameters of single models, and how unlike models are weighted."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from models.benchmark.protocols import StrongData, strong_split
from models.evaluate import quality
from models.histories import Histories
from models.lesson import Lesson
from models.recommenders import als, ease, ensemble
from models.recommenders.als import Als
from models.recommenders.ease import Ease
from models.recommenders.ensemble import Ensemble
from models.recommenders.settle import DEPTH, climb
from models.registry import describe, restore

PROFILES, ITEMS = 500, 200


@cache
def world() -> StrongData:
    """Profiles of eight tastes that mix, items some of which everybody knows and nobody looks for."""
    rng = np.random.default_rng(0)
    taste = rng.dirichlet(np.full(8, 0.3), PROFILES)
    kinds = rng.dirichlet(np.full(8, 0.2), ITEMS)
    fame = rng.pareto(1.5, ITEMS) + 0.2
    chance = np.minimum(taste @ kinds.T * fame * 0.35, 0.95)
    row, column = np.nonzero(rng.random(chance.shape) < chance)
    return strong_split(PROFILES, ITEMS, row, column, folds=4)


def ndcg(model: object) -> float:
    return float(quality(model, world().test, "new", DEPTH).mean())  # type: ignore[arg-type]


def test_climbing_ends_where_no_neighbour_is_better() -> None:
    seen: list[tuple[float, ...]] = []

    def quality_of(values: tuple[float, ...]) -> float:
        seen.append(values)
        return -((values[0] - 5) ** 2) - (values[1] - values[0]) ** 2 / 4

    assert climb((range(10), range(10)), (1, 1), quality_of) == (5, 5)
    assert len(seen) == len(set(seen)) < 40
    assert climb((range(3), range(3)), (1, 1), lambda _: 0.0) == (1, 1)


def test_ease_takes_the_ridge_that_its_lesson_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    data = world()
    lesson = Lesson(data.valid, "new")
    model = Ease().fit(data.train, lesson=lesson)
    ridge, dropout = model.settled_
    assert (model.notes_["ridge"], model.notes_["dropout"]) == (ridge, dropout)
    # What is tried is the model that is fitted: no neighbour on the grid ranks the lesson better.
    best = quality(Ease(ridge, dropout).fit(data.valid.train), data.valid, "new", DEPTH).mean()
    place = ease.RIDGES.index(ridge)
    for other in ease.RIDGES[max(place - 1, 0) : place + 2]:
        assert quality(Ease(other, dropout).fit(data.valid.train), data.valid, "new", DEPTH).mean() <= best
    assert lesson.parts["ease"].notes_["ridge"] == ridge, "one of the lesson's past is kept, for models made of it"
    assert Ease().fit(data.train).settled_ == (200.0, 0.0)
    assert Ease(7.0).fit(data.train, lesson=lesson).settled_ == (7.0, dropout)
    monkeypatch.setattr(ease, "TRIED", 20)
    assert Ease().fit(data.train, lesson=Lesson(data.valid, "new")).settled_[0] in ease.RIDGES


def test_dropout_is_a_ridge_that_grows_with_an_item() -> None:
    matrix = world().train.matrix().toarray().astype(np.float64)
    gram = matrix.T @ matrix
    inverse = np.linalg.inv(gram + np.diag(3.0 + 0.5 * np.diag(gram)))
    expected = -inverse / np.diag(inverse)
    np.fill_diagonal(expected, 0)
    known = matrix.any(axis=0)
    found = Ease(3.0, 0.5).fit(world().train).similarity_.toarray()
    np.testing.assert_allclose(found[known], expected[known] * known, atol=2e-5)


def test_als_takes_the_pair_that_its_lesson_asks_for() -> None:
    data = world()
    model = Als(8).fit(data.train, lesson=Lesson(data.valid, "new"))
    tried = {
        pair: quality(Als(8, pair[1], pair[0], als.ROUNDS).fit(data.valid.train), data.valid, "new", DEPTH).mean()
        for pair in als.PAIRS
    }
    assert tuple(model.chosen_.tolist()) == max(tried, key=lambda pair: tried[pair])
    assert Als(8).fit(data.train).chosen_.tolist() == list(als.PAIRS[0])
    assert Als(8, 3.0).fit(data.train, lesson=Lesson(data.valid, "new")).chosen_.tolist() == [als.PAIRS[0][0], 3.0]


def test_als_of_many_profiles_learns_from_some(monkeypatch: pytest.MonkeyPatch) -> None:
    data = world()
    monkeypatch.setattr(als, "MOST_PROFILES", 250)
    model = Als(8).fit(data.train)
    assert "250 of 500" in model.notes_["sampled"]
    assert ndcg(model) > 0.9 * ndcg(Als(8, iterations=10).fit(data.train))


def test_parts_added_up_are_better_than_each() -> None:
    data = world()
    lesson = Lesson(data.valid, "new")
    model = Ensemble(factors=8).fit(data.train, lesson=lesson)
    weights = model.notes_["weights"]
    assert list(weights) == list(ensemble.PARTS)
    assert weights["blend"] == 1
    alone = [Ensemble(tuple(row), 8).fit(data.train, lesson=lesson) for row in np.eye(4)[:3]]
    assert ndcg(model) >= max(map(ndcg, alone)) - 0.002
    told = model.notes_["ensemble"]
    assert f"weights from {len(lesson.most(1000).subjects)} profiles" in told
    found, of_blend = (float(word) for word in told.replace(",", "").split() if word.startswith("0."))
    assert found > of_blend


def test_scores_are_the_weighted_sum_of_rows_of_one_spread() -> None:
    data = world()
    model = Ensemble((1.0, 0.5, -0.25, 0.1), 8).fit(data.train)
    some = data.test.train.histories(data.test.subjects[:5])
    expected = np.zeros((5, ITEMS))
    for part, weight in zip(model.parts_, (1.0, 0.5, -0.25), strict=True):
        block = part.scored(some, None, None).astype(np.float64)
        expected += weight * block / block.std(axis=1, keepdims=True)
    profiles = data.train.item_profiles()
    np.testing.assert_allclose(model.scored(some, None, None), expected + 0.1 * profiles / profiles.std(), rtol=2e-4,
                               atol=2e-4)


def test_weight_against_popularity_never_lifts_what_nobody_knows() -> None:
    data = world()
    model = Ensemble((1.0, 0.0, 0.0, -0.8), 8).fit(data.train)
    empty = csr_matrix((1, ITEMS), dtype=np.float32)
    assert not model.scores(empty).any(), "of whom nothing is known popularity decides"
    known = Ensemble((1.0, 0.0, 0.0, 0.0), 8).fit(data.train)
    some = data.test.train.histories(data.test.subjects)
    against, plain = (one.recommend(some, 20)[0] for one in (model, known))
    profiles = data.train.item_profiles()
    assert profiles[against].mean() < profiles[plain].mean()
    assert (profiles[against] > 0).all()


def test_few_profiles_teach_no_weights() -> None:
    data = world()
    few = type(data.valid)(data.valid.train, data.valid.relevant, data.valid.subjects[:5])
    model = Ensemble(factors=8).fit(data.train, lesson=Lesson(few, "new"))
    assert "not learned: 5 profiles of 20" in model.notes_["ensemble"]
    assert model.weights_.tolist() == list(ensemble.FIRST)


def test_restored_with_what_it_learned() -> None:
    data = world()
    model = Ensemble(factors=8).fit(data.train, lesson=Lesson(data.valid, "new"))
    again = restore(describe(model), model.to_arrays())
    history = Histories.of(data.test.train.matrix()[:50])
    assert (again.recommend(history, 10)[1] == model.recommend(history, 10)[1]).all()
    twin = Ensemble(factors=8).fit(data.train, lesson=Lesson(data.valid, "new"), threads=2)
    assert (twin.weights_ == model.weights_).all()
