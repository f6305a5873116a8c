"""Filters and rerankings as JSON objects, of scenarios and request bodies, made into typed rules."""

from __future__ import annotations

from typing import Any

from scenarios.operators import OPERATORS, misuse
from scenarios.spec import Diversity, Filter, Nested, Problem, Scalar
from scenarios.value_types import number, sound_text, whole

NO_EFFECT_OPTIONS = ("filters", "rank_divider", "similarity", "malus", "rank_scores", "randomness")
"""Options of a reranking that are stored and returned, and change nothing."""


def filter_from_object(given: Any, where: str = "$") -> Filter | Problem:
    """``{property_name, op, value?}``; further keys change nothing. The literal is not typed yet."""
    if not isinstance(given, dict):
        return Problem("wrong_data_type", where, "a filter is an object with property_name, op and value")
    name = _property(given.get("property_name"), where)
    if isinstance(name, Problem):
        return name
    op = given.get("op")
    row = OPERATORS.get(op.lower()) if isinstance(op, str) else None
    if row is None:
        return no_such_operator(op, f"{where}.op", name)
    value = value_from(given.get("value"), f"{where}.value")
    if isinstance(value, Problem):
        return value
    rule = Filter(name, row.op, value)
    return misuse(rule, where) or rule


def no_such_operator(op: Any, where: str, key: str = "") -> Problem:
    """The problem of a word that is no filter operator."""
    return Problem("wrong_data_type", where, f"{op!r} is not an operator", f"one of {', '.join(OPERATORS)}", key)


def value_from(given: Any, where: str) -> Scalar | tuple[Scalar, ...] | Nested | Problem | None:
    """A literal as JSON has it: scalar, list of scalars as a tuple, nested value, or None."""
    if given is None or isinstance(given, bool):
        return given
    if isinstance(given, dict):
        return _nested(given, where)
    if isinstance(given, list | tuple):
        parts = [_scalar(part, f"{where}[{place}]") for place, part in enumerate(given)]
        wrong = next((part for part in parts if isinstance(part, Problem)), None)
        return wrong or tuple(part for part in parts if not isinstance(part, Problem))
    return _scalar(given, where)


def _scalar(given: Any, where: str) -> Scalar | Problem:
    if isinstance(given, bool):
        return given
    found = sound_text(given) if isinstance(given, str) else number(given)
    if found is None:
        return Problem("wrong_data_type", where, "a value is a text, a finite number of 64 bits, or true or false")
    return found


def _nested(given: dict[str, Any], where: str) -> Nested | Problem:
    """``{type, value?, options?}``."""
    kind, name = given.get("type"), given.get("value")
    if kind in ("user_property", "item_property"):
        if not isinstance(name, str) or not name:
            said = f"a nested {kind} names a property in `value`"
            return Problem("wrong_data_type", f"{where}.value", said)
        return Nested(kind, name.lower())
    if kind == "item_id":
        return Nested("item_id")
    if kind == "timestamp_now":
        return _clock(given.get("options"), f"{where}.options")
    hint = "user_property, item_property, item_id or timestamp_now"
    return Problem("wrong_data_type", f"{where}.type", f"{kind!r} is not a kind of nested value", hint)


def _clock(options: Any, where: str) -> Nested | Problem:
    options = {} if options is None else options
    if not isinstance(options, dict):
        return Problem("wrong_data_type", where, "options are an object")
    amount = whole(options.get("rounding_amount", 1))
    if amount is None or not 1 <= amount < 2**53:
        return Problem("wrong_data_type", f"{where}.rounding_amount", "must be a whole number from 1 on")
    method = options.get("rounding_method", "floor")
    if method not in ("floor", "ceil"):
        return Problem("wrong_data_type", f"{where}.rounding_method", "must be floor or ceil")
    return Nested("timestamp_now", "", amount, method)


def rerank_from_object(given: Any, where: str = "$") -> Diversity | Problem:
    """``{property_name, op: diversity, weight?, options?}``."""
    if not isinstance(given, dict):
        return Problem("wrong_data_type", where, "a reranking is an object with property_name and op")
    name = _property(given.get("property_name"), where)
    if isinstance(name, Problem):
        return name
    op = given.get("op")
    if not isinstance(op, str) or op.lower() != "diversity":
        return Problem("wrong_data_type", f"{where}.op", f"{op!r} is not a reranking", "diversity", name)
    options = given.get("options")
    if options is not None and not isinstance(options, dict):
        return Problem("wrong_data_type", f"{where}.options", "options are an object", key=name)
    return diversity(name, given.get("weight"), options or {}, where)


def diversity(name: str, weight: Any, options: dict[str, Any], where: str) -> Diversity | Problem:
    """A diversity rule of JSON numbers; None takes the default."""
    kept = number(1.0 if weight is None else weight)
    if kept is None or kept <= 0:
        return Problem("wrong_data_type", f"{where}.weight", "weight must be a number above 0", "up to 1.5", name)
    counts: dict[str, int | None] = {}
    for option in ("activation_period", "max_activation_count"):
        count = options.get(option)
        counts[option] = None if count is None else whole(count)
        if count is not None and not 1 <= (counts[option] or 0) < 2**31:
            return Problem(
                "wrong_data_type", f"{where}.options.{option}", f"{option} must be a whole number from 1 on", key=name
            )
    malus = number(0.0 if options.get("default_malus") is None else options["default_malus"])
    if malus is None or malus < 0:
        return Problem("wrong_data_type", f"{where}.options.default_malus", "must be a number from 0 on", key=name)
    return Diversity(name, float(kept), counts["activation_period"], counts["max_activation_count"], float(malus))


def _property(given: Any, where: str) -> str | Problem:
    if isinstance(given, str) and given and sound_text(given) is not None:
        return given.lower()
    return Problem("wrong_data_type", f"{where}.property_name", "property_name must name a property")
