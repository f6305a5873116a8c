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
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)

SCHEMA_VERSION = 3

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

# Training jobs. ``body`` is JSON: row counts, metrics, gates, configuration, exclusions and why it failed.
training_jobs = Table(
    "training_jobs",
    metadata,
    Column("training_job_id", String(80), primary_key=True),
    Column("algorithm", String(40), nullable=False),
    Column("run_id", String(80), nullable=False),
    Column(
        "status", String(20), CheckConstraint("status in ('in_progress', 'Completed', 'Failed', 'Stopped')"),
        nullable=False,
    ),
    Column("started_at", DateTime, nullable=False),
    Column("finished_at", DateTime),
    Column("as_of", DateTime, nullable=False),
    Column("body", Text, nullable=False),
)

Index("runs_by_status", runs.c.status, runs.c.as_of)

# Messages to an account's receiver. ``tries`` counts attempts since the message was queued, ``attempts`` all of them.
outbox = Table(
    "outbox",
    metadata,
    Column("delivery_id", String(80), primary_key=True),
    Column("subject", String(200), nullable=False),
    Column("message", Text, nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column(
        "status", String(20), CheckConstraint("status in ('pending', 'delivered', 'dead', 'skipped', 'refused')"),
        nullable=False,
    ),
    Column("host", String(255), nullable=False, default=""),
    Column("tries", Integer, nullable=False, default=0),
    Column("attempts", Integer, nullable=False, default=0),
    Column("next_at", DateTime),
    Column("finished_at", DateTime),
)

Index("outbox_by_due", outbox.c.next_at)

outbox_attempts = Table(
    "outbox_attempts",
    metadata,
    Column("delivery_id", String(80), ForeignKey("outbox.delivery_id"), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("at", DateTime, nullable=False),
    Column("http_status", Integer),
    Column("error", Text, nullable=False, default=""),
    Column("answer", Text, nullable=False, default=""),
    PrimaryKeyConstraint("delivery_id", "attempt"),
)

webhook_secrets = Table(
    "webhook_secrets",
    metadata,
    Column("number", Sequence, primary_key=True, autoincrement=True),
    Column("secret", String(80), nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("retired_at", DateTime),
)

# Tags of live segments as they stand now; a tag that is neither active nor pending has no row.
live_tags = Table(
    "live_tags",
    metadata,
    Column("segment_id", String(80), nullable=False),
    Column("profile_id", String(255), nullable=False),
    Column("status", String(20), CheckConstraint("status in ('pending', 'active')"), nullable=False),
    Column("opened_at", DateTime, nullable=False),
    Column("due_at", DateTime),
    Column("created_at", DateTime),
    Column("last_match_at", DateTime, nullable=False),
    PrimaryKeyConstraint("segment_id", "profile_id"),
)

Index("live_tags_by_profile", live_tags.c.profile_id)
Index("live_tags_by_due", live_tags.c.due_at)

# When tags became active and stopped being it, in this order.
live_tag_changes = Table(
    "live_tag_changes",
    metadata,
    Column("number", Sequence, primary_key=True, autoincrement=True),
    Column("segment_id", String(80), nullable=False),
    Column("profile_id", String(255), nullable=False),
    Column("change", String(10), CheckConstraint("change in ('enter', 'exit')"), nullable=False),
    Column("at", DateTime, nullable=False),
    sqlite_autoincrement=True,
)

Index("live_tag_changes_by_segment", live_tag_changes.c.segment_id, live_tag_changes.c.profile_id)

# Events that end an episode, kept while an action with an earlier time may still arrive.
live_inactions = Table(
    "live_inactions",
    metadata,
    Column("segment_id", String(80), nullable=False),
    Column("profile_id", String(255), nullable=False),
    Column("at", DateTime, nullable=False),
    PrimaryKeyConstraint("segment_id", "profile_id", "at"),
)

Index("live_inactions_by_time", live_inactions.c.at)

# How often profiles of a customer were deleted: the next one's id goes by it.
profile_deletions = Table(
    "profile_deletions",
    metadata,
    Column("customer_id", String(255), primary_key=True),
    Column("deletions", Integer, nullable=False),
)

# Sessions of agents. Times are seconds since 1970; ``body`` is JSON: context, choices, draws and goals of the epoch.
decision_sessions = Table(
    "decision_sessions_state",
    metadata,
    Column("agent", String(50), nullable=False),
    Column("session", String(128), nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("opened_ts", Double, nullable=False),
    Column("last_ts", Double, nullable=False),
    Column("ended", Boolean, nullable=False),
    Column("body", Text, nullable=False),
    PrimaryKeyConstraint("agent", "session"),
)

# Step n takes a journal from version n to n + 1, inside the transaction that also records the new version.
# New tables are made before it, whatever the version.
def _new_tables_only(_connection: Connection) -> None:
    pass


MIGRATIONS: dict[int, Callable[[Connection], None]] = {1: _new_tables_only, 2: _new_tables_only}
