"""The whole dialect as OpenAPI, made from the route table, and pages to read it on; nothing needs a network."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import orjson

from scenarios.spec import RECO_TYPES
from serving.crossing_minds import schemas as s
from serving.crossing_minds.router import Route, Schema, segments
from serving.crossing_minds.tasks import NAMES as NAMES_OF_TASKS
from serving.docs import FILES, installed_file, page, without_null

VERSION = "3.1.0"
OLDER = "3.0.3"  # what the installed Swagger UI shows
CODES = [0, 1, 2, 21, 22, 28, 40, 42, 50, 60, 70]
NAMES = (
    "ServerError", "ServerUnavailable", "TooManyRequests", "AuthError", "JwtTokenExpired", "RefreshTokenExpired",
    "WrongData", "DuplicatedError", "ForbiddenError", "NotFoundError", "MethodNotAllowed",
)
ERROR = s.obj({
    "error_code": {"type": "integer", "enum": CODES}, "error_name": s.words(*NAMES), "message": s.string(minLength=1),
    "error_data": s.obj(
        {
            "name": s.string(), "error": s.string(), "query": s.OBJECT, "type": s.string(), "key": s.anything(),
            "method": s.string(), "retry_after": s.integer(0),
        },
        optional=("name", "error", "query", "type", "key", "method", "retry_after"),
    ),
})
DESCRIPTION = "Programs written for the Crossing Minds API keep working unchanged. Also below /v1/."

# What the names in paths stand for; the others are any text.
PATHS: dict[str, Schema] = {
    "user_id": s.ID_TEXT, "item_id": s.ID_TEXT, "session_id": s.ID_TEXT, "task_name": s.words(*NAMES_OF_TASKS),
    "reco_type": s.words(*RECO_TYPES), "name": s.string(pattern=s.NAME), "property": s.string(pattern=s.NAME),
}

Found = tuple[str, bytes]


def description(routes: Sequence[Route], server: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document; ``server`` is the path that it is served below."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(f"/{route.path}", {})[route.verb.lower()] = operation(route)
    return {
        "openapi": VERSION,
        "info": {"title": "nightloom: the Crossing Minds dialect", "version": "1", "description": DESCRIPTION},
        "servers": [{"url": server or "/"}],
        "paths": paths,
        "components": {
            "schemas": {"Error": ERROR},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "token of a login"}},
        },
        "security": [{"token": []}],
    }


def operation(route: Route) -> dict[str, Any]:
    """One route."""
    told: dict[str, Any] = {
        "operationId": _slug(f"{route.verb} {route.path}"), "summary": route.summary, "tags": [segments(route.path)[0]],
        "description": f"Roles: {', '.join(route.roles) or 'all'}. {route.mark}.",
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": PATHS.get(name) or s.string(minLength=1)}
            for name in route.names
        ] + [_query(name, dict(schema)) for name, schema in route.query.items()],
        "responses": _responses(route),
    }
    if route.body is not None:
        told["requestBody"] = {"required": bool(route.body.get("required")), "content": _json(route.body)}
    if not route.roles or route.beacon:
        told["security"] = []
    return told


def _query(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    repeated = {"style": "form", "explode": True} if schema.get("type") == "array" else {}
    return {"name": name, "in": "query", "required": False, "schema": schema, **repeated}


def _responses(route: Route) -> dict[str, Any]:
    error = {"description": "An error", "content": _json({"$ref": "#/components/schemas/Error"})}
    good: dict[str, Any] = {"204": {"description": "Done"}}
    if route.answer is not None:
        good = {"200": {"description": "The answer", "content": _json(route.answer)}}
    statuses = {400, 401, 403, 404, 405, 413, 415, 429, 500, 503, *route.errors}
    return good | {str(status): error for status in sorted(statuses)}


def _json(schema: Schema) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _slug(text: str) -> str:
    return re.sub(r"[^0-9a-z]+", "_", text.lower().replace("*", "all")).strip("_")


class Documentation:
    """Answers for ``openapi.json`` and ``docs`` below one prefix."""

    def __init__(self, routes: Sequence[Route], prefix: str) -> None:
        self._routes = routes
        self._prefix = prefix

    def find(self, path: str) -> Found | None:
        """Media type and content of a path without its prefix; None when it is none of these."""
        if path == "openapi.json":
            return "application/json", self._newer
        if path == "openapi-3.0.json":
            return "application/json", self._older
        if path == "docs":
            return "text/html; charset=utf-8", page(f"{self._prefix}/openapi-3.0.json", f"{self._prefix}/docs")
        name = path.removeprefix("docs/")
        return (FILES[name], installed_file(name)) if name != path and name in FILES else None

    @cached_property
    def _newer(self) -> bytes:
        return orjson.dumps(description(self._routes, self._prefix))

    @cached_property
    def _older(self) -> bytes:
        return orjson.dumps({**without_null(description(self._routes, self._prefix)), "openapi": OLDER})
