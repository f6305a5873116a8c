"""Requests of the retention dialect that mean something, mostly: made up from the words of its contract, with ids,
names and types that refer to each other, and some of each that are wrong.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from serving.octy.router import Route
from serving.octy.shapes import SHAPES

CUSTOMERS = ["c-1", "c-3", "c-39", "new-1", "new-2", "stranger", "ü", "7", "a,b", "", " "]
ITEMS = ["i-0000001", "i-0000003", "i-0000029", "new", "7", "sku-1", "ü", "", "a.b"]
TYPES = ["login", "cart", "view", "charged", "churned", "complaint", "nothing", "a b", ""]
NAMES = ["home", "loyal", "first", "second", "ü", "a,b", "", "x" * 61]
KEYS = ["age", "plan", "os", "Age", "shop_id", "device", "", "ü"]
KNOWN = "KNOWN"  # stands for an id that an answer told of

texts = st.text(st.characters(codec="utf-8"), max_size=8)
scalars = (
    st.booleans() | st.integers(-2, 300) | st.floats(allow_nan=False, allow_infinity=False) | texts
    | st.sampled_from(["ios", "gold", "null", "1", 2.0, 1e300, 1 << 62, "2024-05-01 10:00:00"])
)
odd = st.none() | scalars | st.lists(scalars, max_size=2) | st.just({}) | st.just([{}])
fitting = st.fixed_dictionaries({}, optional={
    "age": st.integers(0, 99) | st.floats(0, 99), "plan": st.sampled_from(["gold", "free"]), "vip": st.booleans(),
    "shop_id": st.sampled_from([77, 78]),
})
maps = fitting | fitting | st.dictionaries(st.sampled_from(KEYS), scalars | odd, max_size=3)
platform = st.fixed_dictionaries({"os": st.sampled_from(["ios", "web"])}) | maps
customers = st.sampled_from(CUSTOMERS) | st.builds("c{}".format, st.integers(0, 10_000)) | st.just(KNOWN)
items = st.sampled_from(ITEMS) | st.builds("sku{}".format, st.integers(0, 10_000)) | st.integers(-1, 9)
names = st.sampled_from(NAMES) | st.builds("n{}".format, st.integers(0, 10_000))
types = st.sampled_from(TYPES)
moments = st.sampled_from([
    "2024-05-01 10:00:00", "2024-05-01T10:00", "2024-05-01 10:00:00+02:00", "soon", "", None, 5, "2999-01-01 00:00:00",
    "2026-01-01 00:00:00.123456789Z",
])
charged = st.fixed_dictionaries({"payment_method": st.just("visa"), "item_id": items}, optional={"x": scalars})
properties = charged | st.fixed_dictionaries({"device": st.sampled_from(["ios", "web"])}) | maps | st.none()
profile = st.fixed_dictionaries(
    {"customer_id": customers, "has_charged": st.booleans(), "profile_data": maps, "platform_info": platform},
    optional={"profile_id": customers, "status": st.sampled_from(["active", "inactive", "churned", "x"])},
)
item = st.fixed_dictionaries(
    {
        "item_id": items, "item_category": names, "item_name": names, "item_description": names,
        "item_price": st.integers(-1, 9999) | st.sampled_from([2.0, 1.5, "3", 1 << 60]),
    },
    optional={"status": st.sampled_from(["active", "inactive", "x", None])},
)
event = st.fixed_dictionaries(
    {"event_type": types, "profile_id": customers | st.integers(0, 9), "event_properties": properties},
    optional={"created_at": moments},
)
element = st.fixed_dictionaries({
    "event_type": types, "exp_timeframe": st.sampled_from([0, 0, 0, 2, 5, -1, 10**12, "1"]),
    "action_inaction": st.sampled_from(["action", "action", "inaction", "x"]), "event_properties": properties,
})
segment = st.fixed_dictionaries({
    "segment_name": names, "segment_type": st.sampled_from(["live", "past", "x"]),
    "segment_sub_type": st.integers(0, 5), "segment_timeframe": st.sampled_from([0, 2, 60, 365, 366]),
    "event_sequence": st.lists(element, max_size=3),
}, optional={"profile_property_name": st.sampled_from(KEYS), "profile_property_value": odd})
template = st.fixed_dictionaries(
    {"friendly_name": names, "template_type": names, "content": st.sampled_from(["{a} {{b}}", "{ITEM_REC}", "", "x"])},
    optional={
        "title": texts, "default_values": st.dictionaries(st.sampled_from("ab"), scalars | odd, max_size=2),
        "metadata": st.dictionaries(texts, odd, max_size=2), "required_data": odd,
        "template_id": st.just(KNOWN) | texts,
    },
)
message = st.fixed_dictionaries({"template_id": st.just(KNOWN) | texts, "data": st.lists(
    st.dictionaries(st.sampled_from(["a", "b", "profile_id"]), customers | scalars, max_size=3), max_size=3
)}, optional={"item_recommendation": st.booleans() | odd})
some_ids = st.lists(customers | items.map(str) | types | st.just(KNOWN), max_size=4)

MEMBERS: dict[str, st.SearchStrategy[Any]] = {
    "profiles": st.lists(profile, max_size=3), "items": st.lists(item, max_size=3),
    "events": st.lists(event, max_size=4),
    "event_types": st.lists(st.fixed_dictionaries(
        {"event_type": names | types, "event_properties": st.lists(st.sampled_from(KEYS), max_size=2)}
    ), max_size=3),
    "templates": st.lists(template, max_size=3), "messages": st.lists(message, max_size=3),
    "segments": some_ids, "profile_ids": some_ids, "event_type_ids": some_ids, "template_ids": some_ids,
    "algorithm_name": st.sampled_from(["rec", "churn", "rfm"]), "configurations": st.fixed_dictionaries({}, optional={
        "recommend_interacted_items": st.booleans() | odd, "item_id_stop_list": st.lists(items.map(str)) | odd,
        "profile_features": st.lists(st.sampled_from([*KEYS, "charged"])) | odd,
    }),
    "contact_name": names, "contact_surname": names, "authenticated_id_key": st.sampled_from(["", None, "shop_id", 3]),
    "contact_email_address": st.sampled_from(["a@b", "a", "a@b@c", "@"]) | odd,
    "webhook_url": st.sampled_from([
        "https://shop.example/", "http://127.0.0.1/", "ftp://x", "", "https://[::1]/", "https://u:p@shop.example/",
        "https://[", "http://x:99999/",
    ]) | odd,
}
QUERY: dict[str, st.SearchStrategy[str]] = {
    "ids": some_ids.map(lambda found: "," + ",".join(map(str, found))), "id": customers,
    "rfm": st.sampled_from(["300-400", "111-444", "400-300", "x", "1-", ""]),
    "churn_prob": st.sampled_from(["high", "low", "1", ""]), "segments": names,
    "type": st.sampled_from(["profiles", "items", "events", "x"]), "app": st.sampled_from(["cli", "x"]), "x": texts,
}
CURSORS = st.sampled_from([None, "0", "0", "0", "5", "99999", "-1", "x", "", "9" * 30])


def bodies(route: Route) -> st.SearchStrategy[Any]:
    """Bodies that a route may be sent."""
    if route.path.endswith("/segments/create"):
        return segment
    if route.path.endswith("/events/create"):
        return event
    told = SHAPES[route.verb, route.path].body or {}
    of = MEMBERS
    if route.path.endswith("/delete"):
        of = {**MEMBERS, "profiles": some_ids, "items": some_ids}
    known = set(told.get("properties", ())) or {"algorithm_name", "configurations"}
    return st.fixed_dictionaries(
        {name: of.get(name, odd) | of.get(name, odd) | odd for name in sorted(known)}
    ) | st.fixed_dictionaries({name: of.get(name, odd) for name in sorted(known)})


def requested(routes: tuple[Route, ...]) -> st.SearchStrategy[tuple[Route, list[tuple[str, str]], str | None, Any]]:
    """Route, query pairs, cursor, body."""
    def of(route: Route) -> st.SearchStrategy[Any]:
        known = sorted({*SHAPES[route.verb, route.path].query, "x"})
        pairs = st.sampled_from(known).flatmap(lambda name: st.tuples(st.just(name), QUERY[name]))
        return st.tuples(st.just(route), st.lists(pairs, max_size=2), CURSORS, bodies(route))

    return st.sampled_from(routes).flatmap(of)
