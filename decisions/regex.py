"""Patterns of operators, on an engine whose time grows with the text only (RE2): no pattern can hang a request."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

PATTERN_LENGTH = 200
INPUT_LENGTH = 1024
MEMORY = 1 << 20  # bytes of one compiled pattern; counted repetitions grow beyond any need otherwise


class BadPattern(ValueError):
    """A pattern that is too long or that RE2 does not take; the text says why."""


@lru_cache(maxsize=4096)
def searcher(pattern: str) -> Callable[[str], bool]:
    """A function that tells whether the pattern is found anywhere in a text, of which the first 1,024 characters count.
    Case is ignored, as in every comparison of texts; ``(?-i)`` in a pattern minds it. Raises BadPattern.
    """
    import re2

    if len(pattern) > PATTERN_LENGTH:
        raise BadPattern(f"longer than {PATTERN_LENGTH} characters")
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.max_mem = MEMORY
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        told = error.args[0] if error.args else ""
        raise BadPattern(told.decode("utf-8", "replace") if isinstance(told, bytes) else str(told)) from None
    except UnicodeEncodeError:
        raise BadPattern("no valid text") from None
    return lambda text: compiled.search(text[:INPUT_LENGTH]) is not None
