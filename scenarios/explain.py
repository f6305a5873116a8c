"""What each rule costs one subject: which items it alone takes away from the list that there would be without rules."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenarios.canonical import normal, text
from scenarios.catalogue import Catalogue
from scenarios.evaluate import DEPTH, evaluate
from scenarios.history import History
from scenarios.merge import NO_RULES
from scenarios.spec import Rules

Items = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Cost:
    """One rule. ``dropped``: items of the rule-free list (at most the candidate depth) that it alone takes away;
    ``left``: items of the whole catalogue that it alone leaves; ``changed``: of the first places, how many hold an item
    that would not be there without it, everything else being as it is.
    """

    rule: str
    dropped: int
    left: int
    changed: int


def costs(
    catalogue: Catalogue, rules: Rules, base: Items, history: History, *, self_items: Items | None = None,
    places: int = 10, backfill: bool = True,
) -> list[Cost]:
    """The cost of every rule of a plan for one subject; ``base`` int32 (1, K), ``history`` of one subject."""

    def lists(some: Rules, depth: int, positions: int) -> list[int]:
        found = evaluate(
            catalogue, some, base, history, self_items=self_items, positions=positions, depth=depth, backfill=backfill
        )
        return [item for item in found.items[0].tolist() if item >= 0]

    free = lists(NO_RULES, DEPTH, DEPTH)
    final = set(lists(rules, DEPTH, places))
    told = []
    for alone, without in _one_by_one(rules):
        kept = set(lists(alone, catalogue.size, catalogue.size))
        changed = final - set(lists(without, DEPTH, places))
        told.append(Cost(described(alone), sum(item not in kept for item in free), len(kept), len(changed)))
    return told


def described(rule: Rules) -> str:
    """A single rule in a line: the canonical JSON of the only field that is set."""
    empty = json.loads(text(NO_RULES))
    return "; ".join(
        f"{name} {json.dumps(value[0] if isinstance(value, list) and len(value) == 1 else value, sort_keys=True)}"
        for name, value in json.loads(text(rule)).items() if value != empty[name]
    )


def _one_by_one(rules: Rules) -> Iterator[tuple[Rules, Rules]]:
    """For every rule: the rules with nothing but it, and all the others."""
    ordered = normal(rules)
    for name in ("filters", "reranking", "exclude_types", "exclude_properties"):
        every = getattr(ordered, name)
        for at, one in enumerate(every):
            others: Any = {name: every[:at] + every[at + 1 :]}
            alone: Any = {name: (one,)}
            yield replace(NO_RULES, **alone), replace(ordered, **others)
    for name in ("exclude_rated", "preselection", "sequence"):
        only: Any = {name: getattr(ordered, name)}
        unset: Any = {name: None}
        if only[name]:
            yield replace(NO_RULES, **only), replace(ordered, **unset)
