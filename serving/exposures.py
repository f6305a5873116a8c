"""The decision log of A/B tests: who was answered by which group, once a day and subject.

A lookup only notes; a task of its own hands what was noted to the group commit, some moments later and together: a
commit for each lookup would make every next one catch up with it. What a crash loses in between, or what the disk
refuses, is noted again by the subject's next lookup.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson

from scenarios.resolve import Split
from store.journal import Write

log = logging.getLogger("nightloom.serving")

KEPT = 100_000  # subjects of today that are remembered; beyond, the one not seen for longest is noted again
MOST_WAITING = 20_000  # beyond, what is new is left out
TOGETHER = 1_000  # of one order, so that a client's write never waits behind many of these
PAUSE = 1.0
DAY = 86_400

Key = tuple[str, str, str, str]


class Exposures:
    """What one process noted of one workspace. Only the event loop's thread uses it.

    ``submit`` stores writes; ``clock`` tells unix seconds; ``pause``: seconds between noting and storing.
    ``lost`` counts what could not be stored.
    """

    def __init__(
        self, submit: Callable[[Sequence[Write]], Awaitable[Any]], clock: Callable[[], float], *, pause: float = PAUSE,
        kept: int = KEPT, most: int = MOST_WAITING,
    ) -> None:
        self._submit = submit
        self._clock = clock
        self._pause = pause
        self._kept = kept
        self._most = most
        self._day = -1
        self._seen: OrderedDict[Key, None] = OrderedDict()
        self._waiting: OrderedDict[Key, Write] = OrderedDict()
        self._task: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()
        self._troubled = False
        self.lost = 0

    def note(self, splits: Sequence[Split], user_id: str | None, session_id: str | None, run_id: str) -> None:
        """Note that a subject, the user or else the session (canonical text), was answered by these groups."""
        kind, subject = ("user", user_id) if user_id else ("session", session_id)
        if not subject:
            return
        now = self._clock()
        if int(now // DAY) != self._day:
            self._day = int(now // DAY)
            self._seen.clear()
        for split in splits:
            key = split.test_id, split.group, kind, subject
            if key in self._seen:
                self._seen.move_to_end(key)
            elif len(self._waiting) >= self._most:
                self._lose(1, "too many wait for the disk")
            else:
                self._seen[key] = None
                self._waiting[key] = _write(split, kind, subject, run_id, now, self._day)
        while len(self._seen) > self._kept:
            self._seen.popitem(last=False)
        if self._waiting and self._task is None:
            self._task = asyncio.create_task(self._send())

    async def flush(self) -> None:
        """Store what waits, and wait for it."""
        if self._task is not None:
            self._hurry.set()
            await self._task

    async def _send(self) -> None:
        try:
            while self._waiting:
                await self._rest()
                while self._waiting:
                    await self._order([self._waiting.popitem(last=False) for _ in range(self._size())])
        finally:
            self._task = None
            self._hurry.clear()

    def _size(self) -> int:
        return min(TOGETHER, len(self._waiting))

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(self._pause):
                await self._hurry.wait()
        except TimeoutError:
            pass

    async def _order(self, noted: list[tuple[Key, Write]]) -> None:
        try:
            await self._submit([write for _, write in noted])
            self._troubled = False
        except Exception as error:  # whatever it is, no lookup is to suffer from it
            for key, _ in noted:
                self._seen.pop(key, None)
            self._lose(len(noted), str(error))

    def _lose(self, count: int, why: str) -> None:
        self.lost += count
        if not self._troubled:
            log.warning("exposures of A/B tests were not stored, their next lookups will be noted: %s", why)
        self._troubled = True


def _write(split: Split, kind: str, subject: str, run_id: str, now: float, day: int) -> Write:
    """The journal's write. Its id is the same in every process of the day, so that only the first is stored."""
    key = "\0".join((split.test_id, split.group, kind, subject, str(day)))
    body = {
        "test_id": split.test_id, "reco_type": split.reco_type, "scenario_name": split.scenario_name,
        "group": split.group, "customer_id" if kind == "user" else "session_id": subject, "run_id": run_id,
        "at": int(now * 1_000_000),
    }
    event_id = "exposure_" + hashlib.sha256(key.encode()).hexdigest()[:32]
    return Write("exposures", subject, "create", orjson.dumps(body).decode(), event_id)
