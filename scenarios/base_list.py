"""Base lists: which items a subject's list starts from, before any rule (section 9 of the scenario contract).

Every function gives rows of items, best first; equal scores go by popularity. Ranks count from 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenarios.columns import Column
from scenarios.spec import Scalar
from scenarios.value_types import tokens

Items = NDArray[np.int32]
Scores = NDArray[np.floating[Any]]

SESSION_ITEMS = 20
SESSION_DECAY = 0.9
POWERS = SESSION_DECAY ** np.arange(SESSION_ITEMS)


def ordered(items: Items, scores: Scores, rank: NDArray[np.int32]) -> tuple[Items, Scores]:
    """Items by falling score; ``rank`` int32 (catalogue,) is each item's place in popularity."""
    order = np.lexsort((rank[items], -scores))
    return items[order], scores[order]


def session_weights(types: Sequence[float]) -> Scores:
    """Weights a_k = u_k * 0.9^k of seeds given newest first with their type weights u_k."""
    powers = POWERS if len(types) <= len(POWERS) else SESSION_DECAY ** np.arange(len(types))
    return np.asarray(types, np.float64) * powers[: len(types)]


def newest_distinct(rows: Sequence[int], weights: Sequence[float]) -> tuple[list[int], list[float]]:
    """The 20 newest distinct items of a history given newest first, each with the weight of its newest row."""
    first: dict[int, float] = {}
    for row, weight in zip(rows, weights, strict=True):
        if row not in first:
            first[row] = weight
            if len(first) == SESSION_ITEMS:
                break
    return list(first), list(first.values())


def blend(neighbours: Items, seeds: Sequence[int], weights: Scores) -> tuple[Items, Scores]:
    """Neighbours of seeds with score sum over k of a_k / (1 + rank in k's neighbours), in the order met.

    ``neighbours`` int32 (catalogue, K), padded with -1; ``seeds`` rows; ``weights`` float64 (seeds,).
    """
    from scenarios import kernel  # loaded when the first list is blended, not with the endpoint

    listed = neighbours[list(seeds)]
    found = np.empty(listed.size, np.int32)
    total = np.empty(listed.size, np.float64)
    count = kernel.blended(listed, weights, found, total)
    return found[:count], total[:count]


def with_context(listed: Items, neighbours: Items, context: Sequence[int]) -> tuple[Items, Scores]:
    """1 / (1 + rank in the list) + the blend of the context items with weight 1; these are left out. Rising by row."""
    near, near_scores = blend(neighbours, context, np.ones(len(context)))
    items = np.concatenate([listed, near])
    scores = np.concatenate([1.0 / (1.0 + np.arange(len(listed))), near_scores])
    found, place = np.unique(items, return_inverse=True)
    total: Scores = np.zeros(len(found))
    np.add.at(total, place, scores)
    kept = ~np.isin(found, np.asarray(context, np.int32))
    return found[kept].astype(np.int32), total[kept]


def of_group(lists: Sequence[Items], consensus: float = 0.0) -> tuple[Items, Scores]:
    """(1 - c) * mean + c * min over the members of 1 / (1 + rank), 0 where a list lacks the item. Rising by row."""
    found = np.unique(np.concatenate([*lists, np.empty(0, np.int32)]))
    shares = np.zeros((len(lists), len(found)))
    for member, listed in enumerate(lists):
        shares[member, np.searchsorted(found, listed)] = 1.0 / (1.0 + np.arange(len(listed)))
    if not len(lists):
        return found.astype(np.int32), np.zeros(0)
    return found.astype(np.int32), (1.0 - consensus) * shares.mean(axis=0) + consensus * shares.min(axis=0)


def of_properties(columns: Mapping[str, Column], wanted: Mapping[str, Scalar | Sequence[Scalar]], size: int) -> Scores:
    """Mean similarity of every item to some property values, float64 (size,).

    Equality for strings and bool, Jaccard for lists and tokens of full text, 1 / (1 + |a - b| / s) for numbers, s the
    standard deviation of the property over the items that have it, 1 when that is 0.
    """
    if not wanted:
        return np.zeros(size)
    parts = [_similarity(columns[name], value) for name, value in wanted.items()]
    total = parts[0].copy()
    for part in parts[1:]:
        total += part
    return total / len(parts)


def _similarity(column: Column, value: Scalar | Sequence[Scalar]) -> Scores:
    family = column.type.family
    listed: list[Scalar] = [value] if isinstance(value, str | int | float | bool) else list(value)
    if family == "text":
        return _jaccard(column, tokens(" ".join(map(str, listed))))
    if column.type.repeated:
        return _jaccard(column, listed)
    similar = np.zeros(column.size)
    if not listed:
        return similar
    if family in ("int", "float"):
        numbers = column.values.astype(np.float64)
        spread = float(numbers.std()) if len(numbers) else 0.0
        similar[column.rows] = 1.0 / (1.0 + np.abs(numbers - float(listed[0])) / (spread or 1.0))
        return similar
    sought = listed[0] if column.vocabulary is None else column.vocabulary.find(str(listed[0]))
    similar[column.rows] = column.values == sought
    return similar


def _jaccard(column: Column, wanted: Sequence[Scalar]) -> Scores:
    """Common values over all values, of each item's distinct values and the wanted ones."""
    offsets, codes, _ = column.distinct
    if column.vocabulary is not None:
        sought = {code for word in wanted if (code := column.vocabulary.find(str(word))) >= 0}
    else:
        known = np.unique(column.values)
        sought = {int(at) for at in np.flatnonzero(np.isin(known, np.array(list(wanted), known.dtype)))}
    counts = np.diff(offsets)
    rows = np.repeat(np.arange(column.size), counts)
    common = np.bincount(rows, np.isin(codes, list(sought)), column.size)
    union = counts + len(set(wanted)) - common
    return np.divide(common, union, out=np.zeros(column.size), where=union > 0)


def values_of(column: Column, survivors: Items) -> list[Scalar]:
    """Values of a property by the sum of 1 / (1 + rank) over the survivors that have them, ties by value."""
    offsets, codes, amount = column.distinct
    score = np.zeros(amount)
    for rank, item in enumerate(survivors.tolist()):  # at most the candidate depth
        score[codes[offsets[item] : offsets[item + 1]]] += 1.0 / (1.0 + rank)
    present = np.flatnonzero(score).tolist()
    if column.vocabulary is not None:
        spelled: list[Scalar] = [column.vocabulary[code] for code in present]
    else:
        spelled = np.unique(column.values)[present].tolist()
        if column.type.family == "bool":
            spelled = [bool(value) for value in spelled]
    best = sorted(zip(present, spelled, strict=True), key=lambda pair: (-score[pair[0]], pair[1]))
    return [value for _, value in best]
