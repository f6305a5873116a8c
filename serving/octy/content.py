"""Messages (16): templates filled with a client's data. None is ever sent from here."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contracts.placeholders import Unfilled, filled
from serving.octy import recommendations
from serving.octy.call import Call
from serving.octy.envelope import Answer, success
from serving.octy.errors import OctyError, bad_request, entry, misfit
from serving.octy.formats import canonical_number, flag, objects, text
from serving.octy.router import Route
from store import template_documents

FIRST_ITEM = "ITEM_REC"
MOST_MESSAGES = 5000
MOST_CHARACTERS = 64 << 20


@dataclass(frozen=True, slots=True)
class Asked:
    """Messages of one template, one for each of ``data``."""

    template_id: str
    item_recommendation: bool
    data: list[dict[str, Any]]


class Room:
    """How much one answer may still hold."""

    def __init__(self) -> None:
        self._left = MOST_CHARACTERS

    def take(self, characters: int) -> None:
        """Raises OctyError (400) when there is no room for so many."""
        self._left -= characters
        if self._left < 0:
            raise bad_request(f"the messages have more than {MOST_CHARACTERS >> 20} Mi characters; ask for fewer")


async def generate(call: Call) -> Answer:
    """A message for each object of data; what cannot be made is named in the answer."""
    asked = [_asked(one, f"messages[{at}]") for at, one in enumerate(objects(call.body, "messages"))]
    if sum(len(one.data) for one in asked) > MOST_MESSAGES:
        raise misfit("messages", f"ask for more than {MOST_MESSAGES} messages")
    known = await asyncio.to_thread(_templates, call)
    names = await _first_items(call, [one for one in asked if one.item_recommendation and one.template_id in known])
    unknown = [
        {"template_id": one.template_id, "error_message": "there is no such template"} for one in asked
        if one.template_id not in known
    ]
    made, failed = await asyncio.to_thread(_made, [one for one in asked if one.template_id in known], known, names)
    if not made:
        raise OctyError(400, "nothing could be done", [
            entry(one["error_message"], template_id=one["template_id"]) for one in (*failed, *unknown)
        ])
    told = {"generated_messages": made, "failed_messages": failed, "failed templates": unknown}
    return success(told, status=201, count=len(made))


def _made(
    asked: list[Asked], known: Mapping[str, Mapping[str, Any]], names: Mapping[str, str]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    made, failed, room = [], [], Room()
    for one in asked:
        template = known[one.template_id]
        for data in one.data:
            name = names.get(_profile(data)) if one.item_recommendation else None
            first = {} if name is None else {FIRST_ITEM: name}
            try:
                title, content = filled(
                    (template["title"], template["content"]), first, data, template["default_values"], take=room.take
                )
            except Unfilled as unfilled:
                failed.append({"template_id": one.template_id, "error_message": _told(one, unfilled, data)})
                continue
            made.append({
                "template_id": one.template_id, "friendly_name": template["friendly_name"], "title": title,
                "content": content,
            })
    return made, failed


def _told(one: Asked, unfilled: Unfilled, data: Mapping[str, Any]) -> str:
    if one.item_recommendation and FIRST_ITEM in unfilled.tags:
        of = _profile(data)
        return f"{unfilled}; {f'profile {of[:100]} has no recommendation' if of else 'the data has no profile_id'}"
    return str(unfilled)


async def _first_items(call: Call, asked: list[Asked]) -> dict[str, str]:
    """Names of the items recommended first, by the profile's id as asked; without those that have none."""
    wanted = dict.fromkeys(_profile(data) for one in asked for data in one.data)
    wanted.pop("", None)
    ids, found = list(wanted), {}
    for at in range(0, len(ids), recommendations.MOST_PROFILES):
        book = await recommendations.book(call.account)  # others have their turn in between
        if book is None:
            return {}
        for one in ids[at : at + recommendations.MOST_PROFILES]:
            if name := book.first_name(one):
                found[one] = name
    return found


def _profile(data: Mapping[str, Any]) -> str:
    """The id of the profile that a message is for, empty for none; clients send numbers, too."""
    given = data.get("profile_id")
    if isinstance(given, int | float) and not isinstance(given, bool):
        return canonical_number(given)
    return given if isinstance(given, str) else ""


def _asked(given: dict[str, Any], where: str) -> Asked:
    data = given.get("data")
    if not isinstance(data, list) or not data or not all(isinstance(one, dict) for one in data):
        raise misfit(f"{where}.data", "must be a list of objects, at least one")
    for at, one in enumerate(data):
        for tag, value in one.items():
            if isinstance(value, list | dict):
                raise misfit(f"{where}.data[{at}].{tag[:100]}", "must be a string, a number, a boolean or null")
    wanted = given.get("item_recommendation")
    return Asked(
        text(given.get("template_id"), f"{where}.template_id"),
        False if wanted is None else flag(wanted, f"{where}.item_recommendation"), data,
    )


def _templates(call: Call) -> dict[str, dict[str, Any]]:
    with call.account.journal.reading() as connection:
        return {one["template_id"]: one for one in template_documents.stored(connection)}


ROUTES = (Route("POST", "/v1/retention/messaging/content/generate", generate, "Fill templates"),)
