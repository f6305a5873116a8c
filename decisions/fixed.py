"""Fixed targeting (contract, section 11): a visitor with a feature always gets one choice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FixedTarget:
    """Whoever has ``feature`` gets ``choice`` of ``decision``."""

    feature: str
    decision: str
    choice: str


def fixed_choices(
    targets: Iterable[FixedTarget], features: Mapping[str, float], requested: Mapping[str, Sequence[str]]
) -> dict[str, str]:
    """The choice of each requested decision (code to its requested choices) that is fixed for a visitor with these
    features: the first target in the list that he meets and whose choice was requested.
    """
    found: dict[str, str] = {}
    for one in targets:
        if one.decision not in found and one.choice in requested.get(one.decision, ()) and _has(features, one.feature):
            found[one.decision] = one.choice
    return found


def _has(features: Mapping[str, float], feature: str) -> bool:
    """``age:34`` asks for the numeric feature ``age`` of 34."""
    if feature in features:
        return True
    code, _, value = feature.rpartition(":")
    try:
        return code in features and features[code] == float(value)
    except ValueError:
        return False
