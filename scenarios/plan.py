"""What a list is made by: merged rules bound to property types, in canonical order, with their digest.

The night materializes rows by plans and the lookup finds them by the plan's digest: both make plans here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from scenarios.binding import bind_rules, missing
from scenarios.canonical import digest, normal
from scenarios.context import Context, Facts
from scenarios.nested import fill, has_nested
from scenarios.operators import ITEM_ID_NAME, as_id
from scenarios.spec import Diversity, Filter, Problem, PropertyType, Rules


@dataclass(frozen=True, slots=True)
class Plan:
    """``rules`` can be evaluated as they are. ``problems``: rules that cannot be; then nothing may be listed.

    ``momentary``: made with values of one request or moment, which no row can be of. ``properties``: names, in lower
    case, of the item properties that the rules read.
    """

    rules: Rules
    digest: str
    momentary: bool
    properties: frozenset[str]
    problems: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()


def plan(
    rules: Rules, types: Mapping[str, PropertyType], context: Context | None = None, *,
    item_ids: Callable[[Any], str | None] = as_id,
) -> Plan:
    """The plan of merged rules of which some may name properties that are not declared (any more).

    By such a property no item has a value: its filters stay, its rerankings and exclusions drop out, each with a
    warning. ``context`` gives nested values; without one they are as if nothing were known.
    """
    momentary = has_nested(rules)
    filled, said = fill(rules, context or Facts())
    undeclared = sorted({name for name in _named(filled) if name not in types and name != ITEM_ID_NAME})
    bound, problems, warnings = bind_rules(_without(filled, set(undeclared)), types, item_ids=item_ids)
    kept = _with_filters(bound, filled, set(undeclared))
    ordered = normal(kept)
    texts = (*said, *map(missing, undeclared), *warnings)
    return Plan(
        ordered, digest(ordered), momentary, frozenset(_named(ordered)), tuple(problems), tuple(dict.fromkeys(texts))
    )


def _filters(rules: Rules) -> tuple[Filter, ...]:
    return (*rules.filters, *(one for block in rules.sequence or () for one in block.filters))


def _rerankings(rules: Rules) -> tuple[Diversity, ...]:
    return (*rules.reranking, *(one for block in rules.sequence or () for one in block.reranking))


def _named(rules: Rules) -> set[str]:
    """Names of all properties that rules read."""
    return {
        *(one.property for one in _filters(rules)), *(one.property for one in _rerankings(rules)),
        *(one.property for one in rules.exclude_properties),
    }


def _without(rules: Rules, names: set[str]) -> Rules:
    """The rules without those that name one of these properties."""
    blocks = rules.sequence
    return replace(
        rules,
        filters=tuple(one for one in rules.filters if one.property not in names),
        reranking=tuple(one for one in rules.reranking if one.property not in names),
        exclude_properties=tuple(one for one in rules.exclude_properties if one.property not in names),
        sequence=None if blocks is None else tuple(
            replace(
                block,
                filters=tuple(one for one in block.filters if one.property not in names),
                reranking=tuple(one for one in block.reranking if one.property not in names),
            )
            for block in blocks
        ),
    )


def _with_filters(rules: Rules, before: Rules, names: set[str]) -> Rules:
    """The rules with the filters put back that name one of these properties."""
    if not names:
        return rules

    def back(filters: tuple[Filter, ...], all_filters: tuple[Filter, ...]) -> tuple[Filter, ...]:
        return (*filters, *(one for one in all_filters if one.property in names))

    blocks = rules.sequence
    return replace(
        rules, filters=back(rules.filters, before.filters),
        sequence=None if blocks is None else tuple(
            replace(block, filters=back(block.filters, was.filters))
            for block, was in zip(blocks, before.sequence or (), strict=True)
        ),
    )
