"""What every recommender can do; ``tests/models/test_recommender_contract.py`` holds each of them to it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from copy import copy
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.histories import Histories
from models.interactions import Interactions
from models.items import Items
from models.lesson import Lesson, Material
from models.ranking import Floats, Ints, top_k
from models.threads import Scratch, one_thread, over_shards

TILE = 2**22
"""Scores held at once by one worker: 16 MiB."""


def tile_rows(columns: int, tile: int = TILE) -> int:
    """Rows scored at once; depends on the number of columns only, so results never depend on the threads."""
    return int(min(1024, max(16, tile // max(columns, 1))))


class Recommender(ABC):
    """Hyper-parameters in ``__init__``, learned attributes end in ``_``, everything is scored from history rows.

    A history is a CSR matrix (b, n_items) of strengths like ``Interactions.matrix()``, or ``Histories`` that know more
    of each pair. Profiles that were trained on, held-out ones and sessions are all just rows. No result depends on the
    number of threads or on the order of input rows.
    """

    name: ClassVar[str]
    parameters: ClassVar[tuple[str, ...]] = ()
    learned: ClassVar[tuple[str, ...]] = ()
    personal: ClassVar[bool] = True
    """False when every history gets the same scores."""
    additive: ClassVar[bool] = False
    """True when scores are sums over the items of the history: then its neighbours say what its lists say."""
    tile: ClassVar[int] = TILE
    """Scores held at once by one worker."""

    n_items_: int
    order_: Ints
    rank_: Ints
    notes_: dict[str, Any]

    def get_params(self) -> dict[str, Any]:
        """Hyper-parameters by name; ``type(self)(**params)`` makes an equal, unfitted recommender."""
        return {name: getattr(self, name) for name in self.parameters}

    def fit(
        self,
        interactions: Interactions,
        items: Items | None = None,
        *,
        threads: int = 1,
        lesson: Lesson | None = None,
        parts: Mapping[str, Recommender] | None = None,
    ) -> Self:
        """Learn from ``interactions`` (and ``items``, where the model reads content). Fitting again starts anew.

        ``lesson``: an earlier past and what followed it, for models that learn how to combine others. ``parts``: other
        recommenders, by name, that were fitted on the same ``interactions``; a model made of them does not fit them
        again.
        """
        self.notes_ = {}
        self._remember_order(interactions.popularity_order())
        with one_thread():
            self._fit(Material(interactions, items, threads, lesson, parts or {}))
        return self

    @abstractmethod
    def _fit(self, given: Material) -> None:
        """Learn. The order of popularity is known already, ``notes_`` are empty, and BLAS has one thread."""

    def with_order(self, order: Ints) -> Self:
        """A copy that learned the same, with another popularity order (int32, all items) for ties and empty places."""
        other = copy(self)
        other._remember_order(order)
        return other

    def _remember_order(self, order: Ints) -> None:
        self.order_ = order
        self.n_items_ = len(order)
        self.rank_ = np.empty(len(order), np.int32)
        self.rank_[order] = np.arange(len(order), dtype=np.int32)

    @abstractmethod
    def scores(self, history: csr_matrix) -> Floats:
        """Scores of all items for each history row: new finite float32 (b, n_items); zero means nothing is known."""

    @abstractmethod
    def similar(self, start: int, stop: int) -> Floats:
        """Similarity of items ``start`` to ``stop`` to all: new float32 (stop - start, n_items), zero for none."""

    def recommend(
        self,
        history: csr_matrix | Histories,
        k: int,
        *,
        exclude: csr_matrix | None = None,
        allowed: NDArray[np.bool_] | None = None,
        threads: int = 1,
    ) -> tuple[Ints, Floats]:
        """Best ``k`` items of each history row.

        ``exclude``: CSR (b, n_items) whose stored entries are left out. ``allowed``: bool (n_items,), false items are
        left out.
        Returns items int32 (b, k) padded with -1, and scores float32 (b, k) padded with 0; ties go by popularity, then
        index.
        """
        rows_of = history if isinstance(history, Histories) else Histories.of(history)
        rows = rows_of.shape[0]
        items = np.full((rows, k), -1, np.int32)
        values = np.zeros((rows, k), np.float32)
        banned = None if allowed is None or allowed.all() else np.flatnonzero(~allowed)
        scratch = Scratch()

        def work(start: int, stop: int) -> None:
            left_out = None if exclude is None else exclude[start:stop]
            items[start:stop], values[start:stop] = self._best(rows_of[start:stop], k, left_out, banned, scratch)

        over_shards(work, rows, tile_rows(self.n_items_, self.tile), threads)
        return items, values

    def _best(
        self, history: Histories, k: int, exclude: csr_matrix | None, banned: NDArray[np.intp] | None,
        scratch: Scratch,  # noqa: ARG002
    ) -> tuple[Ints, Floats]:
        """The best ``k`` items of each history row, as ``recommend`` gives them, of one shard; may use ``scratch``."""
        return top_k(self.scored(history, exclude, banned), k, self.order_, self.rank_)

    def scored(self, history: Histories, exclude: csr_matrix | None, banned: NDArray[np.intp] | None) -> Floats:
        """Scores of all items for each history row, ``-inf`` for what is excluded or banned."""
        block = self.scores(history.strength)
        leave_out(block, exclude, banned)
        return block

    @property
    def row_wise(self) -> bool:
        """True when a row's scores are, to the bit, the same whatever rows are scored with it."""
        return False

    def neighbour_source(self) -> Recommender | None:
        """The recommender whose item neighbours say what these lists say: itself where scores add up neighbours."""
        return self if self.additive else None

    def neighbours(self, k: int, *, allowed: NDArray[np.bool_] | None = None, threads: int = 1) -> tuple[Ints, Floats]:
        """The ``k`` items most like each item, itself left out, only those of positive similarity.

        Returns items int32 (n_items, k) padded with -1, and similarities float32 (n_items, k) padded with 0.
        """
        items = np.full((self.n_items_, k), -1, np.int32)
        values = np.zeros((self.n_items_, k), np.float32)
        banned = None if allowed is None or allowed.all() else np.flatnonzero(~allowed)

        def work(start: int, stop: int) -> None:
            block = self.similar(start, stop)
            np.copyto(block, -np.inf, where=block <= 0)
            block[np.arange(stop - start), np.arange(start, stop)] = -np.inf
            leave_out(block, None, banned)
            items[start:stop], values[start:stop] = top_k(block, k, self.order_, self.rank_)

        over_shards(work, self.n_items_, tile_rows(self.n_items_), threads)
        return items, values

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Everything learned, as plain arrays."""
        return {"order": self.order_} | {name: getattr(self, f"{name}_") for name in self.learned}

    @classmethod
    def from_arrays(cls, params: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        """The fitted recommender that gave these ``get_params`` and ``to_arrays``."""
        model = cls(**params)
        model.notes_ = {}
        model._remember_order(np.asarray(arrays["order"], dtype=np.int32))
        for name in cls.learned:
            setattr(model, f"{name}_", arrays[name])
        return model


def leave_out(block: Floats, exclude: csr_matrix | None, banned: NDArray[np.intp] | None) -> None:
    """Set what is excluded for a row, or banned for all, to ``-inf``."""
    if exclude is not None:
        block[np.repeat(np.arange(exclude.shape[0]), np.diff(exclude.indptr)), exclude.indices] = -np.inf
    if banned is not None:
        block[:, banned] = -np.inf
