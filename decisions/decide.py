"""One call for decisions, in the order of the contract (4.2): status, fixed targeting, sticky choices, the draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import Literal, Protocol

from decisions import assignment
from decisions.agent import Agent, Decision, Point
from decisions.assignment import Rates
from decisions.codes import BadCall
from decisions.epochs import Draw, Kept, SessionState
from decisions.fixed import fixed_choices
from decisions.patterns import Encoding

LISTED = 1000
"""Arms that an event lists, at most; where there are more, its candidates and probabilities are empty."""
UNIFORM = "uniform"
REQUESTED = ("explore", "exploit", "control")
Label = Literal["control", "explore", "exploit", "fixed", "paused", "stopped", "sticky"]

Requested = Mapping[str, Sequence[str]]


class Policies(Protocol):
    """The published weights that a draw reads."""

    def version(self, agent: str) -> str: ...

    def find(
        self, agent: str, point: str, decision_set: str, segment: str, pattern: str
    ) -> tuple[str, Mapping[str, float]] | None: ...

    def indicators(self, agent: str, point: str) -> Encoding: ...


class NoPolicies:
    """Before the first run: version 0, every arm alike."""

    def version(self, _agent: str) -> str:
        """The version of an agent without a table."""
        return "0"

    def find(self, *_context: str) -> None:
        """Nothing."""
        return

    def indicators(self, _agent: str, _point: str) -> Encoding:
        """No indicators."""
        return Encoding()


@dataclass(frozen=True, slots=True)
class Told:
    """One decision event beside what the call says itself. ``policy`` is the log's label; ``live`` 0: not learned."""

    draw: Draw
    policy: Label
    sticky: bool = False


@dataclass(frozen=True, slots=True)
class Decided:
    """What a call comes to: the choice of each requested decision in order, the label, the session after it, events."""

    choices: Mapping[str, str]
    policy: Label
    state: SessionState
    events: tuple[Told, ...]


def decide(
    agent: Agent, point: Point, requested: Requested, state: SessionState, session: str, policies: Policies, *,
    word: str = "", status: str = "ok",
) -> Decided:
    """Decide. ``requested``: choices by decision, all of them stored; ``state``: the open epoch with its context;
    ``word``: the ``decision-policy`` asked for; ``status``: ``ok``, or ``p`` for a provisional draw.

    Raises BadCall.
    """
    if word and word not in REQUESTED:
        raise BadCall(f"decision-policy is one of {', '.join(REQUESTED)}, not {word[:60]!r}")
    if status not in ("ok", "p"):
        raise BadCall(f"status is ok or p, not {status[:60]!r}")
    decided = _Turn(agent, point, requested, state, session, policies, word, status).run()
    counts = status == "ok" or decided.state.decided
    return replace(decided, state=replace(decided.state, decided=counts))


def default_choice(decision: Decision, requested: Sequence[str]) -> str:
    """The control: the first stored choice, or the first requested one where that was not requested."""
    first = decision.choices[0].code
    return first if first in requested else requested[0]


def arm_of(names: Sequence[str], choices: Sequence[str]) -> str:
    """How an arm is written."""
    return ",".join(f"{name}:{choice}" for name, choice in zip(names, choices, strict=True))


