"""Loads events of agents into the warehouse: decisions, goals and sessions, each event once."""

from __future__ import annotations

import json

import duckdb

COLUMNS: dict[str, dict[str, str]] = {
    "decisions": {
        "event_id": "VARCHAR", "owner": "VARCHAR", "agent": "VARCHAR", "session": "VARCHAR", "epoch": "BIGINT",
        "point": "VARCHAR", "decision_set": "VARCHAR", "arm": "VARCHAR", "candidates": "VARCHAR[]",
        "probs": "DOUBLE[]", "probability": "DOUBLE", "policy": "VARCHAR", "requested": "VARCHAR",
        "version": "VARCHAR", "backoff": "VARCHAR", "sticky": "BOOLEAN", "status": "VARCHAR", "live": "BOOLEAN",
        "segment": "VARCHAR", "features": "JSON", "pattern": "VARCHAR", "seq": "BIGINT", "ts": "BIGINT",
        "received_ts": "BIGINT", "ts_given": "BOOLEAN", "source": "VARCHAR", "propensity_assumed": "BOOLEAN",
    },
    "goals": {
        "event_id": "VARCHAR", "owner": "VARCHAR", "agent": "VARCHAR", "session": "VARCHAR", "epoch": "BIGINT",
        "goal": "VARCHAR", "reward_sent": "DOUBLE", "reward_accepted": "DOUBLE", "reason": "VARCHAR", "ts": "BIGINT",
        "received_ts": "BIGINT", "ts_given": "BOOLEAN", "source": "VARCHAR",
    },
    "decision_sessions": {
        "event_id": "VARCHAR", "owner": "VARCHAR", "agent": "VARCHAR", "session": "VARCHAR", "epoch": "BIGINT",
        "kind": "VARCHAR", "segment": "VARCHAR", "features": "JSON", "ts": "BIGINT", "received_ts": "BIGINT",
        "ts_given": "BOOLEAN",
    },
}
TIMES = ("ts", "received_ts")


def take_decisions(con: duckdb.DuckDBPyConnection, asked: str) -> int:
    """Move events of agents from table ``asked`` (seq, entity, body: JSON, times in microseconds since 1970) into their
    tables; an event whose id is known is left out. Returns how many are new. Call inside the drain's transaction.
    """
    loaded = 0
    for entity, columns in COLUMNS.items():
        row = con.execute(
            f"INSERT INTO {entity} BY NAME SELECT {_listed(columns)} FROM (SELECT seq AS number, "
            f"unnest(from_json(body, '{_structure(columns)}')) FROM {asked} WHERE entity = '{entity}') new "
            f"WHERE event_id NOT IN (SELECT event_id FROM {entity} WHERE event_id IN "
            f"(SELECT body->>'$.event_id' FROM {asked} WHERE entity = '{entity}')) "
            "QUALIFY row_number() OVER (PARTITION BY event_id ORDER BY number) = 1"
        ).fetchone()
        loaded += int(row[0]) if row else 0
    con.execute(f"DELETE FROM {asked} WHERE list_contains($kinds, entity)", {"kinds": list(COLUMNS)})
    return loaded


def _listed(columns: dict[str, str]) -> str:
    return ", ".join(f"make_timestamp({name}) AS {name}" if name in TIMES else name for name in columns)


def _structure(columns: dict[str, str]) -> str:
    """The shape of a body, as DuckDB's ``from_json`` reads it."""
    return json.dumps({
        name: [kind.removesuffix("[]")] if kind.endswith("[]") else kind for name, kind in columns.items()
    })
