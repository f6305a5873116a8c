"""The contract of evaluation once more, item by item in plain Python: slow, and read off the text."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from scenarios.spec import Diversity, Filter, PropertyType, Rules


@dataclass
class Shop:
    """Items by row with their properties, the popular order, and who may be listed."""

    types: dict[str, PropertyType]
    items: list[dict[str, Any]]
    popular: list[int]
    alive: list[bool]
    neighbours: list[list[int]] = field(default_factory=list)

    def values(self, item: int, name: str) -> list[Any]:
        if name == "item_id":
            return [f"i{item}"]
        value = self.items[item].get(name)
        if value is None:
            return []
        return list(value) if isinstance(value, list) else [value]


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold()))


def passes(shop: Shop, item: int, rule: Filter) -> bool:
    values = shop.values(item, rule.property)
    if rule.op == "empty":
        return not any(value != "" for value in values)
    if rule.op == "notempty":
        return any(value != "" for value in values)
    against: list[Any] = (
        list(rule.value_set) if rule.value_set is not None
        else list(rule.value) if isinstance(rule.value, tuple) else [rule.value]
    )
    if rule.op in ("eq", "in"):
        return any(value == other for value in values for other in against)
    if rule.op in ("neq", "notin"):
        return all(value != other for value in values for other in against)
    if rule.op == "ftsearch":
        return any(words(rule.value) <= words(value) for value in values)
    compare = {
        "lt": lambda a, b: a < b, "lte": lambda a, b: a <= b, "gt": lambda a, b: a > b, "gte": lambda a, b: a >= b
    }[rule.op]
    return any(compare(value, other) for value in values for other in against)


def malus(shop: Shop, rule: Diversity, item: int, placed: list[int]) -> float:
    window = placed[-rule.activation_period :] if rule.activation_period else placed
    values = set(shop.values(item, rule.property))
    if not values:
        return rule.default_malus
    if not window:
        return 0.0
    cap = rule.max_activation_count or len(window)
    counts = [sum(value in shop.values(other, rule.property) for other in window) for value in values]
    return max(min(count, cap) / cap for count in counts)


def rerank(shop: Shop, survivors: list[int], rules: tuple[Diversity, ...]) -> list[int]:
    n, placed, left = len(survivors), [], list(range(len(survivors)))
    while left:
        scores = {}
        for r in left:
            total = 0.0
            for rule in rules:
                total += rule.weight * malus(shop, rule, survivors[r], placed)
            scores[r] = (1.0 - r / n) - total
        best = min(left, key=lambda r: (-scores[r], r))
        placed.append(survivors[best])
        left.remove(best)
    return placed


def evaluate(
    shop: Shop, rules: Rules, base: list[int], history: list[tuple[int, str]], own: int | None, depth: int
) -> list[int]:
    """The whole list of one subject."""
    if own is not None and not base:
        return []
    order = [*base, *(item for item in shop.popular if item not in base)]
    if rules.preselection is not None and rules.preselection.method == "knn":
        seeds = [own] if own is not None else [item for item, _ in history]
        near = {item for seed in seeds for item in shop.neighbours[seed]}
        if near:
            order = [item for item in order if item in near]
    barred = {item for item, kind in history if rules.exclude_rated or kind in rules.exclude_types}
    for exclusion in rules.exclude_properties:
        met = {
            value for item, kind in history if kind in exclusion.interaction_types
            for value in shop.values(item, exclusion.property)
        }
        barred |= {item for item in order if met & set(shop.values(item, exclusion.property))}

    def block(filters: tuple[Filter, ...], reranking: tuple[Diversity, ...], placed: list[int]) -> list[int]:
        found = [
            item for item in order
            if shop.alive[item] and item != own and item not in barred and item not in placed
            and all(passes(shop, item, rule) for rule in filters)
        ][:depth]
        return rerank(shop, found, reranking) if reranking else found

    if rules.sequence is None:
        return block(rules.filters, rules.reranking, [])
    placed: list[int] = []
    for part in rules.sequence:
        own_properties = {rule.property for rule in part.reranking}
        outer = tuple(rule for rule in rules.reranking if rule.property not in own_properties)
        found = block((*rules.filters, *part.filters), (*part.reranking, *outer), placed)
        placed += found if part.amount is None else found[: part.amount]
    return placed
