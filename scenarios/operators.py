"""The filter operators, one row each, and how a filter takes the type of its property."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from scenarios.spec import Family, Filter, Nested, Op, Problem, PropertyType, Scalar
from scenarios.value_types import literal, tokens

Needs = Literal["scalar", "number", "list", "nothing", "words"]
ITEM_ID_NAME = "item_id"


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator: the families it is made for, whether ``item_id`` may have it, the value it needs, and what it
    answers for an item without a value.
    """

    op: Op
    families: frozenset[Family]
    item_id: bool
    needs: Needs
    missing: bool


_EQUAL: frozenset[Family] = frozenset({"int", "string", "bool"})
_ORDER: frozenset[Family] = frozenset({"int", "float"})
_ANY: frozenset[Family] = frozenset({"int", "float", "string", "bool", "text"})
_TEXT: frozenset[Family] = frozenset({"text"})

OPERATORS: dict[str, Operator] = {row.op: row for row in (
    Operator("eq", _EQUAL, True, "scalar", False),
    Operator("neq", _EQUAL, True, "scalar", True),
    Operator("lt", _ORDER, False, "number", False),
    Operator("lte", _ORDER, False, "number", False),
    Operator("gt", _ORDER, False, "number", False),
    Operator("gte", _ORDER, False, "number", False),
    Operator("in", _EQUAL, True, "list", False),
    Operator("notin", _EQUAL, True, "list", True),
    Operator("empty", _ANY, False, "nothing", True),
    Operator("notempty", _ANY, False, "nothing", False),
    Operator("ftsearch", _TEXT, False, "words", False),
)}
ORDERINGS: dict[str, Callable[[Any, Any], bool]] = {
    "lt": operator.lt, "lte": operator.le, "gt": operator.gt, "gte": operator.ge,
}


def as_id(value: Any) -> str | None:
    """An item's id as text, where nothing is known of the ids' type: text as it is, whole numbers in decimal."""
    if isinstance(value, bool):
        return None
    return str(value) if isinstance(value, int | str) else None


def misuse(rule: Filter, where: str = "$") -> Problem | None:
    """What is wrong with a filter whatever the type of its property: a value that is missing, too much or of the
    wrong shape.
    """
    row = OPERATORS[rule.op]
    value = rule.value
    if rule.value_set is not None:
        return None
    if row.needs == "nothing":
        unwanted = value is not None and value != ""
        return Problem("wrong_op_use", where, f"{rule.op} takes no value", key=rule.property) if unwanted else None
    if value is None:
        return Problem("wrong_op_use", where, f"{rule.op} needs a value", key=rule.property)
    if isinstance(value, Nested):
        unsuited = row.needs == "words"
        said = f"{rule.op} takes no nested value"
        return Problem("wrong_op_use", where, said, key=rule.property) if unsuited else None
    if (row.needs == "list") != isinstance(value, tuple):
        wanted = "a list" if row.needs == "list" else "one value"
        return Problem("wrong_data_type", where, f"{rule.op} needs {wanted}", key=rule.property)
    return None


def bind(
    rule: Filter, types: Mapping[str, PropertyType], *, where: str = "$",
    item_ids: Callable[[Any], str | None] = as_id,
) -> Filter | Problem:
    """The filter with its literal in the type of its property; a nested value stays as it is.

    ``types`` by lower-case name. ``item_ids`` gives the canonical text of an item's id, None for what is none. Values
    that a nested value was filled with and that the property cannot have are left out: nothing equals them.
    """
    is_id = rule.property == ITEM_ID_NAME
    declared = PropertyType("unicode255") if is_id else types.get(rule.property)
    if declared is None:
        return Problem(
            "property_not_found", where, f"there is no item property `{rule.property}`",
            "declare it, or see GET items-properties/", rule.property,
        )
    row = OPERATORS[rule.op]
    if not (row.item_id if is_id else declared.family in row.families):
        kind = "item_id" if is_id else f"type {declared.value_type}"
        suited = ", ".join(o.op for o in OPERATORS.values() if (o.item_id if is_id else declared.family in o.families))
        said = f"operator {rule.op} is not made for `{rule.property}` of {kind}"
        return Problem("wrong_op_use", where, said, f"one of {suited}", rule.property)
    fault = misuse(rule, where)
    if fault is not None:
        return fault

    def typed(value: Any) -> Scalar | None:
        return item_ids(value) if is_id else literal(value, declared, ordering=row.needs == "number")

    return _bound(rule, row, typed, declared.value_type, where)


def _bound(
    rule: Filter, row: Operator, typed: Callable[[Any], Scalar | None], wanted: str, where: str
) -> Filter | Problem:
    if rule.value_set is not None:
        kept = tuple(value for value in map(typed, rule.value_set) if value is not None)
        return replace(rule, value=kept, value_set=None) if row.needs == "list" else replace(rule, value_set=kept)
    if row.needs == "nothing":
        return replace(rule, value=None)
    if isinstance(rule.value, Nested):
        return rule
    given = rule.value if isinstance(rule.value, tuple) else (rule.value,)
    found = tuple(typed(value) for value in given)
    if None in found:
        wrong = given[found.index(None)]
        said = f"{wrong!r} is not a value of type {wanted}"
        return Problem("wrong_data_type", where, f"filter on `{rule.property}`: {said}", key=rule.property)
    if row.needs == "words" and not tokens(str(found[0])):
        said = f"ftsearch on `{rule.property}` needs at least one word"
        return Problem("wrong_data_type", where, said, key=rule.property)
    literals = tuple(value for value in found if value is not None)
    return replace(rule, value=literals if row.needs == "list" else literals[0])


def holds(rule: Filter, values: tuple[Scalar, ...]) -> bool:
    """Whether a bound filter holds for the values of one property of one thing; ``()`` is missing. An empty text counts
    as missing for ``empty`` and ``notempty`` only.

    The meaning of every operator, one value at a time: for conditions and single rows, and what the vectorized masks
    are tested against.
    """
    if rule.op in ("empty", "notempty"):
        blank = not any(value != "" for value in values)
        return blank == (rule.op == "empty")
    if not values:
        return OPERATORS[rule.op].missing
    if rule.op == "ftsearch":
        wanted = set(tokens(str(rule.value)))
        return any(wanted <= set(tokens(str(value))) for value in values)
    if rule.op in ("in", "notin"):
        among = rule.value if isinstance(rule.value, tuple) else ()
        return any(value in among for value in values) == (rule.op == "in")
    wanted_values = rule.value_set if rule.value_set is not None else (rule.value,)
    if rule.op in ("eq", "neq"):
        return any(value in wanted_values for value in values) == (rule.op == "eq")
    compare = ORDERINGS[rule.op]
    return any(compare(value, wanted) for value in values for wanted in wanted_values)
