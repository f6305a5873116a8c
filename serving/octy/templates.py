"""Messaging templates (16): not in this version; clients are told so in their own terms."""

from __future__ import annotations

from serving.octy.call import Call
from serving.octy.envelope import Answer
from serving.octy.errors import bad_request
from serving.octy.paging import NOTHING
from serving.octy.router import Route, not_yet

BELOW = "/v1/retention/messaging"


async def get(_call: Call) -> Answer:
    """There are none."""
    raise bad_request(NOTHING)


ROUTES = (
    Route("GET", f"{BELOW}/templates", get, "Templates"),
    Route("POST", f"{BELOW}/templates/create", not_yet, "Create templates"),
    Route("POST", f"{BELOW}/templates/update", not_yet, "Update templates"),
    Route("POST", f"{BELOW}/templates/delete", not_yet, "Delete templates"),
    Route("POST", f"{BELOW}/content/generate", not_yet, "Fill templates"),
)
