"""Connections of the journal, and everything that differs between SQLite and another database."""

from __future__ import annotations

import mmap
import os
import sqlite3
import sys
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, MetaData, Table, create_engine, event, func, inspect, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from contracts.errors import StorageError
from store.journal import schema

BUSY_SECONDS = 30.0
WRITE = "journal_write"
HEADER_BYTES = 48
WAL_INDEX_VERSION = 3_007_000
ADVISORY_LOCK = 7_460_113  # any number, the same for every writer of one Postgres journal


def storage_error(error: Exception, where: str) -> StorageError:
    """The one border where a database's own errors become ours."""
    cause = str(getattr(error, "orig", None) or error)
    return StorageError(
        f"the journal refused: {cause} ({where})",
        hint="look at free space, permissions and mount of that folder; nothing of this request was stored",
    )


class Database:
    """An engine with two kinds of transactions.

    ``reading()``: one snapshot, never waits. ``writing()``: takes the writer's lock at its start, so sequence numbers
    become visible in their order and a reader's highest number never jumps over an open transaction.
    """

    def __init__(self, url: str, where: str) -> None:
        self.url = url
        self.where = where
        self.is_sqlite = make_url(url).get_backend_name() == "sqlite"
        self.engine = _engine(url, self.is_sqlite)
        self._writer = self.engine.execution_options(**{WRITE: True})

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One read transaction; everything read inside belongs to one state. Raises StorageError."""
        try:
            with self.engine.begin() as connection:
                yield connection
        except DBAPIError as error:
            raise storage_error(error, self.where) from error

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One write transaction, durable when the block is left without an error. Raises StorageError."""
        try:
            with self._writer.begin() as connection:
                yield connection
        except DBAPIError as error:
            raise storage_error(error, self.where) from error

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def _engine(url: str, is_sqlite: bool) -> Engine:
    if not is_sqlite:
        engine = create_engine(url, isolation_level="REPEATABLE READ", pool_pre_ping=True)
        event.listen(engine, "begin", _lock_postgres)
        return engine
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver would begin transactions late and silently; we begin them ourselves
    connection.execute("PRAGMA journal_mode = WAL").fetchall()
    connection.execute("PRAGMA synchronous = FULL")  # an acknowledged write survives a power cut
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get(WRITE) else "BEGIN")


def _lock_postgres(connection: Connection) -> None:
    if connection.get_execution_options().get(WRITE):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})")


class Tables(Protocol):
    """What a module says of a journal's tables: all of them, their version, and the steps between versions."""

    SCHEMA_VERSION: int
    MIGRATIONS: dict[int, Callable[[Connection], None]]
    metadata: MetaData
    schema_version: Table


def prepare(database: Database, tables: Tables = schema) -> None:
    """Create the tables, or bring them to this code's version. Several processes may do this at once.

    Raises StorageError for a journal written by a newer version.
    """
    recorded = tables.schema_version
    if _version(database, recorded) == tables.SCHEMA_VERSION:
        return
    with database.writing() as connection:
        tables.metadata.create_all(connection)
        found = connection.scalar(select(func.max(recorded.c.version)))
        if found is None:
            connection.execute(recorded.insert().values(version=tables.SCHEMA_VERSION))
            return
        if found > tables.SCHEMA_VERSION:
            raise StorageError(
                f"the journal {database.where} has schema version {found}, this program knows {tables.SCHEMA_VERSION}",
                hint="install the newer nightloom that wrote it",
            )
        for version in range(found, tables.SCHEMA_VERSION):
            tables.MIGRATIONS[version](connection)
            connection.execute(recorded.insert().values(version=version + 1))


def _version(database: Database, recorded: Table) -> int | None:
    with database.reading() as connection:
        if not inspect(connection).has_table(recorded.name):
            return None
        version: int | None = connection.scalar(select(func.max(recorded.c.version)))
    return version


class ChangeWatch:
    """Answers "did anybody commit since?" in a fraction of a microsecond, so that it can be asked before every lookup.

    ``token()`` differs from an earlier one whenever another connection, in this process or any other, committed in
    between. Read the token first and the state after it: a commit in between then shows as another token next time.

    The token is the header of SQLite's wal-index, read from shared memory. It holds a counter of commits and is written
    after a commit's frames are on disk and before the commit returns (sqlite.org/walformat.html, section 2.1). The kept
    connection holds the file in place. Where it cannot be mapped, ``PRAGMA data_version`` tells the same, more slowly.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._header: mmap.mmap | None = None
        if database.is_sqlite:
            path = make_url(database.url).database or ""
            self._connection = sqlite3.connect(path, BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            self._data_version()  # opens the wal-index
            self._header = _map_header(Path(f"{path}-shm"))

    def token(self) -> Hashable:
        """The present state's token. Raises StorageError."""
        if self._header is not None:
            return self._header[:HEADER_BYTES]
        return self._revision() if self._connection is None else self._data_version()

    def _data_version(self) -> int:
        assert self._connection is not None
        try:
            with self._lock:
                row: tuple[int] = self._connection.execute("PRAGMA data_version").fetchone()
        except sqlite3.Error as error:
            raise storage_error(error, self._database.where) from error
        return row[0]

    def _revision(self) -> Hashable:
        with self._database.reading() as connection:
            row = connection.execute(text(
                "SELECT (SELECT max(seq) FROM writes), (SELECT max(number) FROM promotions), "
                "(SELECT sum(value) FROM counters)"
            )).one()
        return tuple(row)

    def close(self) -> None:
        """Close the kept connection."""
        self._header = None
        if self._connection is not None:
            self._connection.close()


# Maps of wal-indexes by device and inode, each with the descriptor it was made of. A process that closes any
# descriptor of a file loses all its locks on that file, those of SQLite too (POSIX). The next process to open the
# journal would then take the wal-index for abandoned and cut it off, under the feet of whoever is reading or writing:
# a bus error at best. So neither is ever closed while the file is in use.
_MAPS: dict[tuple[int, int], tuple[int, mmap.mmap]] = {}
_MAPS_LOCK = threading.Lock()


def _map_header(path: Path) -> mmap.mmap | None:
    """The wal-index for reading, or None where there is none of the known format. Maps belong to the process."""
    with _MAPS_LOCK:
        _let_go_of_deleted()
        try:
            status = path.stat()
            place = status.st_dev, status.st_ino
            if place not in _MAPS:
                if status.st_size < HEADER_BYTES:
                    return None
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                _MAPS[place] = descriptor, mmap.mmap(descriptor, HEADER_BYTES, access=mmap.ACCESS_READ)
            header = _MAPS[place][1]
        except (OSError, ValueError):
            return None
    return header if int.from_bytes(header[:4], sys.byteorder) == WAL_INDEX_VERSION else None


def _let_go_of_deleted() -> None:
    """SQLite deletes a wal-index when the last process closes its journal: nobody holds a lock on it any more."""
    for place, (descriptor, header) in list(_MAPS.items()):
        if os.fstat(descriptor).st_nlink == 0:
            del _MAPS[place]
            os.close(descriptor)
            del header  # its memory goes when the last watch that still has it is gone


def sqlite_url(path: Path) -> str:
    """URL of a journal in a file."""
    return f"sqlite:///{path.absolute()}"
