"""Codes, session ids and features (1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.codes import (
    FEATURE,
    FEATURES_OF_A_SESSION,
    REFUSED_AGENTS,
    BadCall,
    agent_code,
    code,
    features,
    finite,
    session_id,
    split_features,
)


def test_codes() -> None:
    assert code("agent", "A-z_09") == "A-z_09" and code("agent", "a" * 50)
    for bad in ("", "a" * 51, "a b", "a:b", "ä", "a\n"):
        with pytest.raises(BadCall):
            code("agent", bad)
    for name in REFUSED_AGENTS:
        with pytest.raises(BadCall):
            agent_code(name)
    assert len(REFUSED_AGENTS) == 9


def test_session_ids() -> None:
    for good in ("s", "s" * 128, "ä{}'\"", "a/b==", "会"):
        assert session_id(good) == good
    for bad in ("", "s" * 129, "a b", "a\tb", "a\x00", "a\u00a0b", "\u200b", "\ud800"):
        with pytest.raises(BadCall):
            session_id(bad)


def test_numbers() -> None:
    assert finite("reward", "-1.5e3") == -1500 and finite("reward", 2) == 2
    for bad in ("nan", "inf", "-infinity", "1e999", "", "1_0", "x", True, None, [1], 10**400):
        with pytest.raises(BadCall):
            finite("reward", bad)


@pytest.mark.parametrize(
    ("tokens", "found"),
    [
        ("vip,age:34.00,cat::42", {"vip": 1.0, "age": 34.0, "cat::42": 1.0}), ("age:1,age:2.5", {"age": 2.5}),
        ("browser:Chrome,browser:Fox", {"browser:Fox": 1.0}), ("cat::1,cat::2", {"cat::1": 1.0, "cat::2": 1.0}),
        ("age:34,age:old", {"age:old": 1.0}), ("age:old,age:34", {"age": 34.0}),
        ("vip,vip:gold", {"vip": 1.0, "vip:gold": 1.0}), ("a b,ä,,null,undefined, ok ," + "x" * 51, {"ok": 1.0}),
        ("x:-1,y:.5,z:1e5", {"x": -1.0, "y": 0.5, "z:1e5": 1.0}),
        ("a:b:c,a:b:d", {"a:b:c": 1.0, "a:b:d": 1.0}), (":5,5:", {":5": 1.0, "5:": 1.0}),
    ],
)
def test_tokens(tokens: str, found: dict[str, float]) -> None:
    assert features(split_features(tokens)) == found


def test_a_session_has_at_most_64() -> None:
    had = features(f"f{at}" for at in range(64))
    assert features(["f1:9", "new", "f2"], had) == {**had, "f1": 9.0}
    assert len(features((f"g{at}" for at in range(100)), had)) == FEATURES_OF_A_SESSION


TOKENS = st.lists(st.text(st.sampled_from("ab:1.9- "), max_size=6), max_size=8)


@given(TOKENS, TOKENS)
def test_sets_only_hold_features_and_the_last_token_added_again_changes_nothing(
    first: list[str], then: list[str]
) -> None:
    found = features(then, features(first))
    assert all(FEATURE.fullmatch(name) for name in found)
    assert features(then[-1:], found) == found
