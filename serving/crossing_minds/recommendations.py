"""Recommendations (§9): one route a reco type, each a wish read from the request and an answer written from a grant."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from contracts.errors import NightloomError
from serving.crossing_minds import schemas as s
from serving.crossing_minds import wish as w
from serving.crossing_minds.auth import FRONTEND
from serving.crossing_minds.call import Answer, Call
from serving.crossing_minds.forms import form_of
from serving.crossing_minds.pages import write_ranking_cursor
from serving.crossing_minds.problems import of_lookup
from serving.crossing_minds.router import EVERYBODY, Route
from serving.moment import Moment
from serving.scenario_lookup import recommend
from serving.wishes import DEFAULT_AMOUNT, Granted, Wish

Reader = Callable[[Call, Mapping[str, Any]], Wish]


def answered(call: Call, moment: Moment, wish: Wish) -> Granted:
    """The lookup, with its errors as this dialect's."""
    item_type = call.database.ids.item
    try:
        return recommend(moment, wish, item_type.canonical)
    except NightloomError as error:
        raise of_lookup(error) from error


def items_answer(call: Call, moment: Moment, wish: Wish, granted: Granted, digest: bytes | None) -> dict[str, Any]:
    """A list of item ids. ``digest``: what a next cursor is good for, None where the route has no cursor."""
    ids, names = call.database.ids, moment.pack.item_ids
    answer: dict[str, Any] = {"items_id": ids.write_all("item", [names[item].decode() for item in granted.items])}
    if granted.more and digest is not None:
        answer["next_cursor"] = write_ranking_cursor(wish.offset + len(granted.items), digest)
    about(answer, granted)
    answer["metadata"] = {"run_id": moment.run_id, "source": granted.source, "cold": granted.cold}
    if granted.max_age is not None:
        call.headers.append((b"cache-control", b"max-age=%d" % granted.max_age))
    return answer


def about(answer: dict[str, Any], granted: Granted) -> None:
    """Warnings and the scenarios that took part."""
    if granted.warnings:
        answer["warnings"] = granted.warnings
    if granted.evaluated is not None:
        answer["evaluated_scenarios"] = granted.evaluated


def _list(read: Reader, *, cursor: bool = True) -> Callable[[Call], Any]:
    """A handler of a route that answers item ids."""

    async def handler(call: Call) -> Answer:
        given = w.asked(call)
        moment = await call.database.moment()
        wish = read(call, given)
        digest = None
        if cursor:
            wish.offset, digest = w.page(call, given, wish, moment.run_id)
        granted = answered(call, moment, wish)
        call.database.exposures(wish, granted, moment.run_id)
        # Of a generic request or a preview the body decides, too; only a profile's own route names it in its path.
        user_id = call.params.get("user_id")
        if user_id and granted.source == "row" and wish.reco_type == "profile_to_items" and not _split(granted):
            call.row_of = moment.key(user_id)
        answer = items_answer(call, moment, wish, granted, digest)
        if call.row_of and call.role != FRONTEND:
            call.form = form_of(wish, granted, given, answer)
        return answer

    return handler


def _split(granted: Granted) -> bool:
    """Whether an A/B test took part, which has to be noted every time."""
    stages = [steps for steps in (granted.evaluated or {}).values() if isinstance(steps, list)]  # not the reco type
    return any(step["scenario_type"] == "ab_test" for steps in stages for step in steps)


def _values(read: Reader, *, as_text: bool) -> Callable[[Call], Any]:
    """A handler of a route that answers values of a property."""

    async def handler(call: Call) -> Answer:
        given = w.asked(call)
        moment = await call.database.moment()
        wish = read(call, given)
        wish.property = call.params["property"].lower()
        granted = answered(call, moment, wish)
        call.database.exposures(wish, granted, moment.run_id)
        values = [_as_text(value) for value in granted.values] if as_text else granted.values
        answer: dict[str, Any] = {"properties": values}
        about(answer, granted)
        return answer

    return handler


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _profile(call: Call, given: Mapping[str, Any]) -> Wish:
    return w.common(call, given, "profile_to_items", w.rules_of(call, given, history=True))


