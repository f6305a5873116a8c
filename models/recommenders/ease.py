"""EASE: the closed-form item model of H. Steck, "Embarrassingly shallow autoencoders for sparse data", WWW 2019, with
the dropout of his "Autoencoders that don't overfit towards the identity" (EDLAE), NeurIPS 2020: a ridge that grows with
the number of an item's interactions.

Of each item's weights only the strongest are kept: what is stored is what is judged and served.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.evaluate import quality
from models.interactions import Interactions
from models.lesson import Lesson, Material
from models.ranking import Floats, Ints
from models.recommenders.settle import DEPTH, SUBJECTS, climb
from models.recommenders.similarity import ItemSimilarity
from models.threads import over_shards

GRAM_ROWS = 512
RIDGES = (25.0, 50.0, 100.0, 200.0, 400.0, 800.0, 1600.0, 3200.0)
DROPOUTS = (0.0, 0.25, 0.5, 1.0)
"""Of the diagonal of X'X what is added to it: p / (1 - p) where a share p of the interactions is dropped."""
FIRST = (3, 0)
TRIED = 2500
"""Items of most profiles that ridge and dropout are settled on: an inverse of so many costs a sixtieth of the greatest.
"""


class Ease(ItemSimilarity):
    """Scores are ``history @ B`` with B the ridge regression of every item on all others, its diagonal zero.

    ``regularization``: the ridge, ``dropout``: how it grows. Where they are None they are what ranked best what
    followed in the lesson, and without one 200 and 0; ``notes_`` say which they are. ``head``: the most items B is
    solved for; of a larger catalogue the most interacted ones are taken, the others score zero. ``keep``:
    weights kept of each item's row of B, those furthest from zero.
    ``notes_`` says what was left out. Memory while fitting: 4 bytes x head²; after it 8 bytes x head x keep.
    """

    name = "ease"
    parameters: ClassVar[tuple[str, ...]] = ("regularization", "dropout", "head", "keep")

    settled_: tuple[float, float]

    def __init__(
        self, regularization: float | None = None, dropout: float | None = None, head: int = 10_000, keep: int = 400
    ) -> None:
        self.regularization = regularization
        self.dropout = dropout
        self.head = head
        self.keep = keep

    def _fit(self, given: Material) -> None:
        self.settled_ = self._settled(given)
        self.notes_ |= {"ridge": self.settled_[0], "dropout": self.settled_[1]}
        head = self._choose_head(given.interactions)
        weights = _solve(_gram(given.interactions.matrix()[:, head], given.threads), *self.settled_)
        self._keep_strongest(weights, head, given.threads)

    def _settled(self, given: Material) -> tuple[float, float]:
        """Ridge and dropout: as given, as in the lesson's own EASE, or, for that one, as what followed settles it."""
        first = RIDGES[FIRST[0]], DROPOUTS[FIRST[1]]
        lesson, asked = given.lesson, (self.regularization, self.dropout)
        if lesson is not None and None in asked:
            if lesson.split.train is given.interactions:
                first = self._choose(lesson, given.threads)
            elif isinstance(earlier := lesson.past(Ease(**self.get_params()), given.threads), Ease):
                first = earlier.settled_
        ridge, dropout = (own if one is None else one for one, own in zip(asked, first, strict=True))
        return ridge, dropout

    def _choose(self, lesson: Lesson, threads: int) -> tuple[float, float]:
        """Ridge and dropout that rank best what followed in the lesson and was new, of items of the head; the first
        unless they are better by more than a standard error. What profiles had before is left to the models made of
        this one: a ridge that finds that best is too low for what is new.
        """
        split = Lesson(lesson.split, "new").most(SUBJECTS)
        first = RIDGES[FIRST[0]], DROPOUTS[FIRST[1]]
        if not len(split.subjects):
            return first
        trial = Ease(head=TRIED)
        trial.notes_ = {}
        trial._remember_order(self.order_)
        head = trial._choose_head(split.train)
        gram = _gram(split.train.matrix()[:, head], threads)

        found: dict[tuple[float, ...], NDArray[np.float64]] = {}

        def judged(values: tuple[float, ...]) -> float:
            trial._keep_strongest(_solve(gram.copy(), *values), head, threads)
            found[values] = quality(trial, split, "new", DEPTH, threads)
            return float(found[values].mean())

        ridge, dropout = climb((RIDGES, DROPOUTS), FIRST, judged)
        best = RIDGES[ridge], DROPOUTS[dropout]
        if best == first:
            return first
        above = found[best] - found[first]
        return best if above.mean() > above.std() / np.sqrt(max(len(above) - 1, 1)) else first

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

    def _keep_strongest(self, weights: Floats, head: Ints, threads: int) -> None:
        """Keep the ``keep`` weights furthest from zero of each row; ``head`` numbers rows and columns as items."""
        n, width = len(weights), min(self.keep, len(weights))
        place: NDArray[np.intp] = np.empty((n, width), np.intp)
        kept: Floats = np.empty((n, width), np.float32)
        sizes: NDArray[np.float64] = np.empty(n)

        def work(start: int, stop: int) -> None:
            block = weights[start:stop]
            size = np.abs(block)
            best = np.argpartition(-size, width - 1, axis=1)[:, :width]
            place[start:stop] = np.sort(best, axis=1)
            kept[start:stop] = np.take_along_axis(block, place[start:stop], axis=1)
            sizes[start:stop] = size.sum(axis=1, dtype=np.float64)

        over_shards(work, n, GRAM_ROWS, threads)
        if width < n:
            share = float(np.abs(kept).sum(dtype=np.float64) / max(float(sizes.sum()), 1e-300))
            self.notes_["truncated"] = (
                f"the {width} strongest of {n - 1} weights of each item are kept, {share:.1%} of the sum of all sizes; "
                "judged and served so"
            )
        inside = kept != 0
        ends = np.zeros(self.n_items_ + 1, np.int64)
        ends[head.astype(np.int64) + 1] = inside.sum(axis=1)
        self.similarity_data_ = kept[inside]
        self.similarity_indices_ = head[place[inside]]
        self.similarity_indptr_ = np.cumsum(ends)


def _gram(matrix: csr_matrix, threads: int) -> Floats:
    """X'X as a dense C-contiguous float32 array, filled in blocks of rows."""
    n = matrix.shape[1]
    gram = np.empty((n, n), np.float32)
    columns = matrix.T.tocsr()

    def work(start: int, stop: int) -> None:
        gram[start:stop] = (columns[start:stop] @ matrix).toarray()

    over_shards(work, n, GRAM_ROWS, threads)
    return gram


def _solve(gram: Floats, regularization: float, dropout: float = 0.0) -> Floats:
    """B = I - P / diag(P) with P the inverse of the regularized gram matrix, solved in place of ``gram``."""
    from scipy.linalg.lapack import spotrf, spotri

    n = len(gram)
    if n == 0:
        return gram
    places: Any = np.diag_indices(n)
    gram[places] += np.float32(dropout) * gram[places] + np.float32(regularization)
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
