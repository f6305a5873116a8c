"""Where the endpoint hands requests over to the dialect."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from contracts.settings import Serving
from decisions.providers import warm
from serving.asgi import Receive, Scope, Send
from serving.conductrics.dialect import Dialect
from serving.conductrics.openapi import Documentation
from serving.conductrics.owners import Owners
from serving.conductrics.router import Router
from serving.conductrics.routes import ROUTES
from serving.metrics import Metrics
from serving.placement import Placement
from serving.workshop import Workshop
from store.agent_documents import RULE


class Mount:
    """The dialect inside one endpoint: ``start`` and ``stop`` go with the endpoint's."""

    def __init__(self, settings: Serving) -> None:
        self._placement = Placement(settings.conductrics_path, settings.conductrics_hosts)
        self._documentation = Documentation(ROUTES, settings.conductrics_path)
        self.takes = self._placement.takes
        self._dialect: Dialect | None = None

    def start(self, own: Workshop, metrics: Metrics, clock: Callable[[], float]) -> None:
        """Make ready; ``own`` is the workspace that the endpoint serves."""
        owners = Owners(own, metrics.commit, clock)
        if own.journal.documents(RULE):
            # No call waits for the parsers of user agents and domains.
            asyncio.get_running_loop().run_in_executor(None, warm)
        self._dialect = Dialect(Router(ROUTES), owners, self._placement, metrics, self._documentation, clock)

    async def stop(self) -> None:
        """Close every owner but the endpoint's own."""
        if self._dialect is not None:
            await self._dialect.owners.close()
            self._dialect = None

    def tick(self) -> None:
        """Follow the journals of the owners."""
        if self._dialect is not None:
            for owner in self._dialect.owners.opened():
                owner.follow(now=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self._dialect is not None
        await self._dialect(scope, receive, send)
