"""A recommender fitted on another night's items, used with tonight's numbering."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.interactions import Interactions
from models.items import Items
from models.ranking import Floats, Ints
from models.recommenders.recommender import Recommender


class Carried(Recommender):
    """Scores with ``inner`` in its own item numbering; items it does not know score zero.

    ``mapping`` int32 (items of ``inner``): tonight's index of each, -1 when the item is gone. ``order``: tonight's
    popularity order.
    """

    name: ClassVar[str] = "carried"

    def __init__(self, inner: Recommender, mapping: NDArray[Any], order: Ints) -> None:
        self.inner = inner
        self.name = inner.name  # type: ignore[misc]  # it serves under the name of what it carries
        self.notes_ = dict(inner.notes_)
        self._remember_order(order)
        self.mapping_ = np.asarray(mapping, dtype=np.int32)
        self.kept_ = np.flatnonzero(self.mapping_ >= 0)
        self.back_ = np.full(len(order), -1, np.int32)
        self.back_[self.mapping_[self.kept_]] = self.kept_

    def _fit(self, interactions: Interactions, items: Items | None, threads: int) -> None:  # noqa: ARG002
        raise TypeError("a carried model is never fitted")

    def scores(self, history: csr_matrix) -> Floats:
        known = self.back_[history.indices]
        rows = np.repeat(np.arange(history.shape[0]), np.diff(history.indptr))
        inside = known >= 0
        shape = (history.shape[0], self.inner.n_items_)
        old = csr_matrix((history.data[inside], (rows[inside], known[inside])), shape=shape, dtype=np.float32)
        return self._renumber(self.inner.scores(old))

    def similar(self, start: int, stop: int) -> Floats:
        found = np.zeros((stop - start, self.n_items_), np.float32)
        for row, old in enumerate(self.back_[start:stop].tolist()):
            if old >= 0:
                found[row] = self._renumber(self.inner.similar(old, old + 1))[0]
        return found

    def _renumber(self, scores: Floats) -> Floats:
        found = np.zeros((len(scores), self.n_items_), np.float32)
        found[:, self.mapping_[self.kept_]] = scores[:, self.kept_]
        return found
