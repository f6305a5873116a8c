"""The end of a flow: notifications go out where no serving process delivers them; nothing that goes wrong there fails
the flow.
"""

from __future__ import annotations

import threading

from contracts.errors import NightloomError
from contracts.progress import Progress
from contracts.settings import Settings
from store.journal import Journal
from store.webhooks.deliverer import Deliverer

SECONDS = 120.0


def deliver(journal: Journal, settings: Settings, progress: Progress, seconds: float = SECONDS) -> int:
    """Attempt what is due, for so long at most; what is left waits for the next. Returns the attempts made."""
    stop = threading.Event()
    timer = threading.Timer(seconds, stop.set)
    timer.daemon = True
    timer.start()
    try:
        return Deliverer(journal, settings.webhooks).deliver(stop)
    except NightloomError as error:
        progress.step("webhooks", 0, 0, f"not delivered: {error.message}")
        return 0
    finally:
        timer.cancel()
