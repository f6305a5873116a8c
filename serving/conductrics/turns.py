"""What calls do, many in one transaction of the journal: sessions are read, each call is decided in its turn, and
sessions, new agents and events are written together."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import Connection

from contracts.settings import Decisions
from decisions import codes, creation, happenings, rewards
from decisions.agent import Agent, Goal, Point
from decisions.codes import NO_SEGMENT, BadCall
from decisions.decide import Decided, NoPolicies, Policies, decide
from decisions.epochs import SessionState, opened
from decisions.happenings import Stamp
from decisions.paths import Asked, named
from decisions.targeting import derive
from decisions.visitor import Visitor
from serving.conductrics.roster import FLAG, Roster, read_roster
from store import agent_documents
from store.journal import Write, decision_states, documents, writes
from store.journal.decision_states import Key
from store.pack.policies import PolicyBook

WHO = "decision call"
SEGMENT_CAP = "segment_cap"

Reply = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Op:
    """What every call says. ``ts``: its own time in seconds since 1970, None: now. ``features``: tokens. ``visitor``
    tells what targeting rules ask for, at a moment; it is never kept.
    """

    agent: str
    session: str
    segment: str = ""
    features: tuple[str, ...] = ()
    ts: float | None = None
    visitor: Callable[[datetime], Visitor] | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionOp(Op):
    """A call for decisions. ``asked`` empty: the stored ones, ``single``: only the first. ``word``: decision-policy."""

    point: str = ""
    asked: tuple[Asked, ...] = ()
    single: bool = False
    word: str = ""
    status: str = "ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class GoalOp(Op):
    """A goal. ``reward`` None: none was sent."""

    goal: str = ""
    reward: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOp(Op):
    """Store features or a segment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpireOp(Op):
    """End the epoch. An empty session: none was sent."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Several calls in order. What is an exception already is answered with it."""

    ops: Sequence[Op | Exception]


@dataclass(frozen=True, slots=True)
class Done:
    """What a call comes to. ``cookies``: the agent lets a new session be kept by the browser."""

    reply: Reply
    cookies: bool = True


Outcome = Done | Exception


class Turns:
    """All calls of one owner. ``policies`` gives the weights in force; ``clock`` seconds since 1970."""

    def __init__(
        self, owner: str, settings: Decisions, policies: Callable[[], PolicyBook | None], clock: Callable[[], float]
    ) -> None:
        self._owner = owner
        self._settings = settings
        self._policies = policies
        self._clock = clock
        self._roster = Roster(-1)

    def __call__(self, connection: Connection, calls: Sequence[Op | Batch]) -> list[Outcome | list[Outcome]]:
        """Answer calls inside one write transaction, in order. A call that fails changes nothing."""
        roster = self._roster = read_roster(connection, self._roster)
        book = self._policies()
        policies: Policies = NoPolicies()
        if book is not None:
            policies = book.with_pins(roster.pinned(book.respected))
        states = decision_states.read(connection, ((op.agent, op.session) for op in _each(calls) if op.session))
        table = _Table(self._owner, self._settings, roster, policies, states, self._clock)
        answers = [
            [table.answer(op) for op in call.ops] if isinstance(call, Batch) else table.answer(call) for call in calls
        ]
        self._store(connection, table)
        return answers

    def _store(self, connection: Connection, table: _Table) -> None:
        now = datetime.fromtimestamp(self._clock(), UTC).replace(tzinfo=None)
        decision_states.write(connection, table.changed)
        for agent in table.grown.values():
            agent_documents.store_agent(connection, agent, WHO, now)
        for name in sorted(table.flagged):
            documents.put(connection, FLAG, name, json.dumps({"at": now.isoformat()}), WHO, now)
        writes.append_all(connection, table.events, now)


def _each(calls: Sequence[Op | Batch]) -> Iterator[Op]:
    for call in calls:
        for op in call.ops if isinstance(call, Batch) else (call,):
            if isinstance(op, Op):
                yield op


