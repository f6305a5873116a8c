"""JSON Schemas of the dialect's common members, beside the words that they are written with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serving.schema_words import (
    Schema,
    anything,
    array,
    boolean,
    either,
    integer,
    nullable,
    number,
    obj,
    string,
    words,
)

__all__ = [
    "Schema", "anything", "array", "boolean", "either", "integer", "nullable", "number", "obj", "string", "words",
]

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
