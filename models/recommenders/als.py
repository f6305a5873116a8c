"""Matrix factorization by alternating least squares (Hu, Koren, Volinsky, 2008), by the ``implicit`` library."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.interactions import Interactions
from models.items import Items
from models.ranking import Floats
from models.recommenders.recommender import Recommender
from models.threads import one_blas_thread


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
        factors = np.zeros((interactions.n_items, self.factors), np.float32)
        if interactions.entries:
            library = self._library(threads)
            library.fit(self._confidence(interactions.matrix()), show_progress=False)
            # Items nobody touched would keep their random start.
            touched = interactions.item_profiles() > 0
            factors[touched] = library.item_factors[touched]
        self._learned(factors)

    def _learned(self, factors: Floats) -> None:
        self.item_factors_ = factors
        with one_blas_thread():
            self._folder = self._library(1)
            self._folder.item_factors = factors
            # The library keeps this product of all items, which every fold-in needs; asked for once, before threads do.
            assert self._folder.YtY is not None

    @classmethod
    def from_arrays(cls, params: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        model = super().from_arrays(params, arrays)
        model._learned(np.array(arrays["item_factors"]))  # a copy: the library takes no read-only memory
        return model

    def fold_in(self, history: csr_matrix) -> Floats:
        """Profile factors of history rows given the item factors, float32 (b, factors): exact least squares."""
        return np.asarray(self._folder.recalculate_user(np.arange(history.shape[0]), self._confidence(history)))

    def scores(self, history: csr_matrix) -> Floats:
        found: Floats = self.fold_in(history) @ self.item_factors_.T
        return found

    def similar(self, start: int, stop: int) -> Floats:
        norms = np.maximum(np.linalg.norm(self.item_factors_, axis=1), np.finfo(np.float32).tiny)
        unit = self.item_factors_ / norms[:, None]
        found: Floats = unit[start:stop] @ unit.T
        return found
