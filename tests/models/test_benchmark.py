"""The protocols of the benchmark: who is held out, what is compared, and what the tables say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from models.benchmark import references, summary
from models.benchmark.protocols import Figures, strong_figures, strong_split
from models.benchmark.references import Reference, Tuned
from models.interactions import Interactions
from models.lesson import Lesson


def pairs(profiles: int = 120, items: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    wanted = rng.random((profiles, items)) < 0.08 + 0.3 * (np.add.outer(np.arange(profiles), np.arange(items)) % 3 == 0)
    row, column = np.nonzero(wanted)
    return row, column


def test_held_out_profiles_are_strangers_to_training() -> None:
    row, column = pairs()
    data = strong_split(120, 60, row, column)
    counts = np.bincount(row, minlength=120)
    size = int((counts >= 5).sum() * 0.1)
    assert size > 8
    for split in (data.valid, data.test):
        assert len(split.subjects) == size
        assert not np.diff(data.train.indptr)[split.subjects].any()
        given, hidden = split.train.matrix()[split.subjects], split.relevant[split.subjects]
        assert given.multiply(hidden).nnz == 0
        assert (np.diff(given.indptr) + np.diff(hidden.indptr) == counts[split.subjects]).all()
        assert (np.diff(hidden.indptr) == np.maximum(1, counts[split.subjects] // 5)).all()
    assert not np.intersect1d(data.valid.subjects, data.test.subjects).size
    again = strong_split(120, 60, row[::-1], column[::-1])
    assert (again.test.subjects == data.test.subjects).all()


def test_folds_test_each_profile_once_on_the_same_hidden_items() -> None:
    row, column = pairs()
    dealt = [strong_split(120, 60, row, column, folds=4, fold=fold) for fold in range(4)]
    tested = np.concatenate([one.test.subjects for one in dealt])
    assert sorted(tested.tolist()) == np.flatnonzero(np.bincount(row, minlength=120) >= 5).tolist()
    for one, following in zip(dealt, [*dealt[1:], dealt[0]], strict=True):
        assert one.test.subjects.tolist() == following.valid.subjects.tolist()
        assert (one.test.relevant != following.valid.relevant).nnz == 0


@pytest.mark.filterwarnings("ignore")
def test_folds_are_pooled_profile_by_profile() -> None:
    dealt = [strong_split(120, 60, *pairs(), folds=4, fold=fold) for fold in range(4)]
    told: list[str] = []
    popular, ours = strong_figures(dealt, 1, told.append, only=("popular",), peers=("popularity",))
    assert popular.subjects == sum(len(one.test.subjects) for one in dealt)
    single = [strong_figures([one], 1, told.append, only=("popular",), peers=("popularity",))[1] for one in dealt]
    assert ours.per_subject.tolist() == [value for one in single for value in one.per_subject.tolist()]
    assert ours.metrics["ndcg@100"][0] == pytest.approx(float(ours.per_subject.mean()))
    assert len(ours.notes["folds"]) == 4
    assert any(what.startswith("fold 4, ") for what in told)


@pytest.mark.filterwarnings("ignore")  # what references warn of is their own affair
def test_ours_and_references_are_ranked_on_the_same_profiles() -> None:
    data = strong_split(120, 60, *pairs())
    told: list[str] = []
    found = strong_figures([data], 1, told.append, only=("popular", "ease"))
    assert {one.subjects for one in found} == {len(data.test.subjects)}
    assert [one.model for one in found if not one.reference] == ["popular", "ease"]
    by_name = {one.model: one for one in found}
    assert by_name["ease"].metrics["ndcg@100"][0] > 1.15 * by_name["popularity"].metrics["ndcg@100"][0]
    assert by_name["popular"].per_subject.tolist() == by_name["popularity"].per_subject.tolist()
    assert any("EASE" in what for what in told)


def test_peers_can_be_named() -> None:
    data = strong_split(120, 60, *pairs())
    found = strong_figures([data], 1, lambda _: None, only=("popular",), peers=("rp3", "POPUL"))
    assert [one.model for one in found] == ["popularity", "RP3beta", "popular"]


def test_random_walks_follow_their_formula() -> None:
    row, column = pairs(20, 12)
    matrix = csr_matrix((np.ones(len(row), np.float32), (row, column)), shape=(20, 12))
    dense = matrix.toarray()
    of_item, of_profile = np.maximum(dense.sum(axis=0), 1), np.maximum(dense.sum(axis=1, keepdims=True), 1)
    walk = (dense / of_item).T @ (dense / of_profile) / of_item**0.6
    np.fill_diagonal(walk, 0)
    interactions = Interactions.from_columns(20, 12, row, column, np.ones(len(row)))
    model = Reference("walk", references.rp3beta(k=12)).fit(interactions)
    np.testing.assert_allclose(model.scores(matrix), dense @ walk, rtol=1e-4)


@pytest.mark.filterwarnings("ignore")
def test_a_peer_gets_the_parameter_that_was_best_in_the_lesson() -> None:
    data = strong_split(120, 60, *pairs())
    good, bad = references.plain_ease(), references.popularity

    def build(which: float, other: float) -> references.Learn:
        return good if which == 2 and other == 5 else bad

    lesson = Lesson(data.valid, "new")
    tuned = Tuned("peer", build, {"other": (5.0, 6.0), "which": (1.0, 2.0, 3.0)})
    history = data.test.train.matrix()[data.test.subjects]
    assert (tuned.fit(data.train).scores(history) == Reference("peer", bad).fit(data.train).scores(history)).all()
    tuned.fit(data.train, lesson=lesson)
    assert tuned.notes_ == {"other": 5.0, "which": 2.0}
    assert (tuned.scores(history) == Reference("peer", good).fit(data.train).scores(history)).all()


def figures(model: str, reference: bool, values: list[float]) -> Figures:
    one = np.array(values)
    return Figures("time", "new", model, reference, {"ndcg@10": (float(one.mean()), 0.01)}, len(one), 1.0, 1.0, {}, one)


@pytest.mark.parametrize(
    ("ours", "word"), [([0.5, 0.6, 0.7], "ahead of"), ([0.1, 0.2, 0.2], "behind"), ([0.3, 0.5, 0.3], "level with")]
)
def test_the_verdict_is_about_the_best_of_each(ours: list[float], word: str) -> None:
    group = [
        figures("peer", True, [0.3, 0.4, 0.4]), figures("weak peer", True, [0.0, 0.0, 0.1]),
        figures("mine", False, ours), figures("weak", False, [0.0, 0.0, 0.0]),
    ]
    found = summary.verdict(group)
    assert (found["ours"], found["reference"]) == ("mine", "peer")
    assert found["difference"] == pytest.approx(np.mean(np.array(ours) - [0.3, 0.4, 0.4]))
    assert f"is {word} peer" in summary.in_words(found)
    page = summary.markdown("data", group)
    assert page.count("\n| ") == 5
    assert word in page
    assert summary.verdict(group[:2]) == {}
