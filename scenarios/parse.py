"""One scenario document made into a typed definition; every problem is reported at once, with its place."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping
from typing import Any, Literal, cast

from scenarios.case_fields import CASE_FIELDS, GROUPS, Reading, generic_target
from scenarios.operators import OPERATORS
from scenarios.rule_objects import value_from
from scenarios.spec import (
    RECO_TYPES,
    AbTest,
    Alias,
    Case,
    Condition,
    Definition,
    Nested,
    Op,
    Problem,
    PropertyType,
    RecoType,
    Rules,
    Scenario,
)
from scenarios.value_types import literal, sound_text

BODIES = ("case", "ab_test", "condition", "alias")
CONDITION_OPS = ("gt", "lt", "eq", "in", "gte", "lte", "notempty")
OPERANDS = {"user_function": "function_name", "item_property": "property_name", "runtime_param": "param_name"}
FUNCTIONS = ("n_ratings", "n_interactions")
COUNT = PropertyType("int64")
ConditionType = Literal["user_function", "item_property", "runtime_param"]
MAX_DEPTH = 64

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


def parse(
    reco_type: RecoType, name: str, document: Any, where: str = "$"
) -> tuple[Definition | None, list[Problem]]:
    """The definition in a document (JSON values), or None with every problem found.

    ``where`` stands for the document in the places of problems. References, declared types and other definitions are
    ``check``'s. A field that has no effect on the reco type is checked and kept in ``raw``, but is not in the rules.
    """
    reading = Reading()
    _named(reco_type, name, where, reading)
    if not isinstance(document, dict):
        reading.bad(where, "a scenario is an object with scenario_type and the body of that type")
        return None, reading.problems
    fault = _unfit_json(document)
    if fault:
        reading.bad(where, fault)
        return None, reading.problems
    metadata = document.get("metadata")
    if metadata is not None:
        reading.an_object(metadata, f"{where}.metadata")
    scenario = _scenario(reco_type, document, where, reading)
    if scenario is None or reading.problems:
        return None, reading.problems
    return Definition(reco_type, name, scenario, metadata or {}, document), []


def _named(reco_type: RecoType, name: str, where: str, reading: Reading) -> None:
    if reco_type not in RECO_TYPES:
        near = difflib.get_close_matches(str(reco_type), RECO_TYPES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"one of {', '.join(RECO_TYPES)}"
        reading.bad(where, f"{reco_type!r} is not a reco type", hint, "reco_type")
    if not _NAME.fullmatch(name):
        hint = "1 to 64 of letters, digits, dot, underscore and dash"
        said = f"{name!r} cannot be the name of a scenario"
        reading.problems.append(Problem("wrong_parameter", where, said, hint, name))


def _unfit_json(document: Any) -> str:
    """Why a document cannot be stored as JSON, whatever it says; level by level, without recursion."""
    level, depth = [document], 0
    while level:
        if depth > MAX_DEPTH:
            return f"is nested deeper than {MAX_DEPTH} levels"
        parts = [one for part in level for one in (part.items() if isinstance(part, dict) else enumerate(part))]
        for name, one in parts:
            if isinstance(one, float) and not math.isfinite(one):
                return f"holds the number {one}, which JSON has not"
            if any(isinstance(text, str) and sound_text(text) is None for text in (name, one)):
                return "holds half of a surrogate pair"
        level, depth = [one for _name, one in parts if isinstance(one, dict | list)], depth + 1
    return ""


def _scenario(reco_type: RecoType, document: dict[str, Any], where: str, reading: Reading) -> Scenario | None:
    kind = document.get("scenario_type")
    if kind not in BODIES:
        said = "scenario_type is missing" if kind is None else f"{kind!r} is not a scenario type"
        reading.bad(f"{where}.scenario_type", said, f"one of {', '.join(BODIES)}")
        return None
    for other in BODIES:
        if other != kind and document.get(other) is not None:
            reading.bad(f"{where}.{other}", f"a scenario of type {kind} has no {other}", f"only the body {kind!r}")
    body = reading.an_object(document.get(kind), f"{where}.{kind}")
    if body is None:
        return None
    place = f"{where}.{kind}"
    if kind == "case":
        return read_case(reco_type, body, place, reading)
    return {"ab_test": _ab_test, "condition": _condition, "alias": _alias}[kind](body, place, reading)


def read_case(reco_type: RecoType, case: dict[str, Any], where: str, reading: Reading) -> Case:
    """The rules of a case: what has an effect on the reco type."""
    generic = reco_type == "generic_input_to_items"
    found: dict[str, Any] = {}
    for name, value in case.items():
        row = CASE_FIELDS.get(name)
        if row is None:
            if not (generic and name in ("reco_type", "scenario")):
                near = difflib.get_close_matches(name, CASE_FIELDS, n=1)
                hint = f"did you mean {near[0]}?" if near else f"one of {', '.join(CASE_FIELDS)}"
                reading.bad(f"{where}.{name}", f"{name!r} is not a field of a case", hint, name)
        elif value is not None:
            read = row.read(value, f"{where}.{name}", reading)
            if row.rule and read is not None and GROUPS.get(reco_type) in row.effect:
                found[row.rule] = read
    if generic:
        found["target"] = generic_target(case, where, reading)
    return Case(Rules(**found), case)


def _ab_test(body: dict[str, Any], where: str, reading: Reading) -> AbTest | None:
    test_id = _filled(body, "id", where, reading)
    a, b = _filled(body, "scenario_a", where, reading), _filled(body, "scenario_b", where, reading)
    return AbTest(test_id, a, b) if test_id and a and b else None


def _alias(body: dict[str, Any], where: str, reading: Reading) -> Alias | None:
    name = _filled(body, "scenario_name", where, reading)
    return Alias(name) if name else None


def _filled(body: dict[str, Any], key: str, where: str, reading: Reading) -> str | None:
    value = body.get(key)
    if value is None or value == "":
        reading.bad(f"{where}.{key}", f"{key} is missing")
        return None
    return reading.a_text(value, f"{where}.{key}")


def _condition(body: dict[str, Any], where: str, reading: Reading) -> Condition | None:
    then, otherwise = _filled(body, "then", where, reading), _filled(body, "else", where, reading)
    word = body.get("condition_type")
    kind = word.lower() if isinstance(word, str) else ""
    if kind not in OPERANDS:
        said = f"{word!r} is not a condition type"
        reading.bad(f"{where}.condition_type", said, f"one of {', '.join(OPERANDS)}")
        return None
    test = reading.an_object(body.get("if"), f"{where}.if")
    if test is None:
        return None
    operand = _operand(kind, test, f"{where}.if", reading)
    before = len(reading.problems)
    op, value = _comparison(kind, test, f"{where}.if", reading)
    if operand is None or op is None or then is None or otherwise is None or len(reading.problems) > before:
        return None
    return Condition(cast(ConditionType, kind), operand, op, value, then, otherwise)


def _comparison(kind: str, test: Mapping[str, Any], where: str, reading: Reading) -> tuple[Op | None, Any]:
    """Operator and literal of a condition; the latter as a number where the operator orders or counts are compared."""
    word = test.get("op")
    row = OPERATORS.get(word.lower()) if isinstance(word, str) else None
    if row is None or row.op not in CONDITION_OPS:
        hint = f"one of {', '.join(CONDITION_OPS)}"
        reading.bad(f"{where}.op", f"{word!r} is not an operator of conditions", hint)
        return None, None
    value = reading.rule(value_from(test.get("value"), f"{where}.value"))
    if isinstance(value, Nested):
        reading.bad(f"{where}.value", "a condition takes no nested value")
        return None, None
    fault = _value_fault(kind, row.op, value)
    if fault:
        reading.bad(f"{where}.value", fault)
        return None, None
    if row.op == "notempty":
        return row.op, None
    if kind == "item_property" or (kind == "runtime_param" and row.needs != "number"):
        return row.op, value
    parts = tuple(literal(part, COUNT, ordering=True) for part in (value if isinstance(value, tuple) else (value,)))
    return row.op, parts if isinstance(value, tuple) else parts[0]


def _operand(kind: str, test: Mapping[str, Any], where: str, reading: Reading) -> str | None:
    key = OPERANDS[kind]
    name = reading.a_text(test.get(key), f"{where}.{key}", 255)
    if name is None or kind == "runtime_param":
        return name
    name = name.lower()
    if kind == "user_function" and name not in FUNCTIONS:
        reading.bad(f"{where}.{key}", f"{name!r} is not a function", f"one of {', '.join(FUNCTIONS)}")
        return None
    return name


def _value_fault(kind: str, op: str, value: Any) -> str:
    """What is wrong with a condition's literal as far as its operand's type is known without declarations."""
    if op == "notempty":
        return "" if value is None or value == "" else "notempty takes no value"
    if value is None:
        return f"{op} needs a value"
    if (op == "in") != isinstance(value, tuple):
        return f"{op} needs {'a list' if op == 'in' else 'one value'}"
    ordering = OPERATORS[op].needs == "number"
    if ordering and literal(value, COUNT, ordering=True) is None:
        return f"{op} needs a number"
    parts = value if isinstance(value, tuple) else (value,)
    if kind == "user_function" and any(literal(part, COUNT, ordering=ordering) is None for part in parts):
        return "counts are whole numbers"
    return ""
