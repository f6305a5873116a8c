"""Runs the stages of a night as Prefect tasks: names, retries where there is input or output, and progress in the
flow's log.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from contracts.errors import LeaseHeld, StorageError

T = TypeVar("T")

RETRY_DELAYS = [5.0, 30.0]


def _worth_retrying(_task: Any, _run: Any, state: Any) -> bool:
    """Only what may pass by itself: a full disk, a locked file. Bad definitions or a failed check stay as they are."""
    try:
        state.result()
    except (StorageError, OSError) as error:
        return not isinstance(error, LeaseHeld)
    except Exception:
        return False
    return False


def as_task(name: str, work: Callable[[], T], *, retries: int = 0) -> T:
    """Run ``work`` as a task called ``name``.

    Results stay in memory and are never cached by Prefect: what may be skipped is decided by the run's identity, which
    knows the data, and is written into our own manifest.
    """

    def stage() -> T:
        return work()

    wrapped = task(
        name=name,
        retries=retries,
        retry_delay_seconds=RETRY_DELAYS[:retries] or None,
        retry_condition_fn=_worth_retrying if retries else None,
        cache_policy=NO_CACHE,
        persist_result=False,
    )(stage)
    return wrapped()


class LoggedProgress:
    """Progress as log lines of the flow run, one at the start and end of each part of the work."""

    def __init__(self) -> None:
        self._logger = get_run_logger()
        self._last = ""

    def step(self, name: str, done: int, total: int, detail: str = "") -> None:
        if name != self._last or (total and done >= total):
            self._last = name
            self._logger.info("%s%s%s", name, f" {done}/{total}" if total else "", f"  {detail}" if detail else "")
