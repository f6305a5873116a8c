"""How often off-policy intervals cover the truth: simulated logs of a known world (decision contract, 10.6).

    python -m benchmarks.off_policy_coverage --runs 2000

Six segments, five arms. The policy that is valued is ``learned``: from two earlier logs, as a night learns it; or
``own``: from the very log it is valued on; or ``unseen``: each fold of the log by what the others taught; or
``unrelated``: any skewed policy, valued on the log of any other. Logs are drawn with the probabilities that agents
log (10 % control, 20 % of the rest explored, the floor); rewards are modelled by the other two folds, as a night
does. The truth is the value of the valued policy in that world.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from decisions.assignment import Rates, floored, propensities
from models.policies import targets
from models.policies.cells import AgentStatistics, Cells, PointStatistics
from models.policies.exposures import Contexts, Exposures
from models.policies.learn import learn_agent
from models.policies.off_policy import Valuation, estimate
from models.policies.review import cross_fitted

Values = NDArray[np.float64]
Valued = Literal["learned", "own", "unseen", "unrelated"]

SEGMENTS = tuple(f"s{at}" for at in range(6))
ARMS = tuple("abcde")
NAMES = ("dm", "ips", "snips", "dr")
SHAPE = (len(SEGMENTS), len(ARMS))
CONTEXTS = Contexts(np.zeros(len(SEGMENTS), dtype=np.int64), SEGMENTS, ("",) * len(SEGMENTS), np.ones(SHAPE, np.bool_))


@dataclass(frozen=True)
class World:
    """Success rates (segments, arms), how frequent segments are, and whether a success is worth a skewed amount."""

    rates: Values
    traffic: Values
    amounts: bool


@dataclass(frozen=True)
class Coverage:
    """Share of intervals that hold the truth, mean error with its standard error, mean width, share of runs refused."""

    covered: float
    covered_error: float
    bias: float
    bias_error: float
    width: float
    unreliable: float


def coverage(
    runs: int, exposures: int, seed: int, valued: Valued = "learned", amounts: bool = False
) -> dict[str, Coverage]:
    """Coverage of every estimator over seeded runs of logs of this many exposures."""
    held: dict[str, list[tuple[float, float, float]]] = {name: [] for name in NAMES}
    refused = 0
    for run in range(runs):
        truth, found = _run(np.random.default_rng((seed, run)), exposures, valued, amounts)
        if found.unreliable:
            refused += 1
            continue
        for name in NAMES:
            one = found.estimates[name]  # type: ignore[index]
            held[name].append((one.value - truth, one.low - truth, one.high - truth))  # type: ignore[operator]
    return {name: _summary(np.array(rows), refused / runs) for name, rows in held.items()}


def _run(rng: np.random.Generator, size: int, valued: Valued, amounts: bool) -> tuple[float, Valuation]:
    world = World(rng.beta(10, 90, SHAPE), rng.dirichlet(np.full(len(SEGMENTS), 3.0)), amounts)
    if valued == "unrelated":
        logging, target = (
            np.array([floored(list(row)) for row in rng.dirichlet(np.full(len(ARMS), 0.7), 6)]) for _ in range(2)
        )
        log = _log(rng, world, size, logging)
    else:
        first = _log(rng, world, size, np.full(SHAPE, 1 / len(ARMS)))
        logging = _learned([first], amounts)
        log, other = _log(rng, world, size, logging), _log(rng, world, size, logging)
        target = _learned([first, other if valued == "learned" else log], amounts)
    means, unseen = cross_fitted(_statistics([log], amounts), CONTEXTS)
    if valued == "unseen":
        target = unseen
        share = np.bincount(log.fold, minlength=len(target)) / size
        truth = float(share @ ((target * world.rates).sum(axis=2) @ world.traffic))
    else:
        truth = float(world.traffic @ (target * world.rates).sum(axis=1))
    return truth, estimate(log, target, means)


def _log(rng: np.random.Generator, world: World, size: int, q: Values) -> Exposures:
    """Exposures decided by q with control and exploration beside it."""
    p = np.array([propensities(list(row), 0, Rates()) for row in q])
    segment = rng.choice(len(SEGMENTS), size, p=world.traffic)
    arm = (rng.random(size)[:, None] > np.cumsum(p, axis=1)[segment]).sum(axis=1).clip(0, len(ARMS) - 1)
    reward = (rng.random(size) < world.rates[segment, arm]).astype(np.float64)
    if world.amounts:
        reward *= rng.lognormal(0.0, 1.0, size) / np.exp(0.5)
    none = np.zeros(size, dtype=np.int64)
    return Exposures(CONTEXTS, segment, arm, p[segment, arm], reward, rng.integers(0, 3, size), none, none + 1)


def _statistics(logs: list[Exposures], amounts: bool) -> AgentStatistics:
    """Sufficient statistics with the row weights of 8.2, each log a version of its own."""
    parts: list[tuple[Any, ...]] = []
    for log in logs:
        mean = np.bincount(log.arm, minlength=len(ARMS)) / len(log.arm)
        w = np.minimum(20.0, mean[log.arm] / log.probability)
        parts.append((log.context, log.arm, log.fold, w, log.value))
    segment, arm, fold, w, x = (np.concatenate(column) for column in zip(*parts, strict=True))
    key = (segment * len(ARMS) + arm) * 3 + fold
    size = len(SEGMENTS) * len(ARMS) * 3
    count = np.bincount(key, minlength=size)
    sums = [np.bincount(key, weights=part, minlength=size) for part in (w, w * w, w * x, w * x * x)]
    at = np.arange(size)
    none = np.zeros(size, dtype=np.int64)
    cells = Cells(at // 15, none, at // 3 % 5, at % 3, none, count, count, *sums)
    return AgentStatistics((PointStatistics("point-1", "decision-1", ARMS, 0, SEGMENTS, ("",), cells),), not amounts)


def _learned(logs: list[Exposures], amounts: bool) -> Values:
    """q of the policy that a night learns from these logs."""
    return targets.exploit(CONTEXTS, learn_agent(_statistics(logs, amounts)).points)


def _summary(rows: Values, refused: float) -> Coverage:
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
    """Print coverage by estimator for several policies and sizes of logs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    print("policy     rewards  exposures  estimator  covered          bias                    width    unreliable")
    for valued, amounts in (
        ("learned", False),
        ("learned", True),
        ("unseen", False),
        ("own", False),
        ("unrelated", False),
    ):
        for exposures in (2000, 20_000):
            for name, one in coverage(asked.runs, exposures, asked.seed, valued, amounts).items():  # type: ignore[arg-type]
                kind = "amounts" if amounts else "clicks"
                print(
                    f"{valued:9}  {kind:7}  {exposures:>9}  {name:9}  {one.covered:.4f} ± {one.covered_error:.4f} "
                    f"{one.bias:+.6f} ± {one.bias_error:.6f}  {one.width:.5f}  {one.unreliable:.4f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
