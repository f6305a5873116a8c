"""Ratings and interactions as clients send and read them (§8.2, §8.3), and as the journal keeps them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import uuid4

import orjson

from serving.crossing_minds.call import Call
from serving.crossing_minds.errors import wrong_type
from serving.crossing_minds.fields import an_object, rating, text, timestamp
from serving.crossing_minds.identifiers import Ids
from store.journal import Write
from store.pack.logs import Interaction, Rated

MICROS = 1_000_000
FIRST = -62_135_596_800.0  # the year 1: what lies before counts as that
RATING = "rating"
STORED_RATING = "rating (interaction)"  # what the reserved type is called where a client uses it for interactions


def moment(value: Any, field: str, now: float) -> int:
    """When something happened, in microseconds: as stated, but neither before the year 1 nor after now."""
    return round(min(max(timestamp(value, field, now), FIRST), now) * MICROS)


def seconds(at: int) -> float:
    """The same in unix seconds."""
    return at / MICROS


class EventIds:
    """Ids for the events of one request."""

    def __init__(self) -> None:
        self._head = uuid4().hex[:24]
        self._count = 0

    def __next__(self) -> str:
        self._count += 1
        return f"event_{self._head}{self._count:08x}"


def event_body(
    ids: Ids, row: Mapping[str, Any], item_id: str | None, new: EventIds, now: float, at: str
) -> dict[str, Any]:
    """The journal's body of one interaction. ``item_id``: from the path, else from the row; ``at``: field's prefix."""
    kind = text(row.get("interaction_type"), f"{at}interaction_type", least=1, most=64)
    if "\0" in kind:  # names columns at night, where SQL could not say it
        raise wrong_type(f"{at}interaction_type", "must not hold the character NUL")
    given = row.get("properties")
    return {
        "event_id": next(new),
        "event_type": STORED_RATING if kind == RATING else kind,
        "item_id": ids.read("item", row.get("item_id"), f"{at}item_id") if item_id is None else item_id,
        "at": moment(row.get("timestamp"), f"{at}timestamp", now),
        "properties": {} if given is None else without_null(an_object(given, f"{at}properties")),
    }


def without_null(properties: dict[str, Any]) -> dict[str, Any]:
    """Null stands for missing."""
    return {name: value for name, value in properties.items() if value is not None}


def user_event(user_id: str, body: dict[str, Any]) -> Write:
    """An interaction of a user."""
    return Write("events", user_id, "create", _said({**body, "profile_id": user_id}))


def session_event(session_id: str, body: dict[str, Any]) -> Write:
    """An interaction of a session."""
    return Write("session_events", session_id, "put", _said({**body, "session_id": session_id}))


def rated(ids: Ids, user_id: str, row: Mapping[str, Any], item_id: str | None, now: float, at: str) -> Write:
    """A rating of a user's."""
    body = {
        "customer_id": user_id,
        "item_id": ids.read("item", row.get("item_id"), f"{at}item_id") if item_id is None else item_id,
        "rating": rating(row.get("rating"), f"{at}rating"),
        "at": moment(row.get("timestamp"), f"{at}timestamp", now),
    }
    return Write("ratings", user_id, "put", _said(body))


def unrated(user_id: str, item_id: str | None) -> Write:
    """A rating taken back; without an item, all of a user's."""
    return Write("ratings", user_id, "delete", _said({"customer_id": user_id, "item_id": item_id}))


def _said(body: dict[str, Any]) -> str:
    return orjson.dumps(body).decode()


def shown_interaction(ids: Ids, happened: Interaction) -> dict[str, Any]:
    """One interaction of an answer, whose it is left aside."""
    return {
        "item_id": ids.write("item", happened.item_id),
        "interaction_type": RATING if happened.event_type == STORED_RATING else happened.event_type,
        "timestamp": seconds(happened.at),
        "properties": orjson.loads(happened.properties) if happened.properties else {},
    }


def shown_rating(ids: Ids, one: Rated) -> dict[str, Any]:
    """One rating of an answer, whose it is left aside."""
    return {"item_id": ids.write("item", one.item_id), "rating": one.rating, "timestamp": seconds(one.at)}


def fitting(ids: Ids, rows: Iterable[Any]) -> list[Any]:
    """Rows whose item has an id of the database's type; files may have brought others."""
    canonical = ids.type_of("item").canonical
    return [row for row in rows if canonical(row.item_id) == row.item_id]


def now_of(call: Call) -> float:
    """The clock, in unix seconds."""
    return call.database.clock()
