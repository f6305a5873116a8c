"""The optional rate limit (2.1): so many requests of one key to one endpoint in a minute."""

from __future__ import annotations

import math
from collections.abc import Callable

from serving.octy.errors import OctyError


class Rate:
    """Counts by key and endpoint in windows of a minute from its first request. ``limit`` 0: no limit."""

    REMEMBERED = 100_000
    SECONDS = 60.0

    def __init__(self, limit: int, clock: Callable[[], float]) -> None:
        self._limit = limit
        self._clock = clock
        self._windows: dict[tuple[str, str], tuple[float, int]] = {}

    def take(self, key: str, endpoint: str) -> None:
        """Let one request pass, or raise OctyError (429) with the whole seconds until another one can."""
        if not self._limit:
            return
        now = self._clock()
        began, count = self._windows.get((key, endpoint), (now, 0))
        if not began <= now < began + self.SECONDS:
            began, count = now, 0
        if count >= self._limit:
            wait = max(1, math.ceil(began + self.SECONDS - now))
            raise OctyError(429, "too many requests", headers=((b"retry-after", str(wait).encode()),))
        if len(self._windows) >= self.REMEMBERED:
            self._windows.clear()
        self._windows[key, endpoint] = began, count + 1
