"""The dialect as OpenAPI, made from the route table, and pages to read it on; nothing needs a network."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import orjson

from serving.conductrics import schemas as s
from serving.conductrics.router import Route, Schema
from serving.docs import FILES, installed_file, page, without_null

VERSION = "3.1.0"
OLDER = "3.0.3"  # what the installed Swagger UI shows
DESCRIPTION = "Programs written for the Conductrics Learning API keep working unchanged."
STATUSES = (400, 401, 403, 404, 405, 413, 500, 503)

# What the names in paths stand for; the others are codes.
PATHS: dict[str, Schema] = {
    "choices": s.string(pattern="^([0-9A-Za-z_-]{1,20},){0,3}[0-9A-Za-z_-]{1,20}$"),
    "lists": s.string(pattern="^([0-9A-Za-z_-]{1,20}:)?([0-9A-Za-z_-]{1,20},){0,3}[0-9A-Za-z_-]{1,20}$"),
    "from": s.string(pattern="^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])$"),
    "to": s.string(pattern="^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])$"),
    "run_id": s.string(minLength=1),
}

Found = tuple[bytes, bytes]


def description(routes: Sequence[Route], server: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document; ``server`` is the path that it is served below."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        place = paths.setdefault(route.path.replace("*}", "}"), {})
        for verb in route.verbs:
            place[verb.lower()] = operation(route, verb)
    return {
        "openapi": VERSION,
        "info": {"title": "nightloom: the decision dialect", "version": "1", "description": DESCRIPTION},
        "servers": [{"url": server or "/"}],
        "paths": paths,
        "components": {
            "schemas": {"Error": s.ERROR},
            "securitySchemes": {
                "query": {"type": "apiKey", "in": "query", "name": "apikey"},
                "header": {"type": "apiKey", "in": "header", "name": "x-mpath-apikey"},
            },
        },
        "security": [{"query": []}, {"header": []}],
    }


def operation(route: Route, verb: str) -> dict[str, Any]:
    """One route under one of its verbs."""
    told: dict[str, Any] = {
        "operationId": re.sub(r"[^0-9a-z]+", "_", f"{verb} {route.path}".lower()).strip("_"),
        "summary": route.summary, "tags": [route.key], "description": f"Needs a key: {route.key}.",
        "parameters": [
            *(_parameter(name, "path", PATHS.get(name, s.CODE)) for name in route.names),
            *(_parameter(name, "query", schema) for name, schema in route.query.items()),
        ],
        "responses": {
            "200": {"description": "The reply", "content": _json(route.answer or s.OBJECT)},
            **{str(status): _FAILURE for status in STATUSES},
        },
    }
    if route.body is not None and verb != "GET":
        told["requestBody"] = {"required": True, "content": _json(route.body)}
    return told


def _parameter(name: str, place: str, schema: Schema) -> dict[str, Any]:
    return {"name": name, "in": place, "required": place == "path", "schema": schema}


def _json(schema: Schema) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


_FAILURE = {"description": "A failure", "content": _json({"$ref": "#/components/schemas/Error"})}


class Documentation:
    """Answers for ``/openapi.json`` and ``/docs`` below one prefix."""

    def __init__(self, routes: Sequence[Route], prefix: str) -> None:
        self._routes = routes
        self._prefix = prefix.rstrip("/")

    def find(self, path: str) -> Found | None:
        """Media type and content of a path without the prefix; None when it is none of these."""
        if path == "/openapi.json":
            return b"application/json", self._newer
        if path == "/openapi-3.0.json":
            return b"application/json", self._older
        if path == "/docs":
            there = page(f"{self._prefix}/openapi-3.0.json", f"{self._prefix}/docs")
            return b"text/html; charset=utf-8", there
        name = path.removeprefix("/docs/")
        return (FILES[name].encode(), installed_file(name)) if name != path and name in FILES else None

    @cached_property
    def _newer(self) -> bytes:
        return orjson.dumps(description(self._routes, self._prefix))

    @cached_property
    def _older(self) -> bytes:
        return orjson.dumps({**without_null(description(self._routes, self._prefix)), "openapi": OLDER})
