"""What each route takes and answers, as JSON Schemas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from serving.octy.errors import MESSAGES
from serving.octy.formats import MOST
from serving.octy.paging import MOST_IDS
from serving.octy.recommendations import LISTED, MOST_PROFILES
from serving.schema_words import Schema, anything, array, boolean, either, integer, nullable, number, obj, string, words

IDENTIFIER = string(pattern="^[^,\"'.\\x00-\\x1f\\x7f]{1,60}$")
TYPE_NAME = string(pattern="^[^,\"'. \\x00-\\x1f\\x7f]{1,60}$")
TEXT = string(minLength=1, pattern="\\S")
GMT = string(pattern=r"^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$")
SCALAR = either(TEXT, number(), boolean())
FLAT: Schema = {"type": "object", "additionalProperties": SCALAR}
FILLED: Schema = {**FLAT, "minProperties": 1}
OBJECT: Schema = {"type": "object"}
STATUS = words("active", "inactive", "churned")
ITEM_STATUS = words("active", "inactive")
FAILURE = {"error_message": string(minLength=1)}
META = obj(
    {
        "request_status": words("Success"), "message": string(), "count": integer(0), "total": integer(0),
    },
    optional=("count", "total"),
)
ERROR = obj({
    "request_meta": obj({"request_status": words("Failure"), "message": string(minLength=1)}),
    "error": obj({
        "code": {"type": "integer", "enum": sorted(MESSAGES)}, "reason": string(minLength=1),
        "errors": array(obj({**FAILURE, "extended_help": string()}), minItems=1),
    }),
})

PROFILE = {
    "customer_id": IDENTIFIER, "has_charged": boolean(), "profile_data": FILLED, "platform_info": FILLED,
}
CHANGED_PROFILE = {
    "profile_id": TEXT, "customer_id": TEXT, "has_charged": boolean(), "profile_data": FLAT, "platform_info": FLAT,
    "status": STATUS,
}
SHOWN_PROFILE = {
    "profile_id": string(), "customer_id": string(), "has_charged": boolean(), "profile_data": FLAT,
    "platform_info": FLAT, "status": STATUS, "created_at": GMT, "updated_at": GMT,
}
FOUND_PROFILE = {
    **SHOWN_PROFILE, "segment_tags": array(obj({"segment_tag": string(), "created_at": GMT})),
    "rfm_score": nullable(integer(111, 444)), "rfm_segment_desc": nullable(string()),
    "churn_probability": nullable(words("low", "mid", "high", "very-high")), "churn_score": nullable(number(0, 1)),
    "expected_days_to_churn": nullable(integer(0, 3650)), "churn_reasons": nullable(array(OBJECT)),
}
ITEM = {
    "item_id": either(IDENTIFIER, integer(0)), "item_category": TEXT, "item_name": TEXT,
    "item_description": string(minLength=1, maxLength=1000, pattern="\\S"), "item_price": integer(0, 2**53),
}
SHOWN_ITEM = {**ITEM, "item_id": string(), "item_description": string(), "item_price": nullable(integer(0))}
FOUND_ITEM = {**SHOWN_ITEM, "item_category": nullable(string()), "item_name": nullable(string()),
              "item_description": nullable(string()), "status": ITEM_STATUS, "created_at": GMT, "updated_at": GMT}
EVENT_TYPE = {"event_type_id": string(), "event_type": string(), "event_properties": array(string())}
EVENT = {"event_type": TEXT, "profile_id": either(TEXT, integer()), "event_properties": nullable(FLAT)}
CREATED_EVENT = {
    "event_id": string(), "event_type": string(), "event_properties": FLAT, "profile_id": string(), "created_at": GMT,
}
ELEMENT = obj({
    "event_type": TEXT, "exp_timeframe": integer(0, 10_000), "action_inaction": words("action", "inaction"),
    "event_properties": nullable(FLAT),
})
SEGMENT = {
    "segment_name": IDENTIFIER, "segment_type": words("live", "past"), "segment_sub_type": integer(1, 4),
    "segment_timeframe": integer(0, 365), "event_sequence": array(ELEMENT, minItems=1, maxItems=10),
    "profile_property_name": nullable(string()),
    "profile_property_value": nullable(either(string(), number(), boolean())),
}
TEMPLATE = {
    "friendly_name": TEXT, "template_type": TEXT, "title": string(), "content": TEXT,
    "default_values": {"type": "object", "additionalProperties": either(string(), number(), boolean())},
    "metadata": OBJECT, "required_data": nullable(array(string())),
}
FOUND_TEMPLATE = {
    **TEMPLATE, "template_id": string(), "required_data": array(string()), "status": words("active"),
    "created_at": GMT, "updated_at": GMT,
}
ACCOUNT = {
    "contact_name": TEXT, "contact_surname": TEXT, "contact_email_address": string(pattern="^[a-z]{1,9}@[a-z]{1,9}$"),
    "webhook_url": string(pattern=r"^https://[a-z]{1,9}\.example/$"), "authenticated_id_key": nullable(string()),
}
SHOWN_ACCOUNT = {name: string() for name in ACCOUNT} | {"authenticated_id_key": nullable(string())}
ALGORITHM = either(
    obj({"algorithm_name": words("rec"), "configurations": obj({
        "recommend_interacted_items": boolean(), "item_id_stop_list": array(TEXT), "profile_features": array(TEXT),
    })}),
    obj({"algorithm_name": words("churn"), "configurations": obj({"profile_features": array(TEXT)})}),
)
ALGORITHMS = {"configurations": array(obj({
    "algorithm_name": words("rec", "churn"),
    "configurations": obj(
        {
            "recommend_interacted_items": boolean(), "item_id_stop_list": array(obj({"item_id": string()})),
            "profile_features": array(string()),
        },
        optional=("recommend_interacted_items", "item_id_stop_list", "profile_features"),
    ),
}), minItems=2, maxItems=2)}
REPORT = {"churn_prediction_report": obj({
    "training_job_data": obj({
        "training_job_id": string(), "model_accuracy": number(), "training_job_date": GMT, "brier": number(),
        "calibration_error": number(),
    }),
    "churn_data": obj({
        "current_churn_percentage": number(0, 100), "churn_percentage_difference": number(-100, 100),
        "churn_direction_indication": words("positive", "negative", "stalled"),
        "features_of_importance": array(obj({"feature_name": string(), "feature_importance": number(0, 1)})),
        "churn_definition": words("explicit", "inactivity"), "horizon_days": integer(1), "profiles_scored": integer(0),
        "class_counts": OBJECT,
    }),
})}
LISTS = {
    "recommendations": array(obj({
        "profile_id": string(), "error": nullable(string()),
        "recommendations": array(obj({"item_id": string(), "score": number()}), maxItems=LISTED),
    })),
    "model_meta_data": obj({
        "training_job_id": string(), "model_accuracy_score": number(), "recommender_event_type": words("charged"),
        "model_created_at": GMT,
    }),
}
NO_ONE = nullable(string())
METADATA = {"profiles_meta": array(obj({
    "provided_identifier": string(),
    "profile": obj({
        "profile_exists": boolean(), "profile_id": NO_ONE, "customer_id": NO_ONE, "created_at": nullable(GMT),
        "updated_at": nullable(GMT),
    }),
    "merged_info": obj({
        "was_merged": boolean(), "merged_at": nullable(GMT), "authenticated_id_key": NO_ONE,
        "authenticated_id_value": NO_ONE, "parent_or_child": nullable(words("parent_profile", "child_profile")),
        "parent_profile": obj({"parent_profile_id": NO_ONE, "parent_customer_id": NO_ONE}),
        "merged_child_profiles": array(obj({"profile_id": string(), "customer_id": NO_ONE})),
    }),
}))}
MESSAGE = obj(
    {
        "template_id": TEXT, "item_recommendation": boolean(),
        "data": array(
            {"type": "object", "additionalProperties": either(string(), number(), boolean(), {"type": "null"})},
            minItems=1,
        ),
    },
    optional=("item_recommendation",),
)
GENERATED = {
    "generated_messages": array(obj({
        "template_id": string(), "friendly_name": string(), "title": string(), "content": string(),
    })),
    "failed_messages": array(obj({"template_id": string(), **FAILURE})),
    "failed templates": array(obj({"template_id": string(), **FAILURE})),
}
APPLICATION = {
    "application_type": words("cli"),
    "current_version": obj({
        "version_name": string(), "assets": array(obj({"name": string(), "browser_download_url": string()})),
    }),
}


@dataclass(frozen=True, slots=True)
class Shape:
    """What a route takes and answers. ``answer``: members beside ``request_meta``; ``bare``: without that. ``paged``:
    answers look-ups by ids and pages, whose total is told.
    """

    answer: Mapping[str, Schema]
    status: int = 200
    body: Schema | None = None
    query: Mapping[str, Schema] = field(default_factory=dict)
    paged: bool = False
    bare: bool = False


def many(name: str, row: Mapping[str, Schema], most: int = MOST, **more: Any) -> Schema:
    """A body of objects."""
    return obj({name: array(obj(row, **more), minItems=1, maxItems=most)})


def ids(name: str) -> Schema:
    """A body of ids."""
    return obj({name: array(TEXT, minItems=1, maxItems=MOST_IDS)})


def done(name: str, row: Mapping[str, Schema], verb: str, failed: Mapping[str, Schema]) -> dict[str, Schema]:
    """The answer of a write of which a part may fail."""
    return {name: array(obj(row)), f"failed_to_{verb}": array(obj({**failed, **FAILURE}))}


def gone(noun: str, key: str) -> dict[str, Schema]:
    """The answer of a deletion."""
    return done(f"deleted_{noun}", {key: string()}, "delete", {key: string()})


def page(name: str, row: Mapping[str, Schema], **filters: Schema) -> Shape:
    """A look-up by ids or a page."""
    return Shape({name: array(obj(row), minItems=1)}, query={"ids": string(), "id": string(), **filters}, paged=True)


R = "/v1/retention"
FAILED_EVENT = {"event_type": string(), "event_properties": anything(), "profile_id": string()}
SHAPES: dict[tuple[str, str], Shape] = {
    ("GET", "/v1/account/authenticate"): Shape({}),
    ("GET", "/v1/configurations/account"): Shape({"account_data": obj(SHOWN_ACCOUNT)}),
    ("POST", "/v1/configurations/account/set"): Shape(
        {"account_data": obj(SHOWN_ACCOUNT)}, 202, obj(ACCOUNT, optional=("authenticated_id_key",))
    ),
    ("GET", "/v1/configurations/retention/algorithms"): Shape(ALGORITHMS),
    ("POST", "/v1/configurations/retention/algorithms/set"): Shape(ALGORITHMS, 202, ALGORITHM),
    ("GET", "/v1/admin/application/resources/format"): Shape(
        {}, query={"type": words("profiles", "items", "events")}, bare=True
    ),
    ("GET", "/v1/admin/application/versioning"): Shape(APPLICATION, query={"app": words("cli")}),
    ("POST", f"{R}/profiles/create"): Shape(
        done("profiles", SHOWN_PROFILE, "create", {"customer_id": string()}), 201, many("profiles", PROFILE)
    ),
    ("GET", f"{R}/profiles"): page(
        "profiles", FOUND_PROFILE, rfm=string(pattern="^[1-4]{3}-[1-4]{3}$"),
        churn_prob=words("low", "mid", "high", "very-high"), segments=string(),
    ),
    ("POST", f"{R}/profiles/update"): Shape(
        done("profiles", {**SHOWN_PROFILE, "last_updated": GMT}, "update", {"profile_id": string()}), 201,
        many("profiles", CHANGED_PROFILE),
    ),
    ("POST", f"{R}/profiles/delete"): Shape(gone("profiles", "profile_id"), 201, ids("profiles")),
    ("GET", f"{R}/profiles/metadata"): Shape(METADATA, query={"ids": string()}, paged=True),
    ("POST", f"{R}/items/create"): Shape(
        done("items", SHOWN_ITEM, "create", {"item_id": string()}), 201, many("items", ITEM)
    ),
    ("GET", f"{R}/items"): page("items", FOUND_ITEM),
    ("POST", f"{R}/items/update"): Shape(
        done("items", SHOWN_ITEM, "update", {"item_id": string()}), 200, many("items", {**ITEM, "status": ITEM_STATUS})
    ),
    ("POST", f"{R}/items/delete"): Shape(gone("items", "item_id"), 200, ids("items")),
    ("GET", f"{R}/events/types"): page("event_types", {**EVENT_TYPE, "created_at": GMT}),
    ("POST", f"{R}/events/types/create"): Shape(
        done("event_types", EVENT_TYPE, "create", {"event_type": string()}), 201,
        many("event_types", {"event_type": TYPE_NAME, "event_properties": array(TEXT)}),
    ),
    ("POST", f"{R}/events/types/delete"): Shape(gone("event_types", "event_type_id"), 200, ids("event_type_ids")),
    ("POST", f"{R}/events/create"): Shape(CREATED_EVENT, 201, obj(EVENT, optional=("event_properties",))),
    ("POST", f"{R}/events/create/batch"): Shape(
        done("created_events", {**CREATED_EVENT, "event_type_id": string()}, "create", FAILED_EVENT), 201,
        many(
            "events", {**EVENT, "created_at": string(pattern=r"^20[12]\d-0[1-9]-[12]\d [01]\d:[0-5]\d(:[0-5]\d)?$")},
            optional=("event_properties", "created_at"),
        ),
    ),
    ("POST", f"{R}/segments/create"): Shape(
        {
            "segment_id": string(), "segment_name": string(), "segment_type": words("live", "past"),
            "segment_sub_type": integer(1, 4), "segment_status": words("processing", "created"),
        },
        201, obj(SEGMENT, optional=("profile_property_name", "profile_property_value")),
    ),
    ("GET", f"{R}/segments"): page("segments", {
        **SEGMENT, "segment_id": string(), "segment_status": words("processing", "created"),
        "profile_property_value": nullable(string()), "profile_count": integer(0), "created_at": GMT,
    }),
    ("POST", f"{R}/segments/delete"): Shape(gone("segments", "segment_id"), 200, ids("segments")),
    ("POST", f"{R}/recommendations"): Shape(
        LISTS, 200, obj({"profile_ids": array(string(), minItems=1, maxItems=MOST_PROFILES)})
    ),
    ("GET", f"{R}/churn_prediction/report"): Shape(REPORT),
    ("GET", f"{R}/messaging/templates"): page("templates", FOUND_TEMPLATE),
    ("POST", f"{R}/messaging/templates/create"): Shape(
        done("templates", FOUND_TEMPLATE, "create", {"friendly_name": string()}), 201,
        many("templates", TEMPLATE, optional=("title", "default_values", "metadata", "required_data")),
    ),
    ("POST", f"{R}/messaging/templates/update"): Shape(
        done("templates", FOUND_TEMPLATE, "update", {"template_id": string()}), 201,
        many(
            "templates", {**TEMPLATE, "template_id": TEXT},
            optional=("title", "default_values", "metadata", "required_data"),
        ),
    ),
    ("POST", f"{R}/messaging/templates/delete"): Shape(gone("templates", "template_id"), 200, ids("template_ids")),
    ("POST", f"{R}/messaging/content/generate"): Shape(
        GENERATED, 201, obj({"messages": array(MESSAGE, minItems=1, maxItems=MOST)})
    ),
}
