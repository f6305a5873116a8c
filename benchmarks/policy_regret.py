"""What learning once a night costs beside learning at every visit: simulated regret (decision contract, 15.8).

    python -m benchmarks.policy_regret --runs 1000

Ten arms with Bernoulli rewards, the best 0.10, the others 0.08, 200,000 visits; control, exploration and floor are off.
Nights: 20 policies learned from sufficient statistics, each served unchanged for 10,000 visits. Reference: Thompson
sampling with a flat prior, updated after every visit. Runs are seeded one by one, so a longer benchmark holds a
shorter.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from numba import njit
from numpy.typing import NDArray

from models.policies.cells import Cells, PointStatistics
from models.policies.learn import learn_point

RATES = (0.10,) + (0.08,) * 9
Values = NDArray[np.float64]


def nightly_regret(runs: int, visits: int, updates: int, seed: int, rates: tuple[float, ...] = RATES) -> Values:
    """Expected reward lost to the best arm, float64 (runs,), when policies are learned ``updates`` times."""
    return np.array(
        [_nights(np.random.default_rng((seed, run)), visits, updates, np.array(rates)) for run in range(runs)]
    )


def _nights(rng: np.random.Generator, visits: int, updates: int, rates: Values) -> float:
    arms = len(rates)
    shown, won = np.zeros(arms, dtype=np.int64), np.zeros(arms, dtype=np.int64)
    weight = np.full(arms, 1 / arms)
    for night in range(updates):
        today = visits * (night + 1) // updates - visits * night // updates
        count = rng.multinomial(today, weight)
        shown, won = shown + count, won + rng.binomial(count, rates)
        weight = learn_point(_seen(shown, won), binary=True).weight[0]
    return float(shown @ (rates.max() - rates))


def _seen(shown: NDArray[np.int64], won: NDArray[np.int64]) -> PointStatistics:
    arms = len(shown)
    none, n, total = np.zeros(arms, dtype=np.int64), shown.astype(np.float64), won.astype(np.float64)
    cells = Cells(none, none, np.arange(arms), none, none, shown, won, n, n, total, total)
    names = tuple(f"decision-1:{arm}" for arm in range(arms))
    return PointStatistics("point-1", "decision-1", names, 0, ("(none)",), ("",), cells)


def thompson_regret(runs: int, visits: int, seed: int, rates: tuple[float, ...] = RATES) -> Values:
    """The same for Thompson sampling with a flat prior that learns from every visit before the next."""
    return np.array([_thompson(1_000_003 * seed + run, visits, np.array(rates)) for run in range(runs)])


@njit(cache=False)
def _thompson(seed: int, visits: int, rates: Values) -> float:
    np.random.seed(seed)
    arms = len(rates)
    won, lost = np.ones(arms), np.ones(arms)
    regret = 0.0
    for _ in range(visits):
        best, highest = 0, -1.0
        for arm in range(arms):
            drawn = np.random.beta(won[arm], lost[arm])
            if drawn > highest:
                best, highest = arm, drawn
        regret += rates.max() - rates[best]
        if np.random.random() < rates[best]:
            won[best] += 1
        else:
            lost[best] += 1
    return regret


def told(regret: Values) -> str:
    """Mean with its standard error."""
    return f"{regret.mean():.1f} ± {regret.std(ddof=1) / len(regret) ** 0.5:.1f}"


def main() -> None:
    """Print mean regrets, and their ratio to the reference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--visits", type=int, default=200_000)
    parser.add_argument("--updates", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    started = time.perf_counter()
    nightly = nightly_regret(asked.runs, asked.visits, asked.updates, asked.seed)
    print(f"{asked.updates} updates: {told(nightly)} ({time.perf_counter() - started:.0f} s)", flush=True)
    reference = thompson_regret(asked.runs, asked.visits, asked.seed)
    print(f"every visit: {told(reference)} ({time.perf_counter() - started:.0f} s)")
    print(f"uniform: {asked.visits * (max(RATES) - sum(RATES) / len(RATES)):.1f}")
    ratio = nightly.mean() / reference.mean()
    error = ratio * np.hypot(*(one.std() / len(one) ** 0.5 / one.mean() for one in (nightly, reference)))
    print(f"ratio: {ratio:.3f} ± {error:.3f}")


if __name__ == "__main__":
    main()
