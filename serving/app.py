"""The endpoint as one ASGI application; the server's worker processes call ``serving.app:from_environment``."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from contracts.errors import NightloomError
from contracts.settings import Settings
from serving.asgi import Receive, Scope, Send
from serving.background import Background
from serving.border import Border
from serving.commit import GroupCommit
from serving.conductrics.mount import Mount as ConductricsMount
from serving.crossing_minds.mount import Mount
from serving.crossing_minds.task_runner import COMMAND
from serving.docs import add_docs
from serving.hot import PREFIX, HotPath
from serving.intake import Intake
from serving.launch import Launch
from serving.live import Live
from serving.metrics import Metrics
from serving.octy.mount import Mount as OctyMount
from serving.plain import Plain
from serving.routes import documented
from serving.service import Service
from serving.workshop import Workshop
from store.journal import Journal
from store.layout import Layout

log = logging.getLogger("nightloom.serving")

TICK_SECONDS = 0.25
RETRY_TICKS = 20


class Endpoint:
    """Everything that one process serves. Further dialects mount on ``live`` and ``commit``: one journal, one view."""

    def __init__(
        self, layout: Layout, settings: Settings, *, loopback: bool = True, tallies: Path | None = None,
        clock: Callable[[], float] = time.time, hot: bool = True, run_command: Sequence[str] = COMMAND,
        alone: bool = False,
    ) -> None:
        """``alone``: the process is the endpoint's own; see ``Mount``."""
        self.layout = layout
        self.settings = settings
        self.journal = Journal.open(layout, settings)
        self.live = Live(layout, settings, self.journal)
        self.metrics = Metrics(tallies)
        self.service = Service(self.live, settings, clock)
        self._commit: GroupCommit | None = None
        self._ticker: asyncio.Task[None] | None = None
        self._background = Background(self.journal, settings)
        self._hot = HotPath(self.service, self.metrics) if hot else None
        intake = Intake(self.service, self.commit, settings.ingest.max_future_hours)
        app = documented(self.service, intake, self.metrics)
        add_docs(app)
        self._crossing_minds = Mount(settings.serving, run_command, alone=alone)
        self._octy = OctyMount(settings.serving)
        self._conductrics = ConductricsMount(settings.serving)
        self._clock = clock
        self._border = Border(
            app, Plain(self.service, intake) if hot else None, self.service, self.metrics, loopback=loopback,
            max_body=settings.serving.max_body_bytes,
        )

    def commit(self) -> GroupCommit:
        """Where writes are handed in; exists while the endpoint runs."""
        assert self._commit is not None
        return self._commit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "http":
            if self._hot is not None and scope["path"].startswith(PREFIX) and scope["method"] == "GET":
                await self._hot(scope, send)
            elif self._crossing_minds.takes(scope):
                await self._crossing_minds(scope, receive, send)
            elif self._octy.takes(scope):
                await self._octy(scope, receive, send)
            elif self._conductrics.takes(scope):
                await self._conductrics(scope, receive, send)
            else:
                await self._border(scope, receive, send)
        elif kind == "lifespan":
            await self._lifespan(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def start(self) -> None:
        """Map the current run and begin to take writes."""
        self.live.open_now()
        self._commit = GroupCommit(self.journal, self.settings.serving.commit_interval_ms, self.metrics.commit)
        own = Workshop(self.layout, self.settings, self.journal, self.live, self._commit, own=True)
        self._crossing_minds.start(own, self.metrics, self._clock)
        self._octy.start(own, self.metrics, self._clock)
        self._conductrics.start(own, self.metrics, self._clock)
        self._ticker = asyncio.create_task(self._tick())
        self._background.start()

    async def stop(self) -> None:
        """Commit what waits and close the journal."""
        if self._ticker is not None:
            self._ticker.cancel()
        await asyncio.to_thread(self._background.stop)
        await self._crossing_minds.stop()
        await self._octy.stop()
        await self._conductrics.stop()
        if self._commit is not None:
            await asyncio.to_thread(self._commit.stop)
        self.journal.close()

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                try:
                    await self.start()
                except NightloomError as error:
                    await send({"type": "lifespan.startup.failed", "message": str(error)})
                    return
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _tick(self) -> None:
        """Follow the journal also while nobody asks, so that the next lookup finds little to catch up with."""
        ticks = 0
        while True:
            await asyncio.sleep(TICK_SECONDS)
            ticks += 1
            if ticks % RETRY_TICKS == 0:
                self.live.retry()
            try:
                self.live.view()
                self._octy.tick()
                self._conductrics.tick()
                await self._crossing_minds.tick()
            except Exception:
                log.exception("the journal could not be followed")


def from_environment() -> Endpoint:
    """The application of a worker process, by what the command line left in the environment."""
    launch = Launch.from_environment()
    tallies = Path(launch.tallies) if launch.tallies else None
    return Endpoint(launch.layout, launch.settings, loopback=launch.loopback, tallies=tallies, alone=True)
