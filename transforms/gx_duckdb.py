"""What Great Expectations needs to run on DuckDB. It reaches into a private name; a test fails if it stops working."""

from __future__ import annotations

import enum


def install() -> None:
    """Let Great Expectations keep its DuckDB connection open between a query and the fetch. Safe to call twice.

    Great Expectations gives the connection back before it fetches, and the rollback on return discards DuckDB's result: every
    metric then fails with ``list index out of range``. It keeps the connection for the dialects in a list, to which DuckDB is added.
    """
    import great_expectations.execution_engine.sqlalchemy_execution_engine as engine

    if any(dialect.value == "duckdb" for dialect in engine._PERSISTED_CONNECTION_DIALECTS):
        return
    added = enum.Enum("_Dialect", {"DUCKDB": "duckdb"}, type=str)
    engine._PERSISTED_CONNECTION_DIALECTS = (*engine._PERSISTED_CONNECTION_DIALECTS, added["DUCKDB"])
