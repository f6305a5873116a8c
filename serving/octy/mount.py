"""Where the endpoint hands requests over to the dialect."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from contracts.settings import Serving
from serving.asgi import Receive, Scope, Send
from serving.metrics import Metrics
from serving.octy.accounts import Accounts
from serving.octy.dialect import Dialect
from serving.octy.router import Router
from serving.octy.routes import ROUTES
from serving.placement import Placement
from serving.workshop import Workshop


class Mount:
    """The dialect inside one endpoint: ``start`` and ``stop`` go with the endpoint's."""

    def __init__(self, settings: Serving) -> None:
        self._placement = Placement(settings.octy_path, settings.octy_hosts)
        self.takes = self._placement.takes
        self._dialect: Dialect | None = None
        self._waking: asyncio.Task[None] | None = None

    def start(self, own: Workshop, metrics: Metrics, clock: Callable[[], float]) -> None:
        """Make ready; ``own`` is the workspace that the endpoint serves."""
        accounts = Accounts(own, metrics.commit, clock)
        self._waking = asyncio.create_task(accounts.wake())
        self._dialect = Dialect(Router(ROUTES), accounts, self._placement, metrics, own.settings, clock)

    async def stop(self) -> None:
        """Close every account but the endpoint's own."""
        if self._waking is not None:
            await self._waking
        if self._dialect is not None:
            await self._dialect.accounts.close()
            self._dialect = None

    def tick(self) -> None:
        """Follow the journals of the accounts."""
        if self._dialect is not None:
            for account in self._dialect.accounts.opened():
                account.live.view()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self._dialect is not None
        await self._dialect(scope, receive, send)
