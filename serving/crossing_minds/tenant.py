"""One database at work: its workspace's journal, current run and group commit, opened when it is first asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from serving.commit import GroupCommit
from serving.crossing_minds.errors import not_ready
from serving.crossing_minds.identifiers import Ids
from serving.exposures import Exposures
from serving.live import View
from serving.present import Present
from serving.wishes import Granted, Wish
from serving.workshop import Workshop, opened
from store.control import DatabaseRecord
from store.journal import Accepted, Journal, Write
from store.layout import Layout
from store.settings_file import load_settings


class Tenant:
    """One database. ``record`` follows changes of its description; ``ids`` are the types of its ids, for good."""

    def __init__(self, record: DatabaseRecord, workshop: Workshop, clock: Callable[[], float]) -> None:
        self.record = record
        self.ids = Ids.of(record)
        self.layout = workshop.layout
        self.settings = workshop.settings
        self.journal = workshop.journal
        self.live = workshop.live
        self.commit = workshop.commit
        self.clock = clock
        self._exposures = Exposures(workshop.commit.submit, clock)

    @property
    def id(self) -> str:
        """The database's id."""
        return self.record.id

    def view(self) -> View | None:
        """The current run with its overlay, None before the first publish; it has every committed write."""
        return self.live.view()

    async def moment(self) -> Present:
        """Run and overlay as of now, for one request. Raises ServerUnavailable before the first publish."""
        view = self.live.view()
        if view is None:
            raise not_ready()
        return Present(view, self.settings.recommendations.event_weights)

    @property
    def ready(self) -> bool:
        """Whether a run is published."""
        return self.live.view() is not None

    async def submit(self, writes: Sequence[Write]) -> list[Accepted]:
        """Store writes in one transaction; returns when they are on disk. Waits its turn, however many wait before."""
        return await self.commit.submit(writes, patient=True)

    def exposures(self, wish: Wish, granted: Granted, run_id: str) -> None:
        """Note the groups of A/B tests that an answer went by; never waits or fails."""
        if granted.splits:
            self._exposures.note(granted.splits, wish.user_id, wish.session_id, run_id)

    async def flush(self) -> None:
        """Store the exposures that were noted and wait for it."""
        await self._exposures.flush()


class Tenants:
    """The databases that this process has opened."""

    def __init__(
        self, own: Workshop, observe: Callable[[int, float], None], clock: Callable[[], float]
    ) -> None:
        self._own = own
        self._observe = observe
        self._clock = clock
        self._open: dict[str, tuple[Tenant, Workshop]] = {}
        self._opening: dict[str, asyncio.Lock] = {}

    async def get(self, record: DatabaseRecord) -> Tenant:
        """The tenant of a database. Raises StorageError or DefinitionError when its workspace cannot be opened."""
        known = self._open.get(record.id)
        if known is None:
            async with self._opening.setdefault(record.id, asyncio.Lock()):
                known = self._open.get(record.id)
                if known is None:
                    workshop = await self._workshop(record.workspace)
                    known = self._open[record.id] = Tenant(record, workshop, self._clock), workshop
        tenant = known[0]
        tenant.record = record
        return tenant

    def opened(self) -> list[Tenant]:
        """Every open tenant."""
        return [tenant for tenant, _ in self._open.values()]

    async def ready(self, record: DatabaseRecord) -> bool:
        """Whether a run of a database is published; opens nothing that is not open."""
        known = self._open.get(record.id)
        if known is not None:
            return known[0].ready
        if record.workspace == self._own.layout.workspace:
            return self._own.live.view() is not None
        return await asyncio.to_thread(_published, Layout(self._own.layout.home, record.workspace))

    def is_own(self, record: DatabaseRecord) -> bool:
        """Whether a database is the workspace that the endpoint itself serves."""
        return record.workspace == self._own.layout.workspace

    async def close(self, database_id: str) -> None:
        """Commit what waits and close a database, unless it is the endpoint's own."""
        known = self._open.pop(database_id, None)
        self._opening.pop(database_id, None)
        if known is not None:
            await known[0].flush()
        if known is not None and not known[1].own:
            await asyncio.to_thread(known[1].commit.stop)
            known[1].journal.close()

    async def close_all(self) -> None:
        """Close every database."""
        for database_id in list(self._open):
            await self.close(database_id)

    async def _workshop(self, workspace: str) -> Workshop:
        if workspace == self._own.layout.workspace:
            return self._own
        layout = Layout(self._own.layout.home, workspace)
        settings, journal, live = await asyncio.to_thread(opened, layout)
        commit = GroupCommit(journal, settings.serving.commit_interval_ms, self._observe)
        return Workshop(layout, settings, journal, live, commit)


def _published(layout: Layout) -> bool:
    with Journal.open(layout, load_settings(layout)) as journal:
        return journal.pointer() is not None
