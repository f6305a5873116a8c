"""Sessions (§8.3): their interactions, and whose they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from serving.crossing_minds import schemas as s
from serving.crossing_minds.call import Answer, Call
from serving.crossing_minds.errors import DuplicatedError
from serving.crossing_minds.fields import integer, objects
from serving.crossing_minds.happenings import EventIds, event_body, moment, now_of, seconds, session_event
from serving.crossing_minds.interactions import (
    BEACON,
    BETWEEN,
    GIVEN,
    MANY,
    OF_ONE,
    ONE,
    OPTIONAL,
    ROW,
    from_subject,
    listed,
    listed_of_one,
)
from serving.crossing_minds.pages import LIST_AMOUNT
from serving.crossing_minds.paging import page_of
from serving.crossing_minds.router import Route
from store.journal import Write
from store.pack.logs import Interaction


async def post_bulk(call: Call) -> Answer:
    """Interactions of many sessions."""
    ids, now, new = call.database.ids, now_of(call), EventIds()
    rows = []
    for at, row in enumerate(objects(call.body, "interactions")):
        where = f"interactions[{at}]."
        session_id = ids.read("session", row.get("session_id"), f"{where}session_id")
        rows.append((session_id, event_body(ids, row, None, new, now, where)))
    return await _store(call, rows)


async def post_of_session(call: Call) -> Answer:
    """Several interactions of one session."""
    ids, now, new, session_id = call.database.ids, now_of(call), EventIds(), call.params["session_id"]
    return await _store(call, [
        (session_id, event_body(ids, row, None, new, now, f"interactions[{at}]."))
        for at, row in enumerate(objects(call.body, "interactions"))
    ])


async def post_one(call: Call) -> Answer:
    """One interaction of a session."""
    params = call.params
    body = event_body(call.database.ids, call.body, params["item_id"], EventIds(), now_of(call), "")
    return await _store(call, [(params["session_id"], body)])


async def _store(call: Call, rows: list[tuple[str, dict[str, Any]]]) -> Answer:
    if not rows:
        return {}
    state = call.database.live.effective()
    warnings = [
        f"Session {session_id} is resolved: its interactions count as its user's"
        for session_id in dict.fromkeys(session_id for session_id, _ in rows)
        if state.session_owner(session_id) is not None
    ]
    await call.database.submit([session_event(session_id, body) for session_id, body in rows])
    return {"warnings": warnings} if warnings else {}


async def get_bulk(call: Call) -> Answer:
    """Interactions of all sessions, by session and time."""
    state, ids = call.database.live.effective(), call.database.ids

    def subjects(after: str, start: float, end: float) -> Iterator[tuple[str, dict[str, Any], list[Interaction]]]:
        for session_id in _ours(call, from_subject(after, state.sessions_that_met(after, start, end))):
            yield session_id, {"session_id": ids.write("session", session_id)}, state.session(session_id)

    return listed(call, subjects, "sessions")


async def get_of_session(call: Call) -> Answer:
    """Interactions of one session, by time."""
    return listed_of_one(call, call.database.live.effective().session(call.params["session_id"]))


async def resolve(call: Call) -> Answer:
    """Say whose a session is; it stays so."""
    ids, session_id = call.database.ids, call.params["session_id"]
    user_id = ids.read("user", call.body.get("user_id"), "user_id")
    at = moment(call.body.get("timestamp"), "timestamp", now_of(call))
    if not _owned(call, session_id, user_id):
        body = orjson.dumps({"session_id": session_id, "customer_id": user_id, "at": at}).decode()
        await call.database.submit([Write("session_resolve", session_id, "put", body)])
        _owned(call, session_id, user_id)  # of two at the same moment, the first stands
    return None


def _owned(call: Call, session_id: str, user_id: str) -> bool:
    """Whether a session is that user's. Raises DuplicatedError when it is another one's."""
    state = call.database.live.effective()
    owner = state.session_owner(session_id)
    if owner is not None and owner.profile_id != state.key(user_id):
        raise DuplicatedError("DUPLICATED_SESSION_ID", "session", call.database.ids.write("session", session_id))
    return owner is not None


async def resolved(call: Call) -> Answer:
    """Resolved sessions, by id; of some users, when they are named."""
    state, ids, body = call.database.live.effective(), call.database.ids, call.body
    given = body.get("users_id")
    keys = None if given is None else {state.key(one) for one in ids.read_all("user", given, "users_id")}
    canonical = ids.type_of("user").canonical

    def rows(after: list[Any] | None) -> Iterator[tuple[list[Any], dict[str, Any]]]:
        for session_id in _ours(call, state.session_ids(after[0] if after else "")):
            owner = state.session_owner(session_id)
            if owner is None or (keys is not None and owner.profile_id not in keys):
                continue
            if canonical(owner.customer_id) == owner.customer_id:
                yield [session_id], {
                    "session_id": ids.write("session", session_id), "user_id": ids.write("user", owner.customer_id),
                    "timestamp": seconds(owner.at),
                }

    amount = integer(body.get("amt"), "amt", *LIST_AMOUNT)
    tag = "" if keys is None else str(sorted(keys))
    return page_of(call, "resolved_sessions", rows, amount, tag, body.get("cursor") or "")


def _ours(call: Call, session_ids: Iterable[str]) -> Iterator[str]:
    """Sessions whose id is of the database's type."""
    canonical = call.database.ids.type_of("session").canonical
    return (session_id for session_id in session_ids if canonical(session_id) == session_id)


_RESOLVED = s.obj({"session_id": s.ID, "user_id": s.ID, "timestamp": s.number()})

ROUTES: tuple[Route, ...] = (
    Route("POST", "sessions/{session_id}/items/{item_id}/interactions/", "RMBF", post_one,
          "One interaction of a session", body=ONE, answer=s.WARNED, mark="M2"),
    Route("POST", "sessions/{session_id}/interactions-bulk/", "RMBF", post_of_session, "Interactions of one session",
          body=MANY, answer=s.WARNED, mark="M2"),
    Route("GET", "sessions/{session_id}/interactions-bulk/", "RMBV", get_of_session, "Interactions of one session",
          query=OF_ONE, answer=s.cursor_page("interactions", s.obj(ROW)), mark="M2"),
    Route("POST", "sessions-interactions-bulk/", "RMB", post_bulk, "Interactions of many sessions", answer=s.WARNED,
          body=s.obj({"interactions": s.array(s.obj({"session_id": s.ID, **GIVEN}, optional=OPTIONAL))}), mark="M2"),
    Route("GET", "sessions-interactions-bulk/", "RMBV", get_bulk, "Interactions of all sessions", query=BETWEEN,
          answer=s.cursor_page("interactions", s.obj({"session_id": s.ID, **ROW})), mark="M2"),
    Route("POST", "sessions/{session_id}/resolve/", "RMBF", resolve, "Say whose a session is", mark="M2",
          body=s.obj({"user_id": s.ID, "timestamp": s.TIME}, optional=("timestamp",))),
    Route("POST", "resolved-sessions/", "RMBV", resolved, "Resolved sessions", mark="M2",
          body=s.obj({"users_id": s.nullable(s.array(s.ID)), "amt": s.AMT, "cursor": s.CURSOR},
                     optional=("users_id", "amt", "cursor")),
          answer=s.cursor_page("resolved_sessions", _RESOLVED)),
    Route("POST", "beacon/sessions/{session_id}/interactions-bulk/", "RMBF", post_of_session,
          "Interactions of one session, from a page that is being left", body=BEACON, answer=s.WARNED, mark="M2",
          beacon=True),
)
