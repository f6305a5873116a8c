"""Whether the comparison of a condition holds in a request."""

from __future__ import annotations

from typing import Any

from scenarios.context import Context
from scenarios.operators import ITEM_ID_NAME, ORDERINGS, bind, holds
from scenarios.spec import ITEM_ID, Condition, Filter, Problem, Scalar
from scenarios.value_types import bool_literal, number_literal


def true_of(condition: Condition, context: Context, warnings: list[str]) -> bool:
    """A missing operand or an unknown parameter makes every comparison false."""
    if condition.condition_type == "user_function":
        count = context.count(condition.operand)
        return count is not None and holds(_filter(condition), (count,))
    if condition.condition_type == "runtime_param":
        return _parameter_holds(condition, context.parameter(condition.operand))
    return _item_holds(condition, context, warnings)


def _filter(condition: Condition) -> Filter:
    return Filter(condition.operand, condition.op, condition.value)


def _item_holds(condition: Condition, context: Context, warnings: list[str]) -> bool:
    name = condition.operand
    declared = ITEM_ID if name == ITEM_ID_NAME else context.item_type(name)
    if declared is None:
        warnings.append(f"Missing property `{name}`")
        return False
    values = context.item_values(name) or ()
    if name == ITEM_ID_NAME:
        values = () if context.item_id is None else (context.item_id,)
        if condition.op == "notempty":
            return bool(values)
    rule = bind(_filter(condition), {name: declared})
    if isinstance(rule, Problem):
        warnings.append(rule.message)
        return False
    return bool(values) and holds(rule, values)


def _parameter_holds(condition: Condition, given: Any) -> bool:
    if given is None or given in ("", [], {}):
        return False
    if condition.op == "notempty":
        return True
    values = given if isinstance(given, list | tuple) else [given]
    literals = condition.value if isinstance(condition.value, tuple) else (condition.value,)
    compare = ORDERINGS.get(condition.op)
    for literal in literals:
        for value in values:
            typed = _like(value, literal)
            if typed is not None and (compare(typed, literal) if compare else typed == literal):
                return True
    return False


def _like(value: Any, literal: Scalar | None) -> Scalar | None:
    """A parameter in the type of the literal; None where it cannot be."""
    if isinstance(literal, bool):
        return bool_literal(value)
    if isinstance(literal, int | float):
        return number_literal(value)
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int | float) else None
