"""Databases (§7)."""

from __future__ import annotations

from serving.crossing_minds import schemas as s
from serving.crossing_minds.call import Answer, Call
from serving.crossing_minds.login import status
from serving.crossing_minds.router import Route


async def current_status(call: Call) -> Answer:
    """Whether a run is published."""
    return {"status": status(call.database)}


ROUTES: tuple[Route, ...] = (
    Route(
        "GET", "databases/current/status/", "RMBV", current_status, "Whether the database answers recommendations",
        answer=s.obj({"status": s.words("pending", "ready")}),
    ),
)
