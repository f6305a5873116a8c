"""EASE: the closed-form item model of H. Steck, "Embarrassingly shallow autoencoders for sparse data", WWW 2019."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from scipy.sparse import csr_matrix

from models.interactions import Interactions
from models.items import Items
from models.ranking import Floats, Ints
from models.recommenders.recommender import Recommender
from models.threads import over_shards

GRAM_ROWS = 512


class Ease(Recommender):
    """Scores are ``history @ B`` with B the ridge regression of every item on all others, its diagonal zero.

    ``regularization``: the ridge. ``head``: the most items B is solved for; of a larger catalogue the most interacted
    ones are taken, the others score zero, and ``notes_`` says so. Memory: 8 bytes x head² while fitting, 4 bytes after.
    """

    name = "ease"
    parameters: ClassVar[tuple[str, ...]] = ("regularization", "head")
    learned: ClassVar[tuple[str, ...]] = ("weights", "head_items")

    additive = True

    weights_: Floats
    head_items_: Ints

    def __init__(self, regularization: float = 200.0, head: int = 10_000) -> None:
        self.regularization = regularization
        self.head = head

    def _fit(self, interactions: Interactions, items: Items | None, threads: int) -> None:  # noqa: ARG002
        self.head_items_ = self._choose_head(interactions)
        matrix = interactions.matrix()[:, self.head_items_]
        self.weights_ = _solve(_gram(matrix, threads), self.regularization)

    def _choose_head(self, interactions: Interactions) -> Ints:
        """Items with an interaction, by index; beyond ``head`` of them those of most profiles, then by popularity."""
        profiles = interactions.item_profiles()
        known = np.flatnonzero(profiles).astype(np.int32)
        if len(known) <= self.head:
            return known
        best = np.lexsort((self.rank_[known], -profiles[known]))[: self.head]
        self.notes_["restricted"] = (
            f"solved for the {self.head} items of most profiles of {len(known)}; the inverse of all would not pay"
        )
        return np.sort(known[best])

    def scores(self, history: csr_matrix) -> Floats:
        if len(self.head_items_) == self.n_items_:
            return np.asarray(history @ self.weights_, dtype=np.float32)
        found = np.zeros((history.shape[0], self.n_items_), np.float32)
        found[:, self.head_items_] = history[:, self.head_items_] @ self.weights_
        return found

    def similar(self, start: int, stop: int) -> Floats:
        found = np.zeros((stop - start, self.n_items_), np.float32)
        first, last = np.searchsorted(self.head_items_, (start, stop))
        rows = self.head_items_[first:last] - start
        found[rows[:, None], self.head_items_[None, :]] = self.weights_[first:last]
        return found


def _gram(matrix: csr_matrix, threads: int) -> Floats:
    """X'X as a dense C-contiguous float32 array, filled in blocks of rows."""
    n = matrix.shape[1]
    gram = np.empty((n, n), np.float32)
    columns = matrix.T.tocsr()

    def work(start: int, stop: int) -> None:
        gram[start:stop] = (columns[start:stop] @ matrix).toarray()

    over_shards(work, n, GRAM_ROWS, threads)
    return gram


def _solve(gram: Floats, regularization: float) -> Floats:
    """B = I - P / diag(P) with P the inverse of the regularized gram matrix, solved in place of ``gram``."""
    from scipy.linalg.lapack import spotrf, spotri

    n = len(gram)
    if n == 0:
        return gram
    gram[np.diag_indices(n)] += np.float32(regularization)
    # The matrix is symmetric, so its transpose is the Fortran order that LAPACK overwrites without a copy.
    factor, failed = spotrf(gram.T, lower=1, overwrite_a=1, clean=0)
    if failed:
        raise np.linalg.LinAlgError(f"the regularized gram matrix is not positive definite (leading minor {failed})")
    inverse, failed = spotri(factor, lower=1, overwrite_c=1)
    if failed:
        raise np.linalg.LinAlgError(f"the gram matrix has no inverse (element {failed})")
    return _finish(inverse.T)


def _finish(inverse: Floats) -> Floats:
    """Mirror the upper triangle of a C-contiguous inverse and turn it into B, in place, block by block."""
    n = len(inverse)
    diagonal = inverse.diagonal().copy()
    for start in range(0, n, GRAM_ROWS):
        stop = min(start + GRAM_ROWS, n)
        inverse[stop:, start:stop] = inverse[start:stop, stop:].T
        corner = inverse[start:stop, start:stop]
        corner[...] = np.triu(corner) + np.triu(corner, 1).T
    inverse /= -diagonal[None, :]
    inverse[np.diag_indices(n)] = 0
    return inverse
