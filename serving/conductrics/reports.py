"""Reports of agents as of the last run (10), by the formulas of ``decisions`` from what the run has of them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection

from decisions import confidence, status_report, targeting_report
from decisions.agent import Agent
from decisions.aggregates import ALL
from decisions.arms import labels, stored_arms
from decisions.codes import agent_code, code, finite
from serving.conductrics import schemas
from serving.conductrics.call import Answer, Call, ok
from serving.conductrics.control import look
from serving.conductrics.errors import bad_request, not_found
from serving.conductrics.router import Route
from store.agent_documents import read_agent, read_agents, read_resets
from store.pack.agent_reports import AgentReports

T = TypeVar("T")
DAYS, MOST_DAYS = 14, 3660
POLICIES = ("control", "explore", "exploit")
RUN = re.compile(r"r-[0-9]{8}T[0-9]{6}-[0-9a-f]{8}")
_TRUE, _FALSE = ("true", "1", "yes"), ("false", "0", "no")


@dataclass(frozen=True, slots=True)
class _Run:
    """What the served run has of agents; without a run nothing, as of now. ``reset``: agents that were reset since, of
    which there is nothing to tell until the next night.
    """

    as_of: datetime
    reports: AgentReports | None
    reset: frozenset[str] = frozenset()

    @property
    def stamp(self) -> int:
        """Seconds since 1970."""
        return int(self.as_of.replace(tzinfo=UTC).timestamp())

    @property
    def today(self) -> date:
        """The day that the run ends in."""
        return (self.as_of - timedelta(microseconds=1)).date()

    def of(self, agent: str) -> AgentReports | None:
        """What there is to tell of an agent."""
        return None if agent in self.reset else self.reports

    def report(self, agent: str) -> dict[str, Any] | None:
        found = self.of(agent)
        return found.report(agent) if found is not None else None


async def status(call: Call) -> Answer:
    """Sessions and goals by day, and what adaptive choices added."""
    days = _days(call)
    run, known = await _look(call, read_agents)
    codes = [agent_code(one) for one in call.parameters.get("codes").split(",") if one]
    for one in codes:
        if one not in known and run.report(one) is None:
            raise not_found(f"there is no agent {one}")
    first = run.today - timedelta(days=days - 1)

    def told() -> dict[str, Any]:
        return {
            one: status_report.report(found.days(one) if (found := run.of(one)) is not None else (), first, run.today)
            for one in dict.fromkeys(codes or sorted(known))
        }

    return ok({"data": await asyncio.to_thread(told), "asOf": run.stamp})


async def confidence_report(call: Call) -> Answer:
    """Every arm beside the default one."""
    run, agent, found = await _asked(call)
    first, last = _dates(call, run)
    point = _point(call, agent, found)
    arms = _arms(agent, found, point)
    question = confidence.Question(
        call.owner.name, call.names["agent"], point, first, last, arms, _default(call, arms), _features(call),
        _measure(call), _flag(call, "aggregated-over-dates", True), call.parameters.get("goal") or None,
        _policies(call), _flag(call, "use-bonferroni", False),
    )

    def told() -> dict[str, Any]:
        wanted = question.features
        features = (ALL, *wanted) if wanted else (ALL,) if wanted is None else None
        found = run.of(question.agent)
        rows = found.aggregates(question.agent, point, features) if found is not None else ()
        return confidence.report(question, rows)

    return ok({**await asyncio.to_thread(told), "asOf": run.stamp})


async def targeting_features(call: Call) -> Answer:
    """Which features tell visitors apart in what suits them."""
    run, agent, found = await _asked(call)
    first, last = _dates(call, run)
    point = _point(call, agent, found)
    binary = (found or {}).get("rewardModel", "binary") == "binary"
    name = call.names["agent"]
    question = targeting_report.Question(name, first, last, _arms(agent, found, point), binary)

    def told() -> dict[str, Any]:
        reports = run.of(name)
        rows = reports.feature_sums(name, point, first, last) if reports is not None else ()
        return targeting_report.report(question, rows)

    return ok({**await asyncio.to_thread(told), "asOf": run.stamp})


async def decision_report(call: Call) -> Answer:
    """Everything that was decided about the agent in a run, by default the served one."""
    name, run_id = agent_code(call.names["agent"]), call.names.get("run_id", "")
    if not run_id:
        run, _ = await _look(call, lambda _: None)
        return ok(_known_report(run.report(name), name))
    if RUN.fullmatch(run_id) is None:
        raise not_found("there is no such run")
    folder = call.owner.layout.run(run_id) / "pack"
    found = await asyncio.to_thread(lambda: AgentReports(folder).report(name))
    return ok(_known_report(found, name))


def _known_report(found: dict[str, Any] | None, agent: str) -> dict[str, Any]:
    if found is None:
        raise not_found(f"the run has no report of agent {agent}")
    return found


async def _look(call: Call, work: Callable[[Connection], T]) -> tuple[_Run, T]:
    """What the served run tells, and what ``work`` reads of the journal."""
    resets, found = await look(call, lambda connection: (read_resets(connection), work(connection)))
    view = call.owner.live.view()
    if view is None:
        return _Run(call.now, None), found
    respected = view.pack.policies.respected
    since = frozenset(agent for agent, reset in resets.items() if respected.get(agent) != reset.at)
    return _Run(view.snapshot.as_of.replace(tzinfo=None), view.pack.agent_reports, since), found


async def _asked(call: Call) -> tuple[_Run, Agent | None, dict[str, Any] | None]:
    """The run, the agent as it stands, and its report. Raises ApiError (404) where nobody knows it."""
    name = agent_code(call.names["agent"])
    run, agent = await _look(call, lambda connection: read_agent(connection, name))
    found = run.report(name)
    if agent is None and found is None:
        raise not_found(f"there is no agent {name}")
    return run, agent, found


def _point(call: Call, agent: Agent | None, found: Mapping[str, Any] | None) -> str:
    """The point asked for, by default the agent's first."""
    asked = call.parameters.get("point")
    if asked:
        code("point", asked)
    reported = list(dict.fromkeys(one["point"] for one in (found or {}).get("arms", ())))
    stored = [one.code for one in agent.points] if agent is not None else []
    if asked and asked not in {*reported, *stored}:
        raise not_found(f"the agent has no point {asked}")
    return asked or (stored or reported or ["point-1"])[0]


