"""Cox's proportional hazards through lifelines: the score is the log partial hazard, so it is additive in the terms."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from models.churn.scorer import Arrays, CannotFit, Floats, Sample, thinned
from models.threads import one_thread

FEWEST_EVENTS = 5
MOST_ROWS = 30_000
"""Rows fitted on at most: coefficients of some dozens of terms are known well from them."""


@dataclass(frozen=True, slots=True)
class Cox:
    """``coefficients`` are of the standardized terms; ``center`` is their mean contribution over the training rows."""

    coefficients: Floats
    center: Floats
    name: str = "cox"

    def contributions(self, matrix: Floats, standard: Floats) -> Floats:  # noqa: ARG002 (the linear model needs no raw values)
        """Exact: coefficient times standardized term, less its mean."""
        return np.asarray(standard * self.coefficients - self.center)

    def score(self, matrix: Floats, standard: Floats) -> Floats:  # noqa: ARG002
        """Log partial hazard, centered."""
        return np.asarray(standard @ self.coefficients - self.center.sum())

    def arrays(self) -> Arrays:
        """Coefficients and center."""
        return {"coefficients": self.coefficients, "center": self.center}

    @staticmethod
    def restore(arrays: Arrays) -> Cox:
        """The model of these ``arrays()``."""
        return Cox(arrays["coefficients"], arrays["center"])


def fit(sample: Sample, seed: int = 0) -> Cox:  # noqa: ARG001 (nothing is drawn; the signature is every model's)
    """Fit on durations in whole days (ties make lifelines fast), one baseline hazard a snapshot, ridge penalty, at most
    30,000 evenly spaced rows.

    Raises ``CannotFit`` below five events, when everybody churns on the same day as everybody else is last seen, or
    when Newton's steps do not converge.
    """
    import pandas as pd
    from lifelines import CoxPHFitter
    from lifelines.exceptions import ConvergenceError

    used = thinned(sample, MOST_ROWS)
    if used.event.sum() < FEWEST_EVENTS:
        raise CannotFit(f"fewer than {FEWEST_EVENTS} churns")
    frame = pd.DataFrame(used.standard, columns=[f"t{place}" for place in range(used.standard.shape[1])])
    frame["duration"] = used.duration.astype(np.float64)
    frame["event"] = used.event
    frame["snapshot"] = used.snapshot
    strata = ["snapshot"] if len(np.unique(used.snapshot)) > 1 else None
    if strata is None:
        frame = frame.drop(columns="snapshot")
    model = CoxPHFitter(penalizer=0.005 + 5.0 / len(used))
    with one_thread(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model.fit(frame, "duration", "event", strata=strata)
        except (ConvergenceError, np.linalg.LinAlgError, ValueError, ZeroDivisionError) as error:
            raise CannotFit(f"Cox did not converge: {error}".splitlines()[0]) from error
        coefficients = model.params_.to_numpy(dtype=np.float64)
    if not np.isfinite(coefficients).all():
        raise CannotFit("Cox gave coefficients that are not finite")
    return Cox(coefficients, (sample.standard * coefficients).mean(axis=0))
