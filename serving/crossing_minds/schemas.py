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


NAME = "^[A-Za-z0-9._-]{1,64}$"
ID_TEXT = string(pattern="^[0-9A-Za-z._-]{1,86}$", description="an id of the database's type")
ID = either(ID_TEXT, integer())  # a number or text, by the database's types
TIME = either(number(), string())  # unix seconds, or text of them or of ISO 8601
WARNINGS = array(string())
OBJECT: Schema = {"type": "object"}
EMPTY = obj({})
WARNED = obj({"warnings": WARNINGS}, optional=("warnings",))
AMT = integer(1, 500, default=300)
CURSOR = string()
CURSOR_PAGE = {"has_next": boolean(), "next_cursor": string()}
NUMBERED_PAGE = {"has_next": boolean(), "next_page": integer(2)}


def cursor_page(name: str, row: Mapping[str, Any]) -> Schema:
    """The answer of a list by cursor whose rows are the member ``name``."""
    return obj({name: array(row), **CURSOR_PAGE})


def numbered_page(name: str, row: Mapping[str, Any]) -> Schema:
    """The answer of a list by number whose rows are the member ``name``."""
    return obj({name: array(row), **NUMBERED_PAGE})
