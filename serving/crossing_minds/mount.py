"""Where the endpoint hands requests over to the dialect. Nothing of it is opened before the first of them."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Sequence

from contracts.errors import NightloomError
from contracts.settings import Serving
from serving.asgi import Receive, Scope, Send, respond
from serving.crossing_minds.dialect import Dialect
from serving.crossing_minds.errors import as_api_error
from serving.crossing_minds.installation import Installation
from serving.crossing_minds.router import Router
from serving.crossing_minds.routes import ROUTES
from serving.crossing_minds.task_runner import COMMAND
from serving.metrics import Metrics
from serving.placement import Placement
from serving.scenario_lookup import warm
from serving.workshop import Workshop


class Mount:
    """The dialect inside one endpoint: ``start`` and ``stop`` go with the endpoint's. ``run_command``: how a background
    task runs a night. ``alone``: nothing but the endpoint is in this process, so what is loaded stays for good and the
    collector of cycles need not walk it again (a full walk stops every request for more than 100 ms).
    """

    def __init__(self, settings: Serving, run_command: Sequence[str] = COMMAND, *, alone: bool = False) -> None:
        self._run_command = run_command
        self._alone = alone
        self.takes = Placement(settings.crossing_minds_path, settings.crossing_minds_hosts).takes
        self._make: Callable[[], Dialect] | None = None
        self._dialect: Dialect | None = None

    def start(self, own: Workshop, metrics: Metrics, clock: Callable[[], float]) -> None:
        """Make ready; ``own`` is the workspace that the endpoint serves."""
        router = Router(ROUTES)

        def make() -> Dialect:
            threading.Thread(target=self._warm, name="kernel", daemon=True).start()
            installation = Installation(own, own.settings, metrics.commit, clock, self._run_command)
            return Dialect(router, installation, metrics, own.settings)

        self._make = make
        if own.layout.control.exists():
            self._dialect = make()  # tasks may wait since an earlier start

    def _warm(self) -> None:
        warm()
        if self._alone:
            gc.freeze()

    async def stop(self) -> None:
        """Close every database and the control journal."""
        if self._dialect is not None:
            await self._dialect.installation.close()
            self._dialect = None

    async def tick(self) -> None:
        """Work that no request waits for."""
        if self._dialect is not None:
            await self._dialect.installation.tick()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._dialect is None:
            assert self._make is not None
            try:
                self._dialect = self._make()
            except NightloomError as error:
                told = as_api_error(error, "opening the control journal")
                await respond(send, told.status, told.body())
                return
        await self._dialect(scope, receive, send)
