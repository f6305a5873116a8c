"""The three types of the retention dialect's values, and which of them a JSON value has (retention contract 7)."""

from __future__ import annotations

from typing import Any, NamedTuple


class KeyType(NamedTuple):
    """What is known of a key: how it was first written, which map it belongs to, and its type."""

    spelled: str
    parent: str
    type: str


def type_of(value: Any) -> str:
    """``string``, ``number`` or ``boolean``, with ``[]`` for a list of them; empty for anything else."""
    if isinstance(value, list):
        kinds = {type_of(one) for one in value}
        return f"{kinds.pop()}[]" if len(kinds) == 1 else ""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else ""
