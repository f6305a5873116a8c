"""Matrix factorization by alternating least squares (Hu, Koren, Volinsky, 2008), by the ``implicit`` library."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.evaluate import quality
from models.factor_kernel import add_projected
from models.histories import Histories
from models.lesson import Lesson, Material
from models.ranking import Floats, Ints, top_k
from models.recommenders.recommender import Recommender, leave_out
from models.recommenders.settle import DEPTH, SUBJECTS
from models.threads import Scratch, one_thread

STEPS = 4
PAIRS = ((2.0, 10.0), (2.0, 1.0), (4.0, 20.0), (10.0, 10.0), (10.0, 30.0))
"""Confidences and regularizations that are tried: they matter by their quotient most."""
TRIED, ROUNDS = 20_000, 5
"""Profiles and iterations of such a trial."""
MOST_PROFILES = 200_000
"""Profiles that the item factors are learned from; of more, evenly spaced ones."""


class Als(Recommender):
    """Scores are products of item factors with profile factors; those are solved anew from the history row.

    An interaction of weight w has confidence alpha * w, everything else confidence 1. Where ``alpha`` and
    ``regularization`` are both None they are the pair that ranked best what followed in the lesson, and without one the
    first; ``notes_`` say which. ``seed`` fixes the random start.
    More than ten iterations changed nothing wherever it was measured, beyond what another seed changes.
    """

    name = "als"
    parameters: ClassVar[tuple[str, ...]] = ("factors", "regularization", "alpha", "iterations", "seed")
    learned: ClassVar[tuple[str, ...]] = ("item_factors", "chosen")

    tile = 2**24
    """A matrix product is the faster the more rows it has: 64 MiB of scores for each worker."""

    item_factors_: Floats
    chosen_: NDArray[np.float64]

    def __init__(
        self, factors: int = 128, regularization: float | None = None, alpha: float | None = None, iterations: int = 10,
        seed: int = 0,
    ) -> None:
        self.factors = factors
        self.regularization = regularization
        self.alpha = alpha
        self.iterations = iterations
        self.seed = seed

    def _library(self, threads: int) -> Any:
        from implicit.cpu.als import AlternatingLeastSquares

        return AlternatingLeastSquares(
            factors=self.factors,
            regularization=self.chosen_[1],
            iterations=self.iterations,
            num_threads=threads,
            random_state=self.seed,
        )

    def _confidence(self, history: csr_matrix) -> csr_matrix:
        data = np.float32(self.chosen_[0]) * history.data
        return csr_matrix((data, history.indices, history.indptr), shape=history.shape)

    def _fit(self, given: Material) -> None:
        interactions = given.interactions
        self.chosen_ = np.array(self._settled(given))
        self.notes_ |= dict(zip(("alpha", "regularization"), self.chosen_.tolist(), strict=True))
        matrix = interactions.matrix()
        if interactions.n_profiles > MOST_PROFILES:
            self.notes_["sampled"] = f"item factors of {MOST_PROFILES} of {interactions.n_profiles} profiles"
            matrix = _some_rows(matrix, MOST_PROFILES)
        self._factorize(matrix, given.threads)

    def _factorize(self, matrix: csr_matrix, threads: int) -> None:
        factors = np.zeros((matrix.shape[1], self.factors), np.float32)
        if matrix.nnz:
            library = self._library(threads)
            library.fit(self._confidence(matrix), show_progress=False)
            # Items nobody touched would keep their random start.
            touched = np.bincount(matrix.indices, minlength=matrix.shape[1]) > 0
            factors[touched] = library.item_factors[touched]
        self._learned(factors)

    def _settled(self, given: Material) -> tuple[float, float]:
        """Alpha and regularization: as given, as in the lesson's own ALS, or, for that one, as what followed has it."""
        first, lesson = PAIRS[0], given.lesson
        if self.alpha is not None or self.regularization is not None:
            alpha, own = self.alpha, self.regularization
            return first[0] if alpha is None else alpha, first[1] if own is None else own
        if lesson is None or not given.interactions.entries:
            return first
        if lesson.split.train is given.interactions:
            return self._choose(lesson, given.threads)
        earlier = lesson.past(Als(**self.get_params()), given.threads)
        assert isinstance(earlier, Als)
        alpha, own = earlier.chosen_.tolist()
        return alpha, own

    def _choose(self, lesson: Lesson, threads: int) -> tuple[float, float]:
        """The pair that ranks best what followed in the lesson."""
        split = lesson.most(SUBJECTS)
        if not len(split.subjects):
            return PAIRS[0]
        matrix = _some_rows(split.train.matrix(), TRIED)
        found = []
        for alpha, regularization in PAIRS:
            trial = Als(self.factors, regularization, alpha, min(ROUNDS, self.iterations), self.seed)
            trial.chosen_ = np.array([alpha, regularization])
            trial._remember_order(self.order_)
            trial._factorize(matrix, threads)
            found.append(float(quality(trial, split, lesson.mode, DEPTH, threads).mean()))
        return PAIRS[int(np.argmax(found))]

    def _learned(self, factors: Floats) -> None:
        """Keep the item factors with what every fold-in shares: G = Y'Y + regularization, and its inverse."""
        self.item_factors_ = factors
        with one_thread():
            shared = factors.astype(np.float64)
            gram = shared.T @ shared + self.chosen_[1] * np.eye(self.factors)
            self._gram = gram.astype(np.float32)
            self._inverse = np.linalg.inv(gram).astype(np.float32)

    @classmethod
    def from_arrays(cls, params: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        model = super().from_arrays(params, arrays)
        model._learned(np.asarray(arrays["item_factors"]))
        return model

    def fold_in(self, history: csr_matrix) -> Floats:
        """Profile factors of history rows given the item factors, float32 (b, factors).

        Solves (G + Y'(C - 1)Y) x = Y'C for all rows at once by conjugate gradients, preconditioned by the inverse of G,
        which all rows share and which is nearly all of the matrix: ``STEPS`` of them come within 0.1 % of the exact
        solution at the default alpha, several times faster than a factorization for each row.
        """
        confidence = self._confidence(history)
        ends, items = history.indptr.astype(np.int64), history.indices.astype(np.int32)
        extra = confidence.data - np.float32(1)

        def apply(x: Floats) -> Floats:
            product: Floats = x @ self._gram
            add_projected(ends, items, extra, self.item_factors_, x, product)
            return product

        target = confidence @ self.item_factors_
        x: Floats = target @ self._inverse
        residual = target - apply(x)
        direction = residual @ self._inverse
        size = _dot(residual, direction)
        for _ in range(STEPS):
            ahead = apply(direction)
            step = _ratio(size, _dot(direction, ahead))
            x += step * direction
            residual -= step * ahead
            better = residual @ self._inverse
            before, size = size, _dot(residual, better)
            direction = better + _ratio(size, before) * direction
        return x

    def scores(self, history: csr_matrix) -> Floats:
        found: Floats = self.fold_in(history) @ self.item_factors_.T
        return found

    def _best(
        self, history: Histories, k: int, exclude: csr_matrix | None, banned: NDArray[np.intp] | None, scratch: Scratch
    ) -> tuple[Ints, Floats]:
        profiles = self.fold_in(history.strength)
        block = scratch.block(len(profiles), self.n_items_)
        np.matmul(profiles, self.item_factors_.T, out=block)
        leave_out(block, exclude, banned)
        return top_k(block, k, self.order_, self.rank_)

    def similar(self, start: int, stop: int) -> Floats:
        norms = np.maximum(np.linalg.norm(self.item_factors_, axis=1), np.finfo(np.float32).tiny)
        unit = self.item_factors_ / norms[:, None]
        found: Floats = unit[start:stop] @ unit.T
        return found


def _some_rows(matrix: csr_matrix, most: int) -> csr_matrix:
    """At most so many of the rows, evenly spaced: profile indices follow hashed ids."""
    rows = matrix.shape[0]
    return matrix if rows <= most else matrix[np.linspace(0, rows - 1, most).astype(np.int64)]


def _dot(left: Floats, right: Floats) -> Floats:
    """Inner product of each pair of rows, as a column."""
    found: Floats = np.einsum("bf,bf->b", left, right)[:, None]
    return found


def _ratio(above: Floats, below: Floats) -> Floats:
    """Their quotient, zero where there is nothing left to divide by: that row has converged."""
    return np.divide(above, below, out=np.zeros_like(above), where=below > np.finfo(np.float32).tiny)
