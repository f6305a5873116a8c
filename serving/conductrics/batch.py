"""Many decisions and goals in one call (3.5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from decisions.codes import ABSENT, BadCall, session_id
from decisions.paths import Asked, many_lists, one_list
from serving.conductrics import schemas as s
from serving.conductrics.call import Answer, Call, ok
from serving.conductrics.decision import decision_op
from serving.conductrics.errors import ApiError, as_api_error, bad_request
from serving.conductrics.goal import goal_op
from serving.conductrics.parameters import Parameters, as_text
from serving.conductrics.router import Route
from serving.conductrics.runtime import Who, context, cookie, who
from serving.conductrics.turns import Batch, Done, ExpireOp, Op, SessionOp

ITEMS = 100

Item = dict[str, Any]


async def batch(call: Call) -> Answer:
    """Answer the items in order; one that fails has its own status."""
    if not isinstance(call.body, list):
        raise bad_request("the body must be a JSON array of items")
    if len(call.body) > ITEMS:
        raise bad_request(f"a batch has at most {ITEMS} items, not {len(call.body)}")
    session = who(Parameters(call.parameters.query, headers=call.headers))
    ops = [_op(call, session, item) for item in call.body]
    found: list[Done | Exception] = await call.owner.do(Batch(ops)) if ops else []
    done = [one for one in found if isinstance(one, Done)]
    used = session.new and any(isinstance(op, Op) and op.session == session.session for op in ops)
    kept = next((one for one in done if one.cookies), None)
    return ok([_told(one) for one in found], cookie(call, session, kept) if used and kept is not None else ())


def _op(call: Call, outer: Who, item: Any) -> Op | Exception:
    """What an item asks for, or why it cannot be answered."""
    try:
        if not isinstance(item, dict):
            raise bad_request("an item must be an object")
        query = item.get("query") or {}
        if not isinstance(query, dict):
            raise bad_request("the query of an item must be an object")
        values = {str(name): text for name, text in ((name, as_text(value)) for name, value in query.items()) if text}
        values = {name: text for name, text in values.items() if text not in ABSENT}
        parameters = Parameters(values, outer=call.parameters.query, headers=call.headers)
        named = values.get("session")
        session = Who(session_id(named), new=False) if named else outer
        kind = item.get("type")
        make = KINDS.get(kind) if isinstance(kind, str) else None
        if make is None:
            raise bad_request(f"the type of an item is one of {', '.join(KINDS)}")
        return make(call, parameters, _text(item, "agent"), session, item)
    except (ApiError, BadCall) as error:
        return error


def _decisions(call: Call, parameters: Parameters, agent: str, session: Who, item: Item) -> Op:
    lists = many_lists(_text(item, "choices"))
    return decision_op(call, parameters, agent, session.session, lists, single=False)


def _decision(call: Call, parameters: Parameters, agent: str, session: Who, item: Item) -> Op:
    wanted = one_list(_text(item, "choices"))
    asked = () if wanted == Asked() else (wanted,)
    return decision_op(call, parameters, agent, session.session, asked, single=True)


def _goal(call: Call, parameters: Parameters, agent: str, session: Who, item: Item) -> Op:
    return goal_op(call, parameters, agent, session.session, _text(item, "goal"))


def _session(call: Call, parameters: Parameters, agent: str, session: Who, _item: Item) -> Op:
    return SessionOp(session=session.session, **context(call, parameters, agent))


def _expire(call: Call, parameters: Parameters, agent: str, session: Who, _item: Item) -> Op:
    return ExpireOp(session="" if session.new else session.session, **context(call, parameters, agent))


KINDS: dict[str, Callable[[Call, Parameters, str, Who, Item], Op]] = {
    "decisions": _decisions, "decision": _decision, "goal": _goal, "session": _session, "expire": _expire,
}


def _text(item: Item, name: str) -> str:
    value = item.get(name)
    if value is None:
        return ""
    text = as_text(value)
    if text is None:
        raise bad_request(f"{name} of an item must be text")
    return text


def _told(found: Done | Exception) -> dict[str, Any]:
    if isinstance(found, Done):
        return {"status": 200, "data": found.reply}
    error = as_api_error(found, "an item of a batch")
    return {"status": error.status, "data": {"err": error.message}}


ITEM = s.obj(
    {
        "agent": s.CODE, "type": s.words(*KINDS), "query": s.OBJECT, "choices": s.string(), "goal": s.CODE,
    },
    optional=("query", "choices", "goal"),
)

ROUTES = (
    Route(("POST",), "/{owner}/-/batch", batch, "many calls in one", query={"session": s.SESSION_ID, "_type": s.JSON},
          body=s.array(ITEM, maxItems=ITEMS), answer=s.array(s.obj({"status": s.integer(200, 599), "data": s.OBJECT}))),
)
