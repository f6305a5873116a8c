"""The night's learning of policies: what every agent serves from this run on, and why."""

from __future__ import annotations

import duckdb

from flows.stages.publish import insert_rows

TABLES = (
    "decisions", "goals", "decision_sessions", "policies", "policy_archive", "policy_features", "policy_versions",
    "decision_aggregates", "decision_features", "decision_days", "decision_reports", "agent_flags", "decision_rejects",
)
"""What a run publishes of agents."""


def nothing_learned(con: duckdb.DuckDBPyConnection) -> None:
    """Create the tables of a workspace without agents on the workbench."""
    for name in TABLES:
        insert_rows(con, name, ())
