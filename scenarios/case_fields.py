"""The fields of a case, one row each: for which reco types it has an effect, and how its value is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from scenarios.rule_objects import filter_from_object, rerank_from_object
from scenarios.spec import (
    GENERIC_TARGETS,
    Block,
    Diversity,
    Filter,
    GenericTarget,
    Preselection,
    Problem,
    PropertyExclusion,
    RecoType,
)
from scenarios.value_types import number, sound_text, whole

T = TypeVar("T")

MAX_AMOUNT = 64
MAX_FILTERS = 10
MAX_TYPES = 50
MAX_BLOCKS = 2
PRESELECTIONS = ("knn", "rated_items_nearest_neighbor")

GROUPS: dict[RecoType, str] = {
    "profile_to_items": "P", "profile_to_items_w_ctx_items": "P", "profile_to_item_properties": "Pv",
    "session_to_items": "S", "session_to_items_w_ctx_items": "S", "session_to_item_properties": "Sv",
    "item_to_items": "I", "item_properties_to_items": "IP", "profiles_group_to_items": "G",
    "precomputed_profile_to_items": "PP", "precomputed_item_to_items": "PI", "generic_input_to_items": "X",
    "chat_to_items": "C", "llm_text_completion": "L", "llm_chat_completion": "L",
}
"""Reco types with the same effects of fields; ``v`` marks those that answer property values, not items."""


@dataclass(slots=True)
class Reading:
    """Collects every problem of one document; ``bad`` keeps the place, ``$.case.amt``."""

    problems: list[Problem] = field(default_factory=list)

    def bad(self, where: str, message: str, hint: str = "", key: str = "") -> None:
        self.problems.append(Problem("wrong_data_type", where, message, hint, key))

    def each(self, given: Any, where: str, read: Callable[[Any, str], T | None], most: int = 0) -> tuple[T, ...]:
        """A list's parts; ``most`` 0 sets no limit."""
        if not isinstance(given, list):
            self.bad(where, "must be a list")
            return ()
        if most and len(given) > most:
            self.bad(where, f"has {len(given)} entries, at most {most} are allowed")
        found = [read(part, f"{where}[{place}]") for place, part in enumerate(given)]
        return tuple(part for part in found if part is not None)

    def rule(self, found: T | Problem) -> T | None:
        """A rule, or its problem noted: in a stored scenario an illegal rule is always wrong data."""
        if isinstance(found, Problem):
            self.bad(found.where, found.message, found.hint, found.key)
            return None
        return found

    def an_object(self, given: Any, where: str) -> dict[str, Any] | None:
        if isinstance(given, dict):
            return given
        self.bad(where, "must be an object")
        return None

    def a_text(self, given: Any, where: str, most: int = 0) -> str | None:
        if not isinstance(given, str) or sound_text(given) is None or (most and not 1 <= len(given) <= most):
            self.bad(where, f"must be a text of 1 to {most} characters" if most else "must be a text")
            return None
        return given


def _whole(least: int, most: int | None = None) -> Callable[[Any, str, Reading], int | None]:
    def read(given: Any, where: str, reading: Reading) -> int | None:
        found = whole(given)
        if found is None or found < least or (most is not None and found > most):
            reading.bad(where, f"must be a whole number {f'in {least}..{most}' if most else f'from {least} on'}")
            return None
        return found

    return read


amount = _whole(0, MAX_AMOUNT)


def _truth(given: Any, where: str, reading: Reading) -> bool | None:
    if not isinstance(given, bool):
        reading.bad(where, "must be true or false")
        return None
    return given


def _text(given: Any, where: str, reading: Reading) -> str | None:
    return reading.a_text(given, where)


def _number(given: Any, where: str, reading: Reading) -> float | None:
    found = number(given)
    if found is None:
        reading.bad(where, "must be a number")
    return found


def _object(given: Any, where: str, reading: Reading) -> dict[str, Any] | None:
    return reading.an_object(given, where)


def _anything(given: Any, _where: str, _reading: Reading) -> Any:
    return given


def _filters(given: Any, where: str, reading: Reading, most: int = MAX_FILTERS) -> tuple[Filter, ...]:
    return reading.each(given, where, lambda part, place: reading.rule(filter_from_object(part, place)), most)


def _reranking(given: Any, where: str, reading: Reading) -> tuple[Diversity, ...]:
    return reading.each(given, where, lambda part, place: reading.rule(rerank_from_object(part, place)))


def _types(given: Any, where: str, reading: Reading) -> tuple[str, ...]:
    return reading.each(given, where, lambda part, place: reading.a_text(part, place, MAX_AMOUNT), MAX_TYPES)


def _exclusions(given: Any, where: str, reading: Reading) -> tuple[PropertyExclusion, ...]:
    def read(part: Any, place: str) -> PropertyExclusion | None:
        entry = reading.an_object(part, place)
        if entry is None:
            return None
        name = reading.a_text(entry.get("property_name"), f"{place}.property_name", MAX_AMOUNT)
        types = _types(entry.get("interaction_types"), f"{place}.interaction_types", reading)
        return None if name is None else PropertyExclusion(name.lower(), types)

    return reading.each(given, where, read)


