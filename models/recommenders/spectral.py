"""Graph filters for catalogues beyond a dense inverse: a linear filter over near items plus an ideal low-pass filter.

Y. Shen et al., "How powerful is graph convolution for recommendation?" (GF-CF), CIKM 2021. With R the interactions and
D the degrees, N = Du^-1/2 R Di^-1/2 and V the leading right singular vectors of N, l the squares of their singular
values: scores are r (N'N + V g V') Di^lift + share * r Di^-1/2 V V' Di^1/2.

GF-CF has neither lift nor g. The lift is the exponent of the items' degrees that H. Fu et al., "Revisiting
neighborhood-based link prediction for collaborative filtering" (LinkProp), WWW 2022, tune. g = l (exp(-sharpening l) -
1) is the sharpening of J. Choi et al., "Blurring-sharpening process models for collaborative filtering" (BSPM), SIGIR
2023, on the leading vectors: what all profiles share counts less. Of each row of N'N Di^lift only the strongest entries
are kept, so memory does not grow with the profiles.
"""

from __future__ import annotations

from itertools import product
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags

from models import metrics
from models.lesson import Material
from models.ranking import Floats, Ints, top_k
from models.recommenders.recommender import leave_out, tile_rows
from models.recommenders.similarity import ItemSimilarity
from models.threads import over_shards

OVERSAMPLED = 16
PASSES = 5
MOST_PROFILES = 200_000
"""Profiles that the singular vectors are found from; of more, evenly spaced ones."""
LIFTS = (0.0, 0.1, 0.2, 0.3)
SHARES = (0.3, 0.2, 0.1, 0.0)
SHARPENINGS = (0.0, 1.0)
HIDDEN = 0.1
"""Share of the interactions that are hidden to choose among these."""
TRIED = 256
"""Singular vectors of that trial: what is best with them was best with four times as many."""
SUBJECTS = 1500
DEPTH = 20


