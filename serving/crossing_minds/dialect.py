"""The dialect as an ASGI application: from a path to its route, from a request to an answer, from errors to bodies."""

from __future__ import annotations

from time import perf_counter

import orjson

from contracts.settings import Settings
from serving.arrival import Gone
from serving.asgi import JSON, Receive, Scope, Send
from serving.crossing_minds.auth import keep_to_own, own_ids
from serving.crossing_minds.call import Answer, Call
from serving.crossing_minds.cors import Cors
from serving.crossing_minds.errors import (
    ForbiddenError,
    MethodNotAllowed,
    NotFoundError,
    as_api_error,
    not_ready,
    shortened,
)
from serving.crossing_minds.forms import Forms, split_path
from serving.crossing_minds.forms import Key as FormKey
from serving.crossing_minds.identifiers import NOUNS
from serving.crossing_minds.installation import Installation
from serving.crossing_minds.kept import KeptAnswers, Key
from serving.crossing_minds.openapi import Documentation
from serving.crossing_minds.query import read_query
from serving.crossing_minds.rate import Rate
from serving.crossing_minds.request import read_body, refuse_pickle
from serving.crossing_minds.router import Place, Route, Router
from serving.metrics import Metrics

WELCOME = orjson.dumps("Welcome to the Crossing Minds API")
OUT = {
    "login": "logins by SAML are not offered",
    "accounts": "accounts and keys are made on the command line: nightloom accounts",
    "organizations": "accounts and keys are made on the command line: nightloom accounts",
}
METRIC = "crossing_minds"

Headers = dict[bytes, bytes]
Answered = tuple[int, bytes, bytes]  # status, body, media type
NOTHING: Answered = (204, b"", b"")


