"""Patterns: which of a point's indicators a session shows (decision contract, section 8.5)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

LIMIT = 12
"""Indicators of a point, at most."""
SEPARATOR = "|"


@dataclass(frozen=True, slots=True)
class Feature:
    """How one feature becomes indicators: by presence, or, with ``numeric``, by its place among ``cuts`` (rising)."""

    code: str
    numeric: bool = False
    cuts: tuple[float, ...] = ()

    def indicator(self, value: float) -> str:
        """The indicator that a session with this feature shows: ``code``, or ``code~i`` with i cut points below it."""
        return f"{self.code}~{bisect_left(self.cuts, value)}" if self.numeric else self.code


class Encoding:
    """The indicators of one agent's point; without any, every session has the empty pattern."""

    __slots__ = ("_features", "indicators")

    def __init__(self, indicators: Iterable[str] = (), features: Iterable[Feature] = ()) -> None:
        self.indicators = frozenset(indicators)
        self._features = {one.code: one for one in features}

    def pattern(self, features: Mapping[str, float]) -> str:
        """The present indicators, byte-sorted and joined by ``|``; empty text if none is present."""
        if not self.indicators:
            return ""
        shown = (
            self._features[code].indicator(value) for code, value in features.items() if code in self._features
        )
        return SEPARATOR.join(sorted(name for name in shown if name in self.indicators))
