"""What a configuration document (12) must hold: every fault at once, each with its place. Unknown members are kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, get_args

from contracts.errors import Problem
from decisions import creation
from decisions.agent import FIXED, RewardModel, Status
from decisions.codes import CODE, FEATURE, REFUSED_AGENTS

CODE_RULE = "1 to 50 of 0-9 A-Z a-z _ -"
FEATURE_RULE = "1 to 50 of 0-9 A-Z a-z _ . : -"
MOST = {
    "points": creation.POINTS, "goals": creation.GOALS, "segments": creation.SEGMENTS,
    "decisions": creation.DECISIONS, "choices": creation.CHOICES,
}
TIMEOUT = (60, 31_536_000)  # seconds
MAX_WINDOW = 3650  # days
LARGEST = 1e300  # of any number
PAUSED = "pausedChoice"
FAILURES = ("err", "error")
"""Members by which clients know a failure; no document may have them."""


def checked(document: Any) -> tuple[dict[str, Any], list[Problem]]:
    """The document in its full form, and everything that is wrong with it; with problems the document is of no use.

    Short forms are written out: a code may stand for a choice, decision, point or goal that has nothing else, and
    ``pausedChoice`` of an agent or point goes to the decisions that have the choice.
    """
    if not isinstance(document, Mapping):
        return {}, [Problem("$", "must be an object")]
    problems: list[Problem] = []
    found = _Checker(problems).agent(document)
    return found, problems


class _Checker:
    """Adds to ``problems``; each method returns the part that it was given, written out."""

    def __init__(self, problems: list[Problem]) -> None:
        self._problems = problems

    def agent(self, document: Mapping[str, Any]) -> dict[str, Any]:
        found = _given(document)
        self._no_failure(found, "$")
        self._code(found, "$")
        code = found.get("code")
        if isinstance(code, str) and code in REFUSED_AGENTS:
            self._fault("$.code", f"{code!r} is the name of a route", "choose another code")
        self._text(found, "name", "$")
        self._one_of(found, "status", get_args(Status), "$")
        self._switch(found, "aa", "$")
        for name in ("created", "ts"):
            self._number(found, name, "$", least=0)
        paused = found.pop(PAUSED, None)
        self._each(found, "goals", "$", self._goal)
        self._each(found, "points", "$", self._point)
        if paused is not None:
            self._pause(paused, f"$.{PAUSED}", found.get("points", []))
        self._learning(found)
        self._settings(found)
        self._targeting(found)
        return found

    def _goal(self, found: dict[str, Any], where: str) -> None:
        settings = self._object(found, "settings", where)
        if settings is None:
            return
        place = f"{where}.settings"
        for name in ("min", "max", "default"):
            self._number(settings, name, place)
        self._number(settings, "limit", place, least=0, whole=True)
        low, high = settings.get("min", -math.inf), settings.get("max", math.inf)
        if isinstance(low, int | float) and isinstance(high, int | float) and low > high:
            self._fault(place, f"min {low} is above max {high}")

    def _point(self, found: dict[str, Any], where: str) -> None:
        paused = found.pop(PAUSED, None)
        self._each(found, "decisions", where, self._decision)
        if paused is not None:
            self._pause(paused, f"{where}.{PAUSED}", [found])
        if found.get(FIXED) is not None:
            self._problems.extend(fixed_faults(found[FIXED], f"{where}.{FIXED}"))

    def _decision(self, found: dict[str, Any], where: str) -> None:
        self._each(found, "choices", where, self._choice)
        paused = found.get(PAUSED)
        if paused is not None and paused not in _codes(found.get("choices")):
            self._fault(f"{where}.{PAUSED}", f"{paused!r} is no choice of this decision")

    def _choice(self, found: dict[str, Any], where: str) -> None:
        meta = self._object(found, "meta", where)
        for name, value in (meta or {}).items():
            if not isinstance(value, str):
                self._fault(f"{where}.meta.{name}", "must be a text", "put it in quotes")

    def _pause(self, paused: Any, where: str, points: Sequence[Any]) -> None:
        """``a`` for every decision that has it, or ``d1:a,d2:b``."""
        if not isinstance(paused, str):
            self._fault(where, "must be the code of a choice, or decision:choice")
            return
        for one in filter(None, paused.split(",")):
            decision, _, choice = one.rpartition(":")
            met = [
                held for point in points for held in point.get("decisions", ())
                if decision in ("", held.get("code")) and choice in _codes(held.get("choices"))
            ]
            for held in met:
                held.setdefault(PAUSED, choice)
            if not met:
                self._fault(where, f"{one!r} is no choice of its decisions")

    def _learning(self, found: dict[str, Any]) -> None:
        learning = self._object(found, "learning", "$")
        if learning is None:
            return
        for name in ("explorationRate", "controlGroupRate"):
            self._number(learning, name, "$.learning", least=0, most=1)
        self._number(learning, "windowDays", "$.learning", least=1, most=MAX_WINDOW, whole=True)
        self._one_of(learning, "rewardModel", get_args(RewardModel), "$.learning")

    def _settings(self, found: dict[str, Any]) -> None:
        settings = self._object(found, "settings", "$")
        if settings is None:
            return
        sessions = self._object(settings, "sessions", "$.settings") or {}
        self._switch(sessions, "sticky", "$.settings.sessions")
        self._number(sessions, "timeout", "$.settings.sessions", *TIMEOUT, whole=True)
        self._number(sessions, "visitLen", "$.settings.sessions", least=0, whole=True)
        cookies = self._object(settings, "cookies", "$.settings") or {}
        self._switch(cookies, "enabled", "$.settings.cookies")
        self._switch(settings, "allowUndo", "$.settings")

    def _targeting(self, found: dict[str, Any]) -> None:
        targeting = self._object(found, "targeting", "$")
        for name, rule, told in (("segments", CODE, CODE_RULE), ("features", FEATURE, FEATURE_RULE)):
            for number, one in enumerate(self._list(targeting or {}, name, "$.targeting")):
                if not (isinstance(one, str) and rule.fullmatch(one)):
                    self._fault(f"$.targeting.{name}[{number}]", f"must be {told}")

    def _each(
        self, held: dict[str, Any], name: str, where: str, check: Callable[[dict[str, Any], str], None]
    ) -> None:
        """Check what a list of things with codes holds, and write it out."""
        if name not in held:
            return
        things: list[dict[str, Any]] = []
        for number, one in enumerate(self._list(held, name, where)):
            place = f"{where}.{name}[{number}]"
            thing = _given(one) if isinstance(one, Mapping) else {"code": one}
            if isinstance(thing.get("code"), int) and not isinstance(thing["code"], bool):
                thing["code"] = str(thing["code"])
            self._no_failure(thing, place)
            self._code(thing, place)
            self._text(thing, "name", place)
            if any(thing.get("code") == other.get("code") for other in things):
                self._fault(f"{place}.code", f"{thing.get('code')!r} stands twice")
            check(thing, place)
            things.append(thing)
        held[name] = things

    def _no_failure(self, held: Mapping[str, Any], where: str) -> None:
        for name in FAILURES:
            if name in held:
                self._fault(f"{where}.{name}", "clients would take the document for a failure", "choose another name")

    def _code(self, held: Mapping[str, Any], where: str) -> None:
        code = held.get("code")
        if not (isinstance(code, str) and CODE.fullmatch(code)):
            self._fault(f"{where}.code", f"must be {CODE_RULE}")

    def _text(self, held: dict[str, Any], name: str, where: str) -> None:
        if not isinstance(held.get(name, ""), str):
            self._fault(f"{where}.{name}", "must be a text")

    def _switch(self, held: Mapping[str, Any], name: str, where: str) -> None:
        if not isinstance(held.get(name, False), bool):
            self._fault(f"{where}.{name}", "must be true or false")

    def _one_of(self, held: Mapping[str, Any], name: str, words: Sequence[str], where: str) -> None:
        if name in held and held[name] not in words:
            self._fault(f"{where}.{name}", f"must be one of {', '.join(words)}")

    def _number(
        self, held: Mapping[str, Any], name: str, where: str, least: float = -math.inf, most: float = math.inf,
        *, whole: bool = False,
    ) -> None:
        if name not in held:
            return
        value = held[name]
        if not _is_number(value) or (whole and not isinstance(value, int)):
            self._fault(f"{where}.{name}", "must be a whole number" if whole else "must be a number")
        elif not least <= value <= most:
            told = f"between {least:g} and {most:.0f}" if most < math.inf else f"{least:g} or more"
            self._fault(f"{where}.{name}", f"must be {told}")

    def _object(self, held: dict[str, Any], name: str, where: str) -> dict[str, Any] | None:
        """The member, copied into ``held``; None when there is none or it is no object."""
        value = held.get(name)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            self._fault(f"{where}.{name}", "must be an object")
            return None
        held[name] = _given(value)
        found: dict[str, Any] = held[name]
        return found

    def _list(self, held: Mapping[str, Any], name: str, where: str) -> Sequence[Any]:
        value = held.get(name, ())
        if not isinstance(value, Sequence) or isinstance(value, str):
            self._fault(f"{where}.{name}", "must be a list")
            return ()
        most = MOST.get(name)
        if most is not None and len(value) > most:
            self._fault(f"{where}.{name}", f"at most {most}, not {len(value)}")
        return value

    def _fault(self, where: str, message: str, hint: str = "") -> None:
        self._problems.append(Problem(where, message, hint))


def fixed_faults(given: Any, where: str = "$") -> Iterator[Problem]:
    """What is wrong with a list of fixed targets, ``{"feature": …, "decision": "decision:choice"}`` each."""
    if not isinstance(given, Sequence) or isinstance(given, str):
        yield Problem(where, "must be a list")
        return
    for number, one in enumerate(given):
        place = f"{where}[{number}]"
        if not isinstance(one, Mapping):
            yield Problem(place, "must be an object with feature and decision")
            continue
        feature, target = one.get("feature"), one.get("decision")
        if not (isinstance(feature, str) and FEATURE.fullmatch(feature)):
            yield Problem(f"{place}.feature", f"must be {FEATURE_RULE}")
        parts = target.split(":") if isinstance(target, str) else []
        if len(parts) != 2 or not all(CODE.fullmatch(part) for part in parts):
            yield Problem(f"{place}.decision", "must be decision:choice, both codes")


def _given(held: Mapping[str, Any]) -> dict[str, Any]:
    """A copy without members that are null: not said."""
    return {str(name): value for name, value in held.items() if value is not None}


def _codes(things: Any) -> tuple[Any, ...]:
    return tuple(one.get("code") for one in things or () if isinstance(one, Mapping))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST
