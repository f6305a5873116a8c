"""Filters over a whole catalogue: one filter gives one mask, by the operators of the contract."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenarios.columns import SEPARATOR, Column
from scenarios.spec import Filter, Nested, Scalar
from scenarios.value_types import tokens

Mask = NDArray[np.bool_]
FEW = 8
"""Up to so many values are compared one by one."""
_ORDER: dict[str, Callable[[Any, Any], Any]] = {
    "lt": np.less, "lte": np.less_equal, "gt": np.greater, "gte": np.greater_equal
}


def item_mask(filter: Filter, column: Column | None, size: int) -> Mask:
    """Which of ``size`` items pass a bound filter, bool (size,).

    ``column`` None: nobody has a value. Each filter is judged alone; of a list some element must satisfy it, for
    ``neq`` and ``notin`` every one, so that an item without a value passes these two.
    """
    if isinstance(filter.value, Nested):
        raise ValueError(f"the nested value of {filter.property!r} was not filled in")
    if filter.op in ("empty", "notempty"):
        filled = np.zeros(size, np.bool_) if column is None else column.filled.astype(np.bool_)
        return ~filled if filter.op == "empty" else filled
    if filter.op in ("neq", "notin"):
        return _every_other(filter, column, size)
    if column is None:
        return np.zeros(size, np.bool_)
    if filter.op == "ftsearch":
        return _search(str(filter.value), column)
    values = _values(filter)
    if filter.op in _ORDER:
        return _some_in_order(filter, column, values)
    return _having(column, _equals_some(column, values))


def rows_mask(filter: Filter, row_of: Callable[[str], int], size: int) -> Mask:
    """The same for the pseudo-property ``item_id``: eq, neq, in, notin."""
    mask = np.zeros(size, np.bool_)
    mask[[row for value in _values(filter) if (row := row_of(str(value))) >= 0]] = True
    return mask if filter.op in ("eq", "in") else ~mask


def _values(filter: Filter) -> tuple[Scalar, ...]:
    """The values a filter compares with, as a tuple."""
    if filter.value_set is not None:
        return filter.value_set
    value = filter.value
    assert value is not None
    assert not isinstance(value, Nested)
    return value if isinstance(value, tuple) else (value,)


def _every_other(filter: Filter, column: Column | None, size: int) -> Mask:
    """No element equals any of the values."""
    if column is None:
        return np.ones(size, np.bool_)
    return ~_having(column, _equals_some(column, _values(filter)))


def _equals_some(column: Column, values: tuple[Scalar, ...]) -> Mask:
    """Which elements equal one of the values; a word that no item has equals none."""
    found: list[Any] = list(values)
    if column.vocabulary is not None:
        found = [code for code in map(column.vocabulary.find, map(str, values)) if code >= 0]
    if not found:
        return np.zeros(len(column.values), np.bool_)
    if len(found) <= FEW:
        equal: Mask = column.values == found[0]
        for other in found[1:]:
            equal |= column.values == other
        return equal
    if column.vocabulary is None:
        held = np.iinfo(column.values.dtype)  # a literal beyond what the column can hold equals nothing
        fitting = [value for value in found if held.min <= value <= held.max]
        return np.isin(column.values, np.array(fitting, column.values.dtype))
    wanted = np.zeros(len(column.vocabulary), np.bool_)
    wanted[found] = True
    among: Mask = wanted[column.values]
    return among


def _some_in_order(filter: Filter, column: Column, values: tuple[Scalar, ...]) -> Mask:
    mask = np.zeros(column.size, np.bool_)
    for value in values:
        mask |= _having(column, _ORDER[filter.op](column.values, value))
    return mask


def _search(query: str, column: Column) -> Mask:
    """Every token of the query occurs in the text; of a list, in one of its texts."""
    assert column.vocabulary is not None
    codes = [column.vocabulary.find(word) for word in tokens(query)]
    starts = np.flatnonzero(column.values == SEPARATOR)
    texts, owner = len(starts) + 1, np.cumsum(column.values == SEPARATOR)
    if not column.type.repeated:
        texts, owner = column.size, column.rows
    found = np.ones(texts, np.bool_)
    for code in codes:
        having = np.zeros(texts, np.bool_)
        having[owner[column.values == code]] = code >= 0
        found &= having
    if not column.type.repeated:
        return found
    mask = np.zeros(column.size, np.bool_)
    mask[column.rows[starts[found[1:]]]] = True
    return mask


def _having(column: Column, elements: Mask) -> Mask:
    """Items with some element of the mask."""
    if column.dense:
        return elements
    mask = np.zeros(column.size, np.bool_)
    mask[column.rows[elements]] = True
    return mask
