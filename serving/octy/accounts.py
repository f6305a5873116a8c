"""Accounts of the dialect: one workspace each, found by the public key of a pair."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from typing import Any

from contracts.errors import NightloomError
from serving.background import Background
from serving.commit import GroupCommit, Within
from serving.effective import Effective
from serving.live import View
from serving.octy.errors import unauthorized
from serving.octy.orders import Orders
from serving.octy.types import EventKeys
from serving.workshop import Workshop, opened
from store.account_documents import ACCOUNT, SEGMENT
from store.journal import Accepted, Journal, Write, documents
from store.journal.keys import account_of
from store.layout import Layout, name_fault
from store.settings_file import load_settings

log = logging.getLogger("nightloom.serving")

EVENT_TYPE = "event_type"


class Account:
    """One account at work. ``turn`` is held while something is created whose ids or types must be new: what it is
    checked against must still hold when it is stored.
    """

    def __init__(self, workshop: Workshop, clock: Callable[[], float]) -> None:
        self.workshop = workshop
        self.layout = workshop.layout
        self.settings = workshop.settings
        self.journal = workshop.journal
        self.live = workshop.live
        self.clock = clock
        self.turn = asyncio.Lock()
        self.event_keys = EventKeys()
        self.orders = Orders()
        self._types: tuple[int, dict[str, dict[str, Any]]] = (-1, {})

    @property
    def view(self) -> View | None:
        """The current run with its overlay, None before the first publish."""
        return self.live.view()

    def state(self) -> Effective:
        """Run and journal as of now; has every committed write."""
        return self.live.effective()

    def seq(self) -> int:
        """Number of the last write that the state has."""
        self.state()
        view = self.view
        return view.overlay.seq if view is not None else self.live.seen_before_run

    def event_types(self) -> dict[str, dict[str, Any]]:
        """Documents of the custom event types by name, as of now; read again when a document changed."""
        self.live.view()
        revision = self.live.documents.revision
        if self._types[0] != revision or revision < 0:
            with self.journal.reading() as connection:
                now = documents.revision(connection)
                found = {one.name: json.loads(one.body) for one in documents.listed(connection, EVENT_TYPE)}
            self._types = now, found
        return self._types[1]

    async def submit(self, writes: Sequence[Write], within: Within | None = None) -> list[Accepted]:
        """Store writes in one transaction, with what ``within`` does; returns when they are on disk."""
        return await self.workshop.commit.submit(writes, patient=True, within=within)


class Accounts:
    """The accounts that this process has opened. Only the event loop's thread uses this."""

    def __init__(self, own: Workshop, observe: Callable[[int, float], None], clock: Callable[[], float]) -> None:
        self._own = own
        self._observe = observe
        self._clock = clock
        self._open: dict[str, Account] = {own.layout.workspace: Account(own, clock)}
        self._opening = asyncio.Lock()
        self._backgrounds: dict[str, Background] = {}

    async def of_pair(self, public: str, secret: str) -> Account:
        """The account of a key pair. Raises OctyError (401)."""
        account = await self._account(account_of(public) or self._own.layout.workspace)
        if account is None:
            raise unauthorized()
        account.live.view()  # the gate is as new as the journal
        if not account.live.gate.pair(public, secret):
            raise unauthorized()
        return account

    def opened(self) -> list[Account]:
        """Every open account."""
        return list(self._open.values())

    async def wake(self) -> None:
        """Open every account that configured anything: its timers and notifications wait for no request."""
        for workspace in await asyncio.to_thread(_configured, self._own.layout):
            try:
                await self._account(workspace)
            except NightloomError as error:
                log.warning("account %s cannot be opened: %s", workspace, error)

    async def close(self) -> None:
        """Commit what waits and close every account but the endpoint's own."""
        for account in self._open.values():
            if not account.workshop.own:
                await asyncio.to_thread(self._backgrounds.pop(account.layout.workspace).stop)
                await asyncio.to_thread(account.workshop.commit.stop)
                account.journal.close()
        self._open.clear()

    async def _account(self, workspace: str) -> Account | None:
        """None where there is no such workspace; nothing is created by asking."""
        known = self._open.get(workspace)
        if known is not None or name_fault(workspace):
            return known
        layout = Layout(self._own.layout.home, workspace)
        if not layout.root.exists():
            return None
        async with self._opening:
            if workspace not in self._open:
                settings, journal, live = await asyncio.to_thread(opened, layout)
                commit = GroupCommit(journal, settings.serving.commit_interval_ms, self._observe)
                background = self._backgrounds[workspace] = Background(journal, settings)
                background.start()
                self._open[workspace] = Account(Workshop(layout, settings, journal, live, commit), self._clock)
        return self._open[workspace]


def _configured(own: Layout) -> list[str]:
    """Workspaces beside the endpoint's own whose journal has documents of the dialect. Nothing is created."""
    found = []
    for place in sorted(own.root.parent.glob(f"*/{own.journal.name}")):
        layout = Layout(own.home, place.parent.name)
        if layout.workspace == own.workspace or name_fault(layout.workspace):
            continue
        try:
            with Journal.open(layout, load_settings(layout)) as journal:
                if any(journal.documents(kind) for kind in (ACCOUNT, SEGMENT)):
                    found.append(layout.workspace)
        except NightloomError as error:
            log.warning("account %s cannot be read: %s", layout.workspace, error)
    return found
