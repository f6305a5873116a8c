"""Users (§8.1), and taking out everything of one."""

from __future__ import annotations

import asyncio

import orjson

from serving.crossing_minds.call import Answer, Call
from serving.crossing_minds.registers import routes_of
from serving.crossing_minds.router import Route
from serving.crossing_minds.values import USERS
from store.journal import Write


async def erase(call: Call) -> Answer:
    """Take out everything of a user: from the journal now, from the warehouse at the next run."""
    customer_id, journal = call.params["user_id"], call.database.journal
    state = call.database.live.effective()
    key, sessions = state.key(customer_id), state.sessions_of(customer_id)
    body = orjson.dumps({"customer_id": customer_id, "sessions": sessions}).decode()
    write = Write(USERS.entity, customer_id, "erase", body)
    await asyncio.to_thread(journal.erase, write, (customer_id, key), sessions)
    return None


ROUTES: tuple[Route, ...] = (
    *routes_of(USERS, "M2"),
    Route("DELETE", "users/{user_id}/*/", "RMB", erase, "Take out everything of a user", mark="M2"),
)
