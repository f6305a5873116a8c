"""Which features a point learns from, and where numeric ones are cut (decision contract, section 8.5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from decisions.patterns import LIMIT, Feature
from models.policies.cells import Index, Values

LEAST_SHARE, GREATEST_SHARE = 0.01, 0.99
LEAST_EXPOSURES = 100
FEW_VALUES = 4


@dataclass(frozen=True, slots=True, eq=False)
class FeatureValues:
    """Exposures of a point by value of one feature: distinct ``values``, rising, and their ``counts``; both (n,)."""

    code: str
    values: Values
    counts: Index


@dataclass(frozen=True, slots=True)
class Indicators:
    """The indicators chosen, most frequent first, and the features that they come from, by code."""

    names: tuple[str, ...]
    features: tuple[Feature, ...]


def feature_of(seen: FeatureValues) -> Feature:
    """How a feature is encoded: by presence if its only value is 1, else by its place among cut points.

    Cut points are the quartiles of the exposures that have it (the least values that reach a quarter, half and three
    quarters of them), or the midpoints between its values if there are at most 4.
    """
    if len(seen.values) == 1 and seen.values[0] == 1.0:
        return Feature(seen.code)
    if len(seen.values) <= FEW_VALUES:
        cuts = (seen.values[:-1] + seen.values[1:]) / 2
    else:
        reached = np.cumsum(seen.counts)
        cuts = seen.values[[int(np.searchsorted(4 * reached, part * reached[-1])) for part in (1, 2, 3)]]
    return Feature(seen.code, numeric=True, cuts=tuple(dict.fromkeys(float(cut) for cut in cuts)))


def choose(seen: Sequence[FeatureValues], exposures: int, wanted: Sequence[str] = ()) -> Indicators:
    """The at most 12 indicators of a point with this many exposures: those of the ``wanted`` features that occur, in
    the order given, else the most frequent with a share in [1 %, 99 %] and 100 exposures or more (ties by name).
    """
    features = {one.code: (feature_of(one), one) for one in seen if len(one.values)}
    counts: dict[str, dict[str, int]] = {code: _counts(*pair) for code, pair in features.items()}
    if wanted:
        names = [name for code in dict.fromkeys(wanted) for name in sorted(counts.get(code, {}))][:LIMIT]
    else:
        able = [
            (-count, name)
            for by_name in counts.values()
            for name, count in by_name.items()
            if count >= LEAST_EXPOSURES and LEAST_SHARE * exposures <= count <= GREATEST_SHARE * exposures
        ]
        names = [name for _, name in sorted(able)[:LIMIT]]
    used = [features[code][0] for code in sorted(features) if any(name in counts[code] for name in names)]
    return Indicators(tuple(names), tuple(used))


def _counts(feature: Feature, seen: FeatureValues) -> dict[str, int]:
    """Exposures of each indicator of a feature."""
    found: dict[str, int] = {}
    for value, count in zip(seen.values.tolist(), seen.counts.tolist(), strict=True):
        name = feature.indicator(value)
        found[name] = found.get(name, 0) + count
    return found
