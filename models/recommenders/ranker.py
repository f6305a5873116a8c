"""A second stage: the best candidates of a blend, ranked anew by a boosted forest over what is known of profile, item
and pair. The forest learns from an earlier window: features as of its start, labels from what followed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models import metrics
from models.churn.forest import Forest
from models.histories import Histories
from models.lesson import Lesson, Material
from models.ranking import Floats, Ints, top_k
from models.recommenders.blend import Blend
from models.recommenders.content import Content
from models.recommenders.linear import linear_part, past_linear
from models.recommenders.ranking_features import FEATURES, ItemTable, features
from models.recommenders.recommender import Recommender, leave_out, tile_rows
from models.split import Mode, Split, without
from models.threads import Scratch, one_thread, over_shards
from models.trees import forest_scores

SUBJECTS = 3000
FEWEST = 100
"""Profiles with something found among their candidates, below which a forest would learn noise."""
SIZES = (30, 60, 90, 120, 150)
HELD_OUT = 4
"""Every fourth profile of a lesson judges the forest of the others."""
DEPTH = 10
NEGATIVES = 3
"""Of the candidates that were not wanted a forest learns from every third, counted threefold: they are nearly all of
them and alike (X. He et al., "Practical lessons from predicting clicks on ads at Facebook", ADKDD 2014). What serves is
the mean of three, each of another third (X.-Y. Liu et al., "Exploratory undersampling for class-imbalance learning",
2009); the first of them says how many trees."""
ALL, HALF, LAST = np.uint64(0xFFFF_FFFF), np.uint64(32), np.uint64(0xFFFF_FFFF_FFFF_FFFF)


@dataclass(frozen=True, slots=True, eq=False)
class _Examples:
    """``matrix`` (b * k, features), ``label`` bool (b, k), ``relevant`` (b,): number of items to be found."""

    matrix: Floats
    label: NDArray[np.bool_]
    relevant: NDArray[np.int64]


class Ranker(Recommender):
    """The ``candidates`` best items of a ``Blend`` by the chance, as a forest of at most ``trees`` trees sees it, that
    they are wanted next; then the others in the order of the blend. Scores above 1 are 1 plus that chance.

    The number of trees is what ranked held-out profiles of the lesson best. Without a lesson, with too few profiles in
    it, or where no forest ranked better than the blend, it is the blend; ``notes_`` say so. Profiles without a history
    score zero, which means popularity.
    """

    name = "ranker"
    parameters: ClassVar[tuple[str, ...]] = ("candidates", "trees", "regularization", "seed")

    forest_: Forest | None

    def __init__(
        self, candidates: int = 100, trees: int = 150, regularization: float | None = None, seed: int = 0
    ) -> None:
        self.candidates = candidates
        self.trees = trees
        self.regularization = regularization
        self.seed = seed

    def _fit(self, given: Material) -> None:
        interactions, items, threads, lesson = given.interactions, given.items, given.threads, given.lesson
        known = dict(given.parts)
        linear = linear_part(interactions, known, self.regularization, threads, lesson)
        known[linear.name] = linear
        content = known.get("content") or Content().fit(interactions, items, threads=threads)
        blend = known.get("blend")
        if not isinstance(blend, Blend):
            blend = Blend(regularization=self.regularization)
            blend.fit(interactions, items, threads=threads, lesson=lesson, parts=known)
        self._assemble(blend, content, ItemTable.of(interactions, items), None)
        self.notes_ |= blend.notes_
        if lesson is None:
            self.notes_["forest"] = "none: there is no lesson to learn from"
            return
        past = past_linear(lesson, self.regularization, threads)
        power, habit = blend.chosen_.tolist()
        earlier = Ranker(**self.get_params())
        earlier._remember_order(lesson.split.train.popularity_order())
        first = Blend(power, habit, self.regularization)
        first.fit(lesson.split.train, items, threads=threads, parts={past.name: past})
        earlier._assemble(first, content, ItemTable.of(lesson.split.train, items), None)
        self.forest_ = self._learn(earlier, lesson, threads)

    def _assemble(self, blend: Blend, content: Recommender, table: ItemTable, forest: Forest | None) -> None:
        self.blend_, self.content_, self.table_, self.forest_ = blend, content, table, forest

    def _learn(self, earlier: Ranker, lesson: Lesson, threads: int) -> Forest | None:
        """The forest that ranks the candidates of ``earlier``; None, with a note, when it would not help."""
        split = lesson.most(SUBJECTS)
        examples = earlier._examples(split, lesson.mode, threads)
        found = int(examples.label.any(axis=1).sum())
        if found < FEWEST:
            self.notes_["forest"] = f"none: {found} profiles of {FEWEST} have a candidate that they wanted next"
            return None
        held = np.arange(len(examples.label)) % HELD_OUT == HELD_OUT - 1
        trial = self._grow(examples, ~held, self.trees, 0)
        sizes = [size for size in SIZES if size < self.trees] + [self.trees]
        quality = [_quality(examples, held, _first(trial, size)) for size in (0, *sizes)]
        best = int(np.argmax(quality))
        judged = f"ndcg@{DEPTH} of held-out profiles {quality[best]:.4f}, of the blend {quality[0]:.4f}"
        if best == 0:
            self.notes_["forest"] = f"none: {judged}"
            return None
        size, everybody = sizes[best - 1], np.ones(len(held), np.bool_)
        self.notes_["forest"] = f"{NEGATIVES} x {size} trees from {len(examples.label)} profiles; {judged}"
        return Forest.mean([self._grow(examples, everybody, size, turn) for turn in range(NEGATIVES)])

    def _examples(self, split: Split, mode: Mode, threads: int) -> _Examples:
        """Candidates of the subjects, with what is known of them and whether they were wanted next."""
        relevant = split.relevant[split.subjects]
        exclude = split.train.excluded()[split.subjects] if mode == "new" else None
        if exclude is not None:
            relevant = without(relevant, exclude)
        history, banned = split.train.histories(split.subjects), np.flatnonzero(~split.known)
        rows, k = len(split.subjects), min(self.candidates, split.train.n_items)
        matrix = np.empty((rows * k, len(FEATURES)), np.float32)
        items = np.empty((rows, k), np.int32)

        def work(start: int, stop: int) -> None:
            some = history[start:stop]
            _, items[start:stop], matrix[start * k : stop * k] = self._stage(
                some, None if exclude is None else exclude[start:stop], banned
            )

        over_shards(work, rows, tile_rows(split.train.n_items), threads)
        return _Examples(matrix, metrics.hits(items, relevant), np.diff(relevant.indptr).astype(np.int64))

    def _stage(
        self, history: Histories, exclude: csr_matrix | None, banned: NDArray[np.intp] | None
    ) -> tuple[Floats, Ints, Floats]:
        """The blend's scores with what is left out, its best candidates (b, k) padded with -1, and their features."""
        ease, block = self.blend_.stages(history)
        leave_out(block, exclude, banned)
        k = min(self.candidates, block.shape[1])
        items, _ = top_k(block, k, self.blend_.order_, self.blend_.rank_)
        content = self.content_.scores(history.strength)
        return block, items, features(self.table_, history, np.maximum(items, 0), ease, block, content)

    def _grow(self, examples: _Examples, rows: NDArray[np.bool_], trees: int, turn: int) -> Forest:
        from sklearn.ensemble import HistGradientBoostingClassifier

        profiles, places = (np.arange(size) for size in examples.label.shape)
        third = (profiles[:, None] + places) % NEGATIVES == turn
        some = (rows[:, None] & (examples.label | third)).ravel()
        matrix, label = examples.matrix[some], examples.label.ravel()[some]
        # A column that says nothing would be refused where all of it is missing.
        used = np.flatnonzero(~np.isnan(matrix).all(axis=0))
        model = HistGradientBoostingClassifier(
            max_iter=trees,
            learning_rate=0.06,
            max_leaf_nodes=15,
            min_samples_leaf=50,
            l2_regularization=5.0,
            max_features=0.5,
            early_stopping=False,
            random_state=self.seed + turn,
            categorical_features=None,
        )
        # NDCG is a mean over profiles, each divided by its own ideal list: so much weighs what is learned of it.
        fairness = np.repeat(metrics.fairness(examples.relevant, DEPTH), len(places))[some]
        with one_thread():
            forest = Forest.of(
                model.fit(matrix[:, used], label, sample_weight=fairness * np.where(label, 1.0, NEGATIVES))
            )
        forest.term[forest.term >= 0] = used[forest.term[forest.term >= 0]]
        return forest

    def scored(self, history: Histories, exclude: csr_matrix | None, banned: NDArray[np.intp] | None) -> Floats:
        if self.forest_ is None:
            return self.blend_.scored(history, exclude, banned)
        block, items, matrix = self._stage(history, exclude, banned)
        np.divide(block, 1 + block, out=block, where=np.isfinite(block))
        row, place = np.nonzero((items >= 0) & (np.diff(history.strength.indptr) > 0)[:, None])
        block[row, items[row, place]] = self._chances(matrix).reshape(items.shape)[row, place]
        return block

    def _best(
        self, history: Histories, k: int, exclude: csr_matrix | None, banned: NDArray[np.intp] | None, scratch: Scratch
    ) -> tuple[Ints, Floats]:
        """The candidates alone, where they are enough: what is not among them stands behind them anyway."""
        if self.forest_ is None or k > min(self.candidates, self.n_items_):
            return super()._best(history, k, exclude, banned, scratch)
        block, items, matrix = self._stage(history, exclude, banned)
        some, found = np.maximum(items, 0), items >= 0
        score = np.take_along_axis(block, some, axis=1)
        known = np.diff(history.strength.indptr) > 0
        score[found] /= 1 + score[found]
        score[known] = self._chances(matrix).reshape(items.shape)[known]
        # No score is below zero, so the bits of scores are in the order of the scores.
        keys = (ALL - score.view(np.uint32).astype(np.uint64)) << HALF | self.rank_[some].astype(np.uint64)
        place = np.argsort(np.where(found, keys, LAST), axis=1)[:, :k]
        found = np.take_along_axis(found, place, axis=1)
        score = np.where(found, np.take_along_axis(score, place, axis=1), np.float32(0))
        return np.where(found, np.take_along_axis(items, place, axis=1), -1), score

    def _chances(self, matrix: Floats) -> Floats:
        """1 plus the chance that a candidate is wanted, of each row of features."""
        assert self.forest_ is not None
        chance: Floats = (1 + (1 / (1 + np.exp(-forest_scores(self.forest_, matrix)))).astype(np.float32))
        return chance

    def scores(self, history: csr_matrix) -> Floats:
        return self.scored(Histories.of(history), None, None)

    def similar(self, start: int, stop: int) -> Floats:
        return self.blend_.similar(start, stop)

    @property
    def row_wise(self) -> bool:
        return self.blend_.row_wise and self.content_.row_wise

    def neighbour_source(self) -> Recommender | None:
        return self.blend_.neighbour_source()

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        parts = {"blend": self.blend_.to_arrays(), "content": self.content_.to_arrays()}
        parts["forest"] = {} if self.forest_ is None else self.forest_.arrays()
        named = {f"{part}.{name}": array for part, arrays in parts.items() for name, array in arrays.items()}
        return {"order": self.order_, "table": self.table_.values, **named}

    @classmethod
    def from_arrays(cls, params: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        model = super().from_arrays(params, arrays)
        parts: dict[str, dict[str, NDArray[Any]]] = {"blend": {}, "content": {}, "forest": {}}
        for name, array in arrays.items():
            part, _, rest = name.partition(".")
            if rest:
                parts[part][rest] = array
        model._assemble(
            Blend.from_arrays({"regularization": model.regularization}, parts["blend"]),
            Content.from_arrays({}, parts["content"]),
            ItemTable(np.asarray(arrays["table"])),
            Forest.restore(parts["forest"]) if parts["forest"] else None,
        )
        return model


def _first(forest: Forest, trees: int) -> Forest:
    """The forest as it was after so many trees."""
    return Forest(
        forest.base, forest.start[: trees + 1], forest.term, forest.threshold, forest.left, forest.right,
        forest.missing_left, forest.value,
    )


def _quality(examples: _Examples, rows: NDArray[np.bool_], forest: Forest) -> float:
    """NDCG of the profiles of these rows, their candidates ordered by the forest; ties stay in the order they have."""
    label = examples.label[rows]
    scores = forest_scores(forest, examples.matrix[np.repeat(rows, label.shape[1])]).reshape(label.shape)
    order = np.argsort(-scores, axis=1, kind="stable")
    return float(metrics.ndcg(np.take_along_axis(label, order, axis=1), examples.relevant[rows], DEPTH).mean())
