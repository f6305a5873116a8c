"""What others would pick for durations: a forecast takes training rows, test rows and times, and gives the chance of
living past each time (n, times).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.churn import lifetimes
from models.churn.scorer import Sample
from models.threads import one_thread

Floats = NDArray[np.float64]
Forecast = Callable[[Sample, Sample, Floats], Floats]


def kaplan_meier(train: Sample, test: Sample, times: Floats) -> Floats:
    """The same curve for everybody."""
    from lifelines import KaplanMeierFitter

    model = KaplanMeierFitter().fit(train.duration, train.event)
    return np.tile(model.survival_function_at_times(times).to_numpy(), (len(test), 1))


def cox(train: Sample, test: Sample, times: Floats) -> Floats:
    """lifelines' Cox with a slight penalty."""
    from lifelines import CoxPHFitter

    return _lifelines(CoxPHFitter(penalizer=0.001), train, test, times)


def log_normal(train: Sample, test: Sample, times: Floats) -> Floats:
    """lifelines' log-normal times with a slight penalty."""
    from lifelines import LogNormalAFTFitter

    return _lifelines(LogNormalAFTFitter(penalizer=0.01), train, test, times)


def _lifelines(model: Any, train: Sample, test: Sample, times: Floats) -> Floats:
    import pandas as pd

    names = [f"t{place}" for place in range(train.standard.shape[1])]
    duration = np.maximum(train.duration.astype(np.float64), 0.5)
    frame = pd.DataFrame(train.standard, columns=names).assign(duration=duration, event=train.event)
    with one_thread(), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        model.fit(frame, "duration", "event")
        found = model.predict_survival_function(pd.DataFrame(test.standard, columns=names), times=times)
    return np.asarray(found, dtype=np.float64).T


def boosted_hazard(train: Sample, test: Sample, times: Floats) -> Floats:
    """scikit-learn's gradient boosting as it comes, on a row for each of at most 36 periods lived."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    edges = np.unique(np.linspace(times[0], times[-1], 36).round())
    row, period, label = lifetimes.periods(train.duration, train.event, edges)
    with one_thread():
        model = HistGradientBoostingClassifier(random_state=0)
        model.fit(np.column_stack([train.matrix[row], period]), label)
        hazard = np.column_stack([
            model.predict_proba(np.column_stack([test.matrix, np.full(len(test), place)]))[:, 1]
            for place in range(len(edges))
        ])
    known = np.concatenate([np.ones((len(test), 1)), np.cumprod(1 - hazard, axis=1)], axis=1)
    return known[:, np.searchsorted(edges, times, side="right")]


FORECASTS: dict[str, Forecast] = {
    "Kaplan-Meier": kaplan_meier,
    "lifelines Cox": cox,
    "lifelines log-normal": log_normal,
    "boosted hazard": boosted_hazard,
}
