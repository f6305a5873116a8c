"""Content: items are alike when what is written about them is. The only model that knows items nobody wanted yet."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from scipy.sparse import csr_matrix, hstack

from models.items import Items
from models.lesson import Material
from models.recommenders.similarity import ItemSimilarity

WORD = r"(?u)\b\w+\b"


class Content(ItemSimilarity):
    """Cosine of TF-IDF vectors of words (single and in pairs) and of exact tokens such as ``category=mugs``.

    ``k``: neighbours kept for each item. ``token_weight``: weight of all tokens against all words.
    ``max_share``: terms in more than this share of items tell nothing and cost most; they are dropped from catalogues
    of 100 up.
    """

    name = "content"
    parameters: ClassVar[tuple[str, ...]] = ("k", "token_weight", "max_share")

    def __init__(self, k: int = 50, token_weight: float = 0.5, max_share: float = 0.1) -> None:
        self.k = k
        self.token_weight = token_weight
        self.max_share = max_share

    def _fit(self, given: Material) -> None:
        items, n_items = given.items, given.interactions.n_items
        if items is not None and len(items) != n_items:
            raise ValueError("the items differ in number from the columns of the interactions")
        self._keep_nearest(self._vectors(items, n_items), self.k, 0.0, given.threads)

    def _vectors(self, items: Items | None, n_items: int) -> csr_matrix:
        """TF-IDF rows, float32 (n_items, terms)."""
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.preprocessing import normalize

        if items is None:
            return csr_matrix((n_items, 1), dtype=np.float32)
        most = self.max_share if n_items >= 100 else 1.0
        words = TfidfVectorizer(
            token_pattern=WORD, ngram_range=(1, 2), sublinear_tf=True, max_df=most, dtype=np.float32
        )
        tokens = TfidfVectorizer(analyzer=list, max_df=0.5 if n_items >= 100 else 1.0, dtype=np.float32)
        parts = []
        for vectorizer, documents, weight in ((words, items.words, 1.0), (tokens, items.tokens, self.token_weight)):
            try:
                parts.append(vectorizer.fit_transform(documents) * np.float32(weight))
            except ValueError:  # scikit-learn's way to say that no term is left
                continue
        if not parts:
            return csr_matrix((n_items, 1), dtype=np.float32)
        return csr_matrix(normalize(hstack(parts, format="csr")), dtype=np.float32)
