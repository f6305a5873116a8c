"""Targeting rules (contract, section 11): conditions about a visitor that add features or set the segment."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from decisions.codes import CODE, FEATURE
from decisions.providers import PROVIDERS, known_source, source_value
from decisions.regex import BadPattern, searcher
from decisions.visitor import Visitor

EVERY = "*"
PROVIDER = "#"


def _number(text: str) -> float | None:
    try:
        number = float(text) if "_" not in text else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _ordered(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    def holds(value: str, wanted: str) -> bool:
        left, right = _number(value), _number(wanted)
        return left is not None and right is not None and compare(left, right)
    return holds


def _texts(compare: Callable[[str, str], bool]) -> Callable[[str, str], bool]:
    return lambda value, wanted: compare(value.casefold(), wanted.casefold())


OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "eq": _texts(lambda value, wanted: value == wanted),
    "ne": _texts(lambda value, wanted: value != wanted),
    "contains": _texts(lambda value, wanted: wanted in value),
    "starts": _texts(lambda value, wanted: value.startswith(wanted)),
    "ends": _texts(lambda value, wanted: value.endswith(wanted)),
    "in": _texts(lambda value, wanted: value.strip() in {one.strip() for one in wanted.split(",")}),
    "gt": _ordered(lambda value, wanted: value > wanted),
    "lt": _ordered(lambda value, wanted: value < wanted),
    "regex": lambda value, wanted: searcher(wanted)(value),
}


@dataclass(frozen=True, slots=True)
class Condition:
    """``source operator value``; false when the source has no value."""

    source: str
    operator: str
    value: str

    def holds(self, visitor: Visitor) -> bool:
        """Whether the visitor meets it."""
        found = source_value(visitor, self.source)
        return found is not None and OPERATORS[self.operator](found, self.value)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; ``agents``: codes, or ``*`` for all. ``features``: tokens and ``#provider``. ``raw``: as sent."""

    code: str
    on: bool
    agents: frozenset[str]
    when: tuple[Condition, ...]
    every: bool
    features: tuple[str, ...]
    segment: str | None
    raw: Mapping[str, Any] = field(compare=False, default_factory=dict)

    def concerns(self, agent: str) -> bool:
        """Whether it is on, and meant for this agent."""
        return self.on and (EVERY in self.agents or agent in self.agents)

    def holds(self, visitor: Visitor) -> bool:
        """Whether the visitor meets its conditions; a rule without any holds always."""
        if not self.when:
            return True
        return (all if self.every else any)(one.holds(visitor) for one in self.when)


def derive(rules: Iterable[Rule], visitor: Visitor) -> tuple[tuple[str, ...], str | None]:
    """What the rules that concern an agent, in stored order, make of a visitor: feature tokens as the parameter
    ``features`` would bring them (each once), and the segment of the last rule that sets one.
    """
    features: dict[str, None] = {}
    segment = None
    for rule in rules:
        if not rule.holds(visitor):
            continue
        for one in rule.features:
            found = PROVIDERS[one.removeprefix(PROVIDER)].of(visitor) if one.startswith(PROVIDER) else one
            if found is not None:
                features[found] = None
        segment = rule.segment or segment
    return tuple(features), segment


def parse_rule(document: Any) -> tuple[Rule | None, list[str]]:
    """The rule of a JSON document, or everything that is wrong with it. Unknown keys are kept in ``raw``."""
    if not isinstance(document, Mapping):
        return None, ["a rule must be an object"]
    faults: list[str] = []
    code = document.get("code")
    if not (isinstance(code, str) and CODE.fullmatch(code)):
        faults.append("code must be 1 to 50 of 0-9 A-Z a-z _ -")
    status = document.get("status", 1)
    if status not in (0, 1, "0", "1"):
        faults.append("status must be 1 (on) or 0 (off)")
    andor = document.get("andor", "and")
    if andor not in ("and", "or"):
        faults.append("andor must be and, or or")
    agents = _agents(document.get("agents", [EVERY]), faults)
    when = _conditions(document.get("when", []), faults)
    features, segment = _application(document.get("apply"), faults)
    if faults:
        return None, faults
    return Rule(
        str(code), int(status) == 1, agents, when, andor == "and", features, segment, dict(document)
    ), []


def _agents(given: Any, faults: list[str]) -> frozenset[str]:
    listed = [given] if isinstance(given, str) else given
    if not isinstance(listed, Sequence) or not listed or not all(
        isinstance(one, str) and (one == EVERY or CODE.fullmatch(one)) for one in listed
    ):
        faults.append('agents must be a list of agent codes, or ["*"]')
        return frozenset()
    return frozenset(listed)


def _conditions(given: Any, faults: list[str]) -> tuple[Condition, ...]:
    if not isinstance(given, Sequence) or isinstance(given, str):
        faults.append("when must be a list of [source, operator, value]")
        return ()
    found = []
    for number, one in enumerate(given):
        where = f"when[{number}]"
        if not isinstance(one, Sequence) or isinstance(one, str) or len(one) != 3 or not all(map(_is_text, one)):
            faults.append(f"{where} must be [source, operator, value], all texts")
            continue
        source, operator, value = (_text(part) for part in one)
        if not known_source(source):
            faults.append(f"{where}: unknown source {source[:50]!r}")
        if operator not in OPERATORS:
            faults.append(f"{where}: unknown operator {operator[:50]!r}; known: {', '.join(OPERATORS)}")
        elif operator == "regex":
            try:
                searcher(value)
            except BadPattern as error:
                faults.append(f"{where}: pattern: {error}")
        found.append(Condition(source, operator, value))
    return tuple(found)


def _is_text(value: Any) -> bool:
    return isinstance(value, str | int | float)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else f"{value:.15g}"


def _application(given: Any, faults: list[str]) -> tuple[tuple[str, ...], str | None]:
    if not isinstance(given, Mapping) or not (given.get("feature") or given.get("segment")):
        faults.append("apply must hold a feature, a segment, or both")
        return (), None
    features, segment = given.get("feature") or "", given.get("segment") or None
    if not isinstance(features, str):
        faults.append("apply.feature must be codes separated by commas")
        features = ""
    tokens = tuple(dict.fromkeys(one.strip() for one in features.split(",") if one.strip()))
    for one in tokens:
        if one.startswith(PROVIDER):
            if one.removeprefix(PROVIDER) not in PROVIDERS:
                faults.append(f"apply.feature: unknown provider {one[:50]!r}; known: {', '.join(PROVIDERS)}")
        elif not FEATURE.fullmatch(one):
            faults.append(f"apply.feature: {one[:50]!r} is no feature: 1 to 50 of 0-9 A-Z a-z _ . : -")
    if segment is not None and not (isinstance(segment, str) and CODE.fullmatch(segment)):
        faults.append("apply.segment must be 1 to 50 of 0-9 A-Z a-z _ -")
    return tokens, segment
