"""The dialect as an ASGI application: from a path to its route, from a request to an answer, from errors to bodies."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

from decisions.codes import code
from serving.arrival import Gone
from serving.asgi import JSON, Receive, Scope, Send
from serving.conductrics.bodies import read_body
from serving.conductrics.call import Answer, Call, Headers
from serving.conductrics.cors import PREFLIGHT, cors
from serving.conductrics.errors import ApiError, as_api_error
from serving.conductrics.openapi import Documentation
from serving.conductrics.owners import Owner, Owners
from serving.conductrics.parameters import Parameters, parse_body, parse_query
from serving.conductrics.router import Found, Router
from serving.metrics import Metrics
from serving.placement import Placement

METRIC = "conductrics"
NO_STORE = (b"cache-control", b"no-store")
RANK = {"runtime": 0, "admin": 1}


class Dialect:
    """Answers every path below its prefix, and of its host names."""

    def __init__(
        self, router: Router, owners: Owners, placement: Placement, metrics: Metrics, documentation: Documentation,
        clock: Callable[[], float],
    ) -> None:
        self.owners = owners
        self._router = router
        self._placement = placement
        self._metrics = metrics
        self._documentation = documentation
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = perf_counter()
        headers: dict[bytes, bytes] = dict(scope["headers"])
        kind, path = JSON, self._placement.inner(scope["path"])
        try:
            if scope["method"] == "OPTIONS":
                answer = Answer(b"", 204, PREFLIGHT)
            elif scope["method"] == "GET" and (found := self._documentation.find(path)) is not None:
                kind, answer = found[0], Answer(found[1])
            else:
                answer = await self._answer(scope, headers, receive, self._router.find(scope["method"], path))
        except Gone:
            return
        except Exception as error:
            told = as_api_error(error, f"{scope['method']} {scope['path']}")
            answer = Answer(told.body(), told.status, told.headers)
        await _respond(send, kind, answer, cors(headers))
        self._metrics.request(METRIC, answer.status, perf_counter() - began)

    async def _answer(self, scope: Scope, headers: dict[bytes, bytes], receive: Receive, found: Found) -> Answer:
        parameters = Parameters(parse_query(scope["query_string"]), headers=headers, raw=scope["query_string"])
        body = None
        if scope["method"] != "GET":
            raw = await read_body(headers, receive)
            parameters.form, body = parse_body(raw, headers.get(b"content-type", b""), parameters.query)
        owner, kind = await self._owner(found, parameters)
        return await found.route.handler(Call(
            scope["method"], found.names, parameters, self._clock(), owner, body, _secure(scope, headers), kind,
            headers,
        ))

    async def _owner(self, found: Found, parameters: Parameters) -> tuple[Owner, str]:
        """The owner that the path names, and what the key opens there. Raises ApiError (401, 403)."""
        key = parameters.get("apikey")
        if not key:
            raise ApiError(401, "a key is needed: send apikey or the header x-mpath-apikey")
        owner = await self.owners.find(code("owner", found.names["owner"]))
        kind = owner.key_kind(key) if owner is not None else None
        if owner is None or kind is None:
            raise ApiError(403, "the key is not one of this owner")
        if RANK[kind] < RANK[found.route.key]:
            raise ApiError(403, "this needs an admin key")
        return owner, kind


async def _respond(send: Send, kind: bytes, answer: Answer, more: Headers) -> None:
    headers = [NO_STORE, *answer.headers, *more]
    if answer.status != 204:
        headers += [(b"content-type", kind), (b"content-length", b"%d" % len(answer.body))]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


def _secure(scope: Scope, headers: dict[bytes, bytes]) -> bool:
    """Whether the client speaks HTTPS, to us or to the proxy before us."""
    return scope.get("scheme") == "https" or headers.get(b"x-forwarded-proto", b"").split(b",")[0].strip() == b"https"
