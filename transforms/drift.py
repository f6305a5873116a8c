"""Drift: how the features moved since the last published run, with a threshold that chance alone does not reach."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import duckdb

from contracts.features import DriftRule
from contracts.published import TABLE_BY_NAME
from transforms import sql
from transforms.feature_snapshot import KEY, Feature
from transforms.quoting import identifier
from transforms.suite import TABLE

_CATEGORIES = 50
_BINS = 10
# One-sided normal quantile at 0.999: what chance alone reaches once in a thousand features.
_Z = 3.0902
# Deviation, as a share of the scale, below which a feature counts as constant: the sums are exact to well below this.
_CONSTANT = 1e-3


@dataclass(frozen=True, slots=True)
class Drift:
    """One row of table ``drift``: one statistic of one feature."""

    feature: str
    statistic: str
    value: float
    threshold: float
    drifted: bool
    previous_run: str


@dataclass(frozen=True, slots=True)
class Distribution:
    """Counts of one feature in one run; ``mean`` and ``deviation`` are zero for categories."""

    profiles: int
    present: int
    bins: tuple[int, ...] = ()
    mean: float = 0.0
    deviation: float = 0.0


def psi(before: Sequence[int], now: Sequence[int]) -> float:
    """Population stability index of two histograms over the same bins: sum of (p - q) ln(p / q), at least 0.

    Half a profile is added to each bin, so that an empty one does not make it infinite; bins empty in both are left
    out.
    """
    pairs = [(b, n) for b, n in zip(before, now, strict=True) if b or n]
    size_before = sum(b for b, _ in pairs) + len(pairs) / 2
    size_now = sum(n for _, n in pairs) + len(pairs) / 2
    total = 0.0
    for b, n in pairs:
        p, q = (b + 0.5) / size_before, (n + 0.5) / size_now
        total += (p - q) * math.log(p / q)
    return total


def chance_psi(bins: int, before: int, now: int) -> float:
    """PSI that two samples of one distribution exceed once in a thousand times.

    PSI is near (1/before + 1/now) times a chi-square of bins - 1 degrees of freedom (Yurdakul and Naranjo, 2020); its
    quantile is Wilson and Hilferty's approximation.
    """
    freedom = bins - 1
    if freedom < 1 or not before or not now:
        return 0.0
    quantile = freedom * (1 - 2 / (9 * freedom) + _Z * math.sqrt(2 / (9 * freedom))) ** 3
    return (1 / before + 1 / now) * quantile


def measure(
    con: duckdb.DuckDBPyConnection,
    features: Sequence[Feature],
    now: str,
    before: str,
    rule: DriftRule,
    previous_run: str,
    rows: tuple[int, int],
) -> tuple[Drift, ...]:
    """Compare relation ``now`` with ``before``, both with the columns of ``features``, and create table ``drift``.

    Both may be samples; ``rows`` are the profiles before and now. Statistics: ``psi`` over the deciles of the last
    run (or its 50 commonest categories and the rest), ``missing`` (change of the share missing), ``mean`` (shift in
    standard deviations of the last run), and ``rows`` of the table. The threshold is the rule's, or what chance
    reaches once in a thousand, whichever is larger.
    """
    found = [*_table(rows, rule), *(row for feature in features for row in _feature(con, feature, now, before, rule))]
    made = [
        Drift(name, statistic, value, limit, value > limit, previous_run) for name, statistic, value, limit in found
    ]
    create_table(con)
    if made:
        columns = [column.name for column in TABLE_BY_NAME["drift"].columns]
        marks = ", ".join("?" * len(columns))
        con.executemany(
            f"INSERT INTO drift VALUES ({marks})", [[getattr(row, name) for name in columns] for row in made]
        )
    return tuple(made)


def create_table(con: duckdb.DuckDBPyConnection) -> None:
    """Create (or empty) table ``drift`` with exactly the published columns."""
    columns = ", ".join(f"{column.name} {column.type}" for column in TABLE_BY_NAME["drift"].columns)
    con.execute(f"CREATE OR REPLACE TABLE drift ({columns})")


_Row = tuple[str, str, float, float]


def _table(rows: tuple[int, int], rule: DriftRule) -> Iterator[_Row]:
    old, new = rows
    if old:
        yield TABLE, "rows", abs(new - old) / old, rule.rows


def _feature(
    con: duckdb.DuckDBPyConnection, feature: Feature, now: str, before: str, rule: DriftRule
) -> Iterator[_Row]:
    if feature.name == KEY:
        return
    if feature.is_list or feature.kind == "other":
        old, new = _presence(con, feature, before), _presence(con, feature, now)
    elif feature.kind in {"string", "boolean"}:
        old, new = _categories(con, feature, now, before)
    else:
        old, new = _numbers(con, feature, now, before)
    if old.profiles and new.profiles:
        yield feature.name, "missing", *_missing(old, new, rule)
    if old.present and new.present and old.bins:
        used = sum(1 for b, n in zip(old.bins, new.bins, strict=True) if b or n)
        yield feature.name, "psi", psi(old.bins, new.bins), max(rule.psi, chance_psi(used, old.present, new.present))
    if old.present and new.present and old.deviation > _CONSTANT:
        chance = _Z * math.sqrt(1 / old.present + 1 / new.present)
        yield feature.name, "mean", abs(new.mean - old.mean) / old.deviation, max(rule.mean, chance)


def _missing(old: Distribution, new: Distribution, rule: DriftRule) -> tuple[float, float]:
    """Change of the share missing, and its threshold (pooled two-sample test of proportions)."""
    absent = old.profiles - old.present + new.profiles - new.present
    pooled = absent / (old.profiles + new.profiles)
    chance = _Z * math.sqrt(pooled * (1 - pooled) * (1 / old.profiles + 1 / new.profiles))
    change = abs((1 - new.present / new.profiles) - (1 - old.present / old.profiles))
    return change, max(rule.missing, chance)


def _presence(con: duckdb.DuckDBPyConnection, feature: Feature, relation: str) -> Distribution:
    return Distribution(*_row(con, f"SELECT count(*), count({identifier(feature.column)}) FROM {relation}"))


def _categories(
    con: duckdb.DuckDBPyConnection, feature: Feature, now: str, before: str
) -> tuple[Distribution, Distribution]:
    for name, relation in (("drift_now", now), ("drift_before", before)):
        con.execute(
            f"CREATE OR REPLACE TEMP VIEW {name} AS SELECT {identifier(feature.column)} AS value FROM {relation}"
        )
    rows = con.execute(sql.read("drift_categories"), {"kept": _CATEGORIES}).fetchall()
    old, new = _presence(con, feature, before), _presence(con, feature, now)
    return (
        Distribution(old.profiles, old.present, tuple(row[1] for row in rows)),
        Distribution(new.profiles, new.present, tuple(row[2] for row in rows)),
    )


def _numbers(
    con: duckdb.DuckDBPyConnection, feature: Feature, now: str, before: str
) -> tuple[Distribution, Distribution]:
    value = (
        f"epoch({identifier(feature.column)})"
        if feature.kind == "timestamp"
        else f"{identifier(feature.column)}::DOUBLE"
    )
    view = "CREATE OR REPLACE TEMP VIEW drift_values AS SELECT {} AS value FROM {}"
    con.execute(view.format(value, before))
    largest, deciles = _row(con, sql.read("drift_edges"))
    edges = sorted(set(deciles or ()))
    # The scale is the size of the bulk, so that a single monster neither hides a shift nor overflows the sums.
    scale = max((abs(edge) for edge in edges), default=0.0) or largest or 1.0
    padded = edges + [math.inf] * (_BINS - 1 - len(edges))
    settings: dict[str, object] = {"scale": scale, **{f"e{number}": edge for number, edge in enumerate(padded, 1)}}
    old = _distribution(con, settings)
    con.execute(view.format(value, now))
    return old, _distribution(con, settings)


def _distribution(con: duckdb.DuckDBPyConnection, settings: dict[str, object]) -> Distribution:
    profiles, present, total, squares, cumulative = _row(con, sql.read("drift_counts"), settings)
    bins = tuple(high - low for low, high in pairwise((0, *cumulative)))
    if not present:
        return Distribution(profiles, 0, bins)
    mean = total / present
    return Distribution(profiles, present, bins, mean, math.sqrt(max(squares / present - mean * mean, 0.0)))


def _row(con: duckdb.DuckDBPyConnection, query: str, parameters: dict[str, object] | None = None) -> tuple[Any, ...]:
    row = con.execute(query, parameters or {}).fetchone()
    assert row is not None
    return row
