"""Choices as a path asks for them (3.1): ``a,b,c``, ``code:a,b,c``, a count, several lists between slashes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from decisions.agent import Point
from decisions.codes import ABSENT, BadCall, code

COUNT = 100
"""A count of choices goes from 1 to this."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One list of a path. ``decision`` empty: by its position; ``choices`` empty: the stored ones."""

    decision: str = ""
    choices: tuple[str, ...] = ()


def one_list(text: str) -> Asked:
    """What the path of ``/decision/...`` asks for: a count, a list, or (the older form) a decision and a count.

    Raises BadCall.
    """
    parts = _parts(text)
    if len(parts) == 2:
        return Asked(code("decision", parts[0]), counted(parts[1]))
    if len(parts) > 2:
        raise BadCall("one decision has one list of choices; /decisions takes several")
    return _list(parts[0]) if parts else Asked()


def many_lists(text: str) -> tuple[Asked, ...]:
    """What the path of ``/decisions/...`` asks for; nothing: all stored decisions of the point. Raises BadCall."""
    return tuple(_list(part) for part in _parts(text))


def counted(text: str) -> tuple[str, ...]:
    """The choices ``0`` to ``n-1``. Raises BadCall."""
    if not text.isascii() or not text.isdigit() or len(text) > 9 or not 1 <= int(text) <= COUNT:
        raise BadCall(f"a count of choices lies in 1..{COUNT}, not {text[:60]!r}")
    return tuple(str(number) for number in range(int(text)))


def named(asked: Sequence[Asked], point: Point | None) -> dict[str, tuple[str, ...]]:
    """Requested choices by decision, in the order asked: lists without a name go to the point's stored decisions by
    position, and beyond them are called by it. Without choices: the stored ones. Raises BadCall.
    """
    stored = point.decisions if point is not None else ()
    found: dict[str, tuple[str, ...]] = {}
    for at, one in enumerate(asked):
        name = one.decision or (stored[at].code if at < len(stored) else f"decision-{at + 1}")
        if name in found:
            raise BadCall(f"decision {name} is asked for twice")
        known = point.decision(name) if point is not None else None
        choices = one.choices or (known.codes() if known is not None else ())
        if not choices and (one.decision or at):
            raise BadCall(f"decision {name} has no choices yet; name them")
        found[name] = choices
    return found


def _parts(text: str) -> list[str]:
    return [part for part in text.split("/") if part not in ABSENT]


def _list(text: str) -> Asked:
    name, colon, rest = text.rpartition(":")
    if not colon and rest.isascii() and rest.isdigit():
        return Asked("", counted(rest))
    if ":" in name:
        raise BadCall(f"{text[:60]!r} is no list of choices")
    choices = dict.fromkeys(code("choice", one) for one in rest.split(",") if one not in ABSENT)
    return Asked("" if name in ABSENT else code("decision", name), tuple(choices))
