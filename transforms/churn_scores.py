"""The published table ``churn``: scores of the model, block by block, and of those who have churned already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from contracts.published import TABLE_BY_NAME
from transforms.churn_inputs import Inputs
from transforms.quoting import identifier, text_literal
from transforms.retention import count


def create_scored(con: duckdb.DuckDBPyConnection) -> None:
    """Create ``churn_scored`` without rows."""
    con.execute(
        "CREATE OR REPLACE TABLE churn_scored (position BIGINT, probability DOUBLE, label VARCHAR, days INTEGER, "
        "survival DOUBLE[], r1 INTEGER, c1 DOUBLE, r2 INTEGER, c2 DOUBLE, r3 INTEGER, c3 DOUBLE)"
    )


def insert_scored(
    con: duckdb.DuckDBPyConnection,
    position: NDArray[Any],
    probability: NDArray[Any],
    label: NDArray[Any],
    days: NDArray[Any],
    survival: NDArray[Any],
    place: NDArray[Any],
    share: NDArray[Any],
) -> None:
    """Add a block to ``churn_scored``: ``survival`` (n, curve days); ``place`` and ``share`` (n, up to 3), largest
    first.
    """
    import pyarrow as pa

    width = survival.shape[1]
    offsets = np.arange(0, (len(position) + 1) * width, width, dtype=np.int32)
    columns: dict[str, Any] = {
        "position": position,
        "probability": probability,
        "label": label,
        "days": days,
        "survival": pa.ListArray.from_arrays(offsets, np.ascontiguousarray(survival).ravel()),
    }
    for number in range(3):
        known = number < place.shape[1]
        columns[f"r{number + 1}"] = (
            np.ascontiguousarray(place[:, number]) if known else np.zeros(len(position), np.int64)
        )
        columns[f"c{number + 1}"] = np.ascontiguousarray(share[:, number]) if known else np.zeros(len(position))
    con.register("churn_block", pa.table(columns))
    con.execute("INSERT INTO churn_scored FROM churn_block")
    con.unregister("churn_block")


def create_churn(
    con: duckdb.DuckDBPyConnection,
    inputs: Inputs,
    features: Sequence[str],
    curve_days: int,
    horizon_days: int,
    model: str,
) -> int:
    """Create the published table ``churn`` from ``churn_scored`` and the explicitly churned profiles; returns its rows.

    ``churn_scored`` has position, probability, label, days, survival and, for the largest contributions, r1..r3 (place
    in ``features``) and c1..c3. An explicitly churned profile has probability 1, no days left and the one reason for
    it.
    """
    shown = " ".join(f"WHEN {place} THEN {_text_of(name, inputs)}" for place, name in enumerate(features))
    named = " ".join(f"WHEN {place} THEN {text_literal(name)}" for place, name in enumerate(features))
    reason = (
        ", ".join(
            f"CASE WHEN c{n} <> 0 THEN {{'feature': CASE r{n} {named} END, 'value': CASE r{n} {shown} END, "
            f"'effect': CASE WHEN c{n} > 0 THEN 'raises' ELSE 'lowers' END, 'contribution': c{n}}} END"
            for n in (1, 2, 3)
        )
        if features
        else "NULL"
    )
    kind = "STRUCT(feature VARCHAR, value VARCHAR, effect VARCHAR, contribution DOUBLE)[]"
    create_empty(con)
    gone = "[{'feature': 'explicit_churn', 'value': 'true', 'effect': 'raises', 'contribution': NULL::DOUBLE}]"
    con.execute(
        f"""
        INSERT INTO churn SELECT * FROM (
            SELECT i.profile_id, s.probability, s.label, s.days,
                   list_filter([{reason}], lambda one: one IS NOT NULL)::{kind}, s.survival, $horizon::INTEGER, $model
            FROM churn_scored AS s JOIN churn_scoring AS i USING (position)
            UNION ALL
            SELECT p.profile_id, 1.0::DOUBLE, 'very-high', 0, {gone}::{kind},
                   list_transform(range($days::BIGINT), lambda one: 0.0::DOUBLE), $horizon::INTEGER, $model
            FROM churn_population AS p
            ANTI JOIN (SELECT profile_id FROM churn_exclusions WHERE reason <> 'no_activity') AS x USING (profile_id)
            WHERE p.explicitly_churned
        ) ORDER BY profile_id
        """,
        {"horizon": horizon_days, "model": model, "days": curve_days},
    )
    return count(con, "SELECT count(*) FROM churn")


def carry(con: duckdb.DuckDBPyConnection, published: str) -> int:
    """Create ``churn`` from an earlier run's, of the profiles that are still known; returns its rows."""
    create_empty(con)
    con.execute(f"INSERT INTO churn BY NAME FROM {published} SEMI JOIN profiles USING (profile_id) ORDER BY profile_id")
    return count(con, "SELECT count(*) FROM churn")


def create_empty(con: duckdb.DuckDBPyConnection) -> None:
    """Create ``churn`` without rows."""
    columns = ", ".join(f"{column.name} {column.type}" for column in TABLE_BY_NAME["churn"].columns)
    con.execute(f"CREATE OR REPLACE TABLE churn ({columns})")


def _text_of(name: str, inputs: Inputs) -> str:
    """SQL of a feature's value as text: a whole number without fraction, others to 4 decimals, text as it is."""
    value = f"i.{identifier(name)}"
    if name in inputs.texts:
        return value
    if name in inputs.booleans:
        return f"({value} <> 0)::VARCHAR"
    whole = f"{value} = trunc({value}) AND abs({value}) < 1e15"
    return f"CASE WHEN {whole} THEN {value}::BIGINT::VARCHAR ELSE round({value}, 4)::VARCHAR END"
