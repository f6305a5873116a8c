"""What a segment's definition may say (retention contract, section 11.1); every fault of one is told at once."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from contracts.canonical_text import canonical_text

TYPES = {"live": (1, 2), "past": (1, 2, 3, 4)}
LONGEST_NAME = 60
MOST_ELEMENTS = 10
DAYS = (2, 365)
MINUTES = (2, 5_256_000)  # ten years
FIELDS = (
    "segment_name", "segment_type", "segment_sub_type", "segment_timeframe", "event_sequence",
    "profile_property_name", "profile_property_value",
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a definition. ``schema``: the JSON itself is not what it must be, not only what it says."""

    field: str
    message: str
    schema: bool = False


def read(given: Mapping[str, Any]) -> tuple[dict[str, Any], list[Fault]]:
    """A definition in its stored form (``FIELDS``), and what is wrong with it. With faults the form is empty."""
    faults = list(_schema(given))
    if faults:
        return {}, faults
    sequence = [
        {
            "event_type": one["event_type"], "exp_timeframe": int(one.get("exp_timeframe") or 0),
            "action_inaction": one["action_inaction"], "event_properties": one.get("event_properties"),
        }
        for one in given["event_sequence"]
    ]
    name, value = given.get("profile_property_name") or None, given.get("profile_property_value")
    found = {
        "segment_name": given["segment_name"], "segment_type": given["segment_type"],
        "segment_sub_type": int(given["segment_sub_type"]), "segment_timeframe": int(given["segment_timeframe"]),
        "event_sequence": sequence, "profile_property_name": name,
        "profile_property_value": None if value is None or value == "" else canonical_text(value),
    }
    faults = [*_named(found), *_typed(found), *_sequence(found)]
    return ({} if faults else found), faults


def unknown(found: Mapping[str, Any], types: Mapping[str, Collection[str]]) -> list[Fault]:
    """Event types that do not exist, and properties that theirs does not have. ``types``: properties by event type."""
    faults = []
    for at, one in enumerate(found["event_sequence"]):
        where = f"event_sequence[{at}]"
        known = types.get(one["event_type"])
        if known is None:
            faults.append(Fault(f"{where}.event_type", f"there is no event type {one['event_type']!r}"))
            continue
        faults.extend(
            Fault(f"{where}.event_properties", f"{one['event_type']} has no property {name!r}")
            for name in one["event_properties"] or () if name not in known
        )
    return faults


def same_definition(found: Mapping[str, Any]) -> str:
    """A text that is the same for definitions that differ in nothing but their names."""
    sequence = [[*_element(one), one["exp_timeframe"], one["action_inaction"]] for one in found["event_sequence"]]
    rest = [found[name] for name in FIELDS if name not in ("segment_name", "event_sequence")]
    return json.dumps([rest, sequence], sort_keys=True)


def _schema(given: Mapping[str, Any]) -> Iterator[Fault]:
    for name in ("segment_name", "segment_type"):
        if not isinstance(given.get(name), str):
            yield Fault(name, "must be a string", schema=True)
    for name in ("segment_sub_type", "segment_timeframe"):
        if not _whole(given.get(name)):
            yield Fault(name, "must be a whole number", schema=True)
    if not isinstance(given.get("profile_property_name"), str | None):
        yield Fault("profile_property_name", "must be a string or null", schema=True)
    if not isinstance(given.get("profile_property_value"), str | int | float | None):
        yield Fault("profile_property_value", "must be a string, a number, a boolean or null", schema=True)
    sequence = given.get("event_sequence")
    if not isinstance(sequence, list):
        yield Fault("event_sequence", "must be a list of objects", schema=True)
        return
    for at, one in enumerate(sequence):
        yield from _element_schema(one, f"event_sequence[{at}]")


def _element_schema(one: Any, where: str) -> Iterator[Fault]:
    if not isinstance(one, Mapping):
        yield Fault(where, "must be an object", schema=True)
        return
    for name in ("event_type", "action_inaction"):
        if not isinstance(one.get(name), str):
            yield Fault(f"{where}.{name}", "must be a string", schema=True)
    if one.get("exp_timeframe") is not None and not _whole(one["exp_timeframe"]):
        yield Fault(f"{where}.exp_timeframe", "must be a whole number of minutes", schema=True)
    properties = one.get("event_properties")
    if properties is None:
        return
    if not isinstance(properties, Mapping):
        yield Fault(f"{where}.event_properties", "must be an object or null", schema=True)
        return
    for name, value in properties.items():
        if not isinstance(value, str | int | float) or (isinstance(value, str) and not value.strip()):
            yield Fault(f"{where}.event_properties.{name}", "must be a string, a number or a boolean", schema=True)


