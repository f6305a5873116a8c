"""Evaluation of rules for many subjects at once; a lookup is the same with one subject.

The order is the contract's (section 11.1): base list with the popular items behind it, restriction by preselection,
what may not be shown dropped until ``depth`` remain, then diversity or the blocks of a sequence.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenarios import kernel
from scenarios.canonical import rerank_text
from scenarios.catalogue import Catalogue
from scenarios.history import History
from scenarios.merge import rerankings
from scenarios.spec import Block, Diversity, Filter, Rules

DEPTH = 256
"""How many survivors a list can have, whatever the page (``candidate_depth``)."""
ROW_DEPTH = 64
FEW = 64
"""Below so many subjects the popular items are walked as they are, instead of being filtered first."""
KNN = ("knn", "rated_items_nearest_neighbor")

Items = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Lists:
    """Answers: ``items`` int32 (S, positions) padded with -1, and the ``lengths`` int32 (S,) of the full lists."""

    items: Items
    lengths: NDArray[np.int32]


def evaluate(
    catalogue: Catalogue, rules: Rules, base: Items, history: History, *, self_items: Items | None = None,
    positions: int = ROW_DEPTH, depth: int = DEPTH, backfill: bool = True,
) -> Lists:
    """The first ``positions`` items of every subject's list under bound rules without nested values.

    ``base`` int32 (S, K): rows of items, best first, padded with -1. ``self_items`` int32 (S,): the item that a list is
    for, which is never in it. ``backfill``: popular items follow the base list. ``rules.amount`` is not looked at.
    """
    shard = _Shard(catalogue, rules, base, history, self_items, depth, backfill)
    if rules.sequence is None:
        return shard.block(rules.filters, rules.reranking, np.empty((len(base), 0), np.int32), positions)
    return _sequence(shard, rules, rules.sequence, positions)


def _sequence(shard: _Shard, rules: Rules, blocks: tuple[Block, ...], positions: int) -> Lists:
    """The blocks of a case sequence one after the other, no item twice."""
    subjects = len(shard.base)
    placed = np.empty((subjects, 0), np.int32)
    lengths = np.zeros(subjects, np.int32)
    for block in blocks:
        amount = shard.depth if block.amount is None else block.amount
        reranking = sorted(rerankings(block.reranking, rules.reranking), key=rerank_text)
        part = shard.block((*rules.filters, *block.filters), tuple(reranking), placed, amount)
        placed = np.hstack([placed, part.items])
        lengths += np.minimum(part.lengths, amount)
    # A block that found less than it asked leaves padding; what follows moves up.
    order = np.argsort(placed < 0, axis=1, kind="stable")
    packed = np.take_along_axis(placed, order, axis=1)[:, :positions]
    if packed.shape[1] < positions:
        packed = np.pad(packed, ((0, 0), (0, positions - packed.shape[1])), constant_values=-1)
    return Lists(np.ascontiguousarray(packed), lengths)


class _Shard:
    """What the blocks of one evaluation share."""

    def __init__(
        self, catalogue: Catalogue, rules: Rules, base: Items, history: History, self_items: Items | None, depth: int,
        backfill: bool,
    ) -> None:
        self.catalogue = catalogue
        self.base = base
        self.history = history
        self.depth = depth
        self.backfill = backfill
        self.self_items = np.empty(0, np.int32) if self_items is None else self_items
        names = history.type_names
        dropped = [bool(rules.exclude_rated) or name in rules.exclude_types for name in names]
        self.dropped_types = np.array(dropped, np.uint8)
        self.exclusion = catalogue.exclusion(rules.exclude_properties, names)
        knn = rules.preselection is not None and rules.preselection.method in KNN
        self.keep_width = catalogue.neighbours.shape[1] if knn else 0

    def block(
        self, filters: tuple[Filter, ...], reranking: tuple[Diversity, ...], placed: Items, positions: int
    ) -> Lists:
        """Survivors under these filters without the items in ``placed``, reranked, the first ``positions``."""
        catalogue, subjects = self.catalogue, len(self.base)
        allowed = catalogue.allowed(filters)
        order = catalogue.popular if subjects < FEW else catalogue.order(filters)
        if not self.backfill:
            order = order[:0]
        found = np.empty((subjects, self.depth), np.int32)
        counts = np.empty(subjects, np.int32)
        history, plan = self.history, self.exclusion
        scratch = _scratch(catalogue.size, len(plan.owner))
        kernel.survivors(
            self.base, order, allowed, history.offsets, history.items, history.types, self.dropped_types,
            self.self_items, placed, plan.offsets, plan.codes, plan.owner, plan.owner_types, self.keep_width,
            catalogue.neighbours, scratch.stamps, scratch.values, scratch.kept, scratch.epoch, found, counts,
        )
        scratch.epoch += subjects + 1
        if not reranking:
            kept = found[:, :positions]
            if kept.shape[1] < positions:
                kept = np.pad(kept, ((0, 0), (0, positions - kept.shape[1])), constant_values=-1)
            return Lists(np.ascontiguousarray(kept), counts)
        ranked = np.empty((subjects, positions), np.int32)
        rules = catalogue.diversity(reranking)
        kernel.diverse(
            found, counts, rules.offsets, rules.codes, rules.weights, rules.periods, rules.caps, rules.default_malus,
            rules.amount, positions, ranked,
        )
        return Lists(ranked, counts)


class _Scratch(threading.local):
    """Marks of one thread, kept between evaluations: an epoch that only grows spares clearing them."""

    def __init__(self) -> None:
        self.epoch = 0
        self.stamps = np.zeros(0, np.int64)
        self.kept = np.zeros(0, np.int64)
        self.values = np.zeros(0, np.int64)


_marks = _Scratch()


def _scratch(items: int, values: int) -> _Scratch:
    if len(_marks.stamps) < items:
        _marks.stamps = np.zeros(items, np.int64)
        _marks.kept = np.zeros(items, np.int64)
    if len(_marks.values) < values:
        _marks.values = np.zeros(values, np.int64)
    return _marks
