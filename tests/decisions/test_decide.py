"""The order of a decision (4.2), back-off (4.3) and sessions as they are stored."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.agent import Agent, Choice, Decision, Learning, Point, Settings
from decisions.codes import BadCall
from decisions.decide import Decided, NoPolicies, Requested, decide
from decisions.epochs import SessionState, from_body, opened, to_body
from decisions.fixed import FixedTarget
from decisions.patterns import Encoding, Feature

V = Decision("v", (Choice("a"), Choice("b"), Choice("c")))
W = Decision("w", (Choice("x"), Choice("y")))
POINT = Point("home", (V, W))
AGENT = Agent("agent", "owner", points=(POINT,))
FRESH = SessionState(1000, 1.0, 1.0)
ALL_V = {"v": ("a", "b", "c")}


class Weights(NoPolicies):
    """One row set for each context."""

    def __init__(self, rows: Mapping[tuple[str, str], Mapping[str, float]]) -> None:
        self.rows = rows

    def version(self, _agent: str) -> str:
        return "7"

    def find(self, _agent: str, _point: str, _set: str, segment: str, pattern: str):  # type: ignore[no-untyped-def]
        for level, key in (("pattern", (segment, pattern)), ("segment", (segment, "*")), ("agent", ("*", "*"))):
            if key in self.rows:
                return level, self.rows[key]
        return None

    def indicators(self, _agent: str, _point: str) -> Encoding:
        return Encoding(["vip"], [Feature("vip")])


def ask(
    requested: Requested = ALL_V, agent: Agent = AGENT, state: SessionState = FRESH, point: Point = POINT,
    policies: NoPolicies | None = None, **more: str,
) -> Decided:
    return decide(agent, point, requested, state, "sess", policies or NoPolicies(), **more)


def test_back_off_goes_from_pattern_to_segment_to_agent_to_uniform() -> None:
    rows = {("gold", "vip"): {"v:b": 1.0}, ("gold", "*"): {"v:c": 1.0}, ("*", "*"): {"v:a": 0.5, "v:b": 0.5}}
    vip = replace(FRESH, segment="gold", features={"vip": 1.0})
    seen = []
    for state in (vip, replace(FRESH, segment="gold"), FRESH):
        (told,) = ask(policies=Weights(rows), state=state).events
        seen.append((told.draw.backoff, told.draw.pattern, [round(p, 6) for p in told.draw.probs]))
        assert told.draw.version == "7"
    low, base = 0.9 * (0.2 / 3 + 0.8 * 0.01), 0.9 * 0.2 / 3
    assert seen[0] == ("pattern", "vip", [round(p, 6) for p in (0.1 + low, base + 0.72 * 0.98, low)])
    assert seen[1][:2] == ("segment", "") and seen[2][:2] == ("agent", "")
    assert ask(policies=Weights({})).events[0].draw.backoff == "uniform"
    strange = Weights({("*", "*"): {"v:new": 1.0}})
    assert ask(policies=strange).events[0].draw.backoff == "uniform"


def test_exploit_takes_the_heaviest_arm() -> None:
    weights = Weights({("*", "*"): {"v:a": 0.2, "v:b": 0.4, "v:c": 0.4}})
    assert ask(policies=weights, word="exploit").choices == {"v": "b"}
    assert ask(policies=weights, word="control").choices == {"v": "a"}
    assert ask({"v": ("c", "b")}, policies=weights, word="control").choices == {"v": "c"}
    with pytest.raises(BadCall):
        ask(word="fixed")


def test_test_only_agents_always_explore() -> None:
    agent = replace(AGENT, learning=Learning(exploration_rate=1.0, control_rate=0.0))
    for epoch in range(200):
        told = ask(agent=agent, state=replace(FRESH, epoch=epoch)).events[0]
        assert told.policy == "explore" and told.draw.probs == pytest.approx([1 / 3] * 3)


def test_an_agent_that_stands_answers_and_keeps_nothing() -> None:
    paused = replace(V, paused_choice="c")
    point = replace(POINT, decisions=(paused, W))
    told = ask(agent=replace(AGENT, status="paused"), point=point)
    assert told.choices == {"v": "c"} and told.policy == "paused" and told.events[0].draw.probs == (0.0, 0.0, 1.0)
    assert ask({"v": ("b", "a")}, agent=replace(AGENT, status="paused"), point=point).choices == {"v": "a"}
    told = ask({"v": ("c", "b"), "w": ("y", "x")}, agent=replace(AGENT, status="stopped"), point=point)
    assert told.choices == {"v": "c", "w": "x"} and told.policy == "stopped"
    assert not told.state.choices and not told.state.seqs and told.state.decided


def test_status_beats_fixed_beats_sticky() -> None:
    point = replace(POINT, fixed=(FixedTarget("vip", "v", "b"), FixedTarget("vip", "v", "c")))
    state = ask(point=point).state
    vip = replace(state, features={"vip": 1.0})
    told = ask(point=point, state=vip)
    assert (told.choices, told.policy, told.events[0].sticky) == ({"v": "b"}, "fixed", False)
    assert told.state.choices == state.choices
    both = ask({**ALL_V, "w": ("x", "y")}, point=point, state=vip)
    assert both.choices["v"] == "b" and both.events[0].draw.decision_set == "w" and both.policy != "fixed"
    assert ask(point=point, state=vip, agent=replace(AGENT, status="stopped")).policy == "stopped"
    assert ask({"v": ("a",)}, point=point, state=vip).choices == {"v": "a"}


def test_combinations_are_in_stored_order_with_the_last_decision_fastest() -> None:
    told = ask({"w": ("y", "x"), "v": ("c", "a")})
    assert list(told.choices) == ["w", "v"]
    draw = told.events[0].draw
    assert draw.decision_set == "v,w" and draw.candidates == ("v:a,w:x", "v:a,w:y", "v:c,w:x", "v:c,w:y")
    assert draw.arm == f"v:{told.choices['v']},w:{told.choices['w']}"
    assert draw.probs == pytest.approx([0.1 + 0.9 / 4, 0.9 / 4, 0.9 / 4, 0.9 / 4])


def test_draws_that_nothing_goes_back_to_are_forgotten() -> None:
    agent = replace(AGENT, settings=Settings(sticky=False))
    state = FRESH
    for _ in range(50):
        state = ask(agent=agent, state=state).state
    assert len(state.draws["home"]) == 1 and state.seqs == {"home": {"v": 50}}


def test_an_epoch_is_its_opening_and_higher_than_the_last() -> None:
    first = opened(None, 1700000000.123, 60)
    assert first.epoch == 1700000000123
    assert opened(first, 1700000060.0, 60).epoch == first.epoch
    assert opened(first.over(1700000000.2), 1700000000.1, 60).epoch == first.epoch + 1
    again = opened(first, 1700000061.0, 60)
    assert again.epoch == 1700000061000 and again.opened == 1700000061.0


requests = st.dictionaries(
    st.sampled_from(["v", "w"]), st.sampled_from([("a",), ("x",), ("b", "a"), ("y", "x"), ("c", "b", "a")]), min_size=1
).map(lambda found: {
    name: tuple(one for one in choices if one in (V if name == "v" else W).codes()) for name, choices in found.items()
}).filter(lambda found: all(found.values()))


@given(st.lists(st.tuples(requests, st.sampled_from(["ok", "p"])), max_size=12))
def test_a_session_is_stored_whole_and_never_changes_a_choice_that_is_asked_for(
    calls: list[tuple[dict[str, tuple[str, ...]], str]],
) -> None:
    state = FRESH
    for requested, status in calls:
        before = {name: kept.choice for name, kept in state.choices.get("home", {}).items()}
        decided = ask(requested, state=state, status=status)
        for name, choice in decided.choices.items():
            assert choice in requested[name]
            if before.get(name) in requested[name]:
                assert choice == before[name]
        assert list(decided.choices) == list(requested)
        state = decided.state
        body = json.loads(json.dumps(to_body(state)))
        assert from_body(state.epoch, state.opened, state.last, state.ended, body) == state
        for kept in state.choices["home"].values():
            assert kept.draw < len(state.draws["home"])
