"""What others would pick: libraries as their documentation shows them, and plain formulas. Only for comparison."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, diags

from models.interactions import Interactions
from models.items import Items
from models.ranking import Floats
from models.recommenders.recommender import Recommender
from models.threads import one_blas_thread

Score = Callable[[csr_matrix], Any]
Learn = Callable[[csr_matrix], Score]


class Reference(Recommender):
    """A peer: ``learn`` gets a CSR matrix (profiles, items) and gives the function that scores history rows."""

    def __init__(self, name: str, learn: Learn) -> None:
        self.name = name  # type: ignore[misc]
        self.learn = learn

    def _fit(self, interactions: Interactions, items: Items | None, threads: int) -> None:  # noqa: ARG002
        self.score = self.learn(interactions.matrix())

    def scores(self, history: csr_matrix) -> Floats:
        return np.ascontiguousarray(self.score(history), dtype=np.float32)

    def similar(self, start: int, stop: int) -> Floats:
        return np.zeros((stop - start, self.n_items_), np.float32)


def binary(matrix: csr_matrix) -> csr_matrix:
    """The same entries, all of them 1."""
    return csr_matrix((np.ones_like(matrix.data), matrix.indices, matrix.indptr), shape=matrix.shape)


def popularity(matrix: csr_matrix) -> Score:
    """Column sums, the same for everybody."""
    total = np.asarray(matrix.sum(axis=0), dtype=np.float32).ravel()
    return lambda history: np.repeat(total[None, :], history.shape[0], axis=0)


def own(matrix: csr_matrix) -> Score:  # noqa: ARG001
    """What the profile had, by its weights."""
    return lambda history: history.toarray()


def plain_ease(regularization: float = 500.0) -> Learn:
    """EASE as its paper prints it, with SciPy's inverse."""

    def learn(matrix: csr_matrix) -> Score:
        weights = _ease_weights(matrix, regularization)
        return lambda history: history @ weights

    return learn


def _ease_weights(matrix: csr_matrix, regularization: float) -> Floats:
    import scipy.linalg

    gram = (matrix.T @ matrix).toarray().astype(np.float32)
    gram[np.diag_indices(len(gram))] += np.float32(regularization)
    inverse = scipy.linalg.inv(gram, overwrite_a=True)
    weights: Floats = np.ascontiguousarray(inverse / -np.diag(inverse))
    weights[np.diag_indices(len(weights))] = 0
    return weights


def popular_ease(recent: Floats, regularization: float = 500.0) -> Learn:
    """Binary EASE times recent popularity."""

    def learn(matrix: csr_matrix) -> Score:
        weights = _ease_weights(binary(matrix), regularization)
        return lambda history: np.maximum(binary(history) @ weights, 0) * recent

    return learn


def own_and_ease(regularization: float = 500.0) -> Learn:
    """The profile's own weights plus EASE over the same weights."""

    def learn(matrix: csr_matrix) -> Score:
        weights = _ease_weights(binary(matrix), regularization)
        return lambda history: history.toarray() + binary(history) @ weights

    return learn


def implicit_als(threads: int, factors: int = 64) -> Learn:
    """Alternating least squares of ``implicit``."""

    def learn(matrix: csr_matrix) -> Score:
        from implicit.cpu.als import AlternatingLeastSquares

        with one_blas_thread():
            model = AlternatingLeastSquares(factors=factors, random_state=0, num_threads=threads)
            model.fit(matrix, show_progress=False)
        return lambda history: model.recalculate_user(np.arange(history.shape[0]), history) @ model.item_factors.T

    return learn


def implicit_neighbours(kind: str, threads: int) -> Learn:
    """Item-kNN of ``implicit`` with 50 neighbours: ``CosineRecommender`` or ``BM25Recommender``."""

    def learn(matrix: csr_matrix) -> Score:
        from implicit import nearest_neighbours

        model = getattr(nearest_neighbours, kind)(K=50, num_threads=threads)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of the format of its own matrix
            model.fit(matrix, show_progress=False)
            similarity = model.similarity.astype(np.float32).tolil()
            similarity.setdiag(0)
        similarity = similarity.tocsr()
        return lambda history: (binary(history) @ similarity).toarray()

    return learn


def rp3beta(alpha: float = 1.0, beta: float = 0.6, k: int = 100) -> Learn:
    """Random walks of three steps, items' popularity discounted (Paudel et al., "Updatable, accurate, diverse, and
    scalable recommendations for interactive applications", 2017), with the ``k`` nearest of each item.
    """

    def learn(matrix: csr_matrix) -> Score:
        ones = binary(matrix)
        of_profile = np.asarray(ones.sum(axis=1)).ravel()
        of_item = np.asarray(ones.sum(axis=0)).ravel()
        to_item = diags(1 / np.maximum(of_profile, 1)) @ ones
        to_profile = diags(1 / np.maximum(of_item, 1)) @ ones.T
        walk = (to_profile.power(alpha) @ to_item.power(alpha)).tocsr()
        walk = (walk @ diags(1 / np.maximum(of_item, 1) ** beta)).tocsr()
        walk.setdiag(0)
        nearest = _strongest(walk, k)
        return lambda history: (binary(history) @ nearest).toarray()

    return learn


def _strongest(matrix: csr_matrix, k: int) -> csr_matrix:
    """The ``k`` greatest entries of each row."""
    row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    order = np.lexsort((-matrix.data, row))
    place = np.arange(len(order)) - np.repeat(matrix.indptr[:-1], np.diff(matrix.indptr))
    kept = order[place < k]
    return csr_matrix((matrix.data[kept], (row[kept], matrix.indices[kept])), shape=matrix.shape, dtype=np.float32)
