"""Sessions: what is stored of them without deciding, and their end (6)."""

from __future__ import annotations

from decisions.codes import session_id
from serving.conductrics import schemas as s
from serving.conductrics.call import Answer, Call, ok
from serving.conductrics.router import Route
from serving.conductrics.runtime import context, cookie, who
from serving.conductrics.turns import ExpireOp, SessionOp


async def store(call: Call) -> Answer:
    """Store features or a segment."""
    session = who(call.parameters)
    op = SessionOp(session=session.session, **context(call, call.parameters, call.names["agent"]))
    done = await call.owner.do(op)
    return ok(done.reply, cookie(call, session, done))


async def expire(call: Call) -> Answer:
    """End the session's epoch."""
    given = call.parameters.session()
    op = ExpireOp(
        session=session_id(given) if given else "", **context(call, call.parameters, call.names["agent"])
    )
    return ok((await call.owner.do(op)).reply)


ROUTES = (
    Route(("GET", "POST"), "/{owner}/{agent}/session", store, "store features or a segment without deciding",
          query=s.RUNTIME, answer=s.SESSION),
    Route(("DELETE",), "/{owner}/{agent}/session", expire, "end the session", query=s.RUNTIME, answer=s.EXPIRED),
    Route(("GET", "POST"), "/{owner}/{agent}/expire", expire, "end the session", query=s.RUNTIME, answer=s.EXPIRED),
)
