"""Where the endpoint hands requests over to the dialect. Nothing of it is opened before the first of them."""

from __future__ import annotations

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
from serving.crossing_minds.tenant import Workshop
from serving.metrics import Metrics
from serving.scenario_lookup import warm


class Mount:
    """The dialect inside one endpoint: ``start`` and ``stop`` go with the endpoint's. ``run_command``: how a background
    task runs a night.
    """

    def __init__(self, settings: Serving, run_command: Sequence[str] = COMMAND) -> None:
        self._run_command = run_command
        self._path = settings.crossing_minds_path.rstrip("/")
        self._below = self._path + "/"
        self._hosts = frozenset(host.lower().encode("latin-1") for host in settings.crossing_minds_hosts)
        self._make: Callable[[], Dialect] | None = None
        self._dialect: Dialect | None = None

    def takes(self, scope: Scope) -> bool:
        """Whether a request is the dialect's: by its path, or by the host name it was sent to."""
        path = scope["path"]
        if path.startswith(self._below) or path == self._path:
            return True
        if not self._hosts:
            return False
        host = next((value for name, value in scope["headers"] if name == b"host"), b"")
        return host.lower() in self._hosts or host.lower().rpartition(b":")[0] in self._hosts

    def start(self, own: Workshop, metrics: Metrics, clock: Callable[[], float]) -> None:
        """Make ready; ``own`` is the workspace that the endpoint serves."""
        router = Router(ROUTES)

        def make() -> Dialect:
            threading.Thread(target=warm, name="kernel", daemon=True).start()
            installation = Installation(own, own.settings, metrics.commit, clock, self._run_command)
            return Dialect(router, installation, metrics, own.settings)

        self._make = make
        if own.layout.control.exists():
            self._dialect = make()  # tasks may wait since an earlier start

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
