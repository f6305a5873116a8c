"""Off-policy estimates beside the truth on real logs: the Open Bandit Dataset, women's campaign (decision contract,
10.6).

    python -m benchmarks.open_bandit path/to/open_bandit_women

The data have two logs of one week: decided at random, and by Bernoulli Thompson sampling. The Thompson policy is
valued on the random log and compared with what it really earned on its own. The other way round, uniform choice
valued on the Thompson log, there is next to no support, and the estimates are refused as unreliable with their
effective sample size.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.policies.cells import AgentStatistics, Cells, PointStatistics, row_weights
from models.policies.exposures import Contexts, Exposures
from models.policies.off_policy import Valuation, estimate
from models.policies.review import cross_fitted
from models.policies.targets import uniform

POSITIONS, ITEMS = 3, 46
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """A policy valued on a log of another, and what it earned on its own log: mean and standard error."""

    valued: Valuation
    mean: float
    error: float


def read(folder: Path, policy: str) -> Exposures:
    """One log as exposures: the positions of the page are points, items arms, clicks rewards, every row a session."""
    with (folder / policy / "women.csv").open(newline="") as file:
        rows = [
            (int(row["position"]) - 1, int(row["item_id"]), float(row["propensity_score"]), float(row["click"]))
            for row in csv.DictReader(file)
        ]
    position, item, probability, click = (np.array(column) for column in zip(*rows, strict=True))
    fold = np.array([hashlib.sha256(f"{policy}-{row}".encode()).digest()[0] % 3 for row in range(len(rows))])
    none = np.zeros(len(rows), dtype=np.int64)
    every = np.ones((POSITIONS, ITEMS), dtype=np.bool_)
    contexts = Contexts(np.arange(POSITIONS), ("(none)",) * POSITIONS, ("",) * POSITIONS, every)
    return Exposures(contexts, position, item, probability, click, fold, none, none + 1)


def shares(log: Exposures) -> Values:
    """How often each item was chosen at each position: the policy of the log, over its week."""
    counts = np.bincount(log.context * ITEMS + log.arm, minlength=POSITIONS * ITEMS).reshape(POSITIONS, ITEMS)
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))


def statistics(log: Exposures) -> AgentStatistics:
    """Sufficient statistics of a log with the row weights of 8.2."""
    w = row_weights(log.probability, shares(log)[log.context, log.arm])
    size = ITEMS * 3
    points = []
    for position in range(POSITIONS):
        here = log.context == position
        key, x, v = log.arm[here] * 3 + log.fold[here], log.value[here], w[here]
        count = np.bincount(key, minlength=size)
        sums = [np.bincount(key, weights=part, minlength=size) for part in (v, v * v, v * x, v * x * x)]
        goals = np.bincount(key, weights=x, minlength=size).astype(np.int64)
        at, none = np.arange(size), np.zeros(size, dtype=np.int64)
        cells = Cells(none, none, at // 3, at % 3, none, count, goals, *sums)
        arms = tuple(f"decision-1:{item}" for item in range(ITEMS))
        points.append(PointStatistics(f"position-{position + 1}", "decision-1", arms, 0, ("(none)",), ("",), cells))
    return AgentStatistics(tuple(points), binary=True)


def value(log: Exposures, target: Values) -> Valuation:
    """Value a policy (positions, items) on a log, rewards modelled by the other two folds."""
    means, _ = cross_fitted(statistics(log), log.contexts)
    return estimate(log, target, means)


def compare(folder: Path) -> dict[str, Comparison]:
    """The Thompson policy on the random log beside its own log, and uniform choice the other way round."""
    random, thompson = read(folder, "random"), read(folder, "bts")
    return {
        "Thompson policy on the random log": Comparison(value(random, shares(thompson)), *_mean(thompson)),
        "uniform choice on the Thompson log": Comparison(value(thompson, uniform(thompson.contexts)), *_mean(random)),
    }


def _mean(log: Exposures) -> tuple[float, float]:
    return float(log.value.mean()), float(log.value.std(ddof=1) / len(log.value) ** 0.5)


def main() -> None:
    """Print estimates, support and the on-policy means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    asked = parser.parse_args()
    for name, found in compare(asked.folder).items():
        valued = found.valued
        print(
            f"{name}: effective sample size {valued.support:.1f} of {valued.exposures}, mean weight "
            f"{valued.mean_weight:.3f} ± {valued.mean_weight_error:.3f}, largest {valued.largest_weight:.1f}"
            f"{', UNRELIABLE: no intervals' if valued.unreliable else ''}"
        )
        for estimator, one in valued.estimates.items():
            interval = f"[{one.low:.5f}, {one.high:.5f}]" if one.low is not None and one.high is not None else "refused"
            print(f"  {estimator:6} {one.value:+.5f}  {interval}")
        low, high = found.mean - 1.96 * found.error, found.mean + 1.96 * found.error
        print(f"  on its own log {found.mean:.5f}  [{low:.5f}, {high:.5f}]")


if __name__ == "__main__":
    main()