def _item(call: Call, given: Mapping[str, Any]) -> Wish:
    return w.subjects(call, given, w.common(call, given, "item_to_items", w.rules_of(call, given)))


def _session(call: Call, given: Mapping[str, Any]) -> Wish:
    wish = w.common(call, given, "session_to_items", w.rules_of(call, given, history=True))
    return w.session_inputs(call, given, wish)


def _precomputed(reco_type: str) -> Reader:
    def read(call: Call, given: Mapping[str, Any]) -> Wish:
        rules = w.rules_of(call, {"table": given.get("table")}, table=True)
        return w.subjects(call, given, w.common(call, given, reco_type, rules))

    return read


def _profile_in_context(call: Call, given: Mapping[str, Any]) -> Wish:
    wish = w.common(call, given, "profile_to_items_w_ctx_items", w.rules_of(call, given, history=True))
    wish.context_items = w.context_items(call, given)
    return wish


def _session_in_context(call: Call, given: Mapping[str, Any]) -> Wish:
    wish = w.common(call, given, "session_to_items_w_ctx_items", w.rules_of(call, given, history=True))
    wish.context_items = w.context_items(call, given)
    return w.session_inputs(call, given, wish)


def _properties(call: Call, given: Mapping[str, Any]) -> Wish:
    wish = w.common(call, given, "item_properties_to_items", w.rules_of(call, given))
    wish.item_properties = w.item_properties(given.get("item_properties"))
    return wish


def _group(call: Call, given: Mapping[str, Any]) -> Wish:
    wish = w.common(call, given, "profiles_group_to_items", w.rules_of(call, given))
    wish.members, wish.consensus = w.members(call, given), w.consensus(given)
    return wish


def _profile_values(call: Call, given: Mapping[str, Any]) -> Wish:
    return w.common(call, given, "profile_to_item_properties", w.rules_of(call, _of_values(given)))


def _session_values(call: Call, given: Mapping[str, Any]) -> Wish:
    wish = w.common(call, given, "session_to_item_properties", w.rules_of(call, _of_values(given)))
    return w.session_inputs(call, given, wish)


def _of_values(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: given.get(name) for name in ("amt", "filters")}


def generic(call: Call, given: Mapping[str, Any]) -> Wish:
    """A wish that knows every input; the generic scenario says which of them count."""
    rules = w.rules_of(call, given, history=True, table=True)
    wish = w.session_inputs(call, given, w.common(call, given, None, rules))
    ids = call.database.ids
    if given.get("item_id") not in (None, ""):
        wish.item_id = ids.read("item", given["item_id"], "item_id")
    if given.get("context_items") is not None:
        wish.context_items = w.context_items(call, given)
    if given.get("item_properties") is not None:
        wish.item_properties = w.item_properties(given["item_properties"])
    return wish


NAMED = s.string(description="name of a scenario of the route's reco type")
QUERY: dict[str, Any] = {
    "amt": s.integer(0, 64, default=DEFAULT_AMOUNT), "cursor": s.string(),
    "filters": s.array(s.string()), "reranking": s.array(s.string()),
    "scenario": NAMED, "skip_default_scenario": s.boolean(),
}
RULE = s.either(s.string(), s.OBJECT)
BODY: dict[str, Any] = {**QUERY, "filters": s.array(RULE), "reranking": s.array(RULE)}
SESSION: dict[str, Any] = {
    **BODY, "session_id": s.ID, "user_id": s.ID, "user_properties": s.OBJECT, "exclude_rated_items": s.boolean(),
    "interactions": s.array(s.obj(
        {"item_id": s.ID, "interaction_type": s.string(minLength=1, maxLength=64), "timestamp": s.TIME},
        optional=("timestamp",),
    )),
    "ratings": s.array(s.obj({"item_id": s.ID, "rating": s.number(1, 10)})),
}
CONTEXT = s.array(s.obj({"item_id": s.ID}))
TABLE: dict[str, Any] = {"table": s.string(), "scenario": NAMED, "skip_default_scenario": s.boolean()}
ITEMS = s.obj(
    {
        "items_id": s.array(s.ID), "next_cursor": s.string(), "warnings": s.WARNINGS, "evaluated_scenarios": s.OBJECT,
        "metadata": s.obj({"run_id": s.string(), "source": s.words("row", "evaluated"), "cold": s.boolean()}),
    },
    optional=("next_cursor", "warnings", "evaluated_scenarios"),
)
VALUES = s.obj(
    {"properties": s.array(s.either(s.string(), s.number(), s.boolean())), "warnings": s.WARNINGS,
     "evaluated_scenarios": s.OBJECT},
    optional=("warnings", "evaluated_scenarios"),
)
FLAG = {"exclude_rated_items": s.boolean()}
OTHERS = {"user_id": s.string(), "session_id": s.string()}
GENERIC: dict[str, Any] = {
    **SESSION, "item_id": s.ID, "table": s.string(), "context_items": CONTEXT, "item_properties": s.OBJECT,
}


