"""Matrix factorization by alternating least squares (Hu, Koren, Volinsky, 2008), by the ``implicit`` library."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from scipy.sparse import csr_matrix

from models.interactions import Interactions
from models.items import Items
from models.ranking import Floats
from models.recommenders.recommender import Recommender


class Als(Recommender):
    """Scores are products of item factors with profile factors; those are solved anew from the history row.

    An interaction of weight w has confidence alpha * w, everything else confidence 1. ``seed`` fixes the random start.
    """

    name = "als"
    parameters: ClassVar[tuple[str, ...]] = ("factors", "regularization", "alpha", "iterations", "seed")
    learned: ClassVar[tuple[str, ...]] = ("item_factors",)

    item_factors_: Floats

    def __init__(
        self, factors: int = 64, regularization: float = 1.0, alpha: float = 2.0, iterations: int = 15, seed: int = 0
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

    def _fit(self, interactions: Interactions, items: Items | None, threads: int) -> None:  # noqa: ARG002
        if not interactions.entries:
            self.item_factors_ = np.zeros((interactions.n_items, self.factors), np.float32)
            return
        library = self._library(threads)
        library.fit(self._confidence(interactions.matrix()), show_progress=False)
        # Items nobody touched keep their random start otherwise.
        library.item_factors[interactions.item_profiles() == 0] = 0
        self.item_factors_ = library.item_factors

    def fold_in(self, history: csr_matrix) -> Floats:
        """Profile factors of history rows given the item factors, float32 (b, factors): exact least squares."""
        library = self._library(1)
        library.item_factors = self.item_factors_
        return np.asarray(library.recalculate_user(np.arange(history.shape[0]), self._confidence(history)))

    def scores(self, history: csr_matrix) -> Floats:
        found: Floats = self.fold_in(history) @ self.item_factors_.T
        return found

    def similar(self, start: int, stop: int) -> Floats:
        norms = np.maximum(np.linalg.norm(self.item_factors_, axis=1), np.finfo(np.float32).tiny)
        unit = self.item_factors_ / norms[:, None]
        found: Floats = unit[start:stop] @ unit.T
        return found
