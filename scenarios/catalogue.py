"""The items of one moment with everything that rules ask of them. Immutable; what was computed once is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenarios.columns import Column, Value
from scenarios.masks import Mask, item_mask, rows_mask
from scenarios.spec import Diversity, Filter, PropertyExclusion

KEPT_BYTES = 64 << 20
"""Masks are forgotten when they take more than this."""


@dataclass(frozen=True, slots=True)
class DiversityPlan:
    """Rules as the kernel takes them: values of all rules' properties with codes that no two rules share."""

    offsets: NDArray[np.int64]
    codes: NDArray[np.int32]
    amount: int
    weights: NDArray[np.float64]
    periods: NDArray[np.int64]
    caps: NDArray[np.int64]
    default_malus: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ExclusionPlan:
    """Values of all excluding properties, each code owned by one exclusion, and the types that each counts."""

    offsets: NDArray[np.int64]
    codes: NDArray[np.int32]
    owner: NDArray[np.int32]
    owner_types: NDArray[np.uint8]


class Catalogue:
    """``size`` items by row.

    ``popular`` int32: rows in popularity order, every item that may be listed. ``alive`` uint8 (size,): whether an item
    may be listed at all. ``columns`` by property name in lower case. ``row_of`` gives the row of an item id, -1 when
    unknown. ``neighbours`` int32 (size, K), padded with -1, for preselection.
    """

    def __init__(
        self, size: int, popular: NDArray[np.int32], alive: NDArray[np.uint8], columns: Mapping[str, Column],
        row_of: Callable[[str], int], neighbours: NDArray[np.int32] | None = None,
    ) -> None:
        self.size = size
        self.popular = popular
        self.alive = alive
        self.columns = columns
        self.row_of = row_of
        self.neighbours = np.empty((size, 0), np.int32) if neighbours is None else neighbours
        self._masks: dict[Filter, Mask] = {}
        self._allowed: dict[tuple[Filter, ...], NDArray[np.uint8]] = {}
        self._orders: dict[tuple[Filter, ...], NDArray[np.int32]] = {}
        self._diversity: dict[tuple[Diversity, ...], DiversityPlan] = {}
        self._exclusions: dict[tuple[tuple[PropertyExclusion, ...], tuple[str, ...]], ExclusionPlan] = {}

    def patched(
        self, overrides: Mapping[str, Mapping[int, Value]], gone: Sequence[int] = (),
        columns: Mapping[str, Column] | None = None,
    ) -> Catalogue:
        """The catalogue with other property values for some items, without the items in ``gone``, and with
        ``columns`` of properties that it lacked. Masks of untouched properties are kept.
        """
        merged = _Merged({**self.columns, **(columns or {})}, overrides)
        alive = self.alive
        if len(gone):
            alive = alive.copy()
            alive[list(gone)] = 0
        made = Catalogue(self.size, self.popular, alive, merged, self.row_of, self.neighbours)
        changed = {*overrides, *(columns or {})}
        made._masks = {filter: mask for filter, mask in self._masks.items() if filter.property not in changed}
        return made

    def mask(self, filter: Filter) -> Mask:
        """Which items pass one bound filter, bool (size,)."""
        found = self._masks.get(filter)
        if found is None:
            if filter.property == "item_id":
                found = rows_mask(filter, self.row_of, self.size)
            else:
                found = item_mask(filter, self.columns.get(filter.property), self.size)
            if len(self._masks) * self.size > KEPT_BYTES:
                self._masks.clear()
            self._masks[filter] = found
        return found

    def allowed(self, filters: tuple[Filter, ...]) -> NDArray[np.uint8]:
        """Which items may be listed and pass all filters, uint8 (size,)."""
        if not filters:
            return self.alive
        found = self._allowed.get(filters)
        if found is None:
            passing = self.alive.astype(np.bool_)
            for filter in filters:
                passing = passing & self.mask(filter)
            found = passing.view(np.uint8)
            if len(self._allowed) * self.size > KEPT_BYTES:
                self._allowed.clear()
            self._allowed[filters] = found
        return found

    def order(self, filters: tuple[Filter, ...]) -> NDArray[np.int32]:
        """The popular items that are allowed, best first."""
        found = self._orders.get(filters)
        if found is None:
            found = self.popular[self.allowed(filters)[self.popular].astype(np.bool_)]
            if len(self._orders) * self.size * 4 > KEPT_BYTES:
                self._orders.clear()
            self._orders[filters] = found
        return found

    def diversity(self, rules: tuple[Diversity, ...]) -> DiversityPlan:
        """What the kernel needs to rerank by these rules, in their order."""
        found = self._diversity.get(rules)
        if found is None:
            offsets, codes, starts = self._stack([rule.property for rule in rules])
            found = self._diversity[rules] = DiversityPlan(
                offsets, codes, starts[-1],
                np.array([rule.weight for rule in rules], np.float64),
                np.array([rule.activation_period or 0 for rule in rules], np.int64),
                np.array([rule.max_activation_count or 0 for rule in rules], np.int64),
                np.array([rule.default_malus for rule in rules], np.float64),
            )
        return found

    def exclusion(self, rules: tuple[PropertyExclusion, ...], type_names: tuple[str, ...]) -> ExclusionPlan:
        """What the kernel needs to drop items that share a value with the history."""
        found = self._exclusions.get((rules, type_names))
        if found is None:
            stacked, codes, starts = self._stack([rule.property for rule in rules])
            owner = np.repeat(np.arange(len(rules), dtype=np.int32), np.diff(starts))
            counts = np.diff(stacked, axis=1)
            offsets = np.zeros(self.size + 1, np.int64)
            np.cumsum(counts.sum(axis=0), out=offsets[1:])
            # From rule by rule to item by item: a stable sort by item keeps the rules' order.
            every = np.tile(np.arange(self.size), len(rules))
            item = np.repeat(every, counts.ravel())
            types = np.array([[kind in rule.interaction_types for kind in type_names] for rule in rules], np.uint8)
            found = self._exclusions[rules, type_names] = ExclusionPlan(
                offsets, codes[np.argsort(item, kind="stable")], owner, types.reshape(len(rules), len(type_names))
            )
        return found

    def _stack(self, properties: list[str]) -> tuple[NDArray[np.int64], NDArray[np.int32], list[int]]:
        """Values of several properties one after the other: offsets (properties, size + 1), codes, and the first code
        of each property with their number at the end.
        """
        offsets = np.zeros((len(properties), self.size + 1), np.int64)
        parts, starts, before = [np.empty(0, np.int32)], [0], 0
        for at, name in enumerate(properties):
            column = self.columns.get(name)
            if column is None:
                offsets[at] = before
                starts.append(starts[-1])
                continue
            own, codes, amount = column.distinct
            offsets[at] = own + before
            parts.append(codes + np.int32(starts[-1]))
            before += len(codes)
            starts.append(starts[-1] + amount)
        return offsets, np.concatenate(parts), starts


class _Merged(dict[str, Column]):
    """Columns of which some are patched when somebody first asks for them."""

    def __init__(self, before: Mapping[str, Column], overrides: Mapping[str, Mapping[int, Value]]) -> None:
        super().__init__()
        self._before = before
        self._overrides = overrides

    def __missing__(self, name: str) -> Column:
        column = self._before[name].patched(self._overrides.get(name, {}))
        self[name] = column
        return column

    def get(self, name: str, default: Column | None = None) -> Column | None:  # type: ignore[override]
        return self[name] if name in self._before else default

    def __contains__(self, name: object) -> bool:
        return name in self._before
