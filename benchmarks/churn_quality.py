"""Churn models beside their references, on real data: Telco (survival) and Online Retail II (no purchase in 90 days).

    python -m benchmarks.churn_quality ../shared/data [telco] [retail]

Telco: five stratified folds, seed 0; time is tenure in months, the event is Churn; TotalCharges, which contains the
time, is no feature. Retail: all customers with a purchase before 2011-09-11, everything trained on snapshots that end
before it. The references run in the same process on the same rows. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import warnings
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import duckdb
import numpy as np
from numpy.typing import NDArray

from contracts.settings import Churn
from flows.stages import churn as stage
from models.churn import design, lifetimes, measure, select
from models.churn.scorer import Sample

Floats = NDArray[np.float64]

CUT = datetime(2011, 9, 11)
HORIZON = 90
RETAIL = Churn(definition="inactivity", horizon_days=HORIZON, amount_property="amount", lookback_days=10_000)


# --- Telco


def telco(data: Path) -> dict[str, dict[str, float]]:
    """Mean over the folds of C-index, integrated Brier score, AUC and calibration error, by model."""
    from sklearn.model_selection import StratifiedKFold

    with duckdb.connect() as con:
        path = str(data / "telco_churn" / "Telco-Customer-Churn.csv")
        frame = con.execute("SELECT * FROM read_csv($path, all_varchar = true)", {"path": path}).fetchnumpy()
    columns = {name: np.ma.filled(values, "").astype(object) for name, values in frame.items()}
    duration = columns.pop("tenure").astype(np.int64)
    event = columns.pop("Churn") == "Yes"
    for name in ("customerID", "TotalCharges"):
        columns.pop(name)
    numbers = ("MonthlyCharges",)
    columns["MonthlyCharges"] = columns["MonthlyCharges"].astype(np.float64)
    texts = tuple(name for name in columns if name not in numbers)
    models: dict[str, Callable[[Sample, Sample, NDArray[np.int64]], Floats]] = {
        "nightloom hazard": _lifetimes,
        "lifelines Cox": _lifelines_cox,
        "Kaplan-Meier": _kaplan_meier,
    }
    found: dict[str, list[dict[str, float]]] = {name: [] for name in models}
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    for train, test in folds.split(duration, event):
        plan = design.make({name: values[train] for name, values in columns.items()}, numbers, texts)
        parts = []
        for rows in (train, test):
            matrix = plan.matrix({name: values[rows] for name, values in columns.items()})
            zeros = np.zeros(len(rows), np.int64)
            parts.append(Sample(matrix, plan.standard(matrix), zeros, duration[rows], event[rows], zeros))
        months = np.arange(1, int(np.quantile(duration, 0.95)) + 1)
        for name, fit in models.items():
            found[name].append(_survival_scores(fit(parts[0], parts[1], months), months, parts[0], parts[1]))
    return {
        name: {key: round(float(np.mean([fold[key] for fold in scores])), 4) for key in scores[0]}
        for name, scores in found.items()
    }


def _lifetimes(train: Sample, test: Sample, months: NDArray[np.int64]) -> Floats:
    return lifetimes.fit(train, months).survival(test.matrix, test.standard)


def _lifelines_cox(train: Sample, test: Sample, months: NDArray[np.int64]) -> Floats:
    import pandas as pd
    from lifelines import CoxPHFitter

    frame = pd.DataFrame(train.standard).assign(duration=train.duration, event=train.event)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = CoxPHFitter(penalizer=0.001).fit(frame, "duration", "event")
        return np.asarray(model.predict_survival_function(pd.DataFrame(test.standard), times=months)).T


def _kaplan_meier(train: Sample, test: Sample, months: NDArray[np.int64]) -> Floats:
    from lifelines import KaplanMeierFitter

    model = KaplanMeierFitter().fit(train.duration, train.event)
    return np.tile(model.survival_function_at_times(months).to_numpy(), (len(test), 1))


def _survival_scores(survival: Floats, months: NDArray[np.int64], train: Sample, test: Sample) -> dict[str, float]:
    """C-index by survival at 24 months; Brier, AUC and calibration with inverse-censoring weights (Graf 1999, Uno
    2007).
    """
    from lifelines import KaplanMeierFitter

    censoring = KaplanMeierFitter().fit(train.duration, ~train.event)

    def free(days: Any) -> Floats:
        return np.maximum(np.asarray(censoring.survival_function_at_times(np.maximum(days, 0))), 1e-3)

    gone_weight = test.event / free(test.duration - 1)
    briers = []
    for place, month in enumerate(months):
        gone = (test.duration <= month) & test.event
        alive = test.duration > month
        error = gone * gone_weight * survival[:, place] ** 2 + alive / free(month) * (1 - survival[:, place]) ** 2
        briers.append(error.mean())
    scores = {
        "c_index": measure.c_index(test.duration, test.event, 1 - survival[:, 23]) or 0.5,
        "ibs": float(np.trapezoid(briers, months) / (months[-1] - months[0])),
    }
    for month in (12, 24):
        risk = 1 - survival[:, month - 1]
        gone, alive = (test.duration <= month) & test.event, test.duration > month
        scores[f"auc_{month}"] = _weighted_auc(risk[gone], gone_weight[gone], risk[alive])
    risk = 1 - survival[:, 11]
    gone, alive = (test.duration <= 12) & test.event, test.duration > 12
    weight = gone * gone_weight + alive / free(12)
    bins = np.array_split(np.argsort(risk, kind="stable"), 10)
    gaps = [abs(np.average(gone[part], weights=weight[part]) - risk[part].mean()) * len(part) for part in bins]
    return scores | {"calibration_error_12": float(sum(gaps) / len(risk))}


def _weighted_auc(ones: Floats, weight: Floats, zeros: Floats) -> float:
    ordered = np.sort(zeros)
    below = (np.searchsorted(ordered, ones, "left") + np.searchsorted(ordered, ones, "right")) / 2 / len(zeros)
    return float(np.average(below, weights=weight))


# --- Online Retail II


def retail(data: Path) -> dict[str, dict[str, float]]:
    """AUC, Brier score and calibration error over 90 days from 2011-09-11, by model; ours is the whole training stage's
    choice.
    """
    with duckdb.connect() as con:
        _retail_bench(con, data)
        con.execute(f"CREATE VIEW events AS SELECT * FROM all_events WHERE created_at < TIMESTAMP '{CUT}'")
        started = time.perf_counter()
        ground = stage.survey(con, CUT, RETAIL)
        rows, _ = stage.training_rows(con, CUT, RETAIL, ground, 0)
        choice = select.choose(rows)
        assert choice.fitted is not None
        seconds = time.perf_counter() - started
        names = [*ground.inputs.numbers, *ground.inputs.texts]
        columns, label = _at_the_cut(con, names, ground)
        results = {f"nightloom {choice.name}": choice.fitted.probability(columns)}
        for name, make in select.MAKERS.items():
            results[f"nightloom {name} alone"] = select.fit_calibrated(make, rows, rows.ages, 0).probability(columns)
        results |= _retail_references(rows, columns)
        scores = {
            name: {metric: round(pair[0], 4) for metric, pair in measure.all_of(label, probability).items()}
            for name, probability in results.items()
        }
        first = next(iter(results))
        error = measure.auc(label, results[first])[1]
        scores[first] |= {"auc_standard_error": round(error, 4), "seconds": round(seconds, 1)}
        return scores


def _retail_bench(con: duckdb.DuckDBPyConnection, data: Path) -> None:
    """Workbench tables with one charged event a purchased line; returns are a type of their own."""
    con.execute(
        """
        CREATE TABLE all_events AS
        SELECT 'e' || row_number() OVER () AS event_id,
               CASE WHEN Quantity > 0 THEN 'charged' ELSE 'returned' END AS event_type,
               CustomerID::INTEGER::VARCHAR AS profile_id, StockCode AS item_id, InvoiceDate::TIMESTAMP AS created_at,
               json_object('amount', round(abs(Quantity) * UnitPrice * 100)) AS properties
        FROM read_parquet($path) WHERE CustomerID IS NOT NULL AND Quantity <> 0
        """,
        {"path": str(data / "online_retail_ii" / "transactions.parquet")},
    )
    con.execute(
        """
        CREATE TABLE items AS SELECT DISTINCT item_id, 0::BIGINT AS item_price FROM all_events;
        CREATE TABLE profiles AS
        SELECT profile_id, false AS has_charged, 'active' AS status, '{}'::JSON AS profile_data,
               '{}'::JSON AS platform_info, min(created_at) AS created_at
        FROM all_events GROUP BY profile_id ORDER BY profile_id;
        CREATE SCHEMA warehouse;
        CREATE TABLE warehouse.profiles AS SELECT profile_id, status, NULL::TIMESTAMP AS status_at FROM profiles;
        CREATE TABLE warehouse.property_types (entity VARCHAR, parent VARCHAR, key VARCHAR, type VARCHAR);
        """
    )


def _at_the_cut(
    con: duckdb.DuckDBPyConnection, names: list[str], ground: stage.Ground
) -> tuple[dict[str, NDArray[Any]], NDArray[np.int64]]:
    """Inputs at the cut of every customer with a purchase before it, and whether none followed."""
    stage.churn_inputs.create_inputs(con, CUT, RETAIL, ground.inputs)
    found = con.execute(
        "SELECT i.*, a.profile_id IS NULL AS label FROM churn_inputs AS i LEFT JOIN ("
        "SELECT DISTINCT profile_id FROM all_events "
        "WHERE event_type = 'charged' AND created_at >= $from AND created_at < $until"
        ") AS a ON a.profile_id = i.profile_id "
        "WHERE i.recency_days IS NOT NULL ORDER BY i.profile_id",
        {"from": CUT, "until": CUT + timedelta(days=HORIZON)},
    ).fetchnumpy()
    columns = {name: np.ma.filled(found[name].astype(np.float64), np.nan) for name in names}
    return columns, found["label"].astype(np.int64)


def _retail_references(rows: select.Rows, columns: dict[str, NDArray[Any]]) -> dict[str, Floats]:
    """Recency, logistic on RFM, plain Cox and boosted trees, on the same snapshots, and the newest snapshot's base
    rate.
    """
    import pandas as pd
    from lifelines import CoxPHFitter
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression

    newest = rows.snapshot == 0

    def table(source: Any, names: tuple[str, ...], mask: Any = slice(None)) -> Floats:
        return np.column_stack([source[name][mask] for name in names]).astype(np.float64)

    def logs(source: Any, names: tuple[str, ...], mask: Any = slice(None)) -> Floats:
        return np.asarray(np.log1p(np.maximum(table(source, names, mask), 0)))

    rfm, every = ("recency_days", "active_days", "amount"), np.ones(len(newest), np.bool_)
    results = {}
    for title, names, mask in (("recency", rfm[:1], newest), ("logistic RFM", rfm, every)):
        model = LogisticRegression(max_iter=1000).fit(logs(rows.columns, names, mask), rows.label[mask])
        results[title] = model.predict_proba(logs(columns, names))[:, 1]
    boosted = HistGradientBoostingClassifier(random_state=0).fit(table(rows.columns, rows.numbers), rows.label)
    results["boosted trees"] = boosted.predict_proba(table(columns, rows.numbers))[:, 1]
    frame = pd.DataFrame(logs(rows.columns, rfm), columns=list(rfm))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cox = CoxPHFitter().fit(frame.assign(duration=rows.duration, event=rows.event), "duration", "event")
        fresh = pd.DataFrame(logs(columns, rfm), columns=list(rfm))
        results["lifelines Cox RFM"] = 1 - np.asarray(cox.predict_survival_function(fresh, times=[HORIZON]))[0]
    results["base rate"] = np.full(len(columns["recency_days"]), rows.label[newest].mean())
    return results


def main() -> None:
    """Run what is named, or everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("what", nargs="*", default=["telco", "retail"])
    asked = parser.parse_args()
    runs = {"telco": telco, "retail": retail}
    print(json.dumps({name: runs[name](asked.data) for name in asked.what}, indent=1))


if __name__ == "__main__":
    main()
