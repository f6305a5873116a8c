"""The documented routes: FastAPI checks bodies and describes them; ``Service`` answers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Annotated, Any

import orjson
from fastapi import Body, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from serving.bodies import EventBody, ItemBatch, ListBatch, ProfileBatch, Session
from serving.intake import Intake
from serving.metrics import Metrics
from serving.queries import MAX_AMOUNT
from serving.refusals import Refusal
from serving.service import Service

log = logging.getLogger("nightloom.serving")

LIST_PARAMETERS = {
    "parameters": [
        {
            "name": "amt", "in": "query", "schema": {"type": "integer", "minimum": 0, "maximum": MAX_AMOUNT},
            "description": "items wanted",
        },
        {
            "name": "exclude", "in": "query", "schema": {"type": "array", "items": {"type": "string"}},
            "description": "item ids to leave out; repeated, or separated by commas",
        },
    ]
}
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class StrictRequest(Request):
    """Reads JSON strictly: UTF-8, no NaN, no lone surrogates."""

    async def json(self) -> Any:
        return orjson.loads(await self.body())


class StrictRoute(APIRoute):
    """A route whose body is read strictly."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handle(StrictRequest(request.scope, request.receive))

        return strict


class Json(Response):
    """Bytes that are JSON already."""

    media_type = "application/json"


def documented(service: Service, intake: Intake, metrics: Metrics) -> FastAPI:
    """The application of all plain routes."""
    app = FastAPI(
        title="nightloom", version="1", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False,
        description="Lookups from the published run. Every answer names its run: run_id, as_of, age_seconds.",
    )
    app.router.route_class = StrictRoute
    _lookups(app, service)
    _batches(app, service)
    _writes(app, intake)
    _operations(app, service, metrics)
    _errors(app, service)
    return app


def _lookups(app: FastAPI, service: Service) -> None:
    @app.get("/v1/recommendations/profiles/{profile_id:path}", tags=["recommendations"], openapi_extra=LIST_PARAMETERS)
    async def recommend_profile(request: Request, profile_id: str) -> Response:
        """Items for a profile, best first. An unknown profile gets the popular items and `cold: true`."""
        return Json(service.recommend_profile(profile_id, request.scope["query_string"]))

    @app.get("/v1/recommendations/items/{item_id:path}", tags=["recommendations"], openapi_extra=LIST_PARAMETERS)
    async def recommend_item(request: Request, item_id: str) -> Response:
        """Items most like an item, best first."""
        return Json(service.recommend_item(item_id, request.scope["query_string"]))

    @app.post("/v1/recommendations/sessions", tags=["recommendations"])
    async def recommend_session(session: Session) -> Response:
        """Items that go with those of a session."""
        return Json(service.recommend_session(session))

    @app.get("/v1/churn/profiles/{profile_id:path}", tags=["churn"])
    async def churn(profile_id: str) -> Response:
        """Churn score, label, expected days, reasons and survival curve; `churn: null` without a score."""
        return Json(service.churn(profile_id))

    @app.get("/v1/profiles/{profile_id:path}", tags=["profiles and items"])
    async def profile(profile_id: str) -> Response:
        """Properties of a profile, by profile_id or customer_id."""
        return Json(service.profile(profile_id))

    @app.get("/v1/items/{item_id:path}", tags=["profiles and items"])
    async def item(item_id: str) -> Response:
        """Properties of an item."""
        return Json(service.item(item_id))


