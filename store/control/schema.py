"""Tables of the control journal, and the steps from one schema version to the next. Times are naive UTC."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    DateTime,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

SCHEMA_VERSION = 1

metadata = MetaData()

schema_version = Table("schema_version", metadata, Column("version", Integer, primary_key=True, autoincrement=False))

# One row. ``revision`` grows with every change of databases and accounts.
installation = Table(
    "installation",
    metadata,
    Column("one", Integer, CheckConstraint("one = 1"), primary_key=True, autoincrement=False),
    Column("org_id", String(80), nullable=False),
    Column("signing_secret", String(128), nullable=False),
    Column("revision", BigInteger, nullable=False),
)

databases = Table(
    "databases",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("description", Text, nullable=False),
    Column("item_id_type", String(20), nullable=False),
    Column("user_id_type", String(20), nullable=False),
    Column("session_id_type", String(20), nullable=False),
    Column("metadata", Text),
    Column("workspace", String(80), nullable=False, unique=True),
    Column("created_at", DateTime, nullable=False),
)

# ``name``: email address of an individual, in lower case, or name of a service. A deleted account leaves its row, so
# that its refresh tokens can be told from unknown ones. ``limits``: JSON list of database ids; null: all databases.
accounts = Table(
    "accounts",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("kind", String(20), CheckConstraint("kind in ('individual', 'service')"), nullable=False),
    Column("name", Text, nullable=False),
    Column(
        "role", String(20), CheckConstraint("role in ('root', 'manager', 'backend', 'frontend', 'demo_viewer')"),
        nullable=False,
    ),
    Column("salt", String(64), nullable=False),
    Column("hash", String(128), nullable=False),
    Column("limits", Text),
    Column("first_name", Text),
    Column("last_name", Text),
    Column("created_at", DateTime, nullable=False),
    Column("deleted_at", DateTime),
)

Index(
    "accounts_in_force", accounts.c.kind, accounts.c.name, unique=True,
    sqlite_where=accounts.c.deleted_at.is_(None), postgresql_where=accounts.c.deleted_at.is_(None),
)

# The value of a token is derived from its row and the signing secret; it is stored nowhere.
refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("token_id", String(40), primary_key=True),
    Column("account_id", String(80), nullable=False),
    Column("database_id", String(80)),
    Column("frontend_user_id", Text),
    Column("frontend_session_id", Text),
    Column("issued_at", DateTime, nullable=False),
    Column("expires_at", DateTime, nullable=False),
)

Index("refresh_tokens_by_holder", refresh_tokens.c.account_id, refresh_tokens.c.database_id, refresh_tokens.c.issued_at)
Index("refresh_tokens_by_expiry", refresh_tokens.c.expires_at)

# ``runner`` and ``child``: the processes at work, as JSON.
tasks = Table(
    "tasks",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("task_id", String(80), nullable=False, unique=True),
    Column("database_id", String(80), nullable=False),
    Column("name", String(80), nullable=False),
    Column("status", String(30), nullable=False),
    Column("requested_at", DateTime, nullable=False),
    Column("started_at", DateTime),
    Column("finished_at", DateTime),
    Column("run_id", String(80)),
    Column("message", Text, nullable=False),
    Column("runner", Text),
    Column("child", Text),
    sqlite_autoincrement=True,
)

Index("tasks_by_database", tasks.c.database_id, tasks.c.number)

# Step n takes a control journal from version n to n + 1, inside the transaction that also records the new version.
MIGRATIONS: dict[int, Callable[[Connection], None]] = {}
