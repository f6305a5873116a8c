"""All profiles or items by (created_at, id), for pages by offset (2.4); made anew only when something was written."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from datetime import datetime


class Orders:
    """Ids in order by noun, each with what it was made from."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Hashable, list[str]]] = {}

    def of(self, noun: str, made_of: Hashable, make: Callable[[], Iterable[tuple[datetime, str]]]) -> list[str]:
        """Ids of a noun in order. ``made_of`` differs whenever the order may."""
        known = self._kept.get(noun)
        if known is None or known[0] != made_of:
            known = self._kept[noun] = (made_of, [one for _, one in sorted(make())])
        return known[1]
