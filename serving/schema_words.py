"""Small words to write JSON Schemas with, kept to what OpenAPI 3.0 and 3.1 both know. Objects take further members."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

Schema = dict[str, Any]


def obj(members: Mapping[str, Any], optional: Collection[str] = (), **more: Any) -> Schema:
    """An object; every member is required but the ``optional`` ones."""
    required = [name for name in members if name not in optional]
    return {"type": "object", "properties": dict(members), **({"required": required} if required else {}), **more}


def array(of: Mapping[str, Any], **more: Any) -> Schema:
    """A list."""
    return {"type": "array", "items": dict(of), **more}


def string(**more: Any) -> Schema:
    """A string."""
    return {"type": "string", **more}


def words(*choices: str) -> Schema:
    """One of some words."""
    return {"type": "string", "enum": list(choices)}


def integer(least: int | None = None, most: int | None = None, **more: Any) -> Schema:
    """A whole number."""
    bounds = {"minimum": least, "maximum": most}
    return {"type": "integer", **{name: bound for name, bound in bounds.items() if bound is not None}, **more}


def number(least: float | None = None, most: float | None = None, **more: Any) -> Schema:
    """A number."""
    bounds = {"minimum": least, "maximum": most}
    return {"type": "number", **{name: bound for name, bound in bounds.items() if bound is not None}, **more}


def boolean(**more: Any) -> Schema:
    """true or false."""
    return {"type": "boolean", **more}


def anything() -> Schema:
    """Any JSON."""
    return {}


def either(*choices: Mapping[str, Any]) -> Schema:
    """One of several."""
    return {"anyOf": [dict(choice) for choice in choices]}


def nullable(of: Mapping[str, Any]) -> Schema:
    """Something or null."""
    return either(of, {"type": "null"})
