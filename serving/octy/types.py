"""The typing rule (7, 9): the first value of a key fixes its type, account-wide."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contracts.value_types import KeyType, type_of
from serving.effective import Effective
from serving.octy.errors import OctyError, entry, misfit

MAPS = ("profile_data", "platform_info")


class ProfileKeys:
    """Keys of profiles, as one request meets them: what it writes first counts for what follows in it."""

    def __init__(self, state: Effective) -> None:
        self._written, self._of_run = state.changes.profile_keys, state.run.profile_keys
        self._own: dict[str, KeyType] = {}

    def known(self, name: str) -> KeyType | None:
        """What is known of a key, None for a new one."""
        lower = name.lower()
        return self._of_run.get(lower) or self._written.get(lower) or self._own.get(lower)

    def take(self, maps: Mapping[str, Mapping[str, Any]], index: int) -> dict[str, dict[str, Any]]:
        """Both maps of a profile under the keys' first spelling. Raises OctyError (400) for a key in both maps or of
        another type.
        """
        found: dict[str, dict[str, Any]] = {name: {} for name in MAPS}
        seen: dict[str, str] = {}
        for parent in MAPS:
            for name, value in maps[parent].items():
                lower, given = name.lower(), type_of(value)
                if lower in seen:
                    twice = f"stands twice in {parent}; letter case tells no keys apart"
                    raise _conflict(
                        name, index, twice if seen[lower] == parent else f"stands in {seen[lower]} and in {parent}"
                    )
                seen[lower] = parent
                known = self.known(name)
                if known is None:
                    known = self._own[lower] = KeyType(name, parent, given)
                elif known.type != given:
                    told = f"must be of type {known.type}, not {given}"
                    raise _conflict(name, index, told, expected=known.type, given=given)
                found[parent][known.spelled] = value
        return found


class EventKeys:
    """Keys of events by type of event; ``reserve`` holds what is being stored, so that requests at the same time
    agree.
    """

    def __init__(self) -> None:
        self._reserved: dict[tuple[str, str], str] = {}

    def fault(self, state: Effective, event_type: str, values: Mapping[str, Any]) -> str:
        """Why values do not fit, or nothing."""
        for name, value in values.items():
            place, given = (event_type, name), type_of(value)
            known = state.run.event_keys.get(place) or state.changes.event_keys.get(place) or self._reserved.get(place)
            if known and known != given:
                return f"event_properties.{name} must be of type {known}, not {given}"
        return ""

    def reserve(self, state: Effective, event_type: str, values: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Fix the types of keys that have none; returns which, to be released when they are stored or not."""
        fresh = []
        for name, value in values.items():
            place = event_type, name
            if place in state.run.event_keys or place in state.changes.event_keys or place in self._reserved:
                continue
            self._reserved[place] = type_of(value)
            fresh.append(place)
        return fresh

    def release(self, places: list[tuple[str, str]]) -> None:
        """Forget reservations."""
        for place in places:
            self._reserved.pop(place, None)


def flat(value: Any, field: str, *, least: int = 0) -> dict[str, Any]:
    """A flat object of strings, numbers and booleans. Raises OctyError (422)."""
    if not isinstance(value, dict):
        raise misfit(field, "must be an object")
    if len(value) < least:
        raise misfit(field, "must hold at least one key and value")
    for name, one in value.items():
        fault = value_fault(name, one)
        if fault:
            raise misfit(f"{field}.{name[:100]}", fault)
    return value


def value_fault(name: str, value: Any) -> str:
    """Why a key and its value cannot be stored, or nothing."""
    if not name.strip() or len(name) > 255 or "\0" in name:
        return "has a name that is blank, longer than 255 characters or holds NUL"
    if type_of(value) not in ("string", "number", "boolean"):
        return "must be a string, a number or a boolean"
    if isinstance(value, str) and (not value.strip() or "\0" in value):
        return "must not be blank"
    return ""


def _conflict(name: str, index: int, message: str, **more: Any) -> OctyError:
    told = f"profiles[{index}]: key {name[:100]} {message}"
    return OctyError(400, "a key is not what it was before", [entry(told, key=name, index=index, **more)])
