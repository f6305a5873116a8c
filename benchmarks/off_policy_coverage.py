"""How often off-policy intervals cover the truth: simulated logs of a known world, valued for a policy learned before.

    python -m benchmarks.off_policy_coverage --runs 4000

Each run draws a log of contexts, arms (with the probabilities of a skewed policy with exploration, as agents log them)
and rewards; rewards are modelled by cross-fitting on folds of the same log. The truth is known: it is the value of the
target policy in that world.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decisions.assignment import Rates, floored, propensities
from models.policies.exposures import Contexts, Exposures
from models.policies.off_policy import estimate

CONTEXTS, ARMS = 6, 5
NAMES = ("dm", "ips", "snips", "dr")


@dataclass(frozen=True)
class Coverage:
    """Share of intervals that hold the truth, mean error with its standard error, mean width, share of runs refused."""

    covered: float
    covered_error: float
    bias: float
    bias_error: float
    width: float
    unreliable: float


def coverage(runs: int, exposures: int, seed: int, valued: bool = False) -> dict[str, Coverage]:
    """Coverage of every estimator over seeded runs; rewards are clicks, or with ``valued`` skewed amounts."""
    rng = np.random.default_rng(seed)
    held: dict[str, list[tuple[float, float, float]]] = {name: [] for name in NAMES}
    refused = 0
    for _ in range(runs):
        truth, found = _run(rng, exposures, valued)
        if found.unreliable:
            refused += 1
            continue
        for name in NAMES:
            one = found.estimates[name]
            held[name].append((one.value - truth, one.low - truth, one.high - truth))
    return {name: _summary(np.array(rows), refused / runs) for name, rows in held.items()}


def _run(rng: np.random.Generator, exposures: int, valued: bool) -> tuple[float, Any]:
    world = rng.beta(2, 18, (CONTEXTS, ARMS))
    traffic = rng.dirichlet(np.full(CONTEXTS, 3.0))
    logged = np.array(
        [propensities(floored(list(row)), 0, Rates()) for row in rng.dirichlet(np.full(ARMS, 0.7), CONTEXTS)]
    )
    target = np.array([floored(list(row)) for row in rng.dirichlet(np.full(ARMS, 0.7), CONTEXTS)])
    context = rng.choice(CONTEXTS, exposures, p=traffic)
    arm = (rng.random(exposures)[:, None] > np.cumsum(logged, axis=1)[context]).sum(axis=1).clip(0, ARMS - 1)
    reward = (rng.random(exposures) < world[context, arm]).astype(np.float64)
    if valued:
        reward *= rng.lognormal(0.0, 1.0, exposures) / np.exp(0.5)
    fold = rng.integers(0, 3, exposures)
    none = np.zeros(exposures, dtype=np.int64)
    names = tuple(str(at) for at in range(CONTEXTS))
    where = Contexts(none[:CONTEXTS], names, ("",) * CONTEXTS, np.ones((CONTEXTS, ARMS), dtype=np.bool_))
    rows = Exposures(where, context, arm, logged[context, arm], reward, fold, none, none + 1)
    truth = float(traffic @ (target * world).sum(axis=1))
    return truth, estimate(rows, target, _modelled(context, arm, reward, fold))


def _modelled(
    context: NDArray[Any], arm: NDArray[Any], reward: NDArray[Any], fold: NDArray[Any]
) -> NDArray[np.float64]:
    """Mean reward of every arm in every context, shrunken to the whole, from the other two folds."""
    found = []
    for left in range(3):
        kept = fold != left
        cell = context[kept] * ARMS + arm[kept]
        n = np.bincount(cell, minlength=CONTEXTS * ARMS)
        total = np.bincount(cell, weights=reward[kept], minlength=CONTEXTS * ARMS)
        found.append(((total + 10 * reward[kept].mean()) / (n + 10)).reshape(CONTEXTS, ARMS))
    return np.stack(found)


def _summary(rows: NDArray[np.float64], refused: float) -> Coverage:
    error, low, high = rows.T
    covered = float(np.mean((low <= 0) & (high >= 0)))
    runs = len(rows)
    return Coverage(
        covered,
        float(np.sqrt(covered * (1 - covered) / runs)),
        float(error.mean()),
        float(error.std() / np.sqrt(runs)),
        float((high - low).mean()),
        refused,
    )


def main() -> None:
    """Print coverage by estimator for several sizes of logs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    print("rewards  exposures  estimator  covered         bias                    width    unreliable")
    for valued in (False, True):
        for exposures in (1000, 5000, 20_000):
            for name, one in coverage(asked.runs, exposures, asked.seed, valued).items():
                kind = "valued" if valued else "clicks"
                print(
                    f"{kind:8} {exposures:>9}  {name:9}  {one.covered:.4f} ± {one.covered_error:.4f} "
                    f"{one.bias:+.6f} ± {one.bias_error:.6f}  {one.width:.5f}  {one.unreliable:.4f}"
                )


if __name__ == "__main__":
    main()
