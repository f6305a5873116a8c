"""What Great Expectations needs to run on DuckDB. It reaches into a private name; a test fails if it stops working."""

from __future__ import annotations

import enum
from typing import Any


class _Dialect(str, enum.Enum):  # noqa: UP042 - it must compare equal to the plain name, as theirs do
    DUCKDB = "duckdb"


def install() -> None:
    """Let Great Expectations keep its DuckDB connection open between a query and the fetch. Safe to call twice.

    Great Expectations gives the connection back before it fetches, and the rollback on return discards DuckDB's
    result: every metric then fails with ``list index out of range``. It keeps the connection for the dialects in a
    list, to which DuckDB is added.
    """
    import great_expectations.execution_engine.sqlalchemy_execution_engine as module

    engine: Any = module

    known: Any = engine._PERSISTED_CONNECTION_DIALECTS
    if any(dialect.value == _Dialect.DUCKDB.value for dialect in known):
        return
    engine._PERSISTED_CONNECTION_DIALECTS = (*known, _Dialect.DUCKDB)
