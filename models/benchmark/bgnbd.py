"""BG/NBD: buying till a hidden end, from each profile's count and times of visits (Fader, Hardie & Lee 2005, "Counting
your customers the easy way"; the chance of being alive from their note of 2008).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


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


def fit(x: Floats, last: Floats, age: Floats, ridge: float = 1e-4) -> BgNbd:
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