class Dialect:
    """Answers what ``takes`` says is its own: paths under its prefix, and every path of its host names."""

    def __init__(self, router: Router, installation: Installation, metrics: Metrics, settings: Settings) -> None:
        self.installation = installation
        self._router = router
        self._metrics = metrics
        self._prefix = settings.serving.crossing_minds_path.rstrip("/")
        self._cors = Cors(settings.serving.cors_origins)
        self._rate = Rate(settings.serving.rate_limit, installation.clock)
        # Where requests are counted, every one of them is looked at.
        self._kept = None if settings.serving.rate_limit else KeptAnswers(installation)
        self._forms = Forms(installation)
        self._documentation = {prefix: Documentation(router.routes, prefix) for prefix in ("", self._prefix)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = perf_counter()
        headers: Headers = dict(scope["headers"])
        if await self._again(scope, headers, send):
            self._metrics.request(METRIC, 200, perf_counter() - began)
            return
        place: Place | None = None
        more: list[tuple[bytes, bytes]] = []
        try:
            found = self._router.find(self._path(scope))
            place = found[0] if found else None
            answered, call = await self._answer(scope, headers, receive, found, more)
            if call is not None and call.row_of and place is not None and self._kept is not None:
                self._keep(call, scope, headers, place, [*more], answered[1])
        except Gone:
            return
        except Exception as error:
            told = as_api_error(error, f"{scope['method']} {scope['path']}")
            answered = told.status, told.body(), JSON
            more = list(told.headers)
        more += self._cors.headers(headers, place.allow if place else b"GET, OPTIONS", scope["method"])
        await _send(send, *answered, more)
        self._metrics.request(METRIC, answered[0], perf_counter() - began)

    async def _again(self, scope: Scope, headers: Headers, send: Send) -> bool:
        """Answer as before where nothing changed since; false when the request has to be looked at."""
        if self._kept is None or scope["method"] != "GET" or b"authorization" not in headers:
            return False
        key = _key(scope, headers)
        kept = self._kept.find(key)
        if kept is None:
            parts = split_path(key[2])
            kept = None if parts is None else self._forms.find(_form_key(key, parts), parts[1])
            if kept is None:
                return False
            self._kept.remember(key, kept)
        more = [*kept.headers, *self._cors.headers(headers, kept.allow, "GET")]
        await _send(send, 200, kept.body, JSON, more)
        return True

    def _keep(
        self, call: Call, scope: Scope, headers: Headers, place: Place, more: list[tuple[bytes, bytes]], body: bytes
    ) -> None:
        """Remember an answer, and its form, for those who come back and for others."""
        assert self._kept is not None
        key = _key(scope, headers)
        parts = None if call.form is None else split_path(key[2])
        self._kept.keep(key, call.database, call.row_of, place.allow, more, body)
        if call.form is not None and parts is not None:
            self._forms.keep(_form_key(key, parts), call.database, call.form, place.allow, more)

    def _path(self, scope: Scope) -> str:
        """The path below the prefix, still percent-encoded."""
        raw: str = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1").partition("?")[0]
        inner = raw.removeprefix(self._prefix)
        return inner if inner[:1] in ("", "/") else raw

    async def _answer(
        self, scope: Scope, headers: Headers, receive: Receive, found: tuple[Place, list[str]] | None,
        more: list[tuple[bytes, bytes]],
    ) -> tuple[Answered, Call | None]:
        verb = scope["method"]
        if found is None:
            return self._unrouted(scope, verb), None
        place, named = found
        if verb == "OPTIONS":
            return NOTHING, None
        route = place.verbs.get(verb)
        if route is None:
            raise MethodNotAllowed(verb)
        refuse_pickle(headers)
        params, query = dict(zip(route.names, named, strict=True)), read_query(scope["query_string"])
        call = Call(self.installation, params, query, {}, headers=more)
        await self._admit(call, route, headers, receive)
        answer = await route.handler(call)
        return encoded(answer), call

    async def _admit(self, call: Call, route: Route, headers: Headers, receive: Receive) -> None:
        """Login, role, database, publication, body, ids: in this order, so that each error tells no more than it may.
        """
        installation = self.installation
        if route.beacon:
            call.body = await read_body(headers, receive, text_too=True)
        if route.roles:
            if route.beacon:
                call.session = installation.tokens.check(call.body.get("token"))
            else:
                call.session = installation.tokens.of_header(headers.get(b"authorization"))
            installation.account(call.session)
            self._rate.take(call.session.account_id)
            if not route.allows(call.session.role):
                raise ForbiddenError("INCORRECT_ROLE", f"role {call.session.role} may not do this")
        if route.database:
            call.tenant = await installation.tenant(call.who)
            if route.ready and not call.tenant.ready:
                raise not_ready()
        if not route.beacon and route.verb != "GET":
            call.body = await read_body(headers, receive, text_too=False)
        if route.database:
            _read_ids(call)
            keep_to_own(call)

    def _unrouted(self, scope: Scope, verb: str) -> Answered:
        path = self._path(scope).strip("/")
        path = "" if path == "v1" else path.removeprefix("v1/")
        found = (JSON.decode(), WELCOME) if not path else self._documents(scope).find(path)
        if found is not None:
            if verb == "OPTIONS":
                return NOTHING
            if verb != "GET":
                raise MethodNotAllowed(verb)
            return 200, found[1], found[0].encode()
        if path == "login/sso/saml/sp":
            raise NotFoundError("SAML_NOT_FOUND", "resource", path, OUT["login"])
        told = OUT.get(path.partition("/")[0], "") if not path.startswith("login") else ""
        raise NotFoundError("RESOURCE_NOT_FOUND", "resource", shortened(path), told)

    def _documents(self, scope: Scope) -> Documentation:
        below = scope["path"] == self._prefix or scope["path"].startswith(f"{self._prefix}/")
        return self._documentation[self._prefix if below else ""]


def _key(scope: Scope, headers: Headers) -> Key:
    raw = scope.get("raw_path") or scope["path"].encode()
    return headers.get(b"authorization", b""), headers.get(b"accept"), raw, scope["query_string"]


def _form_key(key: Key, parts: tuple[bytes, str, bytes]) -> FormKey:
    return key[0], key[1], parts[0], parts[2], key[3]


def _read_ids(call: Call) -> None:
    ids = call.database.ids
    own_ids(call.who, ids, call.params)
    for name, noun in NOUNS.items():
        if name in call.params:
            call.params[name] = ids.read(noun, call.params[name], name)


def encoded(answer: Answer) -> Answered:
    """Status, bytes and media type of what a handler answered."""
    if answer is None:
        return NOTHING
    return 200, answer if isinstance(answer, bytes) else orjson.dumps(answer), JSON


async def _send(send: Send, status: int, body: bytes, kind: bytes, more: list[tuple[bytes, bytes]]) -> None:
    headers = more
    if status != 204:
        headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body)), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