class _Turn:
    def __init__(
        self, agent: Agent, point: Point, requested: Requested, state: SessionState, session: str, policies: Policies,
        word: str, status: str,
    ) -> None:
        self.agent = agent
        self.point = point
        self.requested = requested
        self.state = state
        self.session = session
        self.policies = policies
        self.word = word
        self.status = status
        # Decisions of the call and their requested choices, both in stored order.
        self._decisions = {one.code: one for one in point.decisions if one.code in requested}
        self._choices = {
            name: [choice.code for choice in one.choices if choice.code in requested[name]]
            for name, one in self._decisions.items()
        }

    def run(self) -> Decided:
        if self.agent.status in ("stopped", "paused"):
            return self._standing("stopped" if self.agent.status == "stopped" else "paused")
        fixed = fixed_choices(self.point.fixed, self.state.features, self.requested)
        rest = [name for name in self.requested if name not in fixed]
        if not rest:
            return self._settled("fixed", fixed)
        kept = self._kept(rest)
        open_ = [name for name in rest if name not in kept]
        choices = {**fixed, **{name: one.choice for name, one in kept.items()}}
        confirmed, state = self._confirmed(kept)
        if open_:
            draw, drawn, label = self._drawn(open_)
            state = self._stored(state, draw, drawn)
            return self._decided({**choices, **drawn}, label, state, (*confirmed, Told(draw, label)))
        if confirmed:
            return self._decided(choices, confirmed[-1].policy, state, confirmed)
        last = state.draws[self.point.code][max(one.draw for one in kept.values())]
        return self._decided(choices, "sticky", state, (Told(last, "sticky", sticky=True),))

    def _decided(
        self, choices: Mapping[str, str], label: Label, state: SessionState, events: tuple[Told, ...]
    ) -> Decided:
        return Decided({name: choices[name] for name in self.requested}, label, state, events)

    def _standing(self, label: Label) -> Decided:
        """What an agent answers that does not decide now."""
        choices = {}
        for name, requested in self.requested.items():
            decision = self._decisions[name]
            paused = decision.paused_choice if label == "paused" else ""
            choices[name] = paused if paused in requested else default_choice(decision, requested)
        return self._settled(label, choices)

    def _settled(self, label: Label, choices: Mapping[str, str]) -> Decided:
        """A choice that nothing was drawn for; it is not the session's."""
        names = self._ordered(choices)
        arm = arm_of(names, [choices[name] for name in names])
        sizes = prod(len(self.requested[name]) for name in names)
        arms = self._arms(names) if sizes <= LISTED else ()
        decision_set = ",".join(sorted(names))
        draw = Draw(
            decision_set, arm, arms, tuple(float(one == arm) for one in arms), 1.0, label, self.word,
            self.policies.version(self.agent.code), UNIFORM, self._pattern(), self._seq(decision_set), self.status,
        )
        return self._decided(choices, label, self.state, (Told(draw, label),))

    def _kept(self, names: Sequence[str]) -> dict[str, Kept]:
        """The session's own choices, where they are still requested."""
        if not self.agent.settings.sticky:
            return {}
        stored = self.state.choices.get(self.point.code, {})
        return {name: stored[name] for name in names if name in stored and stored[name].choice in self.requested[name]}

    def _confirmed(self, kept: Mapping[str, Kept]) -> tuple[tuple[Told, ...], SessionState]:
        """Provisional draws that this call confirms, and the session after it."""
        draws = self.state.draws.get(self.point.code, ())
        if self.status != "ok" or not kept or all(draw.status == "ok" for draw in draws):
            return (), self.state
        told = {at: replace(draws[at], status="ok") for at in sorted({one.draw for one in kept.values()})
                if draws[at].status != "ok"}
        after = tuple(told.get(at, draw) for at, draw in enumerate(draws))
        events = tuple(Told(draw, draw.policy) for draw in told.values())  # type: ignore[arg-type]
        return events, replace(self.state, draws={**self.state.draws, self.point.code: after})

    def _drawn(self, names: Sequence[str]) -> tuple[Draw, dict[str, str], Label]:
        names = self._ordered(names)
        decision_set = ",".join(sorted(names))
        version, pattern = self.policies.version(self.agent.code), self._pattern()
        seq = self._seq(decision_set)
        u = assignment.unit(
            self.agent.owner, self.agent.code, self.point.code, decision_set, self.session, self.state.epoch, seq,
            version,
        )
        sizes = [len(self._choices[name]) for name in names]
        count = prod(sizes)
        arms = self._arms(names) if count <= LISTED else ()
        found = None
        if len(names) == 1 or count <= assignment.COMBINATIONS:
            found = self.policies.find(self.agent.code, self.point.code, decision_set, self.state.segment, pattern)
        weights = found[1] if found is not None and sum(found[1].get(arm, 0.0) for arm in arms) > 0 else None
        backoff = found[0] if found is not None and weights is not None else UNIFORM
        default = self._default(names)
        label, index, probs, probability = (
            self._listed(u, arms, default, weights) if arms else self._unlisted(u, count, default)
        )
        picked = _digits(index, sizes)
        choices = {name: self._choices[name][at] for name, at in zip(names, picked, strict=True)}
        draw = Draw(
            decision_set, arm_of(names, list(choices.values())), arms, probs, probability, label, self.word, version,
            backoff, pattern, seq, self.status,
        )
        return draw, choices, label

    def _listed(
        self, u: float, arms: Sequence[str], default: int, weights: Mapping[str, float] | None
    ) -> tuple[assignment.Cell, int, tuple[float, ...], float]:
        if not self.word:
            q = assignment.floored(assignment.exploit_shares(arms, weights))
            cell, index = assignment.drawn(u, q, default, self._rates)
            probs = assignment.propensities(q, default, self._rates)
            return cell, index, tuple(probs), probs[index]
        if self.word == "explore":
            share = 1.0 / len(arms)
            return "explore", assignment.uniform_index(u, len(arms)), (share,) * len(arms), share
        index = default if self.word == "control" else assignment.best(weights, arms, default)
        word: assignment.Cell = "control" if self.word == "control" else "exploit"
        return word, index, tuple(float(at == index) for at in range(len(arms))), 1.0

    def _unlisted(
        self, u: float, count: int, default: int
    ) -> tuple[assignment.Cell, int, tuple[float, ...], float]:
        """The same over more arms than can be listed: every arm alike but the default one."""
        if self.word == "explore":
            return "explore", assignment.uniform_index(u, count), (), 1.0 / count
        if self.word:
            return ("control" if self.word == "control" else "exploit"), default, (), 1.0
        cell, rest = assignment.cell_of(u, self._rates)
        index = default if cell == "control" else assignment.uniform_index(rest, count)
        c = self._rates.control
        return cell, index, (), (c if index == default else 0.0) + (1 - c) / count

    def _stored(self, state: SessionState, draw: Draw, drawn: Mapping[str, str]) -> SessionState:
        """The session with a draw and its choices."""
        point = self.point.code
        before = state.draws.get(point, ())
        kept = {**state.choices.get(point, {}), **{name: Kept(choice, len(before)) for name, choice in drawn.items()}}
        draws = (*before, draw)
        used = sorted({one.draw for one in kept.values()})
        place = {old: new for new, old in enumerate(used)}
        seqs = {**state.seqs.get(point, {}), draw.decision_set: draw.seq + 1}
        return replace(
            state,
            choices={**state.choices, point: {name: Kept(one.choice, place[one.draw]) for name, one in kept.items()}},
            draws={**state.draws, point: tuple(draws[old] for old in used)}, seqs={**state.seqs, point: seqs},
        )

    @property
    def _rates(self) -> Rates:
        return Rates(self.agent.learning.control_rate, self.agent.learning.exploration_rate)

    def _ordered(self, names: Sequence[str] | Mapping[str, str]) -> list[str]:
        return [name for name in self._decisions if name in names]

    def _arms(self, names: Sequence[str]) -> tuple[str, ...]:
        parts = ([f"{name}:{choice}" for choice in self._choices[name]] for name in names)
        return tuple(",".join(one) for one in product(*parts))

    def _default(self, names: Sequence[str]) -> int:
        """Position of the default arm."""
        at = 0
        for name in names:
            order = self._choices[name]
            at = at * len(order) + order.index(default_choice(self._decisions[name], self.requested[name]))
        return at

    def _pattern(self) -> str:
        return self.policies.indicators(self.agent.code, self.point.code).pattern(self.state.features)

    def _seq(self, decision_set: str) -> int:
        return self.state.seqs.get(self.point.code, {}).get(decision_set, 0)


def _digits(number: int, sizes: Sequence[int]) -> list[int]:
    """The positions that make up an arm's number, the last fastest."""
    found = []
    for size in reversed(sizes):
        number, digit = divmod(number, size)
        found.append(digit)
    return found[::-1]
