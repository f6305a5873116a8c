"""Events of deleted agents leave the warehouse; those of others, and of a later agent of the same code, stay."""

from __future__ import annotations

from datetime import datetime, timedelta

import duckdb

from transforms.erasure import OF_AGENTS, erase_agents

AT = datetime(2026, 11, 20, 12)


def test_what_an_agent_received_until_then_goes() -> None:
    con = duckdb.connect()
    for table in OF_AGENTS:
        con.execute(f"CREATE TABLE {table} (agent VARCHAR, received_ts TIMESTAMP, ts TIMESTAMP)")
        rows = [
            (agent, AT + timedelta(seconds=late), AT - timedelta(days=late))
            for agent in ("gone", "here") for late in (-1, 0, 1)
        ]
        con.executemany(f"INSERT INTO {table} VALUES (?, ?, ?)", rows)
    assert erase_agents(con, {"gone": AT, "never": AT}) == 2 * len(OF_AGENTS)
    for table in OF_AGENTS:
        left = con.execute(f"SELECT agent, received_ts FROM {table} ORDER BY ALL").fetchall()
        assert left[0] == ("gone", AT + timedelta(seconds=1)) and len(left) == 4
    assert erase_agents(con, {"gone": AT}) == 0
