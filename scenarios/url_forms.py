"""Filters, rerankings and metadata filters as texts of a URL; bodies may mix such texts with objects.

The text forms are those of the Crossing Minds dialect: ``price:gt:12.5``, ``brand:diversity:0.5``, ``ui.slots:gte:3``.
"""

from __future__ import annotations

import re
from typing import Any

from scenarios.metadata_filter import METADATA_OPS, MetadataFilter
from scenarios.operators import OPERATORS, misuse
from scenarios.rule_objects import (
    NO_EFFECT_OPTIONS,
    diversity,
    filter_from_object,
    no_such_operator,
    rerank_from_object,
)
from scenarios.spec import Diversity, Filter, Nested, Problem
from scenarios.value_types import number_literal, sound_text

_OPTIONS = ("activation_period", "max_activation_count", "default_malus")
_KEY = re.compile(r"(?:[^\\.:]|\\[.\\])+")


def filter_from(given: Any, where: str = "filters") -> Filter | Problem:
    """A filter from ``property:op[:value]`` or from an object; its literal is not typed yet."""
    return _filter_from_text(given, where) if isinstance(given, str) else filter_from_object(given, where)


def _filter_from_text(text: str, where: str) -> Filter | Problem:
    name, _, rest = text.partition(":")
    op, colon, tail = rest.partition(":")
    if not name or not op or sound_text(text) is None:
        return Problem("wrong_data_type", where, f"{text!r} is not a filter", "property:op:value")
    row = OPERATORS.get(op.lower())
    if row is None:
        return no_such_operator(op, where, name.lower())
    value: Any = tail if colon else None
    if colon and row.needs == "list":
        value = tuple(tail.split(","))
    rule = Filter(name.lower(), row.op, value)
    fault = misuse(rule, where)
    if fault is not None:
        return fault
    return Filter(rule.property, rule.op) if row.needs == "nothing" else rule


def text_of(rule: Filter) -> str | None:
    """The text that ``filter_from`` reads as this filter; None where there is none (nested values, commas in a list).

    Numbers and truths come out as their texts, which take the property's type again when bound.
    """
    if rule.value_set is not None or isinstance(rule.value, Nested) or ":" in rule.property or not rule.property:
        return None
    if rule.value is None:
        return f"{rule.property}:{rule.op}"
    parts = rule.value if isinstance(rule.value, tuple) else (rule.value,)
    texts = [str(part).lower() if isinstance(part, bool) else str(part) for part in parts]
    if isinstance(rule.value, tuple) and (not texts or any("," in text for text in texts)):
        return None
    return f"{rule.property}:{rule.op}:{','.join(texts)}"


def rerank_from(given: Any, where: str = "reranking") -> Diversity | Problem:
    """A reranking from ``property:diversity[:[weight](:option:value)*]`` or from an object."""
    return _rerank_from_text(given, where) if isinstance(given, str) else rerank_from_object(given, where)


def _rerank_from_text(text: str, where: str) -> Diversity | Problem:
    name, op, weight, *tail = [*text.split(":"), *[""] * (2 - text.count(":"))]
    if not name or sound_text(text) is None or op.lower() != "diversity":
        hint = "property:diversity:weight:option:value"
        return Problem("wrong_data_type", where, f"{text!r} is not a reranking", hint, name.lower())
    if len(tail) % 2:
        said = f"option {tail[-1]!r} has no value in {text!r}"
        return Problem("wrong_data_type", where, said, f"options: {', '.join(_OPTIONS)}", name.lower())
    options: dict[str, Any] = {}
    for option, value in zip(tail[::2], tail[1::2], strict=True):
        word = option.lower()
        if word in _OPTIONS:
            options[word] = _number_or_text(value)
        elif word not in NO_EFFECT_OPTIONS:
            said = f"{option!r} is not an option of diversity"
            return Problem("wrong_data_type", where, said, f"options: {', '.join(_OPTIONS)}", name.lower())
    return diversity(name.lower(), _number_or_text(weight) if weight else None, options, where)


def _number_or_text(text: str) -> int | float | str:
    found = number_literal(text)
    return text if found is None else found


def metadata_filter_from(given: Any, where: str = "metadata_filters") -> MetadataFilter | Problem:
    """A metadata filter from ``key.key:op:value`` (``\\.`` is a dot of a key, ``\\\\`` a backslash) or from
    ``{"keys": [..], "op": .., "value": ..}``.
    """
    if isinstance(given, str):
        way, _, rest = given.partition(":")
        op, colon, value = rest.partition(":")
        keys = _keys(way)
        if keys is None or not colon:
            return Problem("wrong_data_type", where, f"{given!r} is not a metadata filter", "key.key:op:value")
        return _metadata_filter(keys, op, value, where)
    return _metadata_filter_from_object(given, where)


def _metadata_filter_from_object(given: Any, where: str) -> MetadataFilter | Problem:
    if not isinstance(given, dict):
        return Problem("wrong_data_type", where, "a metadata filter is a text or an object with keys, op and value")
    listed = given.get("keys")
    if not isinstance(listed, list) or not listed or not all(isinstance(key, str) for key in listed):
        return Problem("wrong_data_type", f"{where}.keys", "keys must be a list of texts")
    if "value" not in given:
        return Problem("wrong_data_type", f"{where}.value", "value is missing")
    return _metadata_filter(tuple(listed), given.get("op"), given["value"], where)


def _metadata_filter(keys: tuple[str, ...], op: Any, value: Any, where: str) -> MetadataFilter | Problem:
    word = op.lower() if isinstance(op, str) else op
    for known in METADATA_OPS:
        if word == known:
            return MetadataFilter(keys, known, value)
    return Problem(
        "wrong_data_type", where, f"{op!r} is not an operator of metadata", f"one of {', '.join(METADATA_OPS)}"
    )


def _keys(way: str) -> tuple[str, ...] | None:
    """The keys of ``a.b\\.c`` (two: ``a`` and ``b.c``); None for an empty key or a stray backslash."""
    keys, place = [], 0
    while True:
        found = _KEY.match(way, place)
        if found is None:
            return None
        keys.append(re.sub(r"\\(.)", r"\1", found.group()))
        place = found.end()
        if place == len(way):
            return tuple(keys)
        if way[place] != ".":
            return None
        place += 1
