"""The lookup that is asked most, without a framework: ``GET /v1/recommendations/profiles/{id}``.

The documented route calls the same functions and answers the same bytes.
"""

from __future__ import annotations

import logging
from time import perf_counter

from serving.asgi import Scope, Send, respond
from serving.auth import authorize
from serving.metrics import Metrics
from serving.refusals import Refusal
from serving.service import Service

log = logging.getLogger("nightloom.serving")

PREFIX = "/v1/recommendations/profiles/"
ROUTE = "recommendations_profile"

Headers = tuple[tuple[bytes, bytes], ...]


class HotPath:
    """A plain ASGI callable for one route."""

    def __init__(self, service: Service, metrics: Metrics) -> None:
        self._service = service
        self._metrics = metrics

    async def __call__(self, scope: Scope, send: Send) -> None:
        began = perf_counter()
        status, body, more = self._answer(scope)
        await respond(send, status, body, more)
        self._metrics.request(ROUTE, status, perf_counter() - began)

    def _answer(self, scope: Scope) -> tuple[int, bytes, Headers]:
        service = self._service
        try:
            view = service.live.view()
            authorize(scope["headers"], service.live.keys, "read")
            return 200, service.recommend_profile(scope["path"][len(PREFIX) :], scope["query_string"], view), ()
        except Refusal as refusal:
            return refusal.status, refusal.body(service.stamp()), refusal.headers
        except Exception:
            log.exception("a lookup failed")
            fault = Refusal(500, "internal", "the endpoint failed to answer", "its log says why")
            return 500, fault.body(service.stamp()), ()
