"""The control journal of one installation: databases, accounts, keys, refresh tokens and tasks of all of them."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Callable, Hashable, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any

from sqlalchemy import Connection, insert, select, update

from contracts.errors import StorageError
from store.control import accounts, databases, refresh, schema, tasks
from store.control.accounts import Account, AccountKind, AccountRole, Proof
from store.control.databases import DatabaseRecord, NewDatabase
from store.control.directory import Directory
from store.control.refresh import Holder, Known
from store.control.tasks import Task
from store.journal import utc_now
from store.journal.engine import ChangeWatch, Database, prepare, sqlite_url
from store.journal.lease import Process
from store.layout import Layout

_INSTALLATION = schema.installation


class Control:
    """All access to the control journal. Safe for many threads and many processes."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self.clock = clock
        self._database = database
        self._watch: ChangeWatch | None = None
        with database.reading() as connection:
            row = connection.execute(select(_INSTALLATION)).one_or_none()
        if row is None:
            row = self._found()
        self.org_id: str = row.org_id
        self._secret = bytes.fromhex(row.signing_secret)

    @classmethod
    def open(cls, layout: Layout, clock: Callable[[], datetime] = utc_now) -> Control:
        """Open an installation's control journal, creating it when there is none. Raises StorageError."""
        try:
            layout.data.mkdir(parents=True, exist_ok=True)
            # What signs tokens is for nobody else. An existing file is left alone: closing it would end SQLite's locks.
            os.close(os.open(layout.control, os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            pass
        except OSError as error:
            raise StorageError(f"cannot make {layout.control}: {error}", hint="see its permissions") from error
        database = Database(sqlite_url(layout.control), str(layout.control))
        prepare(database, schema)
        return cls(database, clock)

    def __enter__(self) -> Control:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        if self._watch is not None:
            self._watch.close()
        self._database.close()

    def change_token(self) -> Hashable:
        """Differs from an earlier answer whenever anybody committed since; costs microseconds."""
        if self._watch is None:
            self._watch = ChangeWatch(self._database)
        return self._watch.token()

    def derived_key(self, purpose: str) -> bytes:
        """A key of 32 bytes of this installation, another one for every purpose."""
        return hmac.new(self._secret, purpose.encode(), hashlib.sha256).digest()

    def directory(self, known: Directory | None = None) -> Directory:
        """Databases and accounts in force, in one transaction; ``known`` itself when nothing changed since."""
        with self._database.reading() as connection:
            revision = int(connection.scalar(select(_INSTALLATION.c.revision)) or 0)
            if known is not None and known.revision == revision:
                return known
            return Directory(self.org_id, revision, databases.listed(connection), accounts.listed(connection))

    # Databases

    def create_database(self, new: NewDatabase, by: str | None = None) -> DatabaseRecord:
        """Make a database; the account ``by`` may use it, whatever its limits.

        Raises UsageError, and DuplicatedName for a name that is taken.
        """
        with self._database.writing() as connection:
            _changed(connection)
            made = databases.create(connection, new, self.clock())
            if by is not None:
                accounts.extend(connection, by, made.id)
        return made

    def change_database(self, database_id: str, description: str, metadata: dict[str, Any] | None) -> None:
        """Replace description and metadata. Raises NotFound."""
        with self._database.writing() as connection:
            _changed(connection)
            databases.change(connection, database_id, description, metadata)

    def remove_database(self, database_id: str) -> None:
        """Forget a database and cancel its tasks; its files are not touched. Raises NotFound."""
        with self._database.writing() as connection:
            _changed(connection)
            databases.remove(connection, database_id)
            tasks.cancel_all(connection, database_id, self.clock())

    # Accounts

    def create_account(
        self, kind: AccountKind, name: str, role: AccountRole, secret: str | None = None,
        limits: Sequence[str] | None = None, first_name: str | None = None, last_name: str | None = None,
    ) -> str:
        """Make an account and return its password or key, which cannot be shown again. ``secret`` None: a new one."""
        secret = secret if secret is not None else secrets.token_hex(32 if kind == "service" else 12)
        with self._database.writing() as connection:
            _changed(connection)
            accounts.create(connection, kind, name, role, secret, limits, self.clock(), first_name, last_name)
        return secret

    def delete_account(self, kind: AccountKind, name: str) -> None:
        """End an account at once, its tokens too. Raises NotFound."""
        with self._database.writing() as connection:
            _changed(connection)
            accounts.delete(connection, kind, name, self.clock())

    def accounts(self) -> list[Account]:
        """Every account in force, oldest first."""
        with self._database.reading() as connection:
            return accounts.listed(connection)

    def proof(self, kind: AccountKind, name: str) -> Proof:
        """What to compare a presented secret with."""
        with self._database.reading() as connection:
            return accounts.proof(connection, kind, name)

    # Refresh tokens

    def refresh_token(self, holder: Holder) -> str:
        """The refresh token that a holder is given now; written only when a new one is due."""
        now = self.clock()
        with self._database.reading() as connection:
            found = refresh.current(connection, self._secret, holder, now)
        if found is not None:
            return found
        with self._database.writing() as connection:
            return refresh.issue(connection, self._secret, holder, now)

    def refresh_holder(self, presented: str) -> Known | None:
        """What a presented refresh token stands for; None for one that was never issued."""
        with self._database.reading() as connection:
            return refresh.look_up(connection, self._secret, presented, self.clock())

    # Tasks

    def request_task(self, database_id: str, name: str) -> str:
        """Queue a task; returns its id. Raises AlreadyRunning."""
        with self._database.writing() as connection:
            return tasks.request(connection, database_id, name, self.clock())

    def unfinished_tasks(self) -> list[Task]:
        """Tasks of all databases that wait or work, the oldest first."""
        with self._database.reading() as connection:
            return tasks.unfinished(connection)

    def tasks(self, database_id: str, name: str | None = None) -> list[Task]:
        """Tasks of a database, of one name or of all, the newest first."""
        with self._database.reading() as connection:
            return tasks.of_database(connection, database_id, name)

    def claim_task(self, task_id: str, runner: Process) -> bool:
        """Set a waiting task to work, unless another one of its database works; whether it is this caller's now."""
        with self._database.writing() as connection:
            return tasks.claim(connection, task_id, runner, self.clock())

    def change_task(self, task_id: str, **values: object) -> None:
        """Note what became of a task."""
        with self._database.writing() as connection:
            tasks.change(connection, task_id, **values)

    def _found(self) -> Any:
        with self._database.writing() as connection:
            row = connection.execute(select(_INSTALLATION)).one_or_none()
            if row is None:
                connection.execute(insert(_INSTALLATION).values(
                    one=1, org_id=secrets.token_urlsafe(16), signing_secret=secrets.token_hex(32), revision=0
                ))
                row = connection.execute(select(_INSTALLATION)).one()
        return row


def _changed(connection: Connection) -> None:
    connection.execute(update(_INSTALLATION).values(revision=_INSTALLATION.c.revision + 1))
