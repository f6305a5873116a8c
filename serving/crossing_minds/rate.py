"""The configured rate limit (§2): so many requests of one account in a second, by default none."""

from __future__ import annotations

import math
from collections.abc import Callable

from serving.crossing_minds.errors import TooManyRequests


class Rate:
    """A bucket for each account that holds one second's requests and fills steadily. ``limit`` 0: no limit."""

    REMEMBERED = 100_000

    def __init__(self, limit: float, clock: Callable[[], float]) -> None:
        self._limit = limit
        self._most = max(limit, 1.0)
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, account_id: str) -> None:
        """Let one request pass, or raise TooManyRequests with the whole seconds until another one can."""
        if not self._limit:
            return
        now = self._clock()
        left, at = self._left.get(account_id, (self._most, now))
        left = min(self._most, left + max(0.0, now - at) * self._limit)
        if left < 1:
            self._left[account_id] = left, now
            raise TooManyRequests(max(1, math.ceil((1 - left) / self._limit)))
        if len(self._left) >= self.REMEMBERED:
            self._left.clear()
        self._left[account_id] = left - 1, now
