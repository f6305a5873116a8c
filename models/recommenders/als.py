"""Matrix factorization by alternating least squares (Hu, Koren, Volinsky, 2008), by the ``implicit`` library."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.factor_kernel import add_projected
from models.histories import Histories
from models.lesson import Material
from models.ranking import Floats, Ints, top_k
from models.recommenders.recommender import Recommender, leave_out
from models.threads import Scratch, one_thread

STEPS = 4


class Als(Recommender):
    """Scores are products of item factors with profile factors; those are solved anew from the history row.

    An interaction of weight w has confidence alpha * w, everything else confidence 1. ``seed`` fixes the random start.
    More than ten iterations changed nothing wherever it was measured, beyond what another seed changes.
    """

    name = "als"
    parameters: ClassVar[tuple[str, ...]] = ("factors", "regularization", "alpha", "iterations", "seed")
    learned: ClassVar[tuple[str, ...]] = ("item_factors",)

    tile = 2**24
    """A matrix product is the faster the more rows it has: 64 MiB of scores for each worker."""

    item_factors_: Floats

    def __init__(
        self, factors: int = 64, regularization: float = 1.0, alpha: float = 2.0, iterations: int = 10, seed: int = 0
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
            regularization=self.regularization,
            iterations=self.iterations,
            num_threads=threads,
            random_state=self.seed,
        )

    def _confidence(self, history: csr_matrix) -> csr_matrix:
        data = np.float32(self.alpha) * history.data
        return csr_matrix((data, history.indices, history.indptr), shape=history.shape)

    def _fit(self, given: Material) -> None:
        interactions, threads = given.interactions, given.threads
        factors = np.zeros((interactions.n_items, self.factors), np.float32)
        if interactions.entries:
            library = self._library(threads)
            library.fit(self._confidence(interactions.matrix()), show_progress=False)
            # Items nobody touched would keep their random start.
            touched = interactions.item_profiles() > 0
            factors[touched] = library.item_factors[touched]
        self._learned(factors)

    def _learned(self, factors: Floats) -> None:
        """Keep the item factors with what every fold-in shares: G = Y'Y + regularization, and its inverse."""
        self.item_factors_ = factors
        with one_thread():
            shared = factors.astype(np.float64)
            gram = shared.T @ shared + self.regularization * np.eye(self.factors)
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


def _dot(left: Floats, right: Floats) -> Floats:
    """Inner product of each pair of rows, as a column."""
    found: Floats = np.einsum("bf,bf->b", left, right)[:, None]
    return found


def _ratio(above: Floats, below: Floats) -> Floats:
    """Their quotient, zero where there is nothing left to divide by: that row has converged."""
    return np.divide(above, below, out=np.zeros_like(above), where=below > np.finfo(np.float32).tiny)
