"""What all requests share: the control journal as it is now, tokens, and the databases at work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Sequence
from datetime import UTC, datetime

from contracts.settings import Settings
from serving.crossing_minds.auth import Session, Tokens
from serving.crossing_minds.errors import JwtTokenExpired, NotFoundError
from serving.crossing_minds.task_runner import COMMAND, TaskRunner
from serving.crossing_minds.tenant import Tenant, Tenants
from serving.workshop import Workshop
from store.control import Account, Control, DatabaseRecord, Directory
from store.layout import Layout


class Installation:
    """One process's view of an installation. ``clock`` tells unix seconds; only the event loop's thread uses this."""

    def __init__(
        self, own: Workshop, settings: Settings, observe: Callable[[int, float], None], clock: Callable[[], float],
        run_command: Sequence[str] = COMMAND,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.layout: Layout = own.layout
        self.control = Control.open(own.layout, lambda: datetime.fromtimestamp(clock(), UTC).replace(tzinfo=None))
        self.tokens = Tokens(self.control.derived_key("token"), clock)
        self.tenants = Tenants(own, observe, clock)
        self._runner = TaskRunner(self.control, own.layout, run_command)
        self._token: Hashable = None
        self._looked: Hashable = None
        self._tasks_wait = True
        self._directory: Directory | None = None

    def directory(self) -> Directory:
        """Databases and accounts in force now."""
        token = self.control.change_token()
        if self._directory is None or token != self._token:
            self._directory = self.control.directory(self._directory)
            self._token = token
        return self._directory

    def account(self, session: Session) -> Account:
        """The account of a session. Raises JwtTokenExpired when it was deleted meanwhile."""
        account = self.directory().accounts.get(session.account_id)
        if account is None:
            raise JwtTokenExpired
        return account

    def record(self, account: Account, database_id: str | None, name: str | None = None) -> DatabaseRecord:
        """A database by id, or else by name, as far as it exists for an account. Raises NotFoundError."""
        directory = self.directory()
        if database_id is not None:
            found = directory.databases.get(database_id)
        else:
            found = None if name is None else directory.by_name.get(name)
        if found is None or not account.may_use(found.id):
            raise NotFoundError("DATABASE_NOT_FOUND", "database", database_id if database_id is not None else name)
        return found

    async def tenant(self, session: Session) -> Tenant:
        """The database of a session. Raises NotFoundError."""
        return await self.tenants.get(self.record(self.account(session), session.database_id))

    async def tick(self) -> None:
        """Follow the journals of the open databases, let go of those that were deleted, look after tasks."""
        databases = self.directory().databases
        for tenant in self.tenants.opened():
            if tenant.id in databases:
                tenant.live.view()
            else:
                await self.tenants.close(tenant.id)
        token = self.control.change_token()
        if self._tasks_wait or token != self._looked:
            self._looked = token
            self._tasks_wait = await asyncio.to_thread(self._runner.step)

    async def close(self) -> None:
        """Stop this process's tasks, close every database and the control journal."""
        await asyncio.to_thread(self._runner.stop)
        await self.tenants.close_all()
        self.control.close()