class Spectral(ItemSimilarity):
    """``rank``: singular vectors; ``share``: weight of the low-pass filter; ``lift``: exponent of popularity;
    ``sharpening``: how much less counts what all share; ``keep``: entries kept of each item's row of the linear filter.

    Where they are None, share, lift and sharpening are those that found best a tenth of the interactions, hidden for
    that; ``notes_`` say which they are. With nothing to judge on they are the first of each, which is GF-CF.

    Memory while fitting: 12 bytes x (items + profiles, at most 200,000) x (rank + 16), after it 4 bytes x items x rank
    + 8 bytes x items x keep.
    The start of the subspace iteration (Halko, Martinsson, Tropp 2011) is fixed by ``seed``.
    """

    name = "spectral"
    parameters: ClassVar[tuple[str, ...]] = ("rank", "share", "lift", "sharpening", "keep", "seed")
    learned: ClassVar[tuple[str, ...]] = (*ItemSimilarity.learned, "vectors", "values", "root_degree", "chosen")

    vectors_: Floats
    values_: Floats
    root_degree_: Floats
    chosen_: NDArray[np.float64]

    def __init__(
        self,
        rank: int = 1024,
        share: float | None = None,
        lift: float | None = None,
        sharpening: float | None = None,
        keep: int = 400,
        seed: int = 0,
    ) -> None:
        self.rank = rank
        self.share = share
        self.lift = lift
        self.sharpening = sharpening
        self.keep = keep
        self.seed = seed

    def _fit(self, given: Material) -> None:
        matrix = given.interactions.matrix()
        chosen = self._choose(matrix, given.threads)
        self.notes_ |= dict(zip(("lift", "share", "sharpening"), chosen, strict=True))
        self.chosen_ = np.array(chosen)
        normal, self.root_degree_ = _normal(matrix)
        self.vectors_, self.values_ = self._leading(normal, self.rank)
        self._keep_filter(normal, given.threads)

    def _choose(self, matrix: csr_matrix, threads: int) -> tuple[float, ...]:
        """Lift, share and sharpening that found best what was hidden of the interactions."""
        given = (self.lift, LIFTS), (self.share, SHARES), (self.sharpening, SHARPENINGS)
        grid = list(product(*(every if one is None else (one,) for one, every in given)))
        hidden = np.random.default_rng(self.seed).random(matrix.nnz) < HIDDEN
        past, wanted = _entries(matrix, ~hidden), _entries(matrix, hidden)
        subjects = np.flatnonzero((np.diff(past.indptr) > 0) & (np.diff(wanted.indptr) > 0))
        if len(subjects) > SUBJECTS:
            subjects = subjects[np.linspace(0, len(subjects) - 1, SUBJECTS).astype(np.int64)]
        if len(grid) == 1 or not len(subjects):
            return grid[0]
        normal, root = _normal(past)
        back = normal.T.tocsr()
        vectors, values = self._leading(normal, min(self.rank, TRIED))
        found = np.empty((len(subjects), len(grid)))

        def work(start: int, stop: int) -> None:
            rows = subjects[start:stop]
            history, relevant = past[rows], wanted[rows]
            near: Floats = ((history @ back) @ normal).toarray()
            sharp = {one: near + _sharpened(history, vectors, values, one) for one in {trial[2] for trial in grid}}
            low = _low_pass(history, vectors, root)
            for number, (lift, share, sharpening) in enumerate(grid):
                block = sharp[sharpening] * _lifted(root, lift) + np.float32(share) * low
                leave_out(block, history, None)
                items, _ = top_k(block, DEPTH, self.order_, self.rank_)
                hit = metrics.hits(items, relevant)
                found[start:stop, number] = metrics.ndcg(hit, np.diff(relevant.indptr), DEPTH)

        over_shards(work, len(subjects), tile_rows(self.n_items_), threads)
        quality = found.mean(axis=0)
        best = int(quality.argmax())
        self.notes_["filters"] = (
            f"chosen of {len(grid)} by what was hidden of {len(subjects)} profiles: ndcg@{DEPTH} {quality[best]:.4f}, "
            f"of the first {quality[0]:.4f}"
        )
        return grid[best]

    def _leading(self, normal: csr_matrix, rank: int) -> tuple[Floats, Floats]:
        """Leading right singular vectors of ``normal``, float32 (n_items, rank), fewer where there are no more, and the
        squares of their singular values.
        """
        profiles, n_items = normal.shape
        sampled = 1.0
        if profiles > MOST_PROFILES:
            sampled = profiles / MOST_PROFILES
            normal = normal[np.linspace(0, profiles - 1, MOST_PROFILES).astype(np.int64)]
            self.notes_["sampled"] = f"singular vectors of {MOST_PROFILES} of {profiles} profiles"
        width = min(rank + OVERSAMPLED, n_items, normal.shape[0])
        if not width or not normal.nnz:
            return np.zeros((n_items, 0), np.float32), np.zeros(0, np.float32)
        back = normal.T.tocsr()
        block = np.random.default_rng(self.seed).standard_normal((n_items, width), dtype=np.float32)
        for _ in range(PASSES):
            block = np.linalg.qr(back @ (normal @ block))[0].astype(np.float32)
        values, turned = np.linalg.eigh(_gram_of(normal @ block))
        kept = min(rank, int((values > 1e-7 * max(values[-1], 1e-30)).sum()))
        vectors = np.ascontiguousarray(block @ turned[:, ::-1][:, :kept].astype(np.float32))
        return vectors, (values[::-1][:kept] * sampled).astype(np.float32)

    def _keep_filter(self, normal: csr_matrix, threads: int) -> None:
        """The ``keep`` strongest entries of each row of the linear filter, the item itself included."""
        n = self.n_items_
        lifted = _lifted(self.root_degree_, float(self.chosen_[0]))
        known = np.flatnonzero(self.root_degree_ > 0)
        back = normal[:, known].T.tocsr()
        width = min(self.keep, len(known))
        items: Ints = np.full((len(known), width), -1, np.int32)
        values: Floats = np.zeros((len(known), width), np.float32)

        def work(start: int, stop: int) -> None:
            block: Floats = (back[start:stop] @ normal).toarray() * lifted
            np.copyto(block, -np.inf, where=block <= 0)
            items[start:stop], values[start:stop] = top_k(block, width, self.order_, self.rank_)

        over_shards(work, len(known), tile_rows(n), threads)
        kept = items >= 0
        ends = np.zeros(n + 1, np.int64)
        ends[known + 1] = kept.sum(axis=1)
        ends = np.cumsum(ends)
        matrix = csr_matrix((values[kept], items[kept], ends), shape=(n, n), dtype=np.float32)
        matrix.sort_indices()
        self.similarity_data_ = matrix.data
        self.similarity_indices_ = matrix.indices.astype(np.int32)
        self.similarity_indptr_ = matrix.indptr.astype(np.int64)

    @property
    def row_wise(self) -> bool:
        return False

    def scores(self, history: csr_matrix) -> Floats:
        block = super().scores(history)
        lift, share, sharpening = self.chosen_.tolist()
        if sharpening:
            sharpened = _sharpened(history, self.vectors_, self.values_, sharpening)
            block += sharpened * _lifted(self.root_degree_, lift)
        if share:
            block += np.float32(share) * _low_pass(history, self.vectors_, self.root_degree_)
        return np.maximum(block, 0, out=block)

    def similar(self, start: int, stop: int) -> Floats:
        some = np.arange(start, stop)
        shape = (stop - start, self.n_items_)
        return self.scores(csr_matrix((np.ones(len(some), np.float32), (some - start, some)), shape=shape))

    @classmethod
    def from_arrays(cls, params: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        model = super().from_arrays(params, arrays)
        model.vectors_ = np.asarray(arrays["vectors"])
        return model


def _entries(matrix: csr_matrix, some: NDArray[np.bool_]) -> csr_matrix:
    """Only these of the stored entries."""
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))[some]
    ends = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=matrix.shape[0]))])
    return csr_matrix((matrix.data[some], matrix.indices[some], ends), shape=matrix.shape)