def _arms(agent: Agent | None, found: Mapping[str, Any] | None, point: str) -> dict[str, str]:
    """Arms of a point with their labels, the default one first: those of the decision set that was drawn most, or, of
    a point that nothing was seen of, the stored ones.
    """
    stored = agent.point(point) if agent is not None else None
    drawn: dict[str, int] = {}
    for one in (found or {}).get("exposures", ()):
        if one["point"] == point:
            drawn[one["decisionSet"]] = drawn.get(one["decisionSet"], 0) + one["exposures"]
    if drawn and found is not None:
        names = min(drawn, key=lambda one: (-drawn[one], one))
        arms = [one["arm"] for one in found["arms"] if (one["point"], one["decisionSet"]) == (point, names)]
        if arms:
            return labels(stored, arms)
    names = ",".join(sorted(decision.code for decision in stored.decisions)) if stored is not None else ""
    return labels(stored, stored_arms(stored, names) if names else [])


def _default(call: Call, arms: Mapping[str, str]) -> str:
    """The row that others are compared with."""
    asked = call.parameters.get("comparison-decision")
    if not asked:
        return next(iter(arms), "")
    found = next((arm for arm in arms if asked in (arm, arm.partition(":")[2])), None)
    if found is None:
        raise bad_request(f"comparison-decision {asked[:60]!r} is no arm of this point")
    return found


