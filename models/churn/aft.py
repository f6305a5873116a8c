"""Accelerated failure time with log-normal durations through lifelines: log T = a + x b + s e, with e standard normal
(Kalbfleisch & Prentice 2002, ch. 3). The score is -x b, so it is additive in the terms; effects fade with time, where
those of Cox's model stay.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.churn.lives import LEAST, chord
from models.churn.scorer import Arrays, CannotFit, Floats, Sample, thinned
from models.threads import one_thread

if TYPE_CHECKING:
    import pandas as pd

FEWEST_EVENTS = 5
MOST_ROWS = 30_000
"""Rows fitted on at most: coefficients of some dozens of terms are known well from them."""


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

    def parted(self, matrix: Floats, standard: Floats, time: float) -> tuple[Floats, float]:
        """As ``lives.Life`` has it."""
        from scipy.special import log_ndtr

        shares = self.contributions(matrix, standard)
        score = shares.sum(axis=1)
        none = (self.location - np.log(max(time - self.start, 1e-9))) / self.scale
        tails = np.maximum(-log_ndtr(none - score / self.scale), LEAST)
        base = max(float(-log_ndtr(none)), LEAST)
        slope = np.exp(-0.5 * none * none - 0.5 * np.log(2 * np.pi) + base) / self.scale / base
        return shares * chord(np.log(tails) - np.log(base), score, slope)[:, None], float(np.log(base))

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
    """Fit on durations (at least half a unit), one location a snapshot, ridge penalty, at most 30,000 evenly spaced
    rows. Where churn is told by silence no time is shorter than the horizon, and times are counted from there.

    Raises ``CannotFit`` below five events or when the likelihood has no maximum that lifelines finds.
    """
    import pandas as pd
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
    ridge = (0.001 if used.activity is None else 0.02) + 5.0 / len(used)
    with one_thread(), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            model = _started(frame, ridge)
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


def _started(frame: pd.DataFrame, ridge: float) -> Any:
    """lifelines' model, to start where its own likelihood is greatest: from afar it takes seconds to get there, since
    it differentiates by tracing every step, and before that fits one law to all times.
    """
    from lifelines import LogNormalAFTFitter

    columns = frame.drop(columns=["duration", "event"])
    spread = columns.std().to_numpy()
    spread[spread < 1e-8] = 1.0
    found = maximum(columns.to_numpy() / spread, np.log(frame["duration"].to_numpy()), frame["event"].to_numpy(), ridge)
    terms = dict(zip((*columns.columns, "Intercept"), found, strict=False))

    class Started(LogNormalAFTFitter):  # type: ignore[misc]  # lifelines has no types
        def _create_initial_point(
            self, Ts: Any, E: Any, entries: Any, weights: Any, Xs: Any  # noqa: ARG002 (lifelines' names)
        ) -> dict[str, Floats]:
            return {"mu_": np.array([terms[name] for name in Xs["mu_"].columns]), "sigma_": found[-1:]}

    return Started(penalizer=ridge)


def maximum(terms: Floats, log_time: Floats, event: NDArray[np.bool_], ridge: float) -> Floats:
    """Coefficients of ``terms`` (n, k), intercept and log-scale, (k + 2,), of log-normal times: greatest mean
    log-likelihood less half of ``ridge`` times the squares of all but the intercept, as lifelines has it.
    """
    from scipy.optimize import minimize
    from scipy.special import log_ndtr

    rows, count = terms.shape
    shrunk = np.full(count + 2, ridge)
    shrunk[count] = 0.0

    def loss(point: Floats) -> tuple[float, Floats]:
        scale = np.exp(point[-1])
        away = (log_time - terms @ point[:count] - point[count]) / scale
        tail = log_ndtr(-away)
        # derivatives of each row's log-likelihood by its location (times scale) and by the log-scale
        pull = np.where(event, away, np.exp(-0.5 * away * away - 0.5 * np.log(2 * np.pi) - tail))
        value = np.where(event, 0.5 * away * away + 0.5 * np.log(2 * np.pi) + point[-1], -tail).sum()
        widen = (pull * away).sum() - event.sum()
        slope = -np.concatenate([pull @ terms / scale, [pull.sum() / scale, widen]])
        return float(value / rows + 0.5 * (shrunk * point) @ point), slope / rows + shrunk * point

    start = np.zeros(count + 2)
    start[count], start[-1] = log_time.mean(), np.log(max(float(log_time.std()), 1e-3))
    options = {"maxiter": 1000, "ftol": 1e-14, "gtol": 1e-7}
    return np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B", options=options).x)
