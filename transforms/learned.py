"""What the last published run teaches: how many profiles, which ranges, which categories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import duckdb

from contracts.features import Allowed
from transforms.feature_snapshot import KEY, Feature
from transforms.quoting import identifier

_LEAST_VALUES = 30
_MOST_CATEGORIES = 50


@dataclass(frozen=True, slots=True)
class Learned:
    """``ranges``: bounds a feature is expected to keep; ``values``: categories of a text feature. Both by the
    feature's name.
    """

    rows: int
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    values: dict[str, tuple[Allowed, ...]] = field(default_factory=dict)


def learn(con: duckdb.DuckDBPyConnection, relation: str, features: Sequence[Feature], rows: int) -> Learned:
    """Learn from ``relation``: the last run's features (columns as in ``features``), or a sample of its ``rows``
    profiles.

    A range is the least to the greatest finite value, widened by half its width on both sides; categories are learned
    where there are at most 50. Features with fewer than 30 values teach nothing.
    """
    numeric = [feature for feature in features if feature.kind in {"integer", "number"}]
    textual = [feature for feature in features if feature.kind == "string" and feature.name != KEY]
    asked = []
    for feature in numeric:
        value = f"{identifier(feature.column)}::DOUBLE"
        asked += [
            f"count(*) FILTER (isfinite({value}))",
            f"min({value}) FILTER (isfinite({value}))",
            f"max({value}) FILTER (isfinite({value}))",
        ]
    for feature in textual:
        asked += [f"count({identifier(feature.column)})", f"approx_count_distinct({identifier(feature.column)})"]
    if not asked:
        return Learned(rows)
    row = con.execute(f"SELECT {', '.join(asked)} FROM {relation}").fetchone()
    assert row is not None
    ranges = {}
    for position, feature in enumerate(numeric):
        count, low, high = row[3 * position : 3 * position + 3]
        if count >= _LEAST_VALUES:
            ranges[feature.name] = _widened(low, high)
    values: dict[str, tuple[Allowed, ...]] = {}
    for position, feature in enumerate(textual):
        count, distinct = row[3 * len(numeric) + 2 * position :][:2]
        # The estimate only spares the exact count where it would be hopeless.
        if count >= _LEAST_VALUES and distinct <= 4 * _MOST_CATEGORIES:
            categories = _categories(con, relation, feature)
            if len(categories) <= _MOST_CATEGORIES:
                values[feature.name] = categories
    return Learned(rows, ranges, values)


def _categories(con: duckdb.DuckDBPyConnection, relation: str, feature: Feature) -> tuple[Allowed, ...]:
    column = identifier(feature.column)
    rows = con.execute(
        f"SELECT DISTINCT {column} FROM {relation} WHERE {column} IS NOT NULL ORDER BY 1 LIMIT {_MOST_CATEGORIES + 1}"
    ).fetchall()
    return tuple(str(row[0]) for row in rows)


def _widened(low: float, high: float) -> tuple[float, float]:
    margin = (high - low) / 2 or max(abs(low) / 2, 1.0)
    return low - margin, high + margin