def _normal(matrix: csr_matrix) -> tuple[csr_matrix, Floats]:
    """N of these interactions, float32, and the square roots of the items' degrees."""
    of_profile = np.sqrt(np.asarray(matrix.sum(axis=1), np.float64).ravel())
    of_item = np.sqrt(np.asarray(matrix.sum(axis=0), np.float64).ravel())
    normal = (diags(_inverse(of_profile)) @ matrix @ diags(_inverse(of_item))).tocsr().astype(np.float32)
    normal.eliminate_zeros()
    return normal, of_item.astype(np.float32)


def _lifted(root_degree: Floats, lift: float) -> Floats:
    """The items' degrees to the power of ``lift``."""
    return np.power(root_degree, np.float32(2 * lift))


def _sharpened(history: csr_matrix, vectors: Floats, values: Floats, sharpening: float) -> Floats:
    """What sharpening adds to the linear filter of history rows, float32 (b, n_items); at zero nothing."""
    gain = values * np.expm1(-np.float32(sharpening) * values)
    found: Floats = ((history @ vectors) * gain) @ vectors.T
    return found


def _low_pass(history: csr_matrix, vectors: Floats, root_degree: Floats) -> Floats:
    """What the ideal low-pass filter makes of history rows, float32 (b, n_items)."""
    scaled = csr_matrix(
        (history.data * _inverse(root_degree)[history.indices], history.indices, history.indptr), shape=history.shape
    )
    found: Floats = ((scaled @ vectors) @ vectors.T) * root_degree
    return found


def _inverse(values: NDArray[Any]) -> NDArray[Any]:
    """Their reciprocals, zero where they are zero."""
    found: NDArray[Any] = np.divide(1, values, out=np.zeros_like(values), where=values > 0)
    return found


def _gram_of(block: Floats) -> NDArray[np.float64]:
    wide = block.astype(np.float64)
    return np.asarray(wide.T @ wide)
