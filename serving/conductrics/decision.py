"""Decisions (3.1, 4)."""

from __future__ import annotations

from decisions import codes
from decisions.paths import Asked, many_lists, one_list
from serving.conductrics import schemas as s
from serving.conductrics.call import Answer, Call, ok
from serving.conductrics.parameters import Parameters
from serving.conductrics.router import Route
from serving.conductrics.runtime import context, cookie, who
from serving.conductrics.turns import DecisionOp


def decision_op(
    call: Call, parameters: Parameters, agent: str, session: str, asked: tuple[Asked, ...], *, single: bool
) -> DecisionOp:
    """What a call for decisions asks for. Raises BadCall."""
    point = parameters.get("point")
    return DecisionOp(
        session=session, point=codes.code("point", point) if point else "", asked=asked, single=single,
        word=parameters.get("decision-policy"), status=parameters.get("status") or "ok",
        **context(call, parameters, agent),
    )


async def one(call: Call) -> Answer:
    """The first decision of a point, or one of a list or count of choices."""
    wanted = one_list(call.names.get("choices", ""))
    return await _answer(call, () if wanted == Asked() else (wanted,), single=True)


async def several(call: Call) -> Answer:
    """All decisions of a point, or those of the lists."""
    return await _answer(call, many_lists(call.names.get("lists", "")), single=False)


async def _answer(call: Call, asked: tuple[Asked, ...], *, single: bool) -> Answer:
    session = who(call.parameters)
    op = decision_op(call, call.parameters, call.names["agent"], session.session, asked, single=single)
    done = await call.owner.do(op)
    return ok(done.reply, cookie(call, session, done))


QUERY = {**s.RUNTIME, "point": s.CODE, "decision-policy": s.words("explore", "exploit", "control"),
         "status": s.words("ok", "p")}

ROUTES = (
    Route(("GET",), "/{owner}/{agent}/decision", one, "first decision of the point, stored choices",
          query=QUERY, answer=s.ONE),
    Route(("GET",), "/{owner}/{agent}/decision/{choices*}", one,
          "one decision out of a count, of named choices, or (decision/count) of a named decision", query=QUERY,
          answer=s.ONE),
    Route(("GET",), "/{owner}/{agent}/decisions", several, "all stored decisions of the point", query=QUERY,
          answer=s.SEVERAL),
    Route(("GET",), "/{owner}/{agent}/decisions/{lists*}", several,
          "decisions of several lists, each code:a,b,c or a,b,c or a count", query=QUERY, answer=s.SEVERAL),
)
