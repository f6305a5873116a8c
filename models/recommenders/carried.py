"""A recommender fitted on another night's items, used with tonight's numbering."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.histories import Histories
from models.lesson import Material
from models.ranking import Floats, Ints
from models.recommenders.recommender import Recommender, leave_out


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

    def _fit(self, given: Material) -> None:  # noqa: ARG002
        raise TypeError("a carried model is never fitted")

    def scores(self, history: csr_matrix) -> Floats:
        old = self._numbered(history)
        old.data = history.data[old.data]
        return self._renumber(self.inner.scores(old))

    def scored(self, history: Histories, exclude: csr_matrix | None, banned: NDArray[np.intp] | None) -> Floats:
        old = self._numbered(history.strength)
        inner = history.entries(old.data, old.indices, old.indptr, old.shape[1])
        left_out = None if exclude is None else self._numbered(exclude)
        barred = None
        if banned is not None:
            known = self.back_[banned]
            barred = known[known >= 0].astype(np.intp)
        block = self._renumber(self.inner.scored(inner, left_out, barred))
        leave_out(block, exclude, banned)
        return block

    @property
    def row_wise(self) -> bool:
        return self.inner.row_wise

    def neighbour_source(self) -> Recommender | None:
        source = self.inner.neighbour_source()
        return None if source is None else Carried(source, self.mapping_, self.order_)

    def similar(self, start: int, stop: int) -> Floats:
        found = np.zeros((stop - start, self.n_items_), np.float32)
        for row, old in enumerate(self.back_[start:stop].tolist()):
            if old >= 0:
                found[row] = self._renumber(self.inner.similar(old, old + 1))[0]
        return found

    def _numbered(self, rows: csr_matrix) -> csr_matrix:
        """The entries of ``rows`` that the inner model knows, by its own numbers; their data is where each was."""
        known = self.back_[rows.indices]
        inside = known >= 0
        row = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))[inside]
        shape = (rows.shape[0], self.inner.n_items_)
        return csr_matrix((np.flatnonzero(inside), (row, known[inside])), shape=shape)

    def _renumber(self, scores: Floats) -> Floats:
        found = np.zeros((len(scores), self.n_items_), np.float32)
        found[:, self.mapping_[self.kept_]] = scores[:, self.kept_]
        return found