def _sequence(given: Any, where: str, reading: Reading) -> tuple[Block, ...] | None:
    body = reading.an_object(given, where)
    if body is None:
        return None

    def read(part: Any, place: str) -> Block | None:
        block = reading.an_object(part, place)
        if block is None:
            return None
        for name in block.keys() - {"amt", "filters", "reranking"}:
            reading.bad(f"{place}.{name}", f"{name!r} is not a field of a block", "amt, filters or reranking")
        return Block(
            None if block.get("amt") is None else amount(block["amt"], f"{place}.amt", reading),
            () if block.get("filters") is None else _filters(block["filters"], f"{place}.filters", reading, 0),
            () if block.get("reranking") is None else _reranking(block["reranking"], f"{place}.reranking", reading),
        )

    return reading.each(body.get("sequence"), f"{where}.sequence", read, MAX_BLOCKS) or None


def _algorithms(given: Any, where: str, reading: Reading) -> tuple[str, ...] | None:
    text = reading.a_text(given, where)
    names = () if text is None else tuple(name for name in map(str.strip, text.split("|")) if name)
    return names or None


def _preselection(given: Any, where: str, reading: Reading) -> Preselection | None:
    body = reading.an_object(given, where)
    if body is None:
        return None
    method = reading.a_text(body["method"], f"{where}.method") if body.get("method") is not None else ""
    params = reading.an_object(body["params"], f"{where}.params") if body.get("params") is not None else {}
    word = (method or "").lower()
    return Preselection("knn" if word in PRESELECTIONS else word, params or {})


def _max_age(given: Any, where: str, reading: Reading) -> int | None:
    body = reading.an_object(given, where)
    if body is None or body.get("max_age") is None:
        return None
    return _whole(0)(body["max_age"], f"{where}.max_age", reading)


_RETRIEVAL: dict[str, Callable[[Any, str, Reading], Any]] = {
    "amt": amount, "algorithms": _text, "property": _text, "filters": _filters, "reranking": _reranking,
    "history_injection": _object, "candidates_preselection": _object,
    "properties_returned": lambda given, where, reading: reading.each(given, where, reading.a_text),
}


def _retrieval(given: Any, where: str, reading: Reading) -> Any:
    for name, value in (reading.an_object(given, where) or {}).items():
        if value is not None and name in _RETRIEVAL:
            _RETRIEVAL[name](value, f"{where}.{name}", reading)
    return given


@dataclass(frozen=True, slots=True)
class CaseField:
    """One field: the groups of reco types where it has an effect, how it is read,
    and its place in ``Rules`` ("": none)."""

    name: str
    effect: frozenset[str]
    read: Callable[[Any, str, Reading], Any]
    rule: str = ""


def _row(name: str, effect: str, read: Callable[[Any, str, Reading], Any], rule: str = "") -> CaseField:
    return CaseField(name, frozenset(effect.split()), read, rule)


_LISTS = "P Pv G S Sv I IP"
CASE_FIELDS: dict[str, CaseField] = {row.name: row for row in (
    _row("amt", f"{_LISTS} C", amount, "amount"),
    _row("filters", _LISTS, _filters, "filters"),
    _row("reranking", "P G S I IP", _reranking, "reranking"),
    _row("exclude_rated_items", "P S", _truth, "exclude_rated"),
    _row("exclude_items_with_interaction_types", "P S", _types, "exclude_types"),
    _row("exclude_props_of_items_with_interaction_types", "P S", _exclusions, "exclude_properties"),
    _row("case_sequence", "P Pv S Sv I", _sequence, "sequence"),
    _row("algorithms", _LISTS, _algorithms, "algorithms"),
    _row("candidates_preselection", _LISTS, _preselection, "preselection"),
    _row("table", "PP PI", _text, "table"),
    _row("cache_control", "I PP PI", _max_age, "max_age"),
    _row("model", "L", _text),
    _row("system_prompt", "L", _text),
    _row("max_tokens", "L", _whole(1)),
    _row("temperature", "L", _number),
    _row("retrieval", "L", _retrieval),
    _row("chat_params", "C", _object),
    _row("force_session_optimization", "", _object),
    _row("interactions_to_ratings_params", "", _anything),
    _row("advanced_exclude_rated_items", "", _object),
)}


def generic_target(case: dict[str, Any], where: str, reading: Reading) -> GenericTarget | None:
    """The two fields that only a case of ``generic_input_to_items`` has."""
    reco_type = case.get("reco_type")
    if reco_type not in GENERIC_TARGETS:
        reading.bad(f"{where}.reco_type", f"{reco_type!r} is not a reco type that a generic case can name",
                    f"one of {', '.join(GENERIC_TARGETS)}")
        return None
    scenario = case.get("scenario")
    if scenario in (None, ""):
        return GenericTarget(reco_type)
    name = reading.a_text(scenario, f"{where}.scenario")
    return GenericTarget(reco_type, name)
