"""Unlike models added up: a blend, matrix factors, item neighbours, and popularity for or against.

What they say is scaled alike, row by row, and weighted by what ranked best what followed in the lesson: a search one
weight after the other, repeated on random halves of the profiles, whose means are taken, so that no weight follows a
few profiles (R. Caruana et al., "Ensemble selection from libraries of models", ICML 2004, bag their selections alike).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models import metrics
from models.histories import Histories
from models.lesson import Lesson, Material
from models.ranking import Floats, top_k
from models.recommenders.als import Als
from models.recommenders.blend import Blend
from models.recommenders.linear import past_linear
from models.recommenders.neighbours import Neighbours
from models.recommenders.recommender import Recommender, leave_out, tile_rows
from models.recommenders.settle import SUBJECTS
from models.split import without
from models.threads import over_shards

PARTS = ("blend", "als", "neighbours", "popularity")
FIRST = (1.0, 0.3, 0.0, 0.0)
"""Weights without a lesson."""
WEIGHTS = (-0.8, -0.5, -0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5)
CANDIDATES = 100
"""Best items of each part that a trial of weights ranks."""
FEWEST = 20
HALVES = 8
DEPTH = 100
"""Deeper than the lists of a night: what stands behind them tells of the weights as well, and there is more of it."""


class Ensemble(Recommender):
    """Sum of the scores of its parts, each divided by its row's standard deviation over all items.

    The blend counts 1; the ``weights`` of the others are learned from the lesson where they are None, and ``notes_``
    say which they are. Popularity counts alike in all rows; against popular items it counts what they lack of the most
    popular one. A row of which no part knows anything scores zero.
    """

    name = "ensemble"
    parameters: ClassVar[tuple[str, ...]] = ("weights", "factors", "regularization", "seed")

    def __init__(
        self, weights: Sequence[float] | None = None, factors: int = 128, regularization: float | None = None,
        seed: int = 0,
    ) -> None:
        self.weights = weights
        self.factors = factors
        self.regularization = regularization
        self.seed = seed

    def _fit(self, given: Material) -> None:
        interactions, items, threads, lesson = given.interactions, given.items, given.threads, given.lesson
        made = (Blend(regularization=self.regularization), Als(self.factors, seed=self.seed), Neighbours())
        fitted = [
            given.parts.get(one.name)
            or one.fit(interactions, items, threads=threads, lesson=lesson, parts=given.parts)
            for one in made
        ]
        self._assemble(fitted, interactions.item_profiles().astype(np.float32))
        self.notes_ |= {name: value for one in fitted for name, value in one.notes_.items()}
        weights = FIRST if self.weights is None else tuple(self.weights)
        if lesson is not None and self.weights is None:
            weights = self._learn(lesson, threads)
        self.weights_ = np.array(weights, np.float64)
        self.notes_["weights"] = dict(zip(PARTS, self.weights_.round(3).tolist(), strict=True))

    def _assemble(self, parts: Sequence[Recommender], profiles: Floats) -> None:
        self.parts_, self.profiles_ = tuple(parts), profiles
        spread = float(profiles.std()) if len(profiles) else 0.0
        self.popular_ = profiles / np.float32(spread) if spread else np.zeros_like(profiles)

    def _learn(self, lesson: Lesson, threads: int) -> tuple[float, ...]:
        """Mean of the weights that rank best what followed, each time of half of the profiles."""
        blend = self.parts_[0]
        assert isinstance(blend, Blend)
        split = lesson.most(SUBJECTS)
        if len(split.subjects) < FEWEST:
            self.notes_["ensemble"] = f"not learned: {len(split.subjects)} profiles of {FEWEST} found something next"
            return FIRST
        linear = past_linear(lesson, self.regularization, threads)
        power, habit = blend.chosen_.tolist()
        earlier = Ensemble(factors=self.factors, regularization=self.regularization, seed=self.seed)
        earlier._remember_order(split.train.popularity_order())
        first = Blend(power, habit, self.regularization).fit(split.train, threads=threads, parts={linear.name: linear})
        others = (lesson.past(one, threads) for one in (Als(self.factors, seed=self.seed), Neighbours()))
        earlier._assemble([first, *others], split.train.item_profiles().astype(np.float32))
        examples = earlier._examples(lesson, threads)
        rng, size = np.random.default_rng(self.seed), len(examples.relevant)
        halves = [np.sort(rng.permutation(size)[: (size + 1) // 2]) for _ in range(HALVES)]
        found = np.mean([_search(examples.of(half)) for half in halves], axis=0)
        judged = examples.quality(found).mean(), examples.quality(np.array([1.0, 0, 0, 0])).mean()
        self.notes_["ensemble"] = (
            f"weights from {size} profiles: ndcg@{DEPTH} of what followed {judged[0]:.4f}, of the blend {judged[1]:.4f}"
        )
        return tuple(found.tolist())

    def _examples(self, lesson: Lesson, threads: int) -> _Examples:
        """What each part says of the items that one of them has among its best, of the subjects of a lesson."""
        split = lesson.most(SUBJECTS)
        history, relevant = split.train.histories(split.subjects), split.relevant[split.subjects]
        exclude = split.train.excluded()[split.subjects] if lesson.mode == "new" else None
        if exclude is not None:
            relevant = without(relevant, exclude)
        banned = np.flatnonzero(~split.known)
        rows, width = len(split.subjects), (len(PARTS) - 1) * CANDIDATES
        said = np.zeros((rows, width, len(PARTS)), np.float32)
        items = np.full((rows, width), -1, np.int32)

        def work(start: int, stop: int) -> None:
            left_out = None if exclude is None else exclude[start:stop]
            blocks = self._scaled(history[start:stop], self.parts_)
            best = []
            for block in blocks:
                shown = block.copy()
                leave_out(shown, left_out, banned)
                best.append(top_k(shown, CANDIDATES, self.order_, self.rank_)[0])
            some = np.sort(np.concatenate(best, axis=1), axis=1)
            again = np.diff(some, axis=1, prepend=-1) == 0
            some[again] = -1
            items[start:stop] = some
            row, place = np.nonzero(some >= 0)
            item = some[row, place]
            said[start + row, place] = np.stack([*(block[row, item] for block in blocks), self.popular_[item]], axis=1)

        over_shards(work, rows, tile_rows(self.n_items_), threads)
        return _Examples(said, items >= 0, metrics.hits(items, relevant), np.diff(relevant.indptr).astype(np.int64))

    def _scaled(self, history: Histories, parts: Sequence[Recommender]) -> list[Floats]:
        """What these parts say, each divided by the standard deviation of its row."""
        blocks = [part.scored(history, None, None) for part in parts]
        for block in blocks:
            if block.shape[1]:
                spread = block.std(axis=1, keepdims=True)
                np.divide(block, spread, out=block, where=spread > 0)
        return blocks

    def scored(self, history: Histories, exclude: csr_matrix | None, banned: NDArray[np.intp] | None) -> Floats:
        weights = self.weights_.astype(np.float32)
        total = np.zeros(history.shape, np.float32)
        known = np.zeros((len(total), 1), np.bool_)
        used = np.flatnonzero(weights[:-1])
        blocks = self._scaled(history, [self.parts_[part] for part in used])
        for block, weight in zip(blocks, weights[used], strict=True):
            known |= block.any(axis=1, keepdims=True)
            total += np.multiply(block, weight, out=block)
        popular = weights[-1] * self.popular_
        if weights[-1] < 0:
            popular = np.where(self.profiles_ > 0, popular - popular.min(initial=0), 0)
        np.add(total, popular, out=total, where=known)
        leave_out(total, exclude, banned)
        return total

    def scores(self, history: csr_matrix) -> Floats:
        return self.scored(Histories.of(history), None, None)

    @property
    def row_wise(self) -> bool:
        return all(part.row_wise for part, weight in zip(self.parts_, self.weights_[:-1], strict=True) if weight)

    def similar(self, start: int, stop: int) -> Floats:
        return self.parts_[0].similar(start, stop)

    def neighbour_source(self) -> Recommender | None:
        return self.parts_[0].neighbour_source()

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        named = {f"{one.name}.{name}": array for one in self.parts_ for name, array in one.to_arrays().items()}
        return {"order": self.order_, "learned": self.weights_, "profiles": self.profiles_, **named}

    @classmethod
    def from_arrays(cls, params: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        model = super().from_arrays(params, arrays)
        parts: dict[str, dict[str, NDArray[Any]]] = {name: {} for name in PARTS}
        for name, array in arrays.items():
            part, _, rest = name.partition(".")
            if rest:
                parts[part][rest] = array
        factors = int(parts["als"]["item_factors"].shape[1])
        found = (
            Blend.from_arrays({"regularization": model.regularization}, parts["blend"]),
            Als.from_arrays({"factors": factors, "seed": model.seed}, parts["als"]),
            Neighbours.from_arrays({}, parts["neighbours"]),
        )
        model._assemble(found, np.asarray(arrays["profiles"]))
        model.weights_ = np.array(arrays["learned"])
        return model


@dataclass(frozen=True, slots=True, eq=False)
class _Examples:
    """``said`` float32 (b, candidates, parts); bool (b, candidates): ``there``, whether there is a candidate, and
    ``label``, whether it was wanted; ``relevant`` (b,): number of items to be found.
    """

    said: Floats
    there: NDArray[np.bool_]
    label: NDArray[np.bool_]
    relevant: NDArray[np.int64]

    def of(self, rows: NDArray[np.intp]) -> _Examples:
        return _Examples(self.said[rows], self.there[rows], self.label[rows], self.relevant[rows])

    def quality(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """NDCG of each profile, its candidates ordered by these weights; of equal ones a wanted one comes last."""
        scores = np.where(self.there, _sum(self.said, weights), -np.inf)
        row, place = np.nonzero(self.label)
        ahead = (scores[row] >= scores[row, place][:, None]).sum(axis=1) - 1
        gained = np.where(ahead < DEPTH, 1 / np.log2(ahead + 2.0), 0)
        ideal = np.cumsum(1 / np.log2(np.arange(2, DEPTH + 2)))
        found = np.bincount(row, weights=gained, minlength=len(self.relevant))
        return found / ideal[np.clip(self.relevant, 1, DEPTH) - 1]


def _sum(said: Floats, weights: NDArray[np.float64]) -> Floats:
    """Weighted sum over the parts, in their order."""
    total = np.zeros(said.shape[:2], np.float32)
    for part in np.flatnonzero(weights):
        total += said[:, :, part] * np.float32(weights[part])
    return total


def _search(examples: _Examples) -> NDArray[np.float64]:
    """Weights that rank best what was wanted: from the blend alone, one after the other, twice."""
    best = np.array([1.0, 0.0, 0.0, 0.0])
    quality = examples.quality(best).mean()
    for _ in range(2):
        for part in range(1, len(PARTS)):
            for weight in WEIGHTS:
                trial = best.copy()
                trial[part] = weight
                found = examples.quality(trial).mean()
                if found > quality:
                    best, quality = trial, found
    return best
