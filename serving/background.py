"""Work of a serving process that no request waits for: live tags whose time has come, and notifications that are due.

Every process looks; a lease of the journal says who works.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from contracts.errors import LeaseHeld, NightloomError
from contracts.settings import Settings
from store.journal import Journal
from store.live_segments import SWEPT, LiveSegments
from store.webhooks.deliverer import Deliverer

log = logging.getLogger("nightloom.serving")

LOOK_SECONDS = 0.5
SWEEP_LEASE = "live_segments"
LEASE_SECONDS = 30.0


class Background:
    """Threads beside the event loop, for one journal. From ``start`` on the journal's events are evaluated, too."""

    def __init__(self, journal: Journal, settings: Settings) -> None:
        self._journal = journal
        self._segments = LiveSegments(settings.live_segments)
        self._deliverer = Deliverer(journal, settings.webhooks)
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._repeat, args=(work,), name=name, daemon=True)
            for name, work in (("live segments", self._sweep), ("webhooks", self._deliver))
        ]
        journal.observers.append(LiveSegments(settings.live_segments).on_writes)

    def start(self) -> None:
        """Begin to look."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End; an attempt that is under way is given up, and made again by whoever comes next."""
        self._stop.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def _repeat(self, work: Callable[[], None]) -> None:
        told = ""
        while not self._stop.wait(LOOK_SECONDS):
            try:
                work()
                told = ""
            except NightloomError as error:
                if str(error) != told:
                    log.warning("%s", error)
                told = str(error)
            except Exception:
                log.exception("work in the background failed")

    def _deliver(self) -> None:
        self._deliverer.deliver(self._stop)

    def _sweep(self) -> None:
        with self._journal.reading() as connection:
            waits = self._segments.waits(connection, self._journal.clock())
        if not waits:
            return
        try:
            with self._journal.lease(SWEEP_LEASE, "a sweeper of live tags", LEASE_SECONDS):
                sweep(self._journal, self._segments)
        except LeaseHeld:
            return


def sweep(journal: Journal, segments: LiveSegments) -> int:
    """Sweep until nothing is overdue, a bounded transaction at a time; returns how many tags changed."""
    changed = 0
    while True:
        with journal.writing() as connection:
            found = segments.sweep(connection, journal.clock())
        changed += found
        if found < SWEPT:
            return changed
