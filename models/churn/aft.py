"""Accelerated failure time with log-normal durations through lifelines: log T = a + x b + s e, with e standard normal
(Kalbfleisch & Prentice 2002, ch. 3). The score is -x b, so it is additive in the terms; effects fade with time, where
those of Cox's model stay.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from models.churn.scorer import Arrays, CannotFit, Floats, Sample, thinned
from models.threads import one_thread

FEWEST_EVENTS = 5
MOST_ROWS = 10_000
"""Rows fitted on at most: lifelines differentiates the likelihood by itself, which takes seconds beyond."""


@dataclass(frozen=True, slots=True)
class LogNormal:
    """``coefficients`` are those of -log T for the standardized terms, ``center`` their mean contribution over the
    training rows. ``location`` and ``scale`` are of log T in a row whose score is 0, T being counted from ``start``.
    """

    coefficients: Floats
    center: Floats
    location: float
    scale: float
    start: float = 0.0
    name: str = "log_normal"

    def contributions(self, matrix: Floats, standard: Floats) -> Floats:  # noqa: ARG002 (the linear model needs no raw values)
        """Exact: coefficient times standardized term, less its mean."""
        return np.asarray(standard * self.coefficients - self.center)

    def score(self, matrix: Floats, standard: Floats) -> Floats:  # noqa: ARG002
        """How much sooner, in logarithms of time."""
        return np.asarray(standard @ self.coefficients - self.center.sum())

    def cumulative(self, matrix: Floats, standard: Floats, times: Floats) -> Floats:
        """Cumulative hazard (n, times): -log of the normal tail beyond log time."""
        from scipy.special import log_ndtr

        score = self.score(matrix, standard)
        since = np.log(np.maximum(np.asarray(times) - self.start, 1e-9))
        return np.asarray(-log_ndtr((self.location - score[:, None] - since) / self.scale))

    def arrays(self) -> Arrays:
        """Coefficients, center, and the law of times."""
        return {
            "coefficients": self.coefficients,
            "center": self.center,
            "law": np.array([self.location, self.scale, self.start]),
        }

    @staticmethod
    def restore(arrays: Arrays) -> LogNormal:
        """The model of these ``arrays()``."""
        location, scale, start = (float(value) for value in arrays["law"])
        return LogNormal(arrays["coefficients"], arrays["center"], location, scale, start)


def fit(sample: Sample, seed: int = 0) -> LogNormal:  # noqa: ARG001 (nothing is drawn; the signature is every model's)
    """Fit on durations (at least half a unit), one location a snapshot, ridge penalty, at most 10,000 evenly spaced
    rows. Where churn is told by silence no time is shorter than the horizon, and times are counted from there.

    Raises ``CannotFit`` below five events or when the likelihood has no maximum that lifelines finds.
    """
    import pandas as pd
    from lifelines import LogNormalAFTFitter
    from lifelines.exceptions import ConvergenceError

    used = thinned(sample, MOST_ROWS)
    if used.event.sum() < FEWEST_EVENTS:
        raise CannotFit(f"fewer than {FEWEST_EVENTS} churns")
    terms = used.standard.shape[1]
    frame = pd.DataFrame(used.standard, columns=[f"t{place}" for place in range(terms)])
    levels = np.unique(used.snapshot)
    for level in levels[1:]:
        frame[f"s{level}"] = (used.snapshot == level).astype(np.float64)
    start = 0.0 if used.activity is None else float(used.duration.min()) - 1.0
    frame["duration"] = np.maximum(used.duration.astype(np.float64) - start, 0.5)
    frame["event"] = used.event
    # at the horizon itself a good part of all times may fall, which is far from normal: stay near the mean there
    model = LogNormalAFTFitter(penalizer=(0.001 if used.activity is None else 0.02) + 5.0 / len(used))
    with one_thread(), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            model.fit(frame, "duration", "event")
        except (ConvergenceError, np.linalg.LinAlgError, ValueError, ZeroDivisionError, OverflowError) as error:
            raise CannotFit(f"log-normal times did not converge: {error}".splitlines()[0]) from error
        found = model.params_["mu_"]
        coefficients = -found[[f"t{place}" for place in range(terms)]].to_numpy(dtype=np.float64)
        location = float(found["Intercept"])
        scale = float(np.exp(model.params_["sigma_"]["Intercept"]))
    if not (np.isfinite(coefficients).all() and np.isfinite(location) and np.isfinite(scale) and scale > 0):
        raise CannotFit("log-normal times gave coefficients that are not finite")
    center = (sample.standard * coefficients).mean(axis=0)
    return LogNormal(coefficients, center, location - float(center.sum()), scale, start)
