"""The journal of one workspace: what came through the API, which run is served, who may run, who may ask."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType

from sqlalchemy import Connection

from contracts.errors import StorageError
from contracts.settings import Settings
from store.journal import documents, keys, lease, pointer, writes
from store.journal.documents import Document
from store.journal.engine import ChangeWatch, Database, prepare, sqlite_url
from store.journal.keys import Key, Role
from store.journal.lease import Lease
from store.journal.pointer import Pointer, Promotion, RunRecord, RunStatus, Within
from store.journal.writes import Accepted, StoredWrite, Write
from store.layout import Layout

BATCH = 10_000
Observer = Callable[[Connection, Sequence[Write], datetime], None]


def utc_now() -> datetime:
    """The clock at the edge: naive UTC."""
    return datetime.now(UTC).replace(tzinfo=None)


@dataclass(frozen=True, slots=True)
class JournalState:
    """Pointer, newest writes and revisions of keys and documents, read in one transaction: they belong together."""

    pointer: Pointer | None
    writes: list[StoredWrite]
    last_seq: int
    keys_revision: int
    documents_revision: int = 0


class Journal:
    """All access to one workspace's journal. Safe for many threads and many processes.

    ``observers`` are told of writes that are new, inside the transaction that stores them.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self.database = database
        self.clock = clock
        self.observers: list[Observer] = []
        self._watch: ChangeWatch | None = None

    @classmethod
    def open(cls, layout: Layout, settings: Settings, clock: Callable[[], datetime] = utc_now) -> Journal:
        """Open a workspace's journal, creating it when there is none. Raises StorageError."""
        where = settings.journal_url or str(layout.journal)
        if not settings.journal_url:
            try:
                layout.root.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StorageError(f"cannot make {layout.root}: {error}", hint="see its permissions") from error
        database = Database(settings.journal_url or sqlite_url(layout.journal), where)
        prepare(database)
        return cls(database, clock)

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        if self._watch is not None:
            self._watch.close()
        self.database.close()

    def reading(self) -> AbstractContextManager[Connection]:
        """One read transaction over everything in the journal."""
        return self.database.reading()

    def writing(self) -> AbstractContextManager[Connection]:
        """One write transaction, for changes that must happen together."""
        return self.database.writing()

    def change_token(self) -> Hashable:
        """Differs from an earlier answer whenever anybody else committed since; costs microseconds."""
        if self._watch is None:
            self._watch = ChangeWatch(self.database)
        return self._watch.token()

    # Writes

    def append(self, batch: Sequence[Write]) -> list[int]:
        """Store writes in one transaction, durable on return. A repeat of an ``event_id`` gives the earlier number."""
        return [accepted.seq for accepted in self.accept(batch)]

    def accept(
        self, batch: Sequence[Write], within: Callable[[Connection, list[Accepted]], None] | None = None
    ) -> list[Accepted]:
        """As ``append``, telling also which writes were repeats; with what ``within`` does in the same transaction."""
        with self.writing() as connection:
            now = self.clock()
            accepted = writes.append(connection, batch, now)
            if self.observers:
                stored = [write for write, place in zip(batch, accepted, strict=True) if not place.repeated]
                for observe in self.observers:
                    observe(connection, stored, now)
            if within is not None:
                within(connection, accepted)
            return accepted

    def erase(self, write: Write, keys: Sequence[str], sessions: Sequence[str]) -> int:
        """Store a write that takes a profile out and delete, in the same transaction, all earlier ones about it (by any
        of its ids) and about sessions of its. Returns the write's number.
        """
        with self.writing() as connection:
            seq = writes.append(connection, [write], self.clock())[0].seq
            writes.erase(connection, seq, keys, sessions)
            return seq

    def writes_between(self, after: int, up_to: int, batch: int = BATCH) -> Iterator[list[StoredWrite]]:
        """Writes with ``after < seq <= up_to`` in order, in batches; memory is bounded by one batch."""
        return writes.stream(self.database, after, up_to, batch)

    def last_seq(self) -> int:
        """Highest committed sequence number, 0 for none. Nothing with a lower number can still appear."""
        with self.reading() as connection:
            return writes.last_seq(connection)

    def prune(self, up_to_seq: int) -> int:
        """Delete writes up to a number, which must be in the run that is served; returns how many went."""
        with self.writing() as connection:
            return writes.prune(connection, up_to_seq)

    def state(self, after: int | None, limit: int = BATCH) -> JournalState:
        """Pointer and at most ``limit`` writes above ``after`` (None: the pointer's watermark), in one transaction."""
        with self.reading() as connection:
            current = pointer.read(connection)
            start = (current.watermark if current else 0) if after is None else after
            found = writes.between(connection, start, None, limit)
            return JournalState(
                current, found, writes.last_seq(connection), keys.revision(connection), documents.revision(connection)
            )

    # Runs

    def pointer(self) -> Pointer | None:
        """The run that is served, None before the first one."""
        with self.reading() as connection:
            return pointer.read(connection)

    def promote(
        self, run_id: str, watermark: int, who: str, kind: str = "promote", *, lease: Lease | None = None,
        within: Sequence[Within] = (),
    ) -> Pointer:
        """Make a recorded run the served one, in one transaction with ``within``; ``kind``: promote or rollback.

        Raises LeaseHeld when ``lease`` was lost meanwhile and NotFound for an unknown run; nothing is changed then.
        """
        with self.writing() as connection:
            if lease is not None:
                lease.guard(connection)
            return pointer.promote(connection, run_id, watermark, who, kind, self.clock(), within)

    def promotions(self) -> list[Promotion]:
        """Every move of the pointer, newest first."""
        with self.reading() as connection:
            return pointer.promotions(connection)

    def record_run(
        self, run_id: str, status: RunStatus, *, as_of: datetime | None = None, watermark: int | None = None,
        message: str = "",
    ) -> None:
        """Say where a run stands; a cut-off and watermark given before are kept. ``building`` starts its clock anew."""
        with self.writing() as connection:
            pointer.record_run(connection, run_id, status, self.clock(), as_of, watermark, message)

    def retired(self) -> list[str]:
        """Runs that have left the analysts' views and whose files may go."""
        return [run.run_id for run in self.runs() if run.status == "retired"]

    def promoted_order(self) -> list[str]:
        """Every run that was ever served, by the time it was last made current, the earliest first."""
        with self.reading() as connection:
            return pointer.promoted_order(connection)

    def runs(self) -> list[RunRecord]:
        """Every run, the latest started first."""
        with self.reading() as connection:
            return pointer.runs(connection)

    # Lease

    def lease(self, name: str, holder: str = "a night", seconds: float = 120.0) -> Lease:
        """A lease to enter with ``with``; entering raises LeaseHeld, naming the holder, when another one has it."""
        return Lease(self.database, name, holder, seconds, self.clock)

    def lease_holder(self, name: str) -> str | None:
        """Who holds a lease now, None when it is free."""
        with self.reading() as connection:
            return lease.holder(connection, name, self.clock())

    # Keys

    def create_key(self, role: Role, label: str) -> str:
        """Make a key; the secret returned cannot be shown again."""
        with self.writing() as connection:
            return keys.create(connection, role, label, self.clock())

    def keys(self) -> list[Key]:
        """Every key, oldest first, revoked ones included."""
        with self.reading() as connection:
            return keys.listed(connection)

    def revoke_key(self, key_id: str) -> None:
        """End a key at once. Raises NotFound."""
        with self.writing() as connection:
            keys.revoke(connection, key_id, self.clock())

    # Documents

    def put_document(self, kind: str, name: str, body: str, who: str, expected: int | None = None) -> int:
        """Store the next version of a document (JSON text); UsageError when ``expected`` is not the newest version."""
        with self.writing() as connection:
            return documents.put(connection, kind, name, body, who, self.clock(), expected)

    def delete_document(self, kind: str, name: str, who: str, expected: int | None = None) -> int:
        """Record a document's deletion; earlier versions stay readable by number."""
        with self.writing() as connection:
            return documents.delete(connection, kind, name, who, self.clock(), expected)

    def document(self, kind: str, name: str, version: int | None = None) -> Document | None:
        """The newest version, or one by number; None when absent or deleted."""
        with self.reading() as connection:
            return documents.get(connection, kind, name, version)

    def documents(self, kind: str) -> list[Document]:
        """The newest version of every document of a kind, by name."""
        with self.reading() as connection:
            return documents.listed(connection, kind)
