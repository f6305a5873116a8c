"""Property definitions of items and users (§7)."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson

from scenarios.spec import Problem, PropertyType
from scenarios.value_types import parse_type, property_name
from serving.crossing_minds import schemas as s
from serving.crossing_minds.call import Answer, Call, Handler
from serving.crossing_minds.errors import DuplicatedError, NotFoundError, wrong_parameter
from serving.crossing_minds.fields import an_object, flag, text
from serving.crossing_minds.problems import of_problem
from serving.crossing_minds.router import Route
from serving.crossing_minds.values import ITEMS, USERS, Words
from serving.declared import KINDS, Property
from store.journal import Write, documents
from store.journal.writes import append


class Definitions:
    """Handlers of one noun's properties."""

    def __init__(self, words: Words) -> None:
        self.words = words

    async def get_all(self, call: Call) -> Answer:
        """Every definition, those that files brought included."""
        known = call.database.live.effective().properties(self.words.noun)
        return {"properties": [self._shown(one) for one in known.values()]}

    async def get_one(self, call: Call) -> Answer:
        """One definition."""
        return self._shown(self._find(call))

    async def create(self, call: Call) -> Answer:
        """Declare a property."""
        body = call.body
        name = _sound(property_name(text(body.get("property_name"), "property_name", least=1, most=64)))
        word = text(body.get("value_type"), "value_type", least=1, most=10)
        kind: PropertyType = _sound(parse_type(word, flag(body.get("repeated"), "repeated")))
        document = {
            "property_name": name, "value_type": kind.value_type, "repeated": kind.repeated,
            "metadata": an_object(body.get("metadata"), "metadata", {}),
        }
        duplicated = DuplicatedError(
            f"DUPLICATED_{self.words.noun.upper()}_PROPERTY", self.words.property_type, name
        )
        if name.lower() in call.database.live.effective().properties(self.words.noun):
            raise duplicated
        journal = call.database.journal

        def store() -> None:
            with journal.writing() as connection:
                if documents.get(connection, self._kind, name.lower()) is not None:
                    raise duplicated
                said = orjson.dumps(document).decode()
                documents.put(connection, self._kind, name.lower(), said, call.account.id, journal.clock())

        await asyncio.to_thread(store)
        return None

    async def delete(self, call: Call) -> Answer:
        """Take a definition back, and with it all values."""
        found = self._find(call)
        if not found.declared:
            raise wrong_parameter("property_name", f"`{found.name}` comes from files; only they can drop it")
        name, journal = found.name.lower(), call.database.journal

        def store() -> None:
            with journal.writing() as connection:
                if documents.get(connection, self._kind, name) is None:
                    raise self._missing(name)
                now = journal.clock()
                documents.delete(connection, self._kind, name, call.account.id, now)
                said = orjson.dumps({"property_name": name}).decode()
                append(connection, [Write(self._kind, name, "delete", said)], now)

        await asyncio.to_thread(store)
        return None

    @property
    def _kind(self) -> str:
        return KINDS[self.words.noun]

    def _find(self, call: Call) -> Property:
        name = call.params["property_name"]
        found = call.database.live.effective().properties(self.words.noun).get(name.lower())
        if found is None:
            raise self._missing(name)
        return found

    def _missing(self, name: str) -> NotFoundError:
        return NotFoundError(self.words.name("PROPERTY_NOT_FOUND"), self.words.property_type, name)

    def _shown(self, found: Property) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "property_name": found.name, "value_type": found.type.value_type, "repeated": found.type.repeated,
            "metadata": dict(found.metadata),
        }
        if self.words.noun == "user":
            shown["indexed"] = False
        return shown


def _sound(found: Any) -> Any:
    if isinstance(found, Problem):
        raise of_problem(found)
    return found


def _routes(words: Words, mark: str) -> tuple[Route, ...]:
    handlers, path = Definitions(words), f"{words.many}-properties/"
    one = f"{path}{{property_name}}/"
    members: dict[str, Any] = {
        "property_name": s.string(), "value_type": s.string(), "repeated": s.boolean(), "metadata": s.OBJECT,
    }
    if words.noun == "user":
        members["indexed"] = s.boolean()
    shown = s.obj(members)
    body = s.obj(
        {"property_name": s.string(minLength=1, maxLength=64), "value_type": s.string(minLength=1, maxLength=10),
         "repeated": s.boolean(), "metadata": s.OBJECT},
        optional=("repeated", "metadata"),
    )

    def route(verb: str, at: str, roles: str, handler: Handler, summary: str, **more: Any) -> Route:
        return Route(verb, at, roles, handler, summary, mark=mark, **more)

    return (
        route("GET", path, "RMBV", handlers.get_all, f"Properties of {words.many}",
              answer=s.obj({"properties": s.array(shown)})),
        route("POST", path, "RMB", handlers.create, f"Declare a property of {words.many}", body=body),
        route("GET", one, "RMBV", handlers.get_one, f"One property of {words.many}", answer=shown),
        route("DELETE", one, "RMB", handlers.delete, f"Take back a property of {words.many} and its values"),
    )


ROUTES: tuple[Route, ...] = (*_routes(ITEMS, "M1"), *_routes(USERS, "M2"))