def _whole(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and float(value).is_integer()


def _named(found: Mapping[str, Any]) -> Iterator[Fault]:
    name = found["segment_name"]
    if not 1 <= len(name) <= LONGEST_NAME or not name.strip():
        yield Fault("segment_name", f"must have 1 to {LONGEST_NAME} characters")
    elif any(letter in ",\"'." or not letter.isprintable() for letter in name):
        yield Fault("segment_name", "must hold none of , \" ' .")


def _typed(found: Mapping[str, Any]) -> Iterator[Fault]:
    kind, sub_type, days = found["segment_type"], found["segment_sub_type"], found["segment_timeframe"]
    allowed = TYPES.get(kind)
    if allowed is None:
        yield Fault("segment_type", "must be live or past")
        return
    if sub_type not in allowed:
        yield Fault("segment_sub_type", f"must be {allowed[0]} to {allowed[-1]} for {kind} segments")
    if kind == "live" and days != 0:
        yield Fault("segment_timeframe", "must be 0 for live segments")
    if kind == "past" and not DAYS[0] <= days <= DAYS[1]:
        yield Fault("segment_timeframe", f"must be {DAYS[0]} to {DAYS[1]} days for past segments")
    by_property = kind == "past" and sub_type in (3, 4)
    for name in ("profile_property_name", "profile_property_value"):
        if by_property and found[name] is None:
            yield Fault(name, f"is required for past segments of sub-type {sub_type}")
        if not by_property and found[name] is not None:
            yield Fault(name, "is for past segments of sub-types 3 and 4 only")


def _sequence(found: Mapping[str, Any]) -> Iterator[Fault]:
    sequence = found["event_sequence"]
    if not 1 <= len(sequence) <= MOST_ELEMENTS:
        yield Fault("event_sequence", f"must have 1 to {MOST_ELEMENTS} elements")
        return
    kinds = [one["action_inaction"] for one in sequence]
    for at, kind in enumerate(kinds):
        if kind not in ("action", "inaction"):
            yield Fault(f"event_sequence[{at}].action_inaction", "must be action or inaction")
    texts = [json.dumps(_element(one)) for one in sequence]
    if len(set(texts)) < len(texts):
        yield Fault("event_sequence", "elements of one event type must differ in their properties")
    yield from _order(found["segment_type"], found["segment_sub_type"], kinds)
    waits = found["segment_type"] == "live" and found["segment_sub_type"] == 2
    for at, one in enumerate(sequence):
        if waits and at == 0:
            if not MINUTES[0] <= one["exp_timeframe"] <= MINUTES[1]:
                yield Fault("event_sequence[0].exp_timeframe", f"must be {MINUTES[0]} to {MINUTES[1]} minutes")
        elif one["exp_timeframe"] != 0:
            yield Fault(f"event_sequence[{at}].exp_timeframe", "must be 0")


def _order(kind: str, sub_type: int, kinds: list[str]) -> Iterator[Fault]:
    if kind == "live" and sub_type == 1 and kinds != ["action"]:
        yield Fault("event_sequence", "must be one action")
    if kind == "live" and sub_type == 2 and kinds != ["action", "inaction"]:
        yield Fault("event_sequence", "must be one action, then one inaction")
    actions = ["action"] * max(1, len(kinds) - 1)
    if kind == "past" and sub_type in (1, 3) and "inaction" in kinds:
        yield Fault("event_sequence", "must be actions only")
    if kind == "past" and sub_type in (2, 4) and kinds != [*actions, "inaction"]:
        yield Fault("event_sequence", "must be one or more actions, then exactly one inaction")


def _element(one: Mapping[str, Any]) -> tuple[str, list[list[str]]]:
    properties = one["event_properties"] or {}
    return one["event_type"], [[name, canonical_text(value)] for name, value in sorted(properties.items())]
