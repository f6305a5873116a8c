"""Codes, session ids and features as calls send them (1)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

CODE = re.compile(r"[0-9A-Za-z_-]{1,50}")
FEATURE = re.compile(r"[0-9A-Za-z_.:-]{1,50}")
SESSION = re.compile(r"[^\s\x00-\x1f\x7f-\x9f]{1,128}")
NUMBER = re.compile(r"-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")
ABSENT = frozenset({"", "null", "undefined"})
NO_SEGMENT = "(none)"
FEATURES_OF_A_SESSION = 64

REFUSED_AGENTS = frozenset({
    "-", "report", "agent-api", "list-agents", "transforms-list", "transforms-options", "transform-rule", "schema",
    "create-key",
})


class BadCall(Exception):
    """A call that cannot be answered, with the status that says why: 400, or 404 where nothing may be created."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


def given(text: str | None) -> str:
    """What was sent, empty where it means absent."""
    return "" if text is None or text in ABSENT else text


def code(what: str, text: str) -> str:
    """A code that keeps the rule. Raises BadCall."""
    if CODE.fullmatch(text) is None:
        raise BadCall(f"{what} {text[:60]!r} is no code: 1 to 50 of 0-9 A-Z a-z _ and -")
    return text


def agent_code(text: str) -> str:
    """The code of an agent. Raises BadCall, also for the names of other routes."""
    if text in REFUSED_AGENTS:
        raise BadCall(f"{text!r} cannot be the code of an agent")
    return code("agent", text)


def session_id(text: str) -> str:
    """A session id that keeps the rule. Raises BadCall."""
    if SESSION.fullmatch(text) is None or not text.isprintable():
        raise BadCall("a session id has 1 to 128 printable characters and no space")
    return text


def features(tokens: Iterable[str], had: Mapping[str, float] | None = None) -> dict[str, float]:
    """The set of features after some tokens were added to one, at most 64; a token that breaks the rule is dropped.

    ``age:34`` is the number 34 of ``age``; any other token is a code with value 1. A new ``prefix:value`` takes the
    place of the earlier one of that prefix, ``prefix::value`` adds up.
    """
    found = dict(had or {})
    for token in tokens:
        if token in ABSENT or FEATURE.fullmatch(token) is None:
            continue
        name, value, prefix = _read(token)
        if prefix:
            _forget(found, prefix, name)
        if name in found or len(found) < FEATURES_OF_A_SESSION:
            found[name] = value
    return found


def _read(token: str) -> tuple[str, float, str]:
    """Code, value, and the prefix of which only one value stays."""
    prefix, colon, rest = token.partition(":")
    if not colon or not prefix or not rest or ":" in rest:
        return token, 1.0, ""
    if NUMBER.fullmatch(rest):
        value = float(rest)
        if math.isfinite(value):
            return prefix, value, prefix
    return token, 1.0, prefix


def _forget(found: dict[str, float], prefix: str, name: str) -> None:
    """Drop the earlier value of a prefix: a code ``prefix:value``, or a number. (A number of 1 looks like a plain tag,
    and stays.)"""
    start = f"{prefix}:"
    for one in [one for one in found if one.startswith(start) and one != name and one.count(":") == 1]:
        del found[one]
    if name != prefix and found.get(prefix, 1.0) != 1.0:
        del found[prefix]


def split_features(text: str) -> list[str]:
    """Tokens of a features parameter."""
    return [token.strip() for token in text.split(",")]


def finite(what: str, text: Any) -> float:
    """A finite number as it was sent. Raises BadCall."""
    try:
        value = math.nan if isinstance(text, bool) or (isinstance(text, str) and "_" in text) else float(text)
    except (TypeError, ValueError, OverflowError):
        value = math.nan
    if not math.isfinite(value):
        raise BadCall(f"{what} {str(text)[:60]!r} is no finite number")
    return value
