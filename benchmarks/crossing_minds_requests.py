"""Requests of the Crossing Minds dialect that mean something, mostly: made up from the words of its contract, with ids,
names, properties and scenarios that refer to each other, and some of each that are wrong.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from scenarios.spec import RECO_TYPES
from serving.crossing_minds.router import Route
from serving.crossing_minds.routes import ROUTES

USERS = ["c-1", "c-3", "c-39", "stranger", "0b7d2a4e-0000-4000-8000-000000000001", "7", "ü", ""]
ITEMS = ["i-0000001", "i-0000003", "i-0000029", "new", "7", "12", "ü", ""]
SESSIONS = ["s-1", "s-2", "no session", "ü"]
NAMES = ["home", "home", "home", "home", "a", "b", "c", "d", "missing", "not a name", ""]
PROPERTIES = ["brand", "price", "tags", "sold", "title", "item_id", "item_category", "item_price", "nothing", "", "ü"]
VALUE_TYPES = ["unicode", "unicode32", "float", "int16", "uint8", "bool", "text", "bytes8", "image_url", "int7", "x"]
OPS = ["eq", "neq", "lt", "lte", "gt", "gte", "in", "notin", "empty", "notempty", "ftsearch", "EQ", "like", ""]

known = [reco for reco in RECO_TYPES if not reco.startswith(("chat", "llm"))]
reco_types = st.sampled_from([*RECO_TYPES, "profile_to_items", "item_to_items", "profile_to_items", "nonsense"])
texts = st.text(st.characters(codec="utf-8"), max_size=8)
scalars = (
    st.none() | st.booleans() | st.integers(-2, 300) | st.floats(allow_nan=False, allow_infinity=False) | texts
    | st.sampled_from(["acme", "a", "Item number 7", "category 3", "i-0000003", 1e300, 1 << 62])
)
nested = st.fixed_dictionaries(
    {"type": st.sampled_from(["user_property", "item_property", "item_id", "timestamp_now", "x"])},
    optional={"value": st.sampled_from(PROPERTIES) | scalars, "options": st.fixed_dictionaries(
        {},
        optional={"rounding_amount": st.integers(-1, 90), "rounding_method": st.sampled_from(["floor", "ceil", "x"])},
    )},
)
values = scalars | st.lists(scalars, max_size=3) | nested
properties = st.sampled_from(PROPERTIES)
amounts = st.integers(-1, 70) | st.sampled_from(["3", "x", None, 1.5])
filters = st.fixed_dictionaries(
    {"property_name": properties, "op": st.sampled_from(OPS)}, optional={"value": values, "disable_preload": scalars}
)
options = st.fixed_dictionaries({}, optional={
    "activation_period": st.integers(0, 5), "max_activation_count": st.integers(0, 5),
    "default_malus": st.floats(-1, 2), "randomness": scalars, "unknown": scalars,
})
rerankings = st.fixed_dictionaries(
    {"property_name": properties, "op": st.sampled_from(["diversity", "Diversity", "model_diversity", "x"])},
    optional={"weight": st.floats(-1, 2) | scalars, "options": options},
)
kinds = st.lists(st.sampled_from(["view", "charged", "click", ""]), max_size=3)
cases = st.fixed_dictionaries({}, optional={
    "amt": amounts, "filters": st.lists(filters, max_size=3), "reranking": st.lists(rerankings, max_size=2),
    "exclude_rated_items": scalars, "exclude_items_with_interaction_types": kinds,
    "exclude_props_of_items_with_interaction_types": st.lists(
        st.fixed_dictionaries({"property_name": properties, "interaction_types": kinds}), max_size=2
    ),
    "case_sequence": st.fixed_dictionaries({"sequence": st.lists(st.fixed_dictionaries({}, optional={
        "amt": amounts, "filters": st.lists(filters, max_size=2), "reranking": st.lists(rerankings, max_size=1),
    }), max_size=3)}),
    "algorithms": st.sampled_from(["ease", "ease | popular", "nothing", ""]),
    "candidates_preselection": st.fixed_dictionaries({"method": st.sampled_from(["knn", "x"])}),
    "table": st.sampled_from(["profile_to_items", "item_to_items", "profile_to_items.home", "x"]),
    "cache_control": st.fixed_dictionaries({"max_age": st.integers(-1, 100)}),
    "reco_type": reco_types, "scenario": st.sampled_from(NAMES),
})
names = st.sampled_from(NAMES)
conditions = st.fixed_dictionaries({
    "condition_type": st.sampled_from(["user_function", "item_property", "runtime_param", "x"]),
    "if": st.fixed_dictionaries({"op": st.sampled_from(OPS)}, optional={
        "function_name": st.sampled_from(["n_ratings", "n_interactions", "x"]), "property_name": properties,
        "param_name": st.sampled_from(["amt", "user_id", "interactions", "x"]), "value": values,
    }),
    "then": names, "else": names,
})
scenarios = st.one_of(
    cases.map(lambda case: {"scenario_type": "case", "case": case}),
    cases.map(lambda case: {"scenario_type": "case", "case": case, "metadata": {"ui": {"slots": 3}}}),
    st.tuples(texts, names, names).map(lambda three: {
        "scenario_type": "ab_test", "ab_test": dict(zip(("id", "scenario_a", "scenario_b"), three, strict=True))
    }),
    conditions.map(lambda condition: {"scenario_type": "condition", "condition": condition}),
    names.map(lambda name: {"scenario_type": "alias", "alias": {"scenario_name": name}}),
    st.dictionaries(st.sampled_from(["scenario_type", "case", "alias"]), values, max_size=2),
)
user_ids, session_ids = st.sampled_from(USERS), st.sampled_from(SESSIONS)
item_ids = st.sampled_from(ITEMS) | st.integers(-1, 40)
times = st.sampled_from([0, 1.5, "12", "2026-01-01", "2026-01-01T00:00:00Z", -2e11, 4e9, "soon", None, True])
data = st.fixed_dictionaries({}, optional={
    "brand": st.sampled_from(["acme", "zenith", ""]) | scalars, "price": st.floats(0, 99) | scalars,
    "tags": st.lists(st.sampled_from(["a", "b"]), max_size=3) | scalars, "sold": st.booleans() | scalars,
    "Brand": texts, "nothing": scalars,
})
given_ids = {"user_id": user_ids, "item_id": item_ids, "session_id": session_ids}
interactions = st.fixed_dictionaries(
    {**given_ids, "interaction_type": st.sampled_from(["view", "charged", "", "x" * 65])},
    optional={"timestamp": times, "properties": data},
)
ratings = st.fixed_dictionaries(
    {"user_id": user_ids, "item_id": item_ids, "rating": st.floats(0, 11) | scalars}, optional={"timestamp": times}
)
rows = st.builds(lambda ids, some: {**ids, **some}, st.fixed_dictionaries(given_ids), data)
url_values = st.just("") | texts.map(lambda text: f":{text}")
url_filters = st.builds("{}:{}{}".format, properties, st.sampled_from(OPS), url_values)
url_rerankings = st.builds(
    "{}:diversity{}".format, properties,
    st.sampled_from(["", ":", ":0.5", ":x", "::activation_period:3", ":0.8:max_activation_count:2:default_malus:0.1"]),
)
id_types = st.sampled_from(["uint8", "int64", "uuid", "hex8", "urlsafe32", "bytes16", "bytes65", ""])
m2m = st.lists(st.fixed_dictionaries({"name": properties, "array": st.lists(
    st.fixed_dictionaries({"item_index": st.integers(-1, 3), "value_id": scalars}), max_size=3
)}), max_size=2)

# What the members of bodies may be, by name: one word means the same in every route.
MEMBERS: dict[str, st.SearchStrategy[Any]] = {
    **given_ids, "amt": amounts, "rating": st.floats(0, 11) | scalars, "timestamp": times, "name": names,
    "scenario": names, "skip_default_scenario": scalars, "filters": st.lists(filters | url_filters, max_size=3),
    "reranking": st.lists(rerankings | url_rerankings, max_size=2), "exclude_rated_items": st.booleans() | scalars,
    "interactions": st.lists(interactions, max_size=3), "ratings": st.lists(ratings, max_size=3),
    "user_properties": data, "item_properties": data, "consensus_factor": st.floats(-1, 2),
    "context_items": st.lists(st.fixed_dictionaries({"item_id": item_ids}), max_size=3),
    "users": st.lists(rows | st.fixed_dictionaries({"user_id": user_ids}), max_size=3),
    "items": st.lists(rows, max_size=3),
    "item": data, "user": data, "items_m2m": m2m, "users_m2m": m2m, "items_id": st.lists(item_ids, max_size=3),
    "users_id": st.lists(user_ids, max_size=3), "create_if_missing": st.booleans() | scalars, "table": texts,
    "property_name": properties, "value_type": st.sampled_from(VALUE_TYPES), "repeated": st.booleans(),
    "interaction_type": st.sampled_from(["view", "charged", ""]), "properties": data | st.lists(properties, max_size=2),
    "preview_scenarios_params": st.lists(st.fixed_dictionaries(
        {"reco_type": reco_types, "name": names, "scenario": scenarios}
    ), max_size=3), "metadata": st.dictionaries(texts, scalars, max_size=2), "description": texts,
    "item_id_type": id_types, "user_id_type": id_types, "session_id_type": id_types,
}
QUERY = {
    "amt": st.sampled_from(["0", "1", "3", "64", "65", "500", "501", "-1", "x", ""]),
    "cursor": st.just("POOL") | texts,
    "filters": url_filters, "reranking": url_rerankings, "scenario": names,
    "table": names | st.just("profile_to_items"),
    "skip_default_scenario": st.sampled_from(["true", "0", "x"]), "exclude_rated_items": st.sampled_from(["True", "0"]),
    "page": st.sampled_from(["1", "2", "0", "x"]), "properties": properties, "interaction_types": texts,
    "user_id": user_ids, "session_id": session_ids, "reco_type": reco_types, "timeout": texts,
    "metadata_filters": st.sampled_from(["ui.slots:gte:3", "ui.slots:eq:3", "x", "a\\.b:lt:c", ":::"]),
    "start_timestamp": st.sampled_from(["0", "5", "x", "2026-01-01"]),
    "end_timestamp": st.sampled_from(["9", "1", "nan"]),
}
NAMED = {
    **given_ids, "reco_type": reco_types, "name": names, "property": properties, "property_name": properties,
    "task_name": st.sampled_from(["ml_model_retrain", "ml_new_users", "x"]),
}
LOGINS = ("login/", "beacon/")


def bodies(route: Route) -> st.SearchStrategy[Any]:
    """Bodies that a route may be sent: members that it knows and a few that it does not."""
    if route.path == "scenarios/{reco_type}/{name}/" and route.verb == "PUT":
        return scenarios
    if route.path == "scenarios/preview/":
        further = st.lists(st.tuples(reco_types, names, scenarios), max_size=3)
        return st.builds(preview, further, cases, MEMBERS["filters"])
    told = route.body or {}
    required = {name: MEMBERS.get(name, scalars) for name in told.get("required", ())}
    further = {name: MEMBERS.get(name, scalars) for name in told.get("properties", {}) if name not in required}
    return st.fixed_dictionaries(required, optional={**further, "connection": scalars}) | st.just({})


def preview(further: list[tuple[str, str, Any]], case: dict[str, Any], filters: list[Any]) -> dict[str, Any]:
    """A preview whose generic scenario is among those it lists."""
    case = {**case, "reco_type": case.get("reco_type", "profile_to_items")}
    listed = [("generic_input_to_items", "g", {"scenario_type": "case", "case": case}), *further]
    keys = ("reco_type", "name", "scenario")
    shadows = [dict(zip(keys, one, strict=True)) for one in listed]
    subject = {"user_id": "c-3", "item_id": "i-0000003"}
    return {"preview_scenarios_params": shadows, "scenario": "g", "filters": filters, **subject}


def requests(routes: tuple[Route, ...] = ROUTES) -> st.SearchStrategy[tuple[Route, dict[str, str], list[Any], Any]]:
    """Route, what its path names, query pairs, body."""
    pairs = st.sampled_from(sorted(QUERY)).flatmap(lambda name: st.tuples(st.just(name), QUERY[name]))
    return st.sampled_from(routes).flatmap(lambda route: st.tuples(
        st.just(route), st.fixed_dictionaries({name: NAMED.get(name, names).map(str) for name in route.names}),
        st.lists(pairs, max_size=3), bodies(route),
    ))
