"""Ratings (§8.2): one of a user and item, the last one stands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from serving.crossing_minds import schemas as s
from serving.crossing_minds.call import Answer, Call
from serving.crossing_minds.errors import NotFoundError
from serving.crossing_minds.fields import integer, objects
from serving.crossing_minds.happenings import fitting, now_of, rated, shown_rating, unrated
from serving.crossing_minds.pages import LIST_AMOUNT, numbered
from serving.crossing_minds.paging import page_of
from serving.crossing_minds.router import Route
from serving.effective import Effective


async def put_bulk(call: Call) -> Answer:
    """Ratings of many users."""
    ids, now = call.database.ids, now_of(call)
    writes = []
    for at, row in enumerate(objects(call.body, "ratings")):
        where = f"ratings[{at}]."
        user_id = ids.read("user", row.get("user_id"), f"{where}user_id")
        writes.append(rated(ids, user_id, row, None, now, where))
    if writes:
        await call.database.submit(writes)
    return None


async def get_bulk(call: Call) -> Answer:
    """Ratings of all users."""
    state, ids = call.database.live.effective(), call.database.ids
    canonical = ids.type_of("user").canonical

    def rows(after: list[Any] | None) -> Iterator[tuple[list[Any], dict[str, Any]]]:
        first, beyond = (after[0], after[1]) if after else ("", "")
        for key in _from(state, first):
            user_id = state.customer_of(key)
            if not user_id or canonical(user_id) != user_id:
                continue
            for one in fitting(ids, state.ratings(key)):
                if key != first or one.item_id > beyond:
                    yield [key, one.item_id], {"user_id": ids.write("user", user_id), **shown_rating(ids, one)}

    return page_of(call, "ratings", rows, integer(call.query.get("amt"), "amt", *LIST_AMOUNT))


def _from(state: Effective, first: str) -> Iterator[str]:
    if first:
        yield first
    yield from state.keys_that_rated(first)


async def put_one(call: Call) -> Answer:
    """One rating of a user."""
    params = call.params
    write = rated(call.database.ids, params["user_id"], call.body, params["item_id"], now_of(call), "")
    await call.database.submit([write])
    return None


async def delete_one(call: Call) -> Answer:
    """Take one rating of a user back."""
    user_id, item_id = call.params["user_id"], call.params["item_id"]
    state, ids = call.database.live.effective(), call.database.ids
    if all(one.item_id != item_id for one in state.ratings(user_id)):
        raise NotFoundError("USER_RATING_NOT_FOUND", "rating", ids.write("item", item_id))
    await call.database.submit([unrated(user_id, item_id)])
    return None


async def get_of_user(call: Call) -> Answer:
    """Ratings of one user, by item."""
    page, ids = numbered(call.query), call.database.ids
    found = fitting(ids, call.database.live.effective().ratings(call.params["user_id"]))
    shown = found[page.offset : page.offset + page.amt]
    more = len(found) > page.offset + page.amt
    return {**page.answer(more=more), "user_ratings": [shown_rating(ids, one) for one in shown]}


async def put_of_user(call: Call) -> Answer:
    """Several ratings of one user."""
    ids, now, user_id = call.database.ids, now_of(call), call.params["user_id"]
    writes = [
        rated(ids, user_id, row, None, now, f"ratings[{at}].") for at, row in enumerate(objects(call.body, "ratings"))
    ]
    if writes:
        await call.database.submit(writes)
    return None


async def delete_of_user(call: Call) -> Answer:
    """Take all ratings of one user back."""
    user_id = call.params["user_id"]
    if call.database.live.effective().ratings(user_id):
        await call.database.submit([unrated(user_id, None)])
    return None


_GIVEN = {"item_id": s.ID, "rating": s.number(1, 10), "timestamp": s.TIME}
_ROW = {"item_id": s.ID, "rating": s.number(), "timestamp": s.number()}
_ONE = "users/{user_id}/ratings/{item_id}/"
_OF_USER = "users/{user_id}/ratings/"

ROUTES: tuple[Route, ...] = (
    Route("PUT", "ratings-bulk/", "RMB", put_bulk, "Rate items for many users",
          body=s.obj({"ratings": s.array(s.obj({"user_id": s.ID, **_GIVEN}, optional=("timestamp",)))})),
    Route("GET", "ratings-bulk/", "RMBV", get_bulk, "Ratings of all users",
          query={"amt": s.AMT, "cursor": s.CURSOR},
          answer=s.cursor_page("ratings", s.obj({"user_id": s.ID, **_ROW})), mark="M2"),
    Route("PUT", _ONE, "RMBF", put_one, "Rate one item", mark="M2",
          body=s.obj({"rating": s.number(1, 10), "timestamp": s.TIME}, optional=("timestamp",))),
    Route("DELETE", _ONE, "RMBF", delete_one, "Take a rating back", mark="M2"),
    Route("GET", _OF_USER, "RMBV", get_of_user, "Ratings of one user", mark="M2",
          query={"page": s.integer(1), "amt": s.integer(1, 64, default=64)},
          answer=s.numbered_page("user_ratings", s.obj(_ROW))),
    Route("PUT", _OF_USER, "RMBF", put_of_user, "Rate items for one user", mark="M2",
          body=s.obj({"ratings": s.array(s.obj(_GIVEN, optional=("timestamp",)))})),
    Route("DELETE", _OF_USER, "RMBF", delete_of_user, "Take all ratings of one user back", mark="M2"),
)
