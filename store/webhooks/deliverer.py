"""Delivers what waits in the outbox: at least once, with growing pauses, one deliverer at a time."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from contracts.errors import LeaseHeld
from contracts.settings import Webhooks
from store.journal import Journal, documents, outbox, webhook_secrets
from store.journal.outbox import Attempted, Due, Status
from store.webhooks.attempt import SECONDS, Ended, Resolve, attempt, resolve, signature

log = logging.getLogger("nightloom.webhooks")

ACCOUNT = "octy_account"
LEASE = "webhooks"
LEASE_SECONDS = 60.0
TOGETHER = 16
ATTEMPTS = 15
FIRST_PAUSE, LONGEST_PAUSE, JITTER = 30.0, 3600.0, 0.2
LOOK_SECONDS = 0.25


def pause(tries: int, chance: float) -> timedelta:
    """How long to wait after so many failed tries (1 or more): doubled each time, a fifth more at ``chance`` 1."""
    seconds = min(FIRST_PAUSE * 2.0 ** (tries - 1), LONGEST_PAUSE)
    return timedelta(seconds=seconds * (1 + JITTER * chance))


class Deliverer:
    """``resolver`` and ``seconds`` (of one attempt) are given by tests; ``chance`` tells a number in 0..1."""

    def __init__(
        self, journal: Journal, settings: Webhooks, *, resolver: Resolve = resolve, seconds: float = SECONDS,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._journal = journal
        self._settings = settings
        self._resolver = resolver
        self._seconds = seconds
        self._chance = chance

    def waiting(self) -> bool:
        """Whether something is due now."""
        with self._journal.reading() as connection:
            at = outbox.next_due(connection)
        return at is not None and at <= self._journal.clock()

    def deliver(self, stop: threading.Event | None = None) -> int:
        """Deliver what is due until nothing is, or until ``stop``; returns the attempts made.

        Without a lease to be had another process delivers, and nothing is done here. Raises StorageError.
        """
        if not self.waiting():
            return 0
        try:
            with self._journal.lease(LEASE, "a deliverer", LEASE_SECONDS) as lease:
                return asyncio.run(self._pump(stop or threading.Event(), lease.check))
        except LeaseHeld:
            return 0

    async def _pump(self, stop: threading.Event, check: Callable[[], None]) -> int:
        flying: dict[asyncio.Task[Attempted], str] = {}
        made = 0
        try:
            while not stop.is_set():
                check()
                if len(flying) < TOGETHER:
                    for task, delivery_id in await self._start(TOGETHER - len(flying), frozenset(flying.values())):
                        flying[task] = delivery_id
                if not flying:
                    break
                done, _ = await asyncio.wait(flying, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if done:
                    made += len(done)
                    await asyncio.to_thread(self._record, [task.result() for task in done])
                for task in done:
                    del flying[task]
        finally:
            for task in flying:
                task.cancel()
            await asyncio.gather(*flying, return_exceptions=True)
        return made

    async def _start(self, room: int, flying: frozenset[str]) -> list[tuple[asyncio.Task[Attempted], str]]:
        url, secrets, found = await asyncio.to_thread(self._claim, room, flying)
        return [(asyncio.create_task(self._attempt(one, url, secrets)), one.delivery_id) for one in found]

    def _claim(self, room: int, flying: frozenset[str]) -> tuple[str, list[str], list[Due]]:
        """The account's URL of this moment, the secrets in force, and messages that are due."""
        now = self._journal.clock()
        with self._journal.reading() as connection:
            found = outbox.due(connection, now, room, flying)
            accounts = documents.listed(connection, ACCOUNT) if found else []
            secrets = webhook_secrets.signing(connection, now)
        if found and not secrets:
            with self._journal.writing() as connection:
                secrets = webhook_secrets.in_force(connection, now)
        return webhook_url(accounts), secrets, found

    async def _attempt(self, due: Due, url: str, secrets: list[str]) -> Attempted:
        if not url:
            return Attempted(due.delivery_id, due.attempt, self._journal.clock(), "skipped", "", counts=False)
        message = due.message.encode()
        headers = (
            ("X-Nightloom-Signature", signature(message, secrets)), ("X-Nightloom-Delivery", due.delivery_id),
            ("X-Nightloom-Attempt", str(due.attempt)),
        )
        ended = await attempt(url, message, headers, self._settings, resolver=self._resolver, seconds=self._seconds)
        return self._outcome(due, ended, self._journal.clock())

    def _outcome(self, due: Due, ended: Ended, now: datetime) -> Attempted:
        status: Status = "refused" if ended.refused else "pending"
        next_at = None
        if ended.good:
            status = "delivered"
        elif due.tries + 1 >= ATTEMPTS:
            status = "dead"
        else:
            next_at = now + pause(due.tries + 1, self._chance())
        return Attempted(
            due.delivery_id, due.attempt, now, status, ended.host, ended.http_status, ended.error, ended.answer, next_at
        )

    def _record(self, attempts: list[Attempted]) -> None:
        for one in attempts:
            if one.status == "dead":
                log.warning("delivery %s is dead after %d attempts: %s", one.delivery_id, one.attempt, one.error)
        with self._journal.writing() as connection:
            outbox.record(connection, attempts)


def webhook_url(accounts: list[documents.Document]) -> str:
    """The receiver's URL among the account's documents, empty for none."""
    return next((str(json.loads(one.body).get("webhook_url") or "") for one in accounts), "")
