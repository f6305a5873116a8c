"""Which arms a decision set has (4.2), in the order in which tables and reports name them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from decisions.agent import Point
from decisions.assignment import COMBINATIONS


def stored_arms(
    point: Point | None, decision_set: str, logged: Sequence[str] = (), of_files: Sequence[str] = ()
) -> list[str]:
    """The arms of a decision set: those stored, in stored order, then those that only logs from files have.

    Without a stored point, or where the set names a decision that it does not have, the ``logged`` arms. Empty where
    there are more combinations than a table may have.
    """
    names = set(decision_set.split(","))
    decisions = [one for one in point.decisions if one.code in names] if point is not None else []
    if len(decisions) < len(names):
        arms = list(logged)
    else:
        arms = [
            ",".join(f"{one.code}:{choice}" for one, choice in zip(decisions, choices, strict=True))
            for choices in product(*(one.codes() for one in decisions))
        ]
        arms += [arm for arm in of_files if arm not in set(arms)]
    return arms if len(names) == 1 or len(arms) <= COMBINATIONS else []


def labels(point: Point | None, arms: Sequence[str]) -> dict[str, str]:
    """Arms with the names of their choices, empty text where these have none."""
    names = {
        f"{decision.code}:{choice.code}": choice.name
        for decision in (point.decisions if point is not None else ()) for choice in decision.choices
    }
    return {arm: ", ".join(name for name in map(names.get, arm.split(",")) if name) for arm in arms}
