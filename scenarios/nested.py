"""Nested values of filters: known only at the request, filled in before the rules are bound to property types."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from scenarios.context import Context
from scenarios.operators import ITEM_ID_NAME
from scenarios.spec import Filter, Nested, Rules, Scalar


def has_nested(rules: Rules) -> bool:
    """Whether a filter, of the rules or of a block of their sequence, waits for the request."""
    lists = (rules.filters, *(block.filters for block in rules.sequence or ()))
    return any(isinstance(one.value, Nested) for filters in lists for one in filters)


def fill(rules: Rules, context: Context) -> tuple[Rules, tuple[str, ...]]:
    """The same rules with plain values, and a warning for each nested value that cannot be known.

    A filled filter has ``value_set``: the values, for which ``eq`` and orderings hold if they hold for some, ``neq``
    if for every one; ``bind`` makes them the list of ``in`` and ``notin``. What cannot be known is an empty list.
    """
    if not has_nested(rules):
        return rules, ()
    warnings: list[str] = []

    def filled(rule: Filter) -> Filter:
        if not isinstance(rule.value, Nested):
            return rule
        values = _values(rule.value, context)
        if not values:
            warnings.append(_unknown(rule, rule.value))
        return replace(rule, value=None, value_set=values or ())

    return map_filters(rules, filled), tuple(dict.fromkeys(warnings))


def map_filters(rules: Rules, change: Callable[[Filter], Filter]) -> Rules:
    """The same rules with every filter changed, those of the blocks included."""
    blocks = rules.sequence
    return replace(
        rules,
        filters=tuple(map(change, rules.filters)),
        sequence=None if blocks is None else tuple(
            replace(block, filters=tuple(map(change, block.filters))) for block in blocks
        ),
    )


def _values(nested: Nested, context: Context) -> tuple[Scalar, ...] | None:
    if nested.kind == "timestamp_now":
        return (_clock(nested, context.now),)
    if nested.kind == "user_property":
        return context.user_values(nested.name)
    if nested.kind == "item_id" or nested.name == ITEM_ID_NAME:
        return None if context.item_id is None else (context.item_id,)
    return context.item_values(nested.name)


def _clock(nested: Nested, now: float) -> int:
    """Whole seconds, to a multiple of the rounding amount."""
    seconds, step = math.floor(now), nested.rounding_amount
    return -(-seconds // step) * step if nested.rounding_method == "ceil" else seconds // step * step


def _unknown(rule: Filter, nested: Nested) -> str:
    what = f"{nested.kind} `{nested.name}`" if nested.name else nested.kind
    return f"Nested value {what} of the filter on `{rule.property}` has no value in this request"
