"""One commit for many requests: what arrives within a few milliseconds shares one durable transaction."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from contracts.errors import StorageError
from serving.refusals import Refusal
from store.journal import Accepted, Journal, Write

log = logging.getLogger("nightloom.serving")

MAX_PENDING = 20_000  # writes; beyond, requests are told to come back
MAX_TOGETHER = 5_000  # writes in one transaction


# What else belongs into the transaction of some writes. It gets the connection and where the writes stand; what it
# raises undoes them, and nobody else's.
Within = Callable[[Connection, Sequence[Accepted]], None]

# Work that is done together for all calls of a transaction: it reads, decides and writes, and answers each call in
# order. An answer may be an exception: that call changed nothing then. What it raises undoes all calls.
Together = Callable[[Connection, Sequence[Any]], Sequence[Any]]


@dataclass(slots=True)
class _Order:
    writes: Sequence[Write]
    answer: asyncio.Future[Any]
    within: Within | None = None
    together: Together | None = None
    call: Any = None

    @property
    def size(self) -> int:
        return len(self.writes) if self.together is None else 1


class GroupCommit:
    """A thread that commits what requests hand in. ``await submit(...)`` returns when the writes are on disk.

    Failures are honest: when the disk refuses, every request of the transaction gets 503 and nothing of it is stored.
    """

    def __init__(self, journal: Journal, interval_ms: float, observe: Callable[[int, float], None]) -> None:
        self._journal = journal
        self._interval = interval_ms / 1000
        self._observe = observe
        self._orders: deque[_Order] = deque()
        self._pending = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._wake = threading.Event()
        self._stopping = False
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="group commit", daemon=True)
        self._thread.start()

    async def submit(
        self, writes: Sequence[Write], *, patient: bool = False, within: Within | None = None
    ) -> list[Accepted]:
        """Store writes together, with what ``within`` does, and return where they stand. Raises Refusal (503) when they
        could not be stored, and what ``within`` raises.

        When too many wait already, a ``patient`` caller waits too; another one is refused.
        """
        while not self._stopping and self._pending and self._pending + len(writes) > MAX_PENDING:
            if not patient:
                raise _busy()
            turn: asyncio.Future[None] = self._loop.create_future()
            self._waiting.append(turn)
            await turn
        accepted: list[Accepted] = await self._order(_Order(writes, self._loop.create_future(), within))
        return accepted

    async def call(self, together: Together, call: Any) -> Any:
        """Hand in one call of ``together`` and return its answer once what it did is on disk. Calls of one transaction
        are answered in the order they came in. Raises Refusal (503), and what the call's answer is if an exception.
        """
        if self._pending >= MAX_PENDING:
            raise _busy()
        return await self._order(_Order((), self._loop.create_future(), together=together, call=call))

    async def _order(self, order: _Order) -> Any:
        if self._stopping:
            raise Refusal(503, "stopping", "the endpoint is stopping; nothing was stored", "repeat the request")
        self._pending += order.size
        self._orders.append(order)
        self._wake.set()
        return await order.answer

    def stop(self) -> None:
        """Commit what waits and end the thread."""
        self._stopping = True
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        while not (self._stopping and not self._orders):
            self._wake.wait()
            self._wake.clear()
            while self._orders:
                if not self._stopping:
                    time.sleep(self._interval)  # let others arrive
                self._commit(self._take())

    def _take(self) -> list[_Order]:
        taken = [self._orders.popleft()]
        together = taken[0].size
        while self._orders and together + self._orders[0].size <= MAX_TOGETHER:
            order = self._orders.popleft()
            together += order.size
            taken.append(order)
        return taken

    def _commit(self, orders: list[_Order]) -> None:
        began = time.perf_counter()
        results: list[Any]
        try:
            results = self._stored(orders)
        except StorageError as error:
            log.warning("%s", error)
            results = [Refusal(503, "storage", error.message, error.hint)] * len(orders)
        except Exception as error:
            if len(orders) > 1:
                log.warning("a group of writes failed (%s); each is tried alone", error)
            results = [self._alone(order) for order in orders]
        self._observe(sum(order.size for order in orders), time.perf_counter() - began)
        self._loop.call_soon_threadsafe(self._answer, orders, results)

    def _stored(self, orders: list[_Order]) -> list[Any]:
        """All of these in one transaction."""
        given = [write for order in orders for write in order.writes]
        if all(order.within is None and order.together is None for order in orders):
            return _shared_out(orders, self._journal.accept(given))
        answers: dict[int, Any] = {}

        def within(connection: Connection, accepted: list[Accepted]) -> None:
            for order, places in zip(orders, _shared_out(orders, accepted), strict=True):
                if order.within is not None:
                    order.within(connection, places)
            answers.update(_calls(connection, orders))

        places = _shared_out(orders, self._journal.accept(given, within))
        return [answers.get(at, place) for at, place in enumerate(places)]

    def _alone(self, order: _Order) -> Any:
        try:
            return self._stored([order])[0]
        except StorageError as error:
            return Refusal(503, "storage", error.message, error.hint)
        except Exception as error:
            return error

    def _answer(self, orders: list[_Order], results: list[Any]) -> None:
        for order, result in zip(orders, results, strict=True):
            self._pending -= order.size
            if order.answer.done():
                continue  # the client is gone; its writes are stored all the same
            if isinstance(result, Exception):
                order.answer.set_exception(result)
            else:
                order.answer.set_result(result)
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)


def _busy() -> Refusal:
    return Refusal(503, "busy", "too many writes wait for the disk; nothing was stored", "repeat in a second")


def _calls(connection: Connection, orders: list[_Order]) -> dict[int, Any]:
    """Answers of the calls among some orders, by the order's place."""
    kinds: dict[Together, list[int]] = {}
    for at, order in enumerate(orders):
        if order.together is not None:
            kinds.setdefault(order.together, []).append(at)
    answers: dict[int, Any] = {}
    for together, places in kinds.items():
        found = together(connection, [orders[at].call for at in places])
        answers.update(zip(places, found, strict=True))
    return answers


def _shared_out(orders: list[_Order], accepted: list[Accepted]) -> list[list[Accepted]]:
    places = iter(accepted)
    return [[next(places) for _ in order.writes] for order in orders]
