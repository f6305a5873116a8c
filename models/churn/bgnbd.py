"""BG/NBD: buying till a hidden end, from each profile's count and times of visits (Fader, Hardie & Lee 2005, "Counting
your customers the easy way"; the chance of being alive from their note of 2008).

It learns from visits alone, where other models learn from labels, so it knows of rhythm what few rows cannot teach.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import factorial

import numpy as np

from models.churn.hazard import rarer
from models.churn.scorer import Arrays, CannotFit, Floats, Sample, thinned
from models.threads import one_thread

MOST_ROWS = 30_000
"""Rows fitted on at most: there are four parameters."""
FEWEST_REPEATED = 10
_LEAST = 1e-9
INPUTS = (("recency_days",), ("active_days", "events"), ("tenure_days",))
"""Terms that visits are made of; the second is told by ``events`` where everybody has one event a day."""


@dataclass(frozen=True, slots=True)
class BgNbd:
    """Visits come at a rate ~ Gamma(``r``, ``alpha``); after each the profile is gone with a chance ~ Beta(``a``,
    ``b``).

    In every method ``x`` is the number of visits after the first, ``last`` the time of the latest and ``age`` the time
    of watching, both since the first.
    """

    r: float
    alpha: float
    a: float
    b: float

    def log_likelihood(self, x: Floats, last: Floats, age: Floats) -> Floats:
        """(n,): formula 6 of the paper, in logarithms."""
        from scipy.special import betaln, gammaln

        r, alpha, a, b = self.r, self.alpha, self.a, self.b
        rates = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
        ends = betaln(a, b + x) - betaln(a, b)
        alive = -(r + x) * np.log(alpha + age)
        gone = np.log(a) - np.log(np.maximum(b + x - 1, 1e-12)) - (r + x) * np.log(alpha + last)
        return np.asarray(rates + ends + np.where(x > 0, np.logaddexp(alive, gone), alive))

    def alive(self, x: Floats, last: Floats, age: Floats) -> Floats:
        """(n,): chance that the profile is not gone yet."""
        odds = np.log(self.a) - np.log(np.maximum(self.b + x - 1, 1e-12))
        odds = odds + (self.r + x) * np.log((self.alpha + age) / (self.alpha + last))
        return np.where(x > 0, 1 / (1 + np.exp(np.minimum(odds, 700.0))), 1.0)

    def silent(self, x: Floats, last: Floats, age: Floats, ahead: float) -> Floats:
        """(n,): chance of no visit within ``ahead``: gone, or alive with a rate ~ Gamma(r + x, alpha + age)."""
        none = ((self.alpha + age) / (self.alpha + age + ahead)) ** (self.r + x)
        return 1 - self.alive(x, last, age) * (1 - none)


def learn(x: Floats, last: Floats, age: Floats, ridge: float = 1e-4) -> BgNbd:
    """Most likely parameters, a little drawn to small ones; the time is scaled to make the search even."""
    from scipy.optimize import minimize

    unit = max(float(age.max()), 1e-9) / 10

    def loss(point: Floats) -> float:
        parameters = np.exp(np.clip(point, -12, 12))
        likely = BgNbd(*parameters).log_likelihood(x, last / unit, age / unit).mean()
        return float(-likely + ridge * (parameters**2).sum())

    best = min(
        (minimize(loss, np.array(start), method="L-BFGS-B") for start in ([0.0] * 4, [-1.0, 0.0, -1.0, 1.0])),
        key=lambda found: float(found.fun),
    )
    r, alpha, a, b = (float(value) for value in np.exp(np.clip(best.x, -12, 12)))
    return BgNbd(r, alpha * unit, a, b)


@dataclass(frozen=True, slots=True)
class Visits:
    """Log-odds of no visit within ``horizon`` days. ``places`` are the terms of recency, active days and tenure, in
    this order, ``usual`` their values in a usual row; ``center`` holds the mean contributions over the training rows.
    """

    law: BgNbd
    horizon: float
    places: tuple[int, int, int]
    usual: Floats
    center: Floats
    name: str = "bg_nbd"

    def contributions(self, matrix: Floats, standard: Floats) -> Floats:  # noqa: ARG002 (visits need raw values only)
        """Shapley values of the three terms against the usual row, exactly: each term's change of the log-odds, in the
        mean over the orders in which the terms of the usual row are exchanged for the row's own.
        """
        told = self._told(matrix)
        mixed = {
            taken: self._log_odds(np.where(np.array(taken)[:, None], told, self.usual[:, None]))
            for taken in product((False, True), repeat=3)
        }
        out = np.zeros(matrix.shape)
        for number, place in enumerate(self.places):
            for taken, without in mixed.items():
                if not taken[number]:
                    share = factorial(sum(taken)) * factorial(2 - sum(taken)) / 6
                    out[:, place] += share * (mixed[*taken[:number], True, *taken[number + 1 :]] - without)
        return np.asarray(out - self.center)

    def score(self, matrix: Floats, standard: Floats) -> Floats:  # noqa: ARG002
        """Sum of the contributions, without making them one by one."""
        usual = self._log_odds(self.usual[:, None])[0]
        return np.asarray(self._log_odds(self._told(matrix)) - usual - self.center.sum())

    def _told(self, matrix: Floats) -> Floats:
        return np.stack([matrix[:, place] for place in self.places])

    def _log_odds(self, told: Floats) -> Floats:
        """(n,) from recency, active days and tenure (3, n)."""
        silent = np.clip(self.law.silent(*_visits(told), self.horizon), _LEAST, 1 - _LEAST)
        return np.asarray(np.log(silent) - np.log1p(-silent))

    def arrays(self) -> Arrays:
        """The parameters, the terms, the usual row and the center."""
        law = self.law
        return {
            "law": np.array([law.r, law.alpha, law.a, law.b, self.horizon]),
            "places": np.array(self.places, dtype=np.int64),
            "usual": self.usual,
            "center": self.center,
        }

    @staticmethod
    def restore(arrays: Arrays) -> Visits:
        """The model of these ``arrays()``."""
        r, alpha, a, b, horizon = (float(value) for value in arrays["law"])
        first, second, third = (int(place) for place in arrays["places"])
        return Visits(BgNbd(r, alpha, a, b), horizon, (first, second, third), arrays["usual"], arrays["center"])


def _visits(told: Floats) -> tuple[Floats, Floats, Floats]:
    """Visits after the first, time of the latest and of watching since the first; whoever never came has none."""
    recency, days, tenure = np.clip(np.nan_to_num(told), 0.0, 1e6)
    return np.maximum(days - 1, 0.0), np.where(days > 1, np.maximum(tenure - recency, 0.0), 0.0), tenure


def fit(sample: Sample, seed: int = 0) -> Visits:  # noqa: ARG001 (nothing is drawn; the signature is every model's)
    """Fit on visits up to the newest snapshot, of at most 30,000 evenly spaced rows; labels are not looked at.

    Raises ``CannotFit`` where churn is not told by silence, one label only occurs, terms are missing, or fewer
    than ten profiles came again.
    """
    if sample.activity is None:
        raise CannotFit("churn is told by events, not by silence")
    if rarer(sample) == 0:
        raise CannotFit("all rows have the same label")
    found = [next((sample.terms.index(name) for name in names if name in sample.terms), -1) for names in INPUTS]
    if min(found) < 0:
        raise CannotFit("recency, active days or tenure do not vary")
    places = (found[0], found[1], found[2])
    newest = thinned(sample.take(sample.snapshot == sample.snapshot.min()), MOST_ROWS)
    visits = _visits(np.stack([newest.matrix[:, place] for place in places]))
    if (visits[0] > 0).sum() < FEWEST_REPEATED:
        raise CannotFit(f"fewer than {FEWEST_REPEATED} profiles came again")
    with one_thread(), np.errstate(all="ignore"):
        law = learn(*visits)
    usual = np.median(np.nan_to_num(sample.matrix[:, list(places)]), axis=0)
    bare = Visits(law, sample.horizon, places, usual, np.zeros(sample.matrix.shape[1]))
    center = bare.contributions(sample.matrix, sample.standard).mean(axis=0)
    if not np.isfinite(center).all():
        raise CannotFit("BG/NBD gave parameters that are not finite")
    return Visits(law, sample.horizon, places, usual, center)
