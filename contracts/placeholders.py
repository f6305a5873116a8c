"""Placeholders of messaging templates (retention contract, section 16): ``{tag}`` and ``{{tag}}``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from contracts.canonical_text import canonical_text

# Braces around anything else (style sheets, JSON) are text.
_PLACEHOLDER = re.compile(r"\{\{\s*([^\W\d][\w-]*)\s*\}\}|\{([^\W\d][\w-]*)\}")


class Unfilled(Exception):
    """Placeholders without a value; ``tags`` are all of them, each once."""

    def __init__(self, tags: list[str]) -> None:
        super().__init__(f"no value for {', '.join(tags)}")
        self.tags = tags


def placeholders(*texts: str) -> list[str]:
    """Tags in texts, each once, in the order of their first place."""
    return list(dict.fromkeys(found[1] or found[2] for text in texts for found in _PLACEHOLDER.finditer(text)))


def filled(texts: tuple[str, ...], *sources: Mapping[str, Any], take: Callable[[int], None]) -> list[str]:
    """The texts with every placeholder replaced by the canonical text of its value, of the first source that has one
    (null is none). One pass: values are neither escaped nor looked at again. ``take`` is told the length of each text
    before it is made, and may raise.

    Raises Unfilled.
    """
    tags = placeholders(*texts)
    values = {
        tag: canonical_text(value) for tag in tags
        if (value := next((one[tag] for one in sources if one.get(tag) is not None), None)) is not None
    }
    lacking = [tag for tag in tags if tag not in values]
    if lacking:
        raise Unfilled(lacking)
    made = []
    for text in texts:
        parts = _PLACEHOLDER.split(text)
        # Between two texts lie the two groups, of which one is the tag.
        for at in range(1, len(parts), 3):
            parts[at] = values[parts[at] or parts[at + 1]]
            parts[at + 1] = ""
        take(sum(map(len, parts)))
        made.append("".join(parts))
    return made
