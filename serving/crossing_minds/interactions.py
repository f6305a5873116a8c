"""Interactions of users (§8.3): appended as sent, never deduplicated."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from serving.crossing_minds import schemas as s
from serving.crossing_minds.call import Answer, Call
from serving.crossing_minds.errors import wrong_parameter
from serving.crossing_minds.fields import integer, objects, timestamp
from serving.crossing_minds.happenings import (
    MICROS,
    RATING,
    STORED_RATING,
    EventIds,
    event_body,
    fitting,
    now_of,
    shown_interaction,
    user_event,
)
from serving.crossing_minds.pages import LIST_AMOUNT
from serving.crossing_minds.paging import page_of
from serving.crossing_minds.router import Route
from store.pack.logs import Interaction


async def post_bulk(call: Call) -> Answer:
    """Interactions of many users."""
    ids, now, new = call.database.ids, now_of(call), EventIds()
    writes = []
    for at, row in enumerate(objects(call.body, "interactions")):
        where = f"interactions[{at}]."
        user_id = ids.read("user", row.get("user_id"), f"{where}user_id")
        writes.append(user_event(user_id, event_body(ids, row, None, new, now, where)))
    if writes:
        await call.database.submit(writes)
    return {}


async def post_of_user(call: Call) -> Answer:
    """Several interactions of one user."""
    ids, now, new, user_id = call.database.ids, now_of(call), EventIds(), call.params["user_id"]
    writes = [
        user_event(user_id, event_body(ids, row, None, new, now, f"interactions[{at}]."))
        for at, row in enumerate(objects(call.body, "interactions"))
    ]
    if writes:
        await call.database.submit(writes)
    return {}


async def post_one(call: Call) -> Answer:
    """One interaction of a user."""
    params = call.params
    body = event_body(call.database.ids, call.body, params["item_id"], EventIds(), now_of(call), "")
    await call.database.submit([user_event(params["user_id"], body)])
    return {}


async def get_bulk(call: Call) -> Answer:
    """Interactions of all users, by user and time."""
    state, ids = call.database.live.effective(), call.database.ids
    canonical = ids.type_of("user").canonical

    def subjects(after: str, start: float, end: float) -> Iterator[tuple[str, dict[str, Any], list[Interaction]]]:
        for key in from_subject(after, state.keys_that_met(after, start, end)):
            user_id = state.customer_of(key)
            if user_id and canonical(user_id) == user_id:
                yield key, {"user_id": ids.write("user", user_id)}, state.interactions(key)

    return listed(call, subjects, "users")


async def get_of_user(call: Call) -> Answer:
    """Interactions of one user, by time."""
    return listed_of_one(call, call.database.live.effective().interactions(call.params["user_id"]))


Subjects = Callable[[str, float, float], Iterator[tuple[str, dict[str, Any], list[Interaction]]]]


def _bound(call: Call, name: str, default: float) -> float:
    given = call.query.get(name)
    return default if not given else round(timestamp(given, name, 0.0) * MICROS)


def listed(call: Call, subjects: Subjects, tag: str) -> Answer:
    """A page of the interactions of many, in the times that the query names, both included; the cursor is a subject
    and how many of its rows were shown. ``subjects``: those from one on that may have some, with who they are.
    """
    ids = call.database.ids
    start = _bound(call, "start_timestamp", float("-inf"))
    end = _bound(call, "end_timestamp", float("inf"))
    if start > end:
        raise wrong_parameter("start_timestamp", "lies after end_timestamp")

    def rows(after: list[Any] | None) -> Iterator[tuple[list[Any], dict[str, Any]]]:
        first, shown = (after[0], after[1]) if after else ("", 0)
        for key, who, happened in subjects(first, start, end):
            chosen = [one for one in fitting(ids, happened) if start <= one.at <= end]
            for place in range(shown if key == first else 0, len(chosen)):
                yield [key, place + 1], {**who, **shown_interaction(ids, chosen[place])}

    amount = integer(call.query.get("amt"), "amt", *LIST_AMOUNT)
    return page_of(call, "interactions", rows, amount, f"{tag} {start} {end}")


def listed_of_one(call: Call, happened: list[Interaction]) -> Answer:
    """A page of one subject's interactions, of the types that the query names."""
    ids = call.database.ids
    types = {STORED_RATING if kind == RATING else kind for kind in call.query.getlist("interaction_types")}
    chosen = [one for one in fitting(ids, happened) if not types or one.event_type in types]

    def rows(after: list[Any] | None) -> Iterator[tuple[list[Any], dict[str, Any]]]:
        for place in range(after[0] if after else 0, len(chosen)):
            yield [place + 1], shown_interaction(ids, chosen[place])

    amount = integer(call.query.get("amt"), "amt", *LIST_AMOUNT)
    return page_of(call, "interactions", rows, amount, f"{sorted(call.params.items())} {sorted(types)}")


def from_subject(first: str, beyond: Iterator[str]) -> Iterator[str]:
    """The subject of a cursor, and those after it."""
    if first:
        yield first
    yield from beyond

GIVEN: dict[str, Any] = {
    "item_id": s.ID, "interaction_type": s.string(minLength=1, maxLength=64), "timestamp": s.TIME,
    "properties": s.nullable(s.OBJECT),
}
OPTIONAL = ("timestamp", "properties")
ROW: dict[str, Any] = {
    "item_id": s.ID, "interaction_type": s.string(), "timestamp": s.number(), "properties": s.OBJECT,
}
MANY = s.obj({"interactions": s.array(s.obj(GIVEN, optional=OPTIONAL))})
ONE = s.obj({name: kind for name, kind in GIVEN.items() if name != "item_id"}, optional=OPTIONAL)
BEACON = s.obj(
    {"token": s.string(), "interactions": s.array(s.obj(GIVEN, optional=OPTIONAL)), "connection": s.anything()},
    optional=("connection",),
)
BETWEEN = {"amt": s.AMT, "cursor": s.CURSOR, "start_timestamp": s.TIME, "end_timestamp": s.TIME}
OF_ONE = {"amt": s.AMT, "cursor": s.CURSOR, "interaction_types": s.array(s.string())}

ROUTES: tuple[Route, ...] = (
    Route("POST", "interactions-bulk/", "RMB", post_bulk, "Interactions of many users", answer=s.WARNED,
          body=s.obj({"interactions": s.array(s.obj({"user_id": s.ID, **GIVEN}, optional=OPTIONAL))})),
    Route("GET", "interactions-bulk/", "RMBV", get_bulk, "Interactions of all users", query=BETWEEN,
          answer=s.cursor_page("interactions", s.obj({"user_id": s.ID, **ROW})), mark="M2"),
    Route("POST", "users/{user_id}/interactions/{item_id}/", "RMBF", post_one, "One interaction of a user",
          body=ONE, answer=s.WARNED, mark="M2"),
    Route("POST", "users/{user_id}/interactions-bulk/", "RMBF", post_of_user, "Interactions of one user",
          body=MANY, answer=s.WARNED, mark="M2"),
    Route("GET", "users/{user_id}/interactions-bulk/", "RMBV", get_of_user, "Interactions of one user", query=OF_ONE,
          answer=s.cursor_page("interactions", s.obj(ROW)), mark="M2"),
    Route("POST", "beacon/users/{user_id}/interactions-bulk/", "RMBF", post_of_user,
          "Interactions of one user, from a page that is being left", body=BEACON, answer=s.WARNED, mark="M2",
          beacon=True),
)
