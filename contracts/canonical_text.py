"""Canonical text of a value (retention contract, section 2.5): what equality in segments and merges goes by."""

from __future__ import annotations

from typing import Any


def canonical_text(value: Any) -> str:
    """A string is itself; a number is its shortest decimal form (2.0 is 2); a boolean is true or false."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)
