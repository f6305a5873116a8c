"""Whatever JSON comes as a document or a rule, it is taken or told what is wrong; what is taken stays what it is."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from decisions.agent import from_document, to_document
from decisions.agent_check import checked, fixed_faults
from decisions.targeting import parse_rule

LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(
    ["a", "b", "d:a", "enabled", "paused", "auto", "*", "eq", "regex", "(", "uaBrowser", "and", "#c-ua-bn", "feature:x"]
)
ANYTHING = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
CODES = st.sampled_from(["a", "b", "c-1", "", "x y"])


def objects(*names: str, **known: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with some of these members; those without a strategy of their own hold anything."""
    parts = {**dict.fromkeys(names, ANYTHING), **known}
    return st.fixed_dictionaries({}, optional=parts)


CHOICES = st.lists(CODES | objects("name", "meta", code=CODES), max_size=3) | ANYTHING
DECISIONS = st.lists(objects("name", code=CODES, choices=CHOICES, pausedChoice=CODES | ANYTHING), max_size=3) | ANYTHING
FIXED = st.lists(objects(feature=CODES | ANYTHING, decision=st.sampled_from(["d:a", "d"]) | ANYTHING), max_size=2)
POINTS = st.lists(objects(code=CODES, decisions=DECISIONS, fixedTargeting=FIXED | ANYTHING), max_size=3) | ANYTHING
GOALS = st.lists(objects(code=CODES, settings=objects("min", "max", "default", "limit") | ANYTHING), max_size=3)
DOCUMENTS = objects(
    "name", "status", "aa", "created", "learning", "settings", "targeting", "more", code=CODES, goals=GOALS | ANYTHING,
    points=POINTS, pausedChoice=CODES | ANYTHING,
) | ANYTHING
RULES = objects(
    "agents", "status", "andor", code=CODES | ANYTHING,
    when=st.lists(st.lists(LEAVES, max_size=4), max_size=2) | ANYTHING,
    apply=objects("feature", "segment") | ANYTHING,
) | ANYTHING


@given(DOCUMENTS)
def test_a_document_is_taken_and_stays_or_is_told_its_faults(document: Any) -> None:
    found, problems = checked(document)
    if problems:
        assert all(problem.where.startswith("$") and problem.message for problem in problems)
        return
    full = to_document(from_document(found))
    again, more = checked(full)
    assert more == [] and to_document(from_document(again)) == full
    json.dumps(full, allow_nan="more" in full)


@given(RULES)
def test_a_rule_is_taken_or_told_its_faults(document: Any) -> None:
    rule, faults = parse_rule(document)
    assert (rule is None) == bool(faults)
    if rule is not None:
        assert parse_rule(rule.raw)[0] == rule


@given(FIXED | ANYTHING)
def test_fixed_targets_are_taken_or_told_their_faults(document: Any) -> None:
    list(fixed_faults(document))
