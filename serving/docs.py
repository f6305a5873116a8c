"""``/docs``: the OpenAPI description and Swagger UI, all of it from files that are installed; no network."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import FastAPI, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.openapi.utils import get_openapi

OPENAPI = "3.0.3"  # the newest that the installed Swagger UI shows
FILES = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css", "favicon-32x32.png": "image/png"}


def add_docs(app: FastAPI) -> None:
    """Serve the description of an application's routes."""
    described: list[bytes] = []

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi() -> Response:
        if not described:
            described.append(orjson.dumps(description(app)))
        return Response(described[0], media_type="application/json")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return Response(page("openapi.json", "docs"), media_type="text/html")

    @app.get("/docs/{name}", include_in_schema=False)
    async def file(name: str) -> Response:
        if name not in FILES:
            return Response(status_code=404)
        return Response(installed_file(name), media_type=FILES[name])


def page(description_url: str, files_url: str) -> bytes:
    """Swagger UI for the description at one address, with its files below another."""
    return bytes(get_swagger_ui_html(
        openapi_url=description_url, title="nightloom", swagger_js_url=f"{files_url}/swagger-ui-bundle.js",
        swagger_css_url=f"{files_url}/swagger-ui.css", swagger_favicon_url=f"{files_url}/favicon-32x32.png",
    ).body)


def installed_file(name: str) -> bytes:
    """One of ``FILES``, as it is installed."""
    from swagger_ui_bundle import swagger_ui_path

    content: bytes = (swagger_ui_path / name).read_bytes()
    return content


def description(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, in the dialect of 3.0."""
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes, openapi_version=OPENAPI
    )
    bearer = {"type": "http", "scheme": "bearer", "description": "nl_<id>_<secret>"}
    document.setdefault("components", {})["securitySchemes"] = {"key": bearer}
    document["security"] = [{"key": []}]
    plain: dict[str, Any] = without_null(document)
    return plain


def without_null(node: Any) -> Any:
    """A description without the type null. 3.0 has no type null: what may be null is said by ``nullable``."""
    if isinstance(node, list):
        return [without_null(part) for part in node]
    if not isinstance(node, dict):
        return node
    changed = {name: without_null(value) for name, value in node.items()}
    choices = changed.get("anyOf")
    if isinstance(choices, list) and {"type": "null"} in choices:
        rest = [choice for choice in choices if choice != {"type": "null"}]
        del changed["anyOf"]
        changed |= {"nullable": True, **(rest[0] if len(rest) == 1 else {"anyOf": rest})}
    return changed
