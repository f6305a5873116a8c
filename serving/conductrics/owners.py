"""Owners of agents: one workspace each, found by the first part of a path."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from time import monotonic
from typing import Any

from contracts.errors import NightloomError
from serving.commit import GroupCommit
from serving.conductrics.turns import Batch, Op, Turns
from serving.workshop import Workshop, opened
from store.journal.keys import AgentKeyKind
from store.layout import Layout, name_fault
from store.pack.policies import PolicyBook

log = logging.getLogger("nightloom.serving")

FOLLOWED = 0.1
"""Seconds that a process may go without looking at the journal for keys and runs: a revoked key ends that late."""


class Owner:
    """One owner at work. Only the event loop's thread uses this, but for ``policies``."""

    def __init__(self, workshop: Workshop, clock: Callable[[], float]) -> None:
        self.workshop = workshop
        self.name = workshop.layout.workspace
        self.layout = workshop.layout
        self.settings = workshop.settings
        self.journal = workshop.journal
        self.live = workshop.live
        self.clock = clock
        self.policies: PolicyBook | None = None
        self._turns = Turns(self.name, self.settings.decisions, lambda: self.policies, clock)
        self._looked = -FOLLOWED

    def key_kind(self, presented: str) -> AgentKeyKind | None:
        """What a key opens, None for one that is not in force."""
        if self.settings.decisions.accept_any_key:
            self.follow()
            return "admin"
        self.follow()
        kind = self.live.gate.agent_key(presented)
        if kind is None:
            self.follow(now=True)  # it may have been made this moment
            kind = self.live.gate.agent_key(presented)
        return kind

    def follow(self, *, now: bool = False) -> None:
        """Know keys and the current run, at the latest as they were ``FOLLOWED`` seconds ago."""
        moment = monotonic()
        if now or moment - self._looked >= FOLLOWED:
            self._looked = moment
            view = self.live.view()
            if view is not None:
                self.policies = _policies(view.pack)

    async def do(self, call: Op | Batch) -> Any:
        """What a call comes to (of a batch, a list), once it is on disk. Raises what stands in its way."""
        return await self.workshop.commit.call(self._turns, call)


class Owners:
    """The owners that this process has opened. Only the event loop's thread uses this."""

    def __init__(self, own: Workshop, observe: Callable[[int, float], None], clock: Callable[[], float]) -> None:
        self._own = own
        self._observe = observe
        self._clock = clock
        self._open: dict[str, Owner] = {own.layout.workspace: Owner(own, clock)}
        self._opening = asyncio.Lock()

    async def find(self, code: str) -> Owner | None:
        """An owner; None where there is none. Nothing is created by asking."""
        known = self._open.get(code)
        if known is not None or name_fault(code):
            return known
        layout = Layout(self._own.layout.home, code)
        if not layout.root.exists():
            return None
        async with self._opening:
            if code not in self._open:
                settings, journal, live = await asyncio.to_thread(opened, layout)
                commit = GroupCommit(journal, settings.serving.commit_interval_ms, self._observe)
                self._open[code] = Owner(Workshop(layout, settings, journal, live, commit), self._clock)
        return self._open[code]

    def opened(self) -> list[Owner]:
        """Every open owner."""
        return list(self._open.values())

    async def close(self) -> None:
        """Commit what waits and close every owner but the endpoint's own."""
        for owner in self._open.values():
            if not owner.workshop.own:
                await asyncio.to_thread(owner.workshop.commit.stop)
                owner.journal.close()
        self._open.clear()


def _policies(pack: Any) -> PolicyBook | None:
    """The policies of a run; None, and a line in the log, where they cannot be read: every arm alike is served then."""
    try:
        found: PolicyBook = pack.policies
    except (NightloomError, OSError, ValueError, KeyError) as error:
        log.warning("the policies of the run cannot be read: %s", error)
        return None
    return found
