"""Names and texts inside SQL: the one place where quotes are put around them."""

from __future__ import annotations


def identifier(name: str) -> str:
    """``name`` as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def text_literal(text: str) -> str:
    """``text`` as a quoted SQL string; a NUL, which SQL text cannot hold, becomes ``chr(0)``."""
    if "\0" in text:
        return " || chr(0) || ".join(text_literal(part) for part in text.split("\0"))
    return "'" + text.replace("'", "''") + "'"