def _batches(app: FastAPI, service: Service) -> None:
    @app.post("/v1/recommendations/batch", tags=["recommendations"])
    async def recommend_batch(batch: ListBatch) -> Response:
        """Lists for several profiles, in the order asked."""
        return Json(service.recommend_batch(batch))

    @app.post("/v1/churn/batch", tags=["churn"])
    async def churn_batch(batch: ProfileBatch) -> Response:
        """Churn of several profiles, in the order asked."""
        return Json(service.churn_batch(batch))

    @app.post("/v1/profiles/batch", tags=["profiles and items"])
    async def profile_batch(batch: ProfileBatch) -> Response:
        """Properties of several profiles; ids that are unknown are listed under `unknown`."""
        return Json(service.profile_batch(batch))

    @app.post("/v1/items/batch", tags=["profiles and items"])
    async def item_batch(batch: ItemBatch) -> Response:
        """Properties of several items; ids that are unknown are listed under `unknown`."""
        return Json(service.item_batch(batch))


def _writes(app: FastAPI, intake: Intake) -> None:
    @app.post("/v1/events", status_code=201, tags=["events"])
    async def events(body: Annotated[EventBody, Body()]) -> Response:
        """Store one event, or up to 500 together or not at all. On 201 they are on disk, and they count at once."""
        return Json(await intake.store(body), status_code=201)


def _operations(app: FastAPI, service: Service, metrics: Metrics) -> None:
    @app.get("/health", tags=["operations"])
    async def health() -> Response:
        """The process is alive."""
        return Json(service.health())

    @app.get("/ready", tags=["operations"])
    async def ready() -> Response:
        """200 while a run is served, else 503."""
        status, body = service.ready()
        return Json(body, status_code=status)

    @app.get("/metrics", tags=["operations"])
    async def exposition() -> Response:
        """Prometheus metrics: counters summed over all worker processes, gauges of the process that answers."""
        text = metrics.text(service.live, service.clock())
        return Response(text, media_type="text/plain; version=1.0.0; charset=utf-8")


def _errors(app: FastAPI, service: Service) -> None:
    def answer(refusal: Refusal, more: Mapping[str, str] | None = None) -> Response:
        headers = {name.decode(): value.decode() for name, value in refusal.headers} | dict(more or {})
        return Json(refusal.body(service.stamp()), status_code=refusal.status, headers=headers)

    @app.exception_handler(Refusal)
    async def refused(_request: Request, refusal: Refusal) -> Response:
        return answer(refusal)

    @app.exception_handler(RequestValidationError)
    async def misshapen(_request: Request, error: RequestValidationError) -> Response:
        return answer(explain(error))

    @app.exception_handler(HTTPException)
    async def unroutable(request: Request, error: HTTPException) -> Response:
        return answer(_http_refusal(request, error), error.headers)

    @app.exception_handler(Exception)
    async def failed(_request: Request, _error: Exception) -> Response:
        return answer(Refusal(500, "internal", "the endpoint failed to answer", "its log says why"))


def _http_refusal(request: Request, error: HTTPException) -> Refusal:
    path = request.scope["path"][:200]
    if error.status_code == 404:
        return Refusal(404, "not_found", f"there is no {path!r} here", "/docs lists the routes")
    if error.status_code == 405:
        return Refusal(405, "method_not_allowed", f"{path!r} does not take {request.method}", "/docs lists the routes")
    return Refusal(error.status_code, "bad_request", str(error.detail))


def explain(error: RequestValidationError) -> Refusal:
    """What is wrong with a body, by the path of each fault."""
    faults = error.errors()
    if faults[0]["type"] == "json_invalid":
        reason = str(faults[0].get("ctx", {}).get("error", ""))
        return Refusal(400, "bad_json", f"the body is not JSON: {reason[:200]}", "send UTF-8 JSON", "body")
    details = [{"field": _path(fault["loc"]), "message": str(fault["msg"])[:300]} for fault in faults[:20]]
    first = details[0]
    message = f"{first['field']}: {first['message']}"
    return Refusal(422, "invalid", message, "/docs shows what is accepted", first["field"], details)


def _path(location: tuple[int | str, ...]) -> str:
    """``events[3].created_at`` from pydantic's location."""
    path = ""
    for part in location[1:]:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part not in ("one", "many"):
            path += f".{part}" if path else str(part)
    return path or "body"
