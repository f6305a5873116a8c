"""Sessions of agents as they stand, one row each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

import orjson
from sqlalchemy import Connection, and_, delete, select, update
from sqlalchemy.dialects.postgresql import insert as insert_postgres
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from decisions.epochs import SessionState, from_body, to_body
from store.journal.schema import decision_sessions as table

Key = tuple[str, str]
"""Agent and session."""
CHUNK = 500
_ENDED = b"{}"


def read(connection: Connection, keys: Iterable[Key]) -> dict[Key, SessionState]:
    """The sessions among these that are known."""
    by_agent: dict[str, list[str]] = {}
    for agent, session in dict.fromkeys(keys):
        by_agent.setdefault(agent, []).append(session)
    found: dict[Key, SessionState] = {}
    columns = (table.c.session, table.c.epoch, table.c.opened_ts, table.c.last_ts, table.c.ended, table.c.body)
    for agent, sessions in by_agent.items():
        for start in range(0, len(sessions), CHUNK):
            mine = (table.c.agent == agent) & table.c.session.in_(sessions[start : start + CHUNK])
            for session, epoch, opened, last, ended, body in connection.execute(select(*columns).where(mine)):
                found[agent, session] = from_body(epoch, opened, last, ended, orjson.loads(body))
    return found


def write(connection: Connection, states: Mapping[Key, SessionState]) -> None:
    """Store sessions as they stand now, inside a write transaction."""
    if not states:
        return
    rows = [
        {
            "agent": agent, "session": session, "epoch": state.epoch, "opened_ts": state.opened, "last_ts": state.last,
            "ended": state.ended, "body": (_ENDED if state.ended else orjson.dumps(to_body(state))).decode(),
        }
        for (agent, session), state in states.items()
    ]
    connection.execute(_upsert(connection.dialect.name), rows)


@cache
def _upsert(dialect: str) -> Any:
    insert: Any = insert_sqlite if dialect == "sqlite" else insert_postgres
    statement = insert(table)
    changing = {name: statement.excluded[name] for name in ("epoch", "opened_ts", "last_ts", "ended", "body")}
    return statement.on_conflict_do_update(index_elements=["agent", "session"], set_=changing)


def end_all(connection: Connection, agent: str) -> int:
    """End every open epoch of an agent, inside a write transaction; returns how many."""
    ended = update(table).where(table.c.agent == agent, table.c.ended.is_(False)).values(ended=True, body="{}")
    return int(connection.execute(ended).rowcount)


def prune(connection: Connection, timeouts: Mapping[str, float], default: float, before: datetime) -> int:
    """Delete sessions whose epoch ended or timed out before a moment (naive UTC), inside a write transaction; returns
    how many. ``timeouts``: seconds by agent; ``default``: of agents that are gone.
    """
    limit = before.replace(tzinfo=UTC).timestamp()
    timed_out = [
        and_(table.c.agent == agent, table.c.last_ts < limit - seconds) for agent, seconds in timeouts.items()
    ]
    gone = and_(table.c.agent.not_in(list(timeouts)), table.c.last_ts < limit - default)
    ended = and_(table.c.ended.is_(True), table.c.last_ts < limit)
    removed = 0
    for part in (ended, gone, *timed_out):
        removed += connection.execute(delete(table).where(part)).rowcount
    return int(removed)
