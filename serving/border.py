"""Everything but the hot path passes here: keys, sizes, times, media types, counting, and one shape for every error."""

from __future__ import annotations

import logging
from time import perf_counter

from serving.arrival import Gone, Late, TooLarge, arrived
from serving.asgi import App, Message, Receive, Scope, Send, respond
from serving.metrics import Metrics
from serving.plain import Plain
from serving.refusals import Refusal
from serving.service import Service
from store.journal import Role

log = logging.getLogger("nightloom.serving")

# Paths by their start, the longest first: the name under which they are counted, and the role they need (None: open).
PATHS: tuple[tuple[str, str, Role | None], ...] = (
    ("/v1/recommendations/profiles/", "recommendations_profile", "read"),
    ("/v1/recommendations/items/", "recommendations_item", "read"),
    ("/v1/recommendations/sessions", "recommendations_session", "read"),
    ("/v1/recommendations/batch", "recommendations_batch", "read"),
    ("/v1/churn/profiles/", "churn", "read"),
    ("/v1/churn/batch", "churn_batch", "read"),
    ("/v1/profiles/batch", "profiles_batch", "read"),
    ("/v1/items/batch", "items_batch", "read"),
    ("/v1/profiles/", "profiles", "read"),
    ("/v1/items/", "items", "read"),
    ("/v1/events", "events", "write"),
    ("/v1/", "other", "read"),
    ("/openapi.json", "docs", "read"),
    ("/docs", "docs", "read"),
    ("/metrics", "metrics", "read"),
    ("/health", "health", None),
    ("/ready", "ready", None),
)
OPEN_ON_LOOPBACK = frozenset({"docs", "metrics"})


class Border:
    """ASGI middleware around the documented routes."""

    def __init__(
        self, inner: App, plain: Plain | None, service: Service, metrics: Metrics, *, loopback: bool, max_body: int
    ) -> None:
        self._inner = inner
        self._plain = plain
        self._service = service
        self._metrics = metrics
        self._loopback = loopback
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = perf_counter()
        route, role = self._route(scope["path"])
        status = 0

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            if role is not None:
                self._service.live.view()
                self._service.live.gate.check(scope["headers"], role)
            body = await self._body(scope, receive)
            short = await self._plain.answer(scope, body) if self._plain is not None else None
            if short is not None:
                await respond(counted, *short)
            else:
                await self._inner(scope, _replay(body, receive), counted)
        except Refusal as refusal:
            await respond(counted, refusal.status, refusal.body(self._service.stamp()), refusal.headers)
        except Gone:
            status = 499
        except Exception:
            log.exception("%s %s failed", scope["method"], scope["path"])
            if not status:
                fault = Refusal(500, "internal", "the endpoint failed to answer", "its log says why")
                await respond(counted, 500, fault.body(self._service.stamp()))
        self._metrics.request(route, status or 500, perf_counter() - began)

    def _route(self, path: str) -> tuple[str, Role | None]:
        for start, name, role in PATHS:
            if path.startswith(start):
                return name, None if self._loopback and name in OPEN_ON_LOOPBACK else role
        return "other", None

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        """The whole body, within its bounds of size and time; its media type must be JSON."""
        headers = dict(scope["headers"])
        try:
            body = await arrived(headers, receive, self._max_body)
        except TooLarge:
            told = f"the body has more than {self._max_body} bytes"
            raise Refusal(413, "body_too_large", told, "send fewer objects") from None
        except Late as error:
            raise Refusal(408, "timeout", str(error), "send it again") from None
        if body:
            _check_media_type(scope, headers.get(b"content-type", b""))
        return body


def _check_media_type(scope: Scope, given: bytes) -> None:
    kind = given.split(b";", 1)[0].strip().lower()
    if kind and kind != b"application/json" and not kind.endswith(b"+json"):
        named = given[:100].decode("latin-1")
        raise Refusal(415, "unsupported_media_type", f"the body is {named!r}", "Content-Type: application/json")
    if not kind:
        scope["headers"] = [*scope["headers"], (b"content-type", b"application/json")]


def _replay(body: bytes, receive: Receive) -> Receive:
    """A ``receive`` that gives the body already read, then waits for the client to leave."""
    given = False

    async def replayed() -> Message:
        nonlocal given
        if not given:
            given = True
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return replayed
