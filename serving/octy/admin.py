"""What clients ask before they have keys: the version, and the columns of files (2.1, 10.11)."""

from __future__ import annotations

import orjson

from serving.octy.call import Call
from serving.octy.envelope import Answer, success
from serving.octy.errors import bad_request
from serving.octy.router import Route

FORMATS: dict[str, dict[str, object]] = {
    "profiles": {
        "customer_id**0": "string", "has_charged**1": True, "profile_data**2": "nested", "platform_info**3": "nested",
    },
    "items": {
        "item_id**0": "string", "item_category**1": "string", "item_name**2": "string", "item_description**3": "string",
        "item_price**4": 1,
    },
    "events": {
        "event_type**0": "string", "profile_id**1": "string", "created_at**2": "string",
        "event_properties**3": "nested",
    },
}
APPLICATIONS = ("cli",)


async def resources_format(call: Call) -> Answer:
    """The columns of a kind of file, as one bare object."""
    found = FORMATS.get(call.query.get("type", ""))
    if found is None:
        raise bad_request(f"type must be one of {', '.join(FORMATS)}", field="type")
    return Answer(200, orjson.dumps(found))


async def versioning(call: Call) -> Answer:
    """The current version of an application."""
    asked = call.query.get("app", "")
    if asked not in APPLICATIONS:
        raise bad_request("app must be cli", field="app")
    version = call.account.settings.serving.octy_version
    return success({
        "application_type": asked,
        "current_version": {"version_name": version, "assets": [{"name": "none", "browser_download_url": ""}]},
    })


ROUTES = (
    Route("GET", "/v1/admin/application/resources/format", resources_format, "Columns of a kind of file", open=True),
    Route("GET", "/v1/admin/application/versioning", versioning, "The current version of an application", open=True),
)
