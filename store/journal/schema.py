"""Tables of the journal, and the steps from one schema version to the next. Times are naive UTC."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Connection,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)

SCHEMA_VERSION = 1

metadata = MetaData()

# SQLite only numbers rows by itself in a column of type INTEGER.
Sequence = BigInteger().with_variant(Integer, "sqlite")

schema_version = Table("schema_version", metadata, Column("version", Integer, primary_key=True, autoincrement=False))

writes = Table(
    "writes",
    metadata,
    Column("seq", Sequence, primary_key=True, autoincrement=True),
    Column("entity", String(40), nullable=False),
    Column("entity_key", Text, nullable=False),
    Column("op", String(20), nullable=False),
    Column("body", Text, nullable=False),
    Column("event_id", String(255), unique=True),
    Column("received_at", DateTime, nullable=False),
    sqlite_autoincrement=True,  # a number is never given twice, also after pruning
)

counters = Table(
    "counters",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("value", BigInteger, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("run_id", String(80), primary_key=True),
    Column("status", String(20), nullable=False),
    Column("started_at", DateTime, nullable=False),
    Column("finished_at", DateTime),
    Column("as_of", DateTime),
    Column("watermark", BigInteger),
    Column("message", Text, nullable=False, default=""),
    CheckConstraint("status in ('building', 'published', 'kept', 'failed', 'retired', 'pruned')"),
)

promotions = Table(
    "promotions",
    metadata,
    Column("number", Sequence, primary_key=True, autoincrement=True),
    Column("run_id", String(80), ForeignKey("runs.run_id"), nullable=False),
    Column("previous", String(80)),
    Column("at", DateTime, nullable=False),
    Column("kind", String(20), CheckConstraint("kind in ('promote', 'rollback')"), nullable=False),
    Column("who", String(200), nullable=False),
    sqlite_autoincrement=True,
)

pointer = Table(
    "pointer",
    metadata,
    Column("one", Integer, CheckConstraint("one = 1"), primary_key=True, autoincrement=False),
    Column("number", BigInteger, ForeignKey("promotions.number"), nullable=False),
    Column("run_id", String(80), ForeignKey("runs.run_id"), nullable=False),
    Column("promoted_at", DateTime, nullable=False),
    Column("watermark", BigInteger, nullable=False),
)

leases = Table(
    "leases",
    metadata,
    Column("name", String(80), primary_key=True),
    Column("holder", String(200), nullable=False),
    Column("host", String(255), nullable=False),
    Column("place", String(500), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("process_started", String(80), nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("expires_at", DateTime),
)

keys = Table(
    "keys",
    metadata,
    Column("key_id", String(40), primary_key=True),
    Column("hash", String(64), nullable=False),
    Column("role", String(20), CheckConstraint("role in ('read', 'write', 'admin')"), nullable=False),
    Column("label", String(200), nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("revoked_at", DateTime),
)

documents = Table(
    "documents",
    metadata,
    Column("kind", String(80), nullable=False),
    Column("name", String(255), nullable=False),
    Column("version", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("who", String(200), nullable=False),
    Column("at", DateTime, nullable=False),
    Column("deleted", Boolean, nullable=False),
    PrimaryKeyConstraint("kind", "name", "version"),
)

Index("runs_by_status", runs.c.status, runs.c.as_of)

# Step n takes a journal from version n to n + 1, inside the transaction that also records the new version.
MIGRATIONS: dict[int, Callable[[Connection], None]] = {}
