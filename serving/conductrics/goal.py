"""Goals (5)."""

from __future__ import annotations

from decisions import codes
from serving.conductrics import schemas as s
from serving.conductrics.call import Answer, Call, ok
from serving.conductrics.parameters import Parameters
from serving.conductrics.router import Route
from serving.conductrics.runtime import context, cookie, who
from serving.conductrics.turns import GoalOp


def goal_op(call: Call, parameters: Parameters, agent: str, session: str, path_goal: str) -> GoalOp:
    """What a goal call says. Raises BadCall."""
    goal = codes.given(path_goal) or parameters.get("goal")
    reward = parameters.get("reward")
    return GoalOp(
        session=session, goal=codes.code("goal", goal) if goal else "",
        reward=codes.finite("reward", reward) if reward else None, **context(call, parameters, agent),
    )


async def goal(call: Call) -> Answer:
    """Take in a goal."""
    session = who(call.parameters)
    op = goal_op(call, call.parameters, call.names["agent"], session.session, call.names.get("goal", ""))
    done = await call.owner.do(op)
    return ok(done.reply, cookie(call, session, done))


QUERY = {**s.RUNTIME, "reward": s.number(), "goal": s.CODE}

ROUTES = (
    Route(("GET", "POST"), "/{owner}/{agent}/goal", goal, "a reward for the agent's first goal, or a named one",
          query=QUERY, answer=s.GOAL),
    Route(("GET", "POST"), "/{owner}/{agent}/goal/{goal}", goal, "a reward for a goal", query=QUERY, answer=s.GOAL),
)