class _Table:
    """Agents and sessions as they are in the transaction, and what is to be written at its end."""

    def __init__(
        self, owner: str, settings: Decisions, roster: Roster, policies: Policies, states: Mapping[Key, SessionState],
        clock: Callable[[], float],
    ) -> None:
        self.owner = owner
        self.grown: dict[str, Agent] = {}
        self.changed: dict[Key, SessionState] = {}
        self.flagged: set[str] = set()
        self.events: list[Write] = []
        self._settings = settings
        self._roster = roster
        self._policies = policies
        self._states = states
        self._clock = clock

    def answer(self, op: Op | Exception) -> Outcome:
        if isinstance(op, Exception):
            return op
        received = self._clock()
        at = received if op.ts is None else op.ts
        try:
            if isinstance(op, DecisionOp):
                return self._decision(op, at, received)
            if isinstance(op, GoalOp):
                return self._goal(op, at, received)
            return self._session(op, at, received) if isinstance(op, SessionOp) else self._expire(op, at, received)
        except BadCall as error:
            return error

    # Calls

    def _decision(self, op: DecisionOp, at: float, received: float) -> Done:
        agent, point, requested = self._resolved(op, at)
        agent, state = self._context(op, agent, opened(self._state(op), at, agent.settings.timeout), at)
        decided = decide(
            agent, point, requested, state, op.session, self._policies, word=op.word, status=op.status
        )
        self._keep_agent(agent)
        self._keep_state(op, decided.state)
        live = agent.status != "provisional"
        for told in decided.events:
            stamp = self._stamp(op, decided.state.epoch, at, received)
            self._log(happenings.DECISIONS, happenings.decision_event(
                stamp, point.code, told, decided.state, live=live
            ))
        return Done(_decision_reply(op, point, decided), agent.settings.cookies)

    def _goal(self, op: GoalOp, at: float, received: float) -> Done:
        agent = self._agent(op)
        code = op.goal or creation.first_goal(agent)
        goal = Goal(code)
        if agent is not None:
            agent = self._permitted(agent, creation.with_goal(agent, code))
            goal = agent.goal(code) or goal
        reward = rewards.sent(goal, op.reward)
        earned = rewards.earned(agent, goal, self._state(op), reward, at)
        state = earned.state
        if agent is not None and state is not None:
            if state.is_open(at, agent.settings.timeout):
                agent, state = self._context(op, agent, state, at)
            self._keep_state(op, state)
        if agent is not None:
            self._keep_agent(agent)
        stamp = self._stamp(op, state.epoch if state is not None else None, at, received)
        self._log(happenings.GOALS, happenings.goal_event(stamp, code, reward, earned.value, earned.reason))
        reply = {
            "agent": op.agent, "session": op.session, "goal": code, "reward": earned.value, "value": earned.value
        }
        return Done(reply, agent is None or agent.settings.cookies)

    def _session(self, op: SessionOp, at: float, received: float) -> Done:
        agent = self._agent(op)
        if agent is None:
            features = codes.features(op.features)
            return Done(_context_reply(op, op.segment or NO_SEGMENT, features))
        agent, state = self._context(op, agent, opened(self._state(op), at, agent.settings.timeout), at)
        self._keep_agent(agent)
        self._keep_state(op, state)
        stamp = self._stamp(op, state.epoch, at, received)
        self._log(happenings.SESSIONS, happenings.session_event(stamp, "features", state.segment, state.features))
        return Done(_context_reply(op, state.segment, state.features), agent.settings.cookies)

    def _expire(self, op: Op, at: float, received: float) -> Done:
        if not op.session:
            return Done({"agent": op.agent})
        state = self._state(op)
        if self._agent(op) is not None and state is not None and not state.ended:
            self._keep_state(op, state.over(at))
            stamp = self._stamp(op, state.epoch, at, received)
            self._log(happenings.SESSIONS, happenings.session_event(stamp, "expire", state.segment, state.features))
        return Done({"agent": op.agent, "session": op.session})

    # Their parts

    def _resolved(self, op: DecisionOp, at: float) -> tuple[Agent, Point, dict[str, tuple[str, ...]]]:
        """The agent with all that the call names, its point, and the requested choices. Raises BadCall."""
        known = self._agent(op)
        if known is None:
            agents = len(self._roster.agents.keys() | self.grown.keys())
            known = creation.new_agent(self.owner, op.agent, int(at), agents)
        code = op.point or creation.first_point(known)
        stored = known.point(code)
        asked = named(op.asked, stored)
        if not asked and stored is not None:
            asked = {one.code: () for one in stored.decisions[: 1 if op.single else None]}
        agent = self._permitted(self._agent(op), creation.with_choices(known, code, asked))
        point = agent.point(code)
        assert point is not None
        names = asked or {point.decisions[0].code: ()}
        found = {}
        for name, choices in names.items():
            decision = point.decision(name)
            assert decision is not None
            found[name] = choices or decision.codes()
        return agent, point, found

    def _permitted(self, before: Agent | None, after: Agent) -> Agent:
        if after is not before and not self._settings.auto_create:
            raise BadCall("there is no such agent, point, decision, choice or goal, and calls create none", 404)
        return after

    def _context(self, op: Op, agent: Agent, state: SessionState, at: float) -> tuple[Agent, SessionState]:
        """The session with the features and the segment of the call, and the agent that knows the segment."""
        derived, segment = self._derived(op, at)
        features = codes.features((*derived, *op.features), state.features)
        wanted = op.segment or segment or state.segment
        agent, counted = creation.with_segment(agent, wanted)
        if counted != wanted:
            self.flagged |= {f"{agent.code}:{SEGMENT_CAP}"} - self._roster.flags
        if counted == state.segment and features == state.features:
            return agent, state
        return agent, replace(state, segment=counted, features=features)

    def _derived(self, op: Op, at: float) -> tuple[tuple[str, ...], str | None]:
        """What targeting rules make of the visitor."""
        rules = [rule for rule in self._roster.rules if rule.concerns(op.agent)]
        if not rules or op.visitor is None:
            return (), None
        return derive(rules, op.visitor(datetime.fromtimestamp(at, UTC).replace(tzinfo=None)))

    def _agent(self, op: Op) -> Agent | None:
        return self.grown.get(op.agent) or self._roster.agents.get(op.agent)

    def _state(self, op: Op) -> SessionState | None:
        key = op.agent, op.session
        return self.changed.get(key) or self._states.get(key)

    def _keep_agent(self, agent: Agent) -> None:
        if agent is not self._roster.agents.get(agent.code):
            self.grown[agent.code] = agent

    def _keep_state(self, op: Op, state: SessionState) -> None:
        self.changed[op.agent, op.session] = state

    def _stamp(self, op: Op, epoch: int | None, at: float, received: float) -> Stamp:
        event_id = os.urandom(16).hex()
        return Stamp(event_id, self.owner, op.agent, op.session, epoch, at, received, op.ts is not None)

    def _log(self, entity: str, body: happenings.Body) -> None:
        self.events.append(Write(entity, body["session"], "create", orjson.dumps(body).decode()))


def _context_reply(op: Op, segment: str, features: Mapping[str, float]) -> Reply:
    return {"agent": op.agent, "session": op.session, "segment": segment, "features": dict(features)}


WIRE = {"fixed": "control", "paused": "control", "stopped": "control"}


def _decision_reply(op: DecisionOp, point: Point, decided: Decided) -> Reply:
    reply: Reply = {
        "agent": op.agent, "session": op.session, "policy": WIRE.get(decided.policy, decided.policy),
        "point": point.code, "segment": decided.state.segment, "features": dict(decided.state.features),
    }
    if op.single:
        reply["decision"] = next(iter(decided.choices.values()))
    reply["decisions"] = {name: _choice(point, name, code) for name, code in decided.choices.items()}
    return reply


def _choice(point: Point, name: str, code: str) -> Reply:
    decision = point.decision(name)
    choice = decision.choice(code) if decision is not None else None
    told: Reply = {"code": code}
    if choice is not None and choice.name:
        told["name"] = choice.name
    if choice is not None and choice.meta:
        told["meta"] = dict(choice.meta)
    return told
