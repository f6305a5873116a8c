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
    cut = customers.cut(con, horizon_days)
    ground = survey(con, cut, churn)
    try:
        rows, _ = training_rows(con, cut, churn, ground, seed)
    except Skip as short:
        raise UsageError(
            f"a night would not train on this: {short.code} {short.figures}", hint="a shorter --horizon"
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
    """Durations of a file. Raises ``UsageError`` when nobody churned, or nobody else is left."""
    lives = customers.read_lives(path, duration=duration, event=event, without=without)
    churned = int(lives.event.sum())
    if min(churned, len(lives.event) - churned) < 5:
        raise UsageError(f"{churned} of {len(lives.event)} rows ended: five of either are needed for five folds")
    if (lives.duration < 0).any():
        raise UsageError("a duration is negative", hint="--duration takes any SQL expression")
    return SurvivalData(lives.columns, lives.numbers, lives.texts, lives.duration, lives.event)
