"""Data of the churn benchmarks, from files of any layout to what ``models.benchmark.churn_protocols`` compares on."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np

from contracts.errors import UsageError
from contracts.settings import Churn
from flows.stages.churn import Skip, survey, training_rows
from models.benchmark.churn_protocols import ChurnData, SurvivalData
from transforms import benchmark_customers as customers
from transforms import churn_inputs

FOREVER_DAYS = 100_000


def churn_data(con: duckdb.DuckDBPyConnection, horizon_days: int, seed: int = 0) -> ChurnData:
    """What a night learns from as of the cut of ``con`` (see ``open_customers``), and what then happened.

    Everybody with a purchase before the cut counts, however long ago. Raises ``UsageError`` when history is too short.
    """
    churn = Churn(
        definition="inactivity", horizon_days=horizon_days, amount_property="amount", lookback_days=FOREVER_DAYS
    )
    if horizon_days < 1:
        raise UsageError(f"a horizon of {horizon_days} days is none", hint="--horizon 90")
    cut = customers.cut(con, horizon_days)
    ground = survey(con, cut, churn)
    try:
        rows, _ = training_rows(con, cut, churn, ground, seed)
    except Skip as short:
        raise UsageError(
            f"a night would not train on what came before {cut:%Y-%m-%d}: {short.code} {short.figures}",
            hint=f"it wants {churn.min_profiles} profiles, {churn.min_events} purchases, {churn.min_rows} rows with "
            f"{churn.min_rows_per_label} of each outcome, and two horizons of days: a shorter --horizon, or more rows",
        ) from short
    churn_inputs.create_inputs(con, cut, churn, ground.inputs)
    names = ground.inputs.numbers
    found = customers.outcomes(con, "churn_inputs", names)
    return ChurnData(
        rows,
        {name: found[name] for name in names},
        found["label"].astype(np.int64),
        (found["visits"], found["last"], found["age"]),
    )


def survival_data(path: Path, duration: str, event: str, without: tuple[str, ...]) -> SurvivalData:
    """Durations of a file. Raises ``UsageError`` when too few churned."""
    lives = customers.read_lives(path, duration=duration, event=event, without=without)
    churned = int(lives.event.sum())
    if churned < 5:
        raise UsageError(
            f"{churned} of {len(lives.event)} rows ended: at least five have to, for five folds",
            hint="--event takes a column or SQL that is true where a life ended, such as \"status = 'gone'\"",
        )
    if (lives.duration < 0).any():
        raise UsageError("a duration is negative", hint="--duration takes any SQL expression")
    return SurvivalData(lives.columns, lives.numbers, lives.texts, lives.duration, lives.event)
