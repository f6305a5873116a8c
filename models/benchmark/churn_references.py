"""What others would pick to tell who falls silent, fitted on the same snapshots as ours. A forecast takes the data and
gives a chance of silence for every profile.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.churn import bgnbd
from models.threads import one_thread

if TYPE_CHECKING:
    from models.benchmark.churn_protocols import ChurnData

Floats = NDArray[np.float64]
RFM = ("recency_days", "active_days", "amount")


def base_rate(data: ChurnData) -> Floats:
    """The share of the newest snapshot for everybody."""
    newest = data.rows.snapshot == int(np.argmin(data.rows.ages))
    return np.full(len(data.label), data.rows.label[newest].mean())


def recency(data: ChurnData) -> Floats:
    """Logistic regression of the logarithm of recency, on the newest snapshot."""
    newest = data.rows.snapshot == int(np.argmin(data.rows.ages))
    return _logistic(data, RFM[:1], newest)


def logistic_rfm(data: ChurnData) -> Floats:
    """Logistic regression of logarithms of recency, frequency and money, on all snapshots."""
    return _logistic(data, RFM, np.ones(len(data.rows.label), np.bool_))


def _logistic(data: ChurnData, names: tuple[str, ...], rows: NDArray[np.bool_]) -> Floats:
    from sklearn.linear_model import LogisticRegression

    with one_thread():
        model = LogisticRegression(max_iter=1000).fit(_logs(data.rows.columns, names)[rows], data.rows.label[rows])
        return np.asarray(model.predict_proba(_logs(data.columns, names))[:, 1])


def lifelines_cox(data: ChurnData) -> Floats:
    """lifelines' Cox on RFM."""
    from lifelines import CoxPHFitter

    return _lifelines(data, CoxPHFitter())


def lifelines_log_normal(data: ChurnData) -> Floats:
    """lifelines' log-normal times on RFM."""
    from lifelines import LogNormalAFTFitter

    return _lifelines(data, LogNormalAFTFitter(penalizer=0.01))


def _lifelines(data: ChurnData, model: Any) -> Floats:
    import pandas as pd

    frame = pd.DataFrame(_logs(data.rows.columns, RFM), columns=list(RFM))
    fresh = pd.DataFrame(_logs(data.columns, RFM), columns=list(RFM))
    frame = frame.assign(duration=data.rows.duration.astype(np.float64), event=data.rows.event)
    with one_thread(), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        model.fit(frame, "duration", "event")
        curves = model.predict_survival_function(fresh, times=[data.rows.horizon_days])
    return np.asarray(1 - np.asarray(curves)[0], dtype=np.float64)


def boosted_trees(data: ChurnData) -> Floats:
    """scikit-learn's gradient boosting as it comes, on all features and snapshots."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    # a column without any value stops it
    names = tuple(name for name in data.rows.numbers if not np.isnan(data.rows.columns[name]).all())
    with one_thread():
        model = HistGradientBoostingClassifier(random_state=0)
        model.fit(_table(data.rows.columns, names), data.rows.label)
        return np.asarray(model.predict_proba(_table(data.columns, names))[:, 1])


def bg_nbd(data: ChurnData) -> Floats:
    """BG/NBD on everything before the date; it learns from visits, not from labels."""
    model = bgnbd.learn(*data.visits)
    return model.silent(*data.visits, float(data.rows.horizon_days))


def _table(columns: Mapping[str, NDArray[Any]], names: tuple[str, ...]) -> Floats:
    return np.column_stack([columns[name] for name in names]).astype(np.float64)


def _logs(columns: Mapping[str, NDArray[Any]], names: tuple[str, ...]) -> Floats:
    return np.asarray(np.log1p(np.maximum(np.nan_to_num(_table(columns, names)), 0)))


FORECASTS: dict[str, Callable[[Any], Floats]] = {
    "base rate": base_rate,
    "recency": recency,
    "logistic on RFM": logistic_rfm,
    "lifelines Cox on RFM": lifelines_cox,
    "lifelines log-normal on RFM": lifelines_log_normal,
    "BG/NBD": bg_nbd,
    "boosted trees": boosted_trees,
}
