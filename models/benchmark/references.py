"""What others would pick: libraries as their documentation shows them, and plain formulas. Only for comparison."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, diags, vstack

from models.evaluate import quality
from models.lesson import Lesson, Material
from models.ranking import Floats
from models.recommenders.recommender import Recommender
from models.recommenders.settle import DEPTH
from models.threads import one_thread

Score = Callable[[csr_matrix], Any]
Learn = Callable[[csr_matrix], Score]

TUNED_ON = 2000
"""Profiles of a lesson that settle the parameters of a peer."""


class Reference(Recommender):
    """A peer: ``learn`` gets a CSR matrix (profiles, items) and gives the function that scores history rows."""

    def __init__(self, name: str, learn: Learn) -> None:
        self.name = name  # type: ignore[misc]
        self.learn = learn

    def _fit(self, given: Material) -> None:
        self.score = self.learn(given.interactions.matrix())

    def scores(self, history: csr_matrix) -> Floats:
        return np.ascontiguousarray(self.score(history), dtype=np.float32)

    def similar(self, start: int, stop: int) -> Floats:
        return np.zeros((stop - start, self.n_items_), np.float32)


class Tuned(Reference):
    """A peer that gets the chance ours have: its parameters are those that ranked best what followed in the lesson.

    ``build`` makes a ``Learn`` of keyword arguments. ``axes``: values of each of them, the library's or paper's own
    first; they are tried one axis after the other, the others staying at the best so far, in so many ``rounds``.
    Without a lesson the first.
    """

    def __init__(
        self, name: str, build: Callable[..., Learn], axes: Mapping[str, Sequence[float]], rounds: int = 1
    ) -> None:
        super().__init__(name, build(**{axis: values[0] for axis, values in axes.items()}))
        self.build = build
        self.axes = axes
        self.rounds = rounds

    def _fit(self, given: Material) -> None:
        chosen = {axis: values[0] for axis, values in self.axes.items()}
        if given.lesson is not None:
            chosen = self._chosen(given.lesson, given.threads)
        self.learn = self.build(**chosen)
        self.notes_ |= chosen
        super()._fit(given)

    def _chosen(self, lesson: Lesson, threads: int) -> dict[str, float]:
        split = lesson.most(TUNED_ON)
        judged: dict[tuple[float, ...], float] = {}

        def worth(trial: Mapping[str, float]) -> float:
            place = tuple(trial.values())
            if place not in judged:
                model = Reference(self.name, self.build(**trial)).fit(split.train, threads=threads)
                judged[place] = float(quality(model, split, lesson.mode, DEPTH, threads).mean())
            return judged[place]

        best = {axis: values[0] for axis, values in self.axes.items()}
        for _ in range(self.rounds):
            for axis, values in self.axes.items():
                for value in values:
                    if worth(best | {axis: value}) > worth(best):
                        best = best | {axis: value}
        return best


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


def binary_ease(regularization: float = 500.0) -> Learn:
    """The same over entries of 1."""

    def learn(matrix: csr_matrix) -> Score:
        score = plain_ease(regularization)(binary(matrix))
        return lambda history: score(binary(history))

    return learn


def popular_ease(recent: Floats, regularization: float = 500.0) -> Learn:
    """Binary EASE times recent popularity."""

    def learn(matrix: csr_matrix) -> Score:
        weights = _ease_weights(binary(matrix), regularization)
        return lambda history: np.maximum(binary(history) @ weights, 0) * recent

    return learn


def own_and_ease(regularization: float = 500.0, share: float = 1.0) -> Learn:
    """The profile's own weights plus a ``share`` of what binary EASE says."""

    def learn(matrix: csr_matrix) -> Score:
        weights = _ease_weights(binary(matrix), regularization) * np.float32(share)
        return lambda history: history.toarray() + binary(history) @ weights

    return learn


def implicit_als(threads: int, factors: float = 64, regularization: float = 0.01, alpha: float = 1.0) -> Learn:
    """Alternating least squares of ``implicit``; its own parameters are the last two, and 100 factors."""

    def learn(matrix: csr_matrix) -> Score:
        from implicit.cpu.als import AlternatingLeastSquares

        with one_thread():
            model = AlternatingLeastSquares(
                factors=int(factors), regularization=regularization, alpha=alpha, random_state=0, num_threads=threads
            )
            model.fit(matrix, show_progress=False)
        return lambda history: model.recalculate_user(np.arange(history.shape[0]), history) @ model.item_factors.T

    return learn


def implicit_neighbours(kind: str, threads: int, k: int = 50) -> Learn:
    """Item-kNN of ``implicit`` with ``k`` neighbours: ``CosineRecommender`` or ``BM25Recommender``."""

    def learn(matrix: csr_matrix) -> Score:
        from implicit import nearest_neighbours

        model = getattr(nearest_neighbours, kind)(K=k, num_threads=threads)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of the format of its own matrix
            model.fit(matrix, show_progress=False)
            found = model.similarity.astype(np.float32).tocoo()
        other = found.row != found.col
        similarity = csr_matrix((found.data[other], (found.row[other], found.col[other])), shape=found.shape)
        return lambda history: (binary(history) @ similarity).toarray()

    return learn


def rp3beta(beta: float = 0.6, k: float = 100, alpha: float = 1.0) -> Learn:
    """Random walks of three steps, items' popularity discounted (Paudel et al., "Updatable, accurate, diverse, and
    scalable recommendations for interactive applications", 2017), with the ``k`` nearest of each item.
    """

    def learn(matrix: csr_matrix) -> Score:
        ones = binary(matrix)
        of_profile = np.asarray(ones.sum(axis=1)).ravel()
        of_item = np.asarray(ones.sum(axis=0)).ravel()
        to_item = (diags(1 / np.maximum(of_profile, 1)) @ ones).power(alpha).tocsr()
        to_profile = (diags(1 / np.maximum(of_item, 1)) @ ones.T).power(alpha).tocsr()
        discount = diags(1 / np.maximum(of_item, 1) ** beta)
        n, nearest = ones.shape[1], []
        for start in range(0, n, WALKED):
            walk = (to_profile[start : start + WALKED] @ to_item @ discount).tocsr()
            own = np.repeat(np.arange(start, start + walk.shape[0]), np.diff(walk.indptr))
            walk.data[walk.indices == own] = 0
            nearest.append(_strongest(walk, min(int(k), n)))
        kept = vstack(nearest, format="csr") if nearest else csr_matrix((n, n), dtype=np.float32)
        return lambda history: (binary(history) @ kept).toarray()

    return learn


WALKED = 512
"""Items whose walks are held at once."""


def _strongest(rows: csr_matrix, k: int) -> csr_matrix:
    """The ``k`` greatest entries of each row, those above zero."""
    height, width = rows.shape
    if k < width and rows.nnz > height * width // DENSE:
        dense = rows.toarray()
        column = np.argpartition(-dense, k, axis=1)[:, :k].ravel()
        row = np.repeat(np.arange(height), k)
        data = dense[row, column]
        kept = data > 0
    else:
        row, column, data = np.repeat(np.arange(height), np.diff(rows.indptr)), rows.indices, rows.data
        order = np.lexsort((-data, row))
        place = np.arange(len(order)) - np.repeat(rows.indptr[:-1], np.diff(rows.indptr))
        kept = order[(place < k) & (data[order] > 0)]
    return csr_matrix((data[kept], (row[kept], column[kept])), shape=rows.shape, dtype=np.float32)


DENSE = 20
"""Rows with more than one stored entry in so many columns are partitioned whole; sorting the entries takes longer."""
