"""Bodies of requests: what is accepted, in one place for checking and for the documentation."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, StrictBool, Tag

from serving.queries import MAX_AMOUNT, MAX_EXCLUDE

MAX_EVENTS = 500
MAX_PROPERTIES = 200
_FORBIDDEN = re.compile(r"[,\x00-\x1f\x7f]")
_TIME = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d{1,9})?)?( ?(Z|[+-]\d\d:?\d\d))?)?", re.ASCII)


def _id(text: str) -> str:
    if _FORBIDDEN.search(text):
        raise ValueError("must hold neither commas nor control characters")
    return text


def _whole_number_as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def utc(text: str) -> str:
    """A time as ``YYYY-MM-DD HH:MM:SS`` in UTC; fractions are dropped, an offset is converted, none means UTC."""
    if not _TIME.fullmatch(text):
        raise ValueError("must be a time such as 2026-11-21 08:30:00 or 2026-11-21T08:30:00+01:00")
    moment = datetime.fromisoformat(text.replace(" ", "T", 1).replace(" ", ""))
    if moment.tzinfo is not None:
        try:
            moment = moment.astimezone(UTC)
        except OverflowError:
            raise ValueError("is out of range") from None
    return moment.replace(tzinfo=None).isoformat(" ", "seconds")


Id = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_id), BeforeValidator(_whole_number_as_text)]
Time = Annotated[str, Field(max_length=40, examples=["2026-11-21 08:30:00"]), AfterValidator(utc)]
Number = Annotated[int, Field(strict=True)] | Annotated[float, Field(strict=True, allow_inf_nan=False)]
Text = Annotated[str, Field(max_length=10_000)]
Scalar = StrictBool | Number | Text
Property = Scalar | Annotated[list[Text] | list[Number] | list[StrictBool], Field(max_length=1000)]
PropertyName = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_id)]
Amount = Annotated[int, Field(strict=True, ge=0, le=MAX_AMOUNT)]
Exclude = Annotated[list[Id], Field(max_length=MAX_EXCLUDE)]


class Strict(BaseModel):
    """An object without unknown members, so that a misspelt one is told and not lost."""

    model_config = ConfigDict(extra="forbid")


class Event(Strict):
    """Something a profile did. ``event_id`` makes a repeat harmless. The item may also be property ``item_id``."""

    event_type: Annotated[str, Field(min_length=1, max_length=60), AfterValidator(_id)]
    profile_id: Annotated[Id, Field(description="profile_id or customer_id")]
    item_id: Id | None = None
    created_at: Annotated[Time | None, Field(description="when it happened; without an offset UTC; default now")] = None
    properties: Annotated[dict[PropertyName, Property | None], Field(max_length=MAX_PROPERTIES)] | None = None
    event_id: Annotated[Id | None, Field(description="the client's id of this event")] = None


class Events(Strict):
    """Several events, stored together or not at all."""

    events: Annotated[list[Event], Field(min_length=1, max_length=MAX_EVENTS)]


def _one_or_many(body: Any) -> Literal["one", "many"]:
    return "many" if isinstance(body, dict) and "events" in body else "one"


EventBody = Annotated[Annotated[Event, Tag("one")] | Annotated[Events, Tag("many")], Discriminator(_one_or_many)]


class Session(Strict):
    """Items of a session in the order in which they were met, the newest last."""

    items: Annotated[list[Id], Field(max_length=1000)]
    amt: Amount | None = None
    exclude: Exclude = []


class ProfileBatch(Strict):
    """Profiles by profile_id or customer_id."""

    profile_ids: Annotated[list[Id], Field(min_length=1)]


class ListBatch(ProfileBatch):
    """Lists for several profiles."""

    amt: Amount | None = None
    exclude: Exclude = []


class ItemBatch(Strict):
    """Items by id."""

    item_ids: Annotated[list[Id], Field(min_length=1)]
