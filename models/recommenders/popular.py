"""Popularity with recent interactions counting more: the baseline every model has to beat."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from scipy.sparse import csr_matrix

from models.interactions import QUANTUM
from models.lesson import Material
from models.ranking import Floats
from models.recommenders.recommender import Recommender


class Popular(Recommender):
    """Scores every item by the sum of its recent weights, the same for everybody. Knows no neighbours."""

    name = "popular"
    learned: ClassVar[tuple[str, ...]] = ("popularity",)
    personal = False

    popularity_: Floats

    def _fit(self, given: Material) -> None:
        self.popularity_ = (given.interactions.popularity / QUANTUM).astype(np.float32)

    @property
    def row_wise(self) -> bool:
        return True

    def scores(self, history: csr_matrix) -> Floats:
        return np.repeat(self.popularity_[None, :], history.shape[0], axis=0)

    def similar(self, start: int, stop: int) -> Floats:
        return np.zeros((stop - start, self.n_items_), np.float32)
