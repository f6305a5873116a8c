"""Recommenders that keep, for each item, the few items most like it: a sparse item-item matrix."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from scipy.sparse import csr_matrix

from models.ranking import Floats, Ints, top_k
from models.recommenders.recommender import Recommender, tile_rows
from models.similarity_kernel import add_similar
from models.threads import over_shards


class ItemSimilarity(Recommender):
    """Scores a history by the sum of its items' similarities. A subclass learns ``similarity_``."""

    learned: ClassVar[tuple[str, ...]] = ("similarity_data", "similarity_indices", "similarity_indptr")

    additive = True

    similarity_data_: Any
    similarity_indices_: Any
    similarity_indptr_: Any

    @property
    def similarity_(self) -> csr_matrix:
        """CSR float32 (n_items, n_items): row i holds the neighbours of item i."""
        parts = (self.similarity_data_, self.similarity_indices_, self.similarity_indptr_)
        return csr_matrix(parts, shape=(self.n_items_, self.n_items_))

    @property
    def row_wise(self) -> bool:
        return True

    def scores(self, history: csr_matrix) -> Floats:
        found: Floats = np.zeros((history.shape[0], self.n_items_), np.float32)
        add_similar(
            history.indptr.astype(np.int64, copy=False), history.indices.astype(np.int32, copy=False),
            history.data.astype(np.float32, copy=False), np.asarray(self.similarity_indptr_),
            np.asarray(self.similarity_indices_), np.asarray(self.similarity_data_), found,
        )
        return found

    def similar(self, start: int, stop: int) -> Floats:
        found: Floats = self.similarity_[start:stop].toarray()
        return found

    def _keep_nearest(self, rows: csr_matrix, k: int, shrinkage: float, threads: int) -> None:
        """Keep for each item the ``k`` others of greatest shrunk cosine, where positive.

        ``rows`` float32 (n_items, f). The shrunk cosine is x·y / (|x| |y| + shrinkage).
        """
        n = self.n_items_
        items: Ints = np.full((n, k), -1, np.int32)
        values: Floats = np.zeros((n, k), np.float32)
        columns = rows.T.tocsr()
        norms = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1), dtype=np.float32)).ravel()
        tiny = np.finfo(np.float32).tiny

        def work(start: int, stop: int) -> None:
            block: Floats = (rows[start:stop] @ columns).toarray()
            block /= np.maximum(norms[start:stop, None] * norms[None, :] + np.float32(shrinkage), tiny)
            np.copyto(block, -np.inf, where=block <= 0)
            block[np.arange(stop - start), np.arange(start, stop)] = -np.inf
            items[start:stop], values[start:stop] = top_k(block, k, self.order_, self.rank_)

        over_shards(work, n, tile_rows(n), threads)
        kept = items >= 0
        matrix = csr_matrix(
            (values[kept], items[kept], np.concatenate([[0], np.cumsum(kept.sum(axis=1))])),
            shape=(n, n),
            dtype=np.float32,
        )
        matrix.sort_indices()
        self.similarity_data_ = matrix.data
        self.similarity_indices_ = matrix.indices.astype(np.int32)
        self.similarity_indptr_ = matrix.indptr.astype(np.int64)
