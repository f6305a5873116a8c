"""The drain loses and doubles nothing: what was written is read the same over every run, drained or not."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from benchmarks.drain_law import BEATS, LANES, MANY, STEP, Op, check, in_turns


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@example([("resolve", "s1", "u1", 0)])
@example([("visit", "s1", "a", "view", 0, {}), ("publish",), ("resolve", "s1", "u1", 0), ("erase", "u1"),
          ("visit", "s1", "b", "view", 0, {}), ("publish",), ("meet", "u1", "a", "buy", 0, {})])
@example([("resolve", "s1", "5", 0), ("resolve", "s1", "u1", 0), ("visit", "s1", "b", "buy", 0, {}), ("erase", "u1")])
@example([("visit", "s1", "b", "view", 0, {}), ("drain",), ("resolve", "s1", "5", 0), ("erase", "5"), ("erase", "5")])
@example([("resolve", "s1", "u1", 0), ("publish",), ("erase", "u1"), ("visit", "s1", "a", "view", 0, {}),
          ("erase", "u1")])
@example([("put", "user", "5", {}), ("publish",), ("erase", "5"), ("put", "user", "u1", {}), ("drain",),
          ("put", "user", "5", {})])
@example([("put", "item", "a", {"price": 1.5, "labels": ["x"]}), ("publish",), ("drop", "item", "price"),
          ("patch", "item", "a", {"price": 3.0}), ("delete", "item", "a"), ("patch", "item", "a", {"sold": True})])
@given(st.lists(STEP, min_size=1, max_size=9))
def test_the_state_is_the_same_over_every_run(ops: list[Op]) -> None:
    check(ops)


@settings(max_examples=2_000 // LANES, deadline=None, suppress_health_check=list(HealthCheck))
@given(MANY, BEATS)
def test_many_sequences_of_one_workspace(lanes: tuple[list[Op], ...], beats: list[str]) -> None:
    check(in_turns(lanes, beats), LANES)


def test_the_law_notices(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reducer that forgets deletions of ratings is found out."""
    from serving.changes import Changes

    rating = Changes._rating

    def forgetful(self: Changes, write: object, body: object) -> None:
        if write.op == "put":  # type: ignore[attr-defined]
            rating(self, write, body)  # type: ignore[arg-type]

    monkeypatch.setattr(Changes, "_rating", forgetful)
    with pytest.raises(AssertionError):
        check([("rate", "u1", "a", 1.0, 0), ("publish",), ("unrate", "u1", "a")])
