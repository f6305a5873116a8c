"""Graph filters for catalogues beyond a dense inverse: a linear filter over near items plus an ideal low-pass filter.

Y. Shen et al., "How powerful is graph convolution for recommendation?" (GF-CF), CIKM 2021. With R the interactions and
D the degrees, N = Du^-1/2 R Di^-1/2: scores are r N'N + share * r Di^-1/2 V V' Di^1/2, V the leading right singular
vectors of N. Of each row of N'N only the strongest entries are kept, so memory does not grow with the profiles.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags

from models.interactions import Interactions
from models.items import Items
from models.ranking import Floats, Ints, top_k
from models.recommenders.recommender import tile_rows
from models.recommenders.similarity import ItemSimilarity
from models.threads import over_shards

OVERSAMPLED = 16
PASSES = 5
MOST_PROFILES = 200_000
"""Profiles that the singular vectors are found from; of more, evenly spaced ones."""


class Spectral(ItemSimilarity):
    """``rank``: singular vectors; ``share``: weight of their low-pass filter; ``keep``: entries of N'N kept an item.

    Memory while fitting: 12 bytes x items x (rank + 16), after it 4 bytes x items x rank + 8 bytes x items x keep.
    The start of the subspace iteration (Halko, Martinsson, Tropp 2011) is fixed by ``seed``.
    """

    name = "spectral"
    parameters: ClassVar[tuple[str, ...]] = ("rank", "share", "keep", "seed")
    learned: ClassVar[tuple[str, ...]] = (*ItemSimilarity.learned, "vectors", "root_degree")

    vectors_: Floats
    root_degree_: Floats

    def __init__(self, rank: int = 256, share: float = 0.3, keep: int = 400, seed: int = 0) -> None:
        self.rank = rank
        self.share = share
        self.keep = keep
        self.seed = seed

    def _fit(self, interactions: Interactions, items: Items | None, threads: int) -> None:  # noqa: ARG002
        matrix = interactions.matrix()
        of_profile = np.sqrt(np.asarray(matrix.sum(axis=1), np.float64).ravel())
        of_item = np.sqrt(np.asarray(matrix.sum(axis=0), np.float64).ravel())
        normal = (diags(_inverse(of_profile)) @ matrix @ diags(_inverse(of_item))).tocsr().astype(np.float32)
        normal.eliminate_zeros()
        self.root_degree_ = of_item.astype(np.float32)
        self.vectors_ = self._leading(normal)
        self._keep_filter(normal, threads)

    def _leading(self, normal: csr_matrix) -> Floats:
        """Leading right singular vectors of ``normal``, float32 (n_items, rank), fewer where there are no more."""
        profiles, n_items = normal.shape
        if profiles > MOST_PROFILES:
            normal = normal[np.linspace(0, profiles - 1, MOST_PROFILES).astype(np.int64)]
            self.notes_["sampled"] = f"singular vectors of {MOST_PROFILES} of {profiles} profiles"
        width = min(self.rank + OVERSAMPLED, n_items, normal.shape[0])
        if not width or not normal.nnz:
            return np.zeros((n_items, 0), np.float32)
        back = normal.T.tocsr()
        block = np.random.default_rng(self.seed).standard_normal((n_items, width), dtype=np.float32)
        for _ in range(PASSES):
            block = np.linalg.qr(back @ (normal @ block))[0].astype(np.float32)
        values, turned = np.linalg.eigh(_gram_of(normal @ block))
        leading = turned[:, ::-1][:, : min(self.rank, int((values > 1e-7 * max(values[-1], 1e-30)).sum()))]
        return np.ascontiguousarray(block @ leading.astype(np.float32))

    def _keep_filter(self, normal: csr_matrix, threads: int) -> None:
        """The ``keep`` strongest entries of each row of N'N, the item itself included."""
        n = self.n_items_
        back = normal.T.tocsr()
        width = min(self.keep, n)
        items: Ints = np.full((n, width), -1, np.int32)
        values: Floats = np.zeros((n, width), np.float32)

        def work(start: int, stop: int) -> None:
            block: Floats = (back[start:stop] @ normal).toarray()
            np.copyto(block, -np.inf, where=block <= 0)
            items[start:stop], values[start:stop] = top_k(block, width, self.order_, self.rank_)

        over_shards(work, n, tile_rows(n), threads)
        kept = items >= 0
        ends = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
        matrix = csr_matrix((values[kept], items[kept], ends), shape=(n, n), dtype=np.float32)
        matrix.sort_indices()
        self.similarity_data_ = matrix.data
        self.similarity_indices_ = matrix.indices.astype(np.int32)
        self.similarity_indptr_ = matrix.indptr.astype(np.int64)

    def scores(self, history: csr_matrix) -> Floats:
        block = super().scores(history)
        if self.vectors_.shape[1]:
            block += self._low_pass(history)
        return np.maximum(block, 0, out=block)

    def _low_pass(self, history: csr_matrix) -> Floats:
        spread = history @ (self.vectors_ * _inverse(self.root_degree_)[:, None].astype(np.float32))
        found: Floats = (spread @ self.vectors_.T) * (np.float32(self.share) * self.root_degree_)
        return found

    def similar(self, start: int, stop: int) -> Floats:
        some = np.arange(start, stop)
        shape = (stop - start, self.n_items_)
        return self.scores(csr_matrix((np.ones(len(some), np.float32), (some - start, some)), shape=shape))

    @classmethod
    def from_arrays(cls, params: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        model = super().from_arrays(params, arrays)
        model.vectors_ = np.asarray(arrays["vectors"])
        return model


def _inverse(values: NDArray[Any]) -> NDArray[Any]:
    """Their reciprocals, zero where they are zero."""
    found: NDArray[Any] = np.divide(1, values, out=np.zeros_like(values), where=values > 0)
    return found


def _gram_of(block: Floats) -> NDArray[np.float64]:
    wide = block.astype(np.float64)
    return np.asarray(wide.T @ wide)
