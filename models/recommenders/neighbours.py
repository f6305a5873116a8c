"""Item neighbours: items are alike when the same profiles want them.

Cosine between item columns, weighted by BM25 or TF-IDF as in Wang, Leskovec, "item-item" of B. Frederickson's
``implicit``, with shrinkage towards zero for pairs seen together rarely (Koren, "Factorization meets the
neighborhood", 2008).
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from scipy.sparse import csr_matrix

from models.interactions import Interactions
from models.lesson import Material
from models.recommenders.similarity import ItemSimilarity

Weighting = Literal["none", "tfidf", "bm25"]


class Neighbours(ItemSimilarity):
    """Item-kNN with the ``k`` nearest items of each item.

    ``weighting``: how the interactions are weighted before the cosine. ``shrinkage``: added to the product of the
    norms.
    ``saturation`` and ``length_share`` are BM25's k1 and b.
    """

    name = "neighbours"
    parameters: ClassVar[tuple[str, ...]] = ("k", "weighting", "shrinkage", "saturation", "length_share")

    def __init__(
        self,
        k: int = 50,
        weighting: Weighting = "tfidf",
        shrinkage: float = 10.0,
        saturation: float = 1.2,
        length_share: float = 0.5,
    ) -> None:
        self.k = k
        self.weighting: Weighting = weighting
        self.shrinkage = shrinkage
        self.saturation = saturation
        self.length_share = length_share

    def _fit(self, given: Material) -> None:
        self._keep_nearest(self._weighted(given.interactions).T.tocsr(), self.k, self.shrinkage, given.threads)

    def _weighted(self, interactions: Interactions) -> csr_matrix:
        """Profiles x items, weighted; a profile with many items says less about each pair of them."""
        matrix = interactions.matrix().copy()
        if self.weighting == "none" or not interactions.entries:
            return matrix
        lengths = np.diff(matrix.indptr)
        rarity = np.log((interactions.n_items + 1.0) / (lengths + 1.0)).astype(np.float32)
        if self.weighting == "bm25":
            item_profiles = interactions.item_profiles().astype(np.float32)
            share = item_profiles / max(float(item_profiles.mean()), 1e-9)
            room = self.saturation * (1 - self.length_share + self.length_share * share[matrix.indices])
            matrix.data = (matrix.data * (self.saturation + 1) / (matrix.data + room)).astype(np.float32)
        matrix.data *= np.repeat(rarity, lengths)
        return matrix
