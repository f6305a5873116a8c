"""The dialect as OpenAPI, made from the route table and the shapes of its routes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from serving.octy.errors import MESSAGES
from serving.octy.router import Route
from serving.octy.shapes import ERROR, META, OBJECT, SHAPES, Shape
from serving.schema_words import Schema, obj, string

VERSION = "3.1.0"
DESCRIPTION = "Programs written for the Octy retention API keep working unchanged."
CURSOR = {"name": "cursor", "in": "header", "required": False, "schema": string(pattern="^[0-9]{1,2}$")}


def answer_schema(shape: Shape) -> Schema:
    """The whole body of a good answer."""
    if shape.bare:
        return OBJECT
    required = ("count", "total") if shape.paged else ()
    meta = {**META, "required": [*META["required"], *required]}
    return obj({"request_meta": meta, **shape.answer})


def description(routes: Sequence[Route], server: str) -> dict[str, Any]:
    """The OpenAPI document; ``server`` is the path that it is served below. Raises KeyError for a route without a
    shape.
    """
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.verb.lower()] = _operation(route, SHAPES[route.verb, route.path])
    return {
        "openapi": VERSION, "info": {"title": "nightloom: the retention dialect", "version": "1",
                                     "description": DESCRIPTION},
        "servers": [{"url": server or "/"}], "paths": paths,
        "components": {
            "schemas": {"Error": ERROR},
            "securitySchemes": {"pair": {
                "type": "http", "scheme": "basic", "description": "public key as user, secret key as password",
            }},
        },
        "security": [{"pair": []}],
    }


def _operation(route: Route, shape: Shape) -> dict[str, Any]:
    failure = {"content": _json({"$ref": "#/components/schemas/Error"})}
    told: dict[str, Any] = {
        "summary": route.summary, "tags": [route.path.split("/")[3]],
        "operationId": f"{route.verb} {route.path}".lower().replace("/", "_").replace(" ", ""),
        "parameters": [
            {"name": name, "in": "query", "required": False, "schema": schema} for name, schema in shape.query.items()
        ] + ([CURSOR] if shape.paged else []),
        "responses": {
            str(shape.status): {"description": "Done", "content": _json(answer_schema(shape))},
            **{str(status): {"description": text, **failure} for status, text in sorted(MESSAGES.items())},
        },
    }
    if shape.body is not None:
        told["requestBody"] = {"required": True, "content": _json(shape.body)}
    if route.open:
        told["security"] = []
    return told


def _json(schema: Schema) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
