"""One process at a time: a lease that is renewed while its holder lives and that a dead holder cannot keep.

Every acquisition gives a higher ``token``. Whoever moves the pointer shows its token in the same transaction, so a
holder that slept through its lease can no longer publish (a fencing token).
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType

from sqlalchemy import Connection, Row, Update, insert, select, update

from contracts.errors import LeaseHeld, StorageError
from store.journal.engine import Database
from store.journal.schema import leases as table

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Process:
    """A process, told from a later one of the same number by its start; ``place``: machine, boot, process namespace."""

    host: str
    place: str
    pid: int
    started: str


def process_of(pid: int) -> Process:
    """A process of this machine by its number."""
    return Process(socket.gethostname(), _place(), pid, _started(pid))


def this_process() -> Process:
    """The process that runs this."""
    return process_of(os.getpid())


def _place() -> str:
    """Where process numbers mean the same: one boot of one machine, one namespace of process numbers."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{socket.gethostname()} {boot} {os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115 (a link that leads nowhere)
    except OSError:
        return socket.gethostname()


def _started(pid: int) -> str:
    """Start of a process in clock ticks since boot; empty where the system does not tell."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]


def is_dead(process: Process) -> bool:
    """True only when it is certain: the process was here and is gone, or its number now belongs to another one."""
    if process.place != _place():
        return False
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    now = _started(process.pid)
    return bool(now and process.started and now != process.started)


class Lease:
    """A held lease; use it as a context manager, so that it is renewed meanwhile and given back at the end."""

    def __init__(self, database: Database, name: str, holder: str, seconds: float, clock: Clock) -> None:
        self.name = name
        self.holder = holder
        self.token = 0
        self._database = database
        self._seconds = seconds
        self._clock = clock
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._lost = False

    def __enter__(self) -> Lease:
        with self._database.writing() as connection:
            self.token = _take(connection, self.name, self.holder, self._clock(), self._seconds)
        self._thread = threading.Thread(target=self._renew_until_stopped, name=f"lease {self.name}", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        try:
            with self._database.writing() as connection:
                connection.execute(self._mine().values(expires_at=None))
        except StorageError:
            if error is None:
                raise  # else the first error is the one to see; the lease expires by itself

    def check(self) -> None:
        """Raise LeaseHeld when the lease was lost; call it between the stages of long work."""
        if self._lost:
            raise self._lost_error()

    def guard(self, connection: Connection) -> None:
        """Raise LeaseHeld unless this lease is still ours, as seen by an open write transaction."""
        if _current(connection, self.name, self.token) is None:
            self._lost = True
            raise self._lost_error()

    def renew(self) -> bool:
        """Push the expiry; False when the lease is no longer ours."""
        expires_at = self._clock() + timedelta(seconds=self._seconds)
        with self._database.writing() as connection:
            kept = connection.execute(self._mine().values(expires_at=expires_at)).rowcount
        self._lost = not kept
        return bool(kept)

    def _renew_until_stopped(self) -> None:
        while not self._stop.wait(self._seconds / 3):
            try:
                if not self.renew():
                    return
            except StorageError:
                continue  # the disk may recover before the lease expires; if not, the guard notices

    def _mine(self) -> Update:
        return update(table).where(
            table.c.name == self.name, table.c.token == self.token, table.c.expires_at.is_not(None)
        )

    def _lost_error(self) -> LeaseHeld:
        return LeaseHeld(
            f"the lease {self.name} of {self.holder} (process {os.getpid()}) was lost to another process",
            hint="`nightloom status` shows who runs; start again when it is done",
        )


def _current(connection: Connection, name: str, token: int) -> Row[tuple[int]] | None:
    query = select(table.c.token).where(table.c.name == name, table.c.token == token, table.c.expires_at.is_not(None))
    return connection.execute(query).one_or_none()


def _take(connection: Connection, name: str, holder: str, now: datetime, seconds: float) -> int:
    me = this_process()
    found = connection.execute(select(table).where(table.c.name == name)).one_or_none()
    values = {
        "holder": holder, "host": me.host, "place": me.place, "pid": me.pid, "process_started": me.started,
        "expires_at": now + timedelta(seconds=seconds),
    }
    if found is None:
        connection.execute(insert(table).values(name=name, token=1, **values))
        return 1
    if found.expires_at is not None and found.expires_at > now:
        other = Process(found.host, found.place, found.pid, found.process_started)
        if not is_dead(other):
            raise LeaseHeld(
                f"{found.holder} holds the lease {name} on {found.host}, process {found.pid}, "
                f"until {found.expires_at:%Y-%m-%d %H:%M:%S} UTC unless renewed",
                hint="wait for it, or stop that process: on the same machine the lease is then free at once",
            )
    token = int(found.token) + 1
    connection.execute(update(table).where(table.c.name == name).values(token=token, **values))
    return token


def holder(connection: Connection, name: str, now: datetime) -> str | None:
    """Who holds a lease, on which host and process; None when it is free or its holder is dead."""
    found = connection.execute(select(table).where(table.c.name == name)).one_or_none()
    if found is None or found.expires_at is None or found.expires_at <= now:
        return None
    if is_dead(Process(found.host, found.place, found.pid, found.process_started)):
        return None
    return f"{found.holder} on {found.host}, process {found.pid}"
