"""The dialect as an ASGI application: from a path to its route, from a request to an answer, from errors to bodies."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from time import perf_counter

import orjson
from starlette.datastructures import QueryParams

from contracts.settings import Settings
from serving.arrival import Gone
from serving.asgi import Receive, Scope, Send, respond
from serving.metrics import Metrics
from serving.octy.accounts import Accounts
from serving.octy.auth import key_pair
from serving.octy.bodies import read_body
from serving.octy.call import Call
from serving.octy.envelope import Answer
from serving.octy.errors import as_octy_error
from serving.octy.openapi import description
from serving.octy.rate import Rate
from serving.octy.router import Route, Router
from serving.placement import Placement

METRIC = "octy"


class Dialect:
    """Answers every path below its prefix, and of its host names."""

    def __init__(
        self, router: Router, accounts: Accounts, placement: Placement, metrics: Metrics, settings: Settings,
        clock: Callable[[], float],
    ) -> None:
        self.accounts = accounts
        self._router = router
        self._placement = placement
        self._metrics = metrics
        self._clock = clock
        self._prefix = settings.serving.octy_path
        self._rate = Rate(settings.serving.requests_per_minute, clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = perf_counter()
        try:
            path = self._placement.inner(scope["path"])
            if path == "/openapi.json" and scope["method"] == "GET":
                answer = Answer(200, self._description)
            else:
                answer = await self._answer(scope, receive, self._router.find(scope["method"], path))
        except Gone:
            return
        except Exception as error:
            told = as_octy_error(error, f"{scope['method']} {scope['path']}")
            answer = Answer(told.status, told.body(), told.headers)
        await respond(send, answer.status, answer.body, answer.headers)
        self._metrics.request(METRIC, answer.status, perf_counter() - began)

    @cached_property
    def _description(self) -> bytes:
        return orjson.dumps(description(self._router.routes, self._prefix))

    async def _answer(self, scope: Scope, receive: Receive, route: Route) -> Answer:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        call = Call(QueryParams(scope["query_string"]), headers, {}, self._clock())
        if not route.open:
            call.who, secret = key_pair(headers.get(b"authorization"))
            call.known_account = await self.accounts.of_pair(call.who, secret)
            self._rate.take(call.who, route.path)
        else:
            call.known_account = next(iter(self.accounts.opened()), None)
        if route.verb != "GET":
            call.body = await read_body(headers, receive)
        return await route.handler(call)