def _body(members: Mapping[str, Any], *required: str) -> Any:
    return s.obj(members, optional=tuple(name for name in members if name not in required))


def _get(path: str, read: Reader, summary: str, query: Mapping[str, Any], *, cursor: bool = True) -> Route:
    return Route(
        "GET", f"recommendation/{path}", EVERYBODY, _list(read, cursor=cursor), summary, query=query, answer=ITEMS,
        ready=True, errors=(503,),
    )


def _post(path: str, read: Reader, summary: str, body: Any, *, cursor: bool = True, mark: str = "M1") -> Route:
    return Route(
        "POST", f"recommendation/{path}", EVERYBODY, _list(read, cursor=cursor), summary, body=body, answer=ITEMS,
        ready=True, errors=(503,), mark=mark,
    )


ROUTES: tuple[Route, ...] = (
    _get("users/{user_id}/items/", _profile, "Items for a user", {**QUERY, **FLAG}),
    _get("items/{item_id}/items/", _item, "Items like an item", {**QUERY, **OTHERS}),
    _post("sessions/items/", _session, "Items for a session", _body(SESSION)),
    _get(
        "precomputed/users/{user_id}/items/", _precomputed("precomputed_profile_to_items"),
        "A user's row of a published table", TABLE, cursor=False,
    ),
    _get(
        "precomputed/items/{item_id}/items/", _precomputed("precomputed_item_to_items"),
        "An item's row of a published table", {**TABLE, **OTHERS}, cursor=False,
    ),
    _post("generic/items/", generic, "Items as the generic scenario says", _body(GENERIC)),
    _post(
        "context-items/users/{user_id}/items/", _profile_in_context, "Items for a user beside some items",
        _body({**BODY, **FLAG, "context_items": CONTEXT}, "context_items"), mark="M2",
    ),
    _post(
        "context-items/sessions/items/", _session_in_context, "Items for a session beside some items",
        _body({**SESSION, "context_items": CONTEXT}, "context_items"), mark="M2",
    ),
    _post(
        "items-properties/items/", _properties, "Items with such properties",
        _body({**BODY, "item_properties": s.OBJECT}, "item_properties"), cursor=False, mark="M2",
    ),
    _post(
        "users-groups/items/", _group, "Items for a group of users",
        _body({**BODY, "users": s.array(s.obj({"user_id": s.ID})), "consensus_factor": s.number(0, 1)}, "users"),
        mark="M2",
    ),
    Route(
        "GET", "recommendation/users/{user_id}/items-properties/{property}/", EVERYBODY,
        _values(_profile_values, as_text=False), "Values of a property for a user",
        query={name: QUERY[name] for name in ("amt", "filters", "scenario", "skip_default_scenario")}, answer=VALUES,
        ready=True, errors=(503,), mark="M2",
    ),
    Route(
        "POST", "recommendation/sessions/items-properties/{property}/", EVERYBODY,
        _values(_session_values, as_text=True), "Values of a property for a session", body=_body(SESSION),
        answer=VALUES, ready=True, errors=(503,), mark="M2",
    ),
)
