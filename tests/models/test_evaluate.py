"""Judging by time, and choosing who serves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from models.evaluate import HEADLINE, Judgement, Metric, judge
from models.interactions import Interactions
from models.lesson import Material
from models.recommenders.popular import Popular
from models.recommenders.recommender import Recommender
from models.selection import Selection, choose
from models.split import Mode, time_split


class Oracle(Recommender):
    """Knows the answer: scores one given matrix."""

    name = "oracle"

    def __init__(self, answer: np.ndarray[Any, Any]) -> None:
        self.answer = answer

    def _fit(self, given: Material) -> None:
        self.row_of = {row.tobytes(): number for number, row in enumerate(given.interactions.matrix().toarray())}

    def scores(self, history: csr_matrix) -> Any:
        rows = [self.row_of[row.tobytes()] for row in history.toarray()]
        return self.answer[rows].astype(np.float32)

    def similar(self, start: int, stop: int) -> Any:
        return np.zeros((stop - start, self.n_items_), np.float32)


def past() -> Interactions:
    # Items 0 to 3 are known; item 4 appears only after the cut. Profile 3 has no past.
    return Interactions.from_columns(4, 5, np.array([0, 0, 1, 2]), np.array([0, 1, 2, 3]), np.array([1, 0.5, 1, 1]))


def test_split_keeps_profiles_with_a_past_and_items_known_then() -> None:
    split = time_split(past(), np.array([0, 0, 0, 1, 3, 2]), np.array([2, 2, 1, 4, 0, 3]))
    assert split.known.tolist() == [True, True, True, True, False]
    assert split.relevant.toarray().tolist() == [[0, 1, 1, 0, 0], [0] * 5, [0, 0, 0, 1, 0], [1, 0, 0, 0, 0]]
    assert split.subjects.tolist() == [0, 2], "profile 1 came back for an unknown item, profile 3 had no past"


def test_modes() -> None:
    split = time_split(past(), np.array([0, 0, 2]), np.array([2, 1, 3]))
    oracle = Oracle(split.relevant.toarray()).fit(split.train)
    new, repeat = judge(oracle, split, "new"), judge(oracle, split, "repeat")
    assert new[HEADLINE] == Metric(HEADLINE, 1, 0, 1), "profile 2 only repeated"
    assert repeat[HEADLINE] == Metric(HEADLINE, 1, 0, 2)
    assert new["coverage@10"].value == 0.5, "known items not seen by the one subject: 2 of 4"
    assert repeat["recall@10"].value == 1


def test_only_what_is_excluded_is_not_new() -> None:
    # Profile 0 looked at item 0 and bought item 1, and bought item 2 without an entry; it comes back for all three.
    train = Interactions.from_columns(
        1, 4, np.zeros(4), np.arange(4), np.array([1, 1, 0, 1]), events=np.array([1, 1, 0, 1]),
        excludes=np.array([False, True, True, False]),
    )
    split = time_split(train, np.zeros(3), np.arange(3))
    oracle = Oracle(np.array([[4.0, 3.0, 2.0, 1.0]])).fit(split.train)
    new = judge(oracle, split, "new")
    assert new["recall@10"] == Metric("recall@10", 1, 0, 1)
    assert new[HEADLINE].value == 1, "item 0 is the one relevant item, and it comes first"
    assert new["coverage@10"].value == pytest.approx(2 / 3), "items 0 and 3 are listed of the known 0, 1 and 3"
    everything = Interactions.from_columns(1, 4, np.zeros(4), np.arange(4), np.ones(4))
    assert not judge(oracle, time_split(everything, np.zeros(3), np.arange(3)), "new")[HEADLINE].subjects


def test_a_sample_of_subjects_is_fixed_and_spread() -> None:
    interactions = Interactions.from_columns(100, 2, np.arange(100), np.zeros(100), np.ones(100))
    split = time_split(interactions, np.arange(100), np.zeros(100, np.int32), most_subjects=10)
    assert split.subjects.tolist() == [0, 11, 22, 33, 44, 55, 66, 77, 88, 99]


def test_scores_that_are_not_finite_are_an_error() -> None:
    split = time_split(past(), np.array([0]), np.array([2]))
    broken = Oracle(np.full((4, 5), np.inf)).fit(split.train)
    with pytest.raises(FloatingPointError):
        judge(broken, split, "repeat")
    not_a_number = Oracle(np.full((4, 5), np.nan)).fit(split.train)
    with pytest.raises(FloatingPointError):
        judge(not_a_number, split, "repeat")


def test_nobody_came_back() -> None:
    split = time_split(past(), np.zeros(0, np.int32), np.zeros(0, np.int32))
    judgement = judge(Popular().fit(split.train), split, "new")
    assert judgement[HEADLINE] == Metric(HEADLINE, 0, 0, 0)


def judgement(name: str, values: list[float], mode: Mode = "new") -> Judgement:
    array = np.array(values)
    value = float(array.mean()) if values else 0.0
    nobody = np.empty(0, np.int64), np.empty((0, 0), np.int32), csr_matrix((0, 0))
    return Judgement(name, mode, (Metric(HEADLINE, value, 0.0, len(values)),), array, *nobody)


def test_the_best_that_passes_serves() -> None:
    baseline = [0.1, 0.2, 0.3, 0.2] * 10
    given = {
        "popular": judgement("popular", baseline),
        "better": judgement("better", [value + 0.1 for value in baseline]),
        "best": judgement("best", [value + 0.2 for value in baseline]),
        "worse": judgement("worse", [value - 0.05 for value in baseline]),
    }
    selection = choose(given, ["popular", "better", "best", "worse"])
    assert selection.chosen == "best"
    assert not selection.verdicts["worse"].passed
    assert "below popularity" in selection.verdicts["worse"].reason
    assert not selection.change
    assert choose(given, ["popular", "worse"]).chosen == "popular"
    assert choose(given, ["worse"]).chosen is None


def test_a_challenger_behind_on_the_frozen_window_has_to_win_clearly() -> None:
    noise = np.random.default_rng(0).random(400)
    near, clear = noise + 0.01 + np.tile([0.5, -0.5], 200), noise + 0.2  # ahead by .01 ± .025, and by .2
    given = {
        name: judgement(name, values.tolist())
        for name, values in (("popular", noise / 2), ("old", noise), ("near", near), ("clear", clear))
    }
    behind, ahead = {"old": 0.5, "near": 0.4, "clear": 0.4}, {"old": 0.5, "near": 0.6}

    def chosen(candidates: list[str], frozen: dict[str, float] | None = None, incumbent: str = "old") -> Selection:
        return choose({name: given[name] for name in candidates}, candidates, incumbent, frozen)

    assert chosen(["popular", "old", "near"]).chosen == "near"
    assert chosen(["popular", "old", "near"], ahead).chosen == "near"
    kept = chosen(["popular", "old", "near"], behind)
    assert (kept.chosen, kept.change["to"], kept.change["best"]) == ("old", "old", "near")
    assert "not enough" in kept.change["reason"]
    clearly = chosen(["popular", "old", "clear"], behind)
    assert (clearly.chosen, clearly.change["from"], clearly.change["to"]) == ("clear", "old", "clear")
    assert clearly.change["ahead"] == pytest.approx(0.2)
    assert clearly.change["ahead_frozen"] == pytest.approx(-0.1)
    assert chosen(["popular", "near"], behind).change["reason"] == "old could not be judged tonight"
    failed = chosen(["popular", "old", "clear"], ahead, "popular")
    assert failed.change["from"] == "popular"
    assert not chosen(["popular", "old"], behind).change


def test_equal_models_go_to_the_simpler() -> None:
    values = [0.1, 0.4]
    given = {"popular": judgement("popular", values), "other": judgement("other", values)}
    assert choose(given, ["popular", "other"]).chosen == "popular"


def test_only_the_baseline_passes_without_subjects_and_nothing_without_a_baseline() -> None:
    given = {"popular": judgement("popular", []), "other": judgement("other", [])}
    assert choose(given, ["popular", "other"]).chosen == "popular"
    assert choose({"other": judgement("other", [1.0])}, ["other"]).chosen is None


def test_a_difference_within_the_noise_passes() -> None:
    rng = np.random.default_rng(0)
    noise = rng.random(50)
    given = {
        "popular": judgement("popular", noise.tolist()),
        "near": judgement("near", rng.permutation(noise - 0.001).tolist()),
    }
    assert choose(given, ["popular", "near"]).verdicts["near"].passed