def _features(call: Call) -> tuple[str, ...] | None:
    """None: totals only; empty: all; else those named."""
    asked = call.parameters.get("features")
    if not asked:
        return () if call.parameters.left_empty("features") else None
    named = tuple(one.strip() for one in asked.split(",") if one.strip() and one.strip() != ALL)
    return named or None


def _policies(call: Call) -> tuple[str, ...]:
    asked = tuple(one.strip() for one in call.parameters.get("policies").split(",") if one.strip())
    if any(one not in POLICIES for one in asked):
        raise bad_request(f"policies are {', '.join(POLICIES)}")
    return asked or (confidence.EXPLORE,)


def _measure(call: Call) -> float:
    asked = call.parameters.get("confidence-measure")
    found = finite("confidence-measure", asked) if asked else 0.95
    if not 0 < found < 1:
        raise bad_request("confidence-measure lies between 0 and 1")
    return found


def _flag(call: Call, name: str, usual: bool) -> bool:
    asked = call.parameters.get(name).lower()
    if asked and asked not in (*_TRUE, *_FALSE):
        raise bad_request(f"{name} is true or false")
    return asked in _TRUE if asked else usual


def _days(call: Call) -> int:
    asked = call.parameters.get("days")
    if asked and not (asked.isascii() and asked.isdigit() and 1 <= int(asked) <= MOST_DAYS):
        raise bad_request(f"days is a whole number from 1 to {MOST_DAYS}")
    return int(asked) if asked else DAYS


def _dates(call: Call, run: _Run) -> tuple[date, date]:
    """The days asked for, both taken in."""
    last = call.names.get("to")
    found = _date(call.names["from"]), _date(last) if last else max(run.today, call.now.date())
    if found[0] > found[1]:
        raise bad_request("the first day lies after the last")
    if (found[1] - found[0]).days > MOST_DAYS:
        raise bad_request(f"at most {MOST_DAYS} days")
    return found


def _date(text: str) -> date:
    try:
        if len(text) != len("2000-01-01"):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise bad_request(f"{text[:20]!r} is no day: YYYY-MM-DD") from None


DAY = schemas.string(pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}$")
REPORT = schemas.obj({"agent": schemas.CODE, "data": schemas.OBJECT}, additionalProperties=True)
_CONFIDENCE = {
    "features": schemas.string(description="empty for all, missing for totals only, else codes separated by commas"),
    "confidence-measure": schemas.number(), "aggregated-over-dates": schemas.words("true", "false"),
    "goal": schemas.CODE, "policies": schemas.string(description="control, explore, exploit, separated by commas"),
    "point": schemas.CODE, "comparison-decision": schemas.string(description="an arm, or its choice"),
    "use-bonferroni": schemas.words("true", "false"),
}


def _both(path: str, handler: Callable[[Call], Any], summary: str, query: Mapping[str, Any]) -> tuple[Route, ...]:
    """The route with and without the last day."""
    return tuple(
        Route(("GET",), f"/{{owner}}/{{agent}}/report/{path}/{end}", handler, summary, "admin", query=query,
              answer=REPORT)
        for end in ("{from}", "{from}/{to}")
    )


ROUTES = (
    Route(
        ("GET",), "/{owner}/report/status", status, "Sessions and goals of agents by day", "admin",
        query={"codes": schemas.string(description="agents, separated by commas"), "days": schemas.integer(1)},
        answer=schemas.obj({"data": schemas.OBJECT, "asOf": schemas.integer()}),
    ),
    *_both("confidence", confidence_report, "Arms of an agent beside the default one", _CONFIDENCE),
    *_both("targeting-features", targeting_features, "What features are worth to an agent", {"point": schemas.CODE}),
    Route(
        ("GET",), "/{owner}/{agent}/report/decision", decision_report, "What the served run decided about an agent",
        "admin", answer=schemas.OBJECT,
    ),
    Route(
        ("GET",), "/{owner}/{agent}/report/decision/{run_id}", decision_report, "What a run decided about an agent",
        "admin", answer=schemas.OBJECT,
    ),
)
