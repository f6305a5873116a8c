"""The short way to answers that succeed. Everything else, faults included, takes the documented way, which explains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
from pydantic import TypeAdapter

from serving.asgi import Scope
from serving.bodies import EventBody, ItemBatch, ListBatch, ProfileBatch, Session
from serving.intake import Intake
from serving.service import Service

EVENTS = "/v1/events"
_EVENTS: TypeAdapter[Any] = TypeAdapter(EventBody)


class Plain:
    """Answers the same bytes as the documented routes, without a framework. Raises Refusal as they do."""

    def __init__(self, service: Service, intake: Intake) -> None:
        self._intake = intake
        self._posts: dict[str, tuple[Callable[[Any], Any], Callable[[Any], bytes]]] = {
            "/v1/recommendations/sessions": (Session.model_validate, service.recommend_session),
            "/v1/recommendations/batch": (ListBatch.model_validate, service.recommend_batch),
            "/v1/churn/batch": (ProfileBatch.model_validate, service.churn_batch),
            "/v1/profiles/batch": (ProfileBatch.model_validate, service.profile_batch),
            "/v1/items/batch": (ItemBatch.model_validate, service.item_batch),
        }
        self._gets: tuple[tuple[str, Callable[[str, bytes], bytes]], ...] = (
            ("/v1/recommendations/items/", service.recommend_item),
            ("/v1/churn/profiles/", lambda asked, _query: service.churn(asked)),
            ("/v1/profiles/", lambda asked, _query: service.profile(asked)),
            ("/v1/items/", lambda asked, _query: service.item(asked)),
        )

    async def answer(self, scope: Scope, body: bytes) -> tuple[int, bytes] | None:
        """Status and body, or None when the documented way has to be taken."""
        path, method = scope["path"], scope["method"]
        if method == "POST":
            if path == EVENTS:
                given = _checked(_EVENTS.validate_python, body)
                return None if given is None else (201, await self._intake.store(given))
            known = self._posts.get(path)
            given = _checked(known[0], body) if known else None
            return None if known is None or given is None else (200, known[1](given))
        if method == "GET":
            for start, get in self._gets:
                if path.startswith(start):
                    return 200, get(path[len(start) :], scope["query_string"])
        return None


def _checked(check: Callable[[Any], Any], body: bytes) -> Any:
    try:
        return check(orjson.loads(body))
    except ValueError:  # no JSON, or not what is accepted
        return None
