"""Loads who was exposed to which group of an A/B test: one row a subject, however often and in whatever order."""

from __future__ import annotations

import duckdb

_KEY = "test_id, subject_kind, subject"


def take_exposures(con: duckdb.DuckDBPyConnection, asked: str) -> int:
    """Merge the rows of table ``asked`` (the columns of ``exposures``, ``crossed_at`` null) into ``exposures``.

    The earliest group stands; ``crossed_at`` is the first time in the other one. The result is the same for any order
    of drains, and a repeat changes nothing. Returns the subjects that are new. Call inside the drain's transaction.
    """
    before = _size(con)
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE merged AS WITH rows AS (FROM {asked} UNION ALL BY NAME "
        f"(SELECT * FROM exposures SEMI JOIN {asked} USING ({_KEY}))), "
        "numbered AS (SELECT *, first_value(group_name) OVER same AS first_group, row_number() OVER same AS n "
        f"FROM rows WINDOW same AS (PARTITION BY {_KEY} ORDER BY first_at, group_name, crossed_at NULLS LAST, "
        "reco_type, scenario_name, run_id, profile_id)), "
        f"crossings AS (SELECT {_KEY}, least(min(crossed_at), min(first_at) FILTER (group_name <> first_group)) AS "
        f"crossed_at FROM numbered GROUP BY {_KEY}) "
        "SELECT test_id, subject_kind, subject, profile_id, group_name, first_at, c.crossed_at, reco_type, "
        f"scenario_name, run_id FROM numbered n JOIN crossings c USING ({_KEY}) WHERE n.n = 1"
    )
    con.execute(f"DELETE FROM exposures WHERE ({_KEY}) IN (SELECT ({_KEY}) FROM merged)")
    con.execute("INSERT INTO exposures BY NAME FROM merged")
    con.execute("DROP TABLE merged")
    return _size(con) - before


def _size(con: duckdb.DuckDBPyConnection) -> int:
    row = con.execute("SELECT count(*) FROM exposures").fetchone()
    return int(row[0]) if row else 0
