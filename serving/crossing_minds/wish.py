"""Requests for recommendations read into wishes: common inputs, session inputs, and what each reco type adds (§9)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from scenarios.spec import Diversity, Filter, Problem, Rules, Scalar
from scenarios.url_forms import filter_from, rerank_from
from serving.crossing_minds.call import Call
from serving.crossing_minds.errors import wrong_parameter, wrong_type
from serving.crossing_minds.fields import an_object, flag, integer, number, objects, rating, text, timestamp
from serving.crossing_minds.forms import asked as asked_of
from serving.crossing_minds.identifiers import Ids
from serving.crossing_minds.pages import ranking_digest, read_ranking_cursor
from serving.crossing_minds.problems import of_problem
from serving.moment import Met
from serving.wishes import MOST, Wish

LONGEST_TYPE = 64


def asked(call: Call) -> dict[str, Any]:
    """What was sent, from query or body: texts, or JSON values. Lists of a query are its repeated keys."""
    return call.body or call.query.given


def rules_of(call: Call, given: Mapping[str, Any], *, history: bool = False, table: bool = False) -> Rules:
    """The rules of the request itself. ``history``: the route knows ``exclude_rated_items``; ``table``: a table."""
    known = call.query.rules if given is call.query.given else {}
    key = history, table
    if key not in known:
        known[key] = _rules(given, history, table)
    return known[key]


def _rules(given: Mapping[str, Any], history: bool, table: bool) -> Rules:
    excluding = given.get("exclude_rated_items") if history else None
    named = text(given.get("table"), "table", "") if table else ""
    return Rules(
        amount=amount_of(given, MOST),
        filters=_filters(given.get("filters")),
        reranking=_rerankings(given.get("reranking")),
        exclude_rated=None if excluding in (None, "") else flag(excluding, "exclude_rated_items"),
        table=named or None,
    )


def amount_of(given: Mapping[str, Any], most: int) -> int | None:
    """How many are asked for, None when the request does not say."""
    value = given.get("amt")
    return None if value is None or value == "" else integer(value, "amt", 0, most, 0)


def _filters(given: Any) -> tuple[Filter, ...]:
    found = []
    for at, one in enumerate(_list(given, "filters")):
        rule = filter_from(one, f"filters[{at}]")
        if isinstance(rule, Problem):
            raise of_problem(rule)
        found.append(rule)
    return tuple(found)


def _rerankings(given: Any) -> tuple[Diversity, ...]:
    found = []
    for at, one in enumerate(_list(given, "reranking")):
        rule = rerank_from(one, f"reranking[{at}]")
        if isinstance(rule, Problem):
            raise of_problem(rule)
        found.append(rule)
    return tuple(found)


def _list(given: Any, field: str) -> list[Any]:
    if given is None or given == "":
        return []
    if not isinstance(given, list):
        raise wrong_type(field, "must be a list")
    return given


def common(call: Call, given: Mapping[str, Any], reco_type: str | None, rules: Rules) -> Wish:
    """A wish with the inputs that every route knows; the ids of the path are filled in."""
    return Wish(
        reco_type,
        scenario=text(given.get("scenario"), "scenario", "") or None,
        skip_default=flag(given.get("skip_default_scenario"), "skip_default_scenario"),
        rules=rules,
        user_id=call.params.get("user_id"),
        item_id=call.params.get("item_id"),
        parameters=given,
        now=call.database.clock(),
    )


def subjects(call: Call, given: Mapping[str, Any], wish: Wish) -> Wish:
    """User and session named in a query or body, where the path names none."""
    ids, user, session = call.database.ids, given.get("user_id"), given.get("session_id")
    if wish.user_id is None and user not in (None, ""):
        wish.user_id = ids.read("user", user, "user_id")
    if wish.session_id is None and session not in (None, ""):
        wish.session_id = ids.read("session", session, "session_id")
    return wish


def session_inputs(call: Call, given: Mapping[str, Any], wish: Wish) -> Wish:
    """Session, its interactions or ratings, and the properties that stand in for the user's."""
    wish = subjects(call, given, wish)
    ids, now = call.database.ids, wish.now
    rated = given.get("ratings") is not None
    if rated and (given.get("interactions") is not None or wish.session_id is not None):
        raise wrong_parameter("ratings", "cannot be sent together with interactions or session_id")
    if rated:
        met = []
        for at, row in enumerate(objects(dict(given), "ratings")):
            item = ids.read("item", row.get("item_id"), f"ratings[{at}].item_id")
            met.append(Met(item, "rating", now, rating(row.get("rating"), f"ratings[{at}].rating")))
        wish.met = met
    elif given.get("interactions") is not None:
        wish.met = interactions(given, ids, now)
    wish.user_properties = user_properties(given.get("user_properties"))
    return wish


def interactions(given: Mapping[str, Any], ids: Ids, now: float) -> list[Met]:
    """The interactions of a body, in its order."""
    rows = objects(dict(given), "interactions")
    items = ids.read_each("item", [row.get("item_id") for row in rows], "interactions[{}].item_id")
    return [
        Met(item, _kind(row.get("interaction_type"), at), _when(row.get("timestamp"), at, now))
        for at, (item, row) in enumerate(zip(items, rows, strict=True))
    ]


def _kind(value: Any, at: int) -> str:
    if isinstance(value, str) and 1 <= len(value) <= LONGEST_TYPE:
        return value
    return text(value, f"interactions[{at}].interaction_type", least=1, most=LONGEST_TYPE)


def _when(value: Any, at: int, now: float) -> float:
    return now if value is None else timestamp(value, f"interactions[{at}].timestamp", now)


def user_properties(given: Any) -> dict[str, tuple[Scalar, ...]] | None:
    """Properties by name in lower case, each as a tuple; None when none were sent."""
    if given is None:
        return None
    return {name.lower(): _values(value, name) for name, value in an_object(given, "user_properties").items()}


def item_properties(given: Any) -> dict[str, Scalar | Sequence[Scalar]]:
    """Properties to look for similar items by."""
    return {
        name.lower(): values if isinstance(value, list) else values[0]
        for name, value in an_object(given, "item_properties").items()
        if (values := _values(value, name))
    }


def _values(value: Any, name: str) -> tuple[Scalar, ...]:
    found = value if isinstance(value, list) else [] if value is None else [value]
    for one in found:
        sound = isinstance(one, str | int | float | bool) and not (isinstance(one, float) and not math.isfinite(one))
        if not sound:
            raise wrong_type(name, "must be text, a number, true or false, or a list of these")
    return tuple(found)


def context_items(call: Call, given: Mapping[str, Any]) -> list[str]:
    """Ids of the context items."""
    rows = objects(dict(given), "context_items")
    return [
        call.database.ids.read("item", row.get("item_id"), f"context_items[{at}].item_id")
        for at, row in enumerate(rows)
    ]


def members(call: Call, given: Mapping[str, Any]) -> list[str]:
    """User ids of a group."""
    rows = objects(dict(given), "users")
    return [call.database.ids.read("user", row.get("user_id"), f"users[{at}].user_id") for at, row in enumerate(rows)]


def consensus(given: Mapping[str, Any]) -> float:
    """How much the least content member counts."""
    return number(given.get("consensus_factor"), "consensus_factor", 0.0, 1.0, 0.0)


def page(call: Call, given: Mapping[str, Any], wish: Wish, run_id: str) -> tuple[int, bytes]:
    """Offset of the page that is asked for, and the digest that its next cursor is good for."""
    digest = ranking_digest(run_id, asked_of(given, wish.reco_type, **call.params))
    return read_ranking_cursor(given.get("cursor"), digest), digest
