"""Conditions on the metadata of scenarios, for listing them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from scenarios.operators import ORDERINGS
from scenarios.value_types import number

MetadataOp = Literal["eq", "lt", "gt", "lte", "gte"]
METADATA_OPS: tuple[MetadataOp, ...] = ("eq", "lt", "gt", "lte", "gte")
_ABSENT = object()


@dataclass(frozen=True, slots=True)
class MetadataFilter:
    """One condition: the way down through objects, an operator, and the value as sent (text, or JSON of a body)."""

    keys: tuple[str, ...]
    op: MetadataOp
    value: Any

    def holds(self, metadata: Mapping[str, Any]) -> bool:
        """``eq``: the stored value equals the value sent, or what its text is as JSON. Ordering: two numbers or two
        strings, these by code point. A missing key never matches.
        """
        stored: Any = metadata
        for key in self.keys:
            stored = stored.get(key, _ABSENT) if isinstance(stored, Mapping) else _ABSENT
        if stored is _ABSENT:
            return False
        parsed = _parsed(self.value)
        if self.op == "eq":
            return same_json(stored, self.value) or same_json(stored, parsed)
        if isinstance(stored, str) and isinstance(self.value, str):
            return ORDERINGS[self.op](stored, self.value)
        if number(stored) is None or number(parsed) is None:
            return False
        return ORDERINGS[self.op](stored, parsed)


def _parsed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return _ABSENT


def same_json(left: Any, right: Any) -> bool:
    """Equality as JSON has it: ``true`` is not 1, but 1 is 1.0."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same_json(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same_json, left, right))
    return bool(left == right)
