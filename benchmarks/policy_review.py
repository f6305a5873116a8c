"""What it costs to learn, value and judge one agent's policy, by the number of its exposures.

    python -m benchmarks.policy_review --exposures 10000 100000 1000000

One point with ten arms, five segments, eight features of which two matter; exposures as arrays, as a night reads
them. CPU seconds of the whole review (learning seven times, nine valuations, all gates) and the peak of memory.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

from decisions.patterns import Feature
from decisions.sample_ratio import SampleRatio
from models.policies.aa import Placebo
from models.policies.cells import AgentStatistics, Cells, PointStatistics
from models.policies.exposures import Contexts, Exposures
from models.policies.review import review_agent

ARMS, SEGMENTS, FEATURES = 10, 5, 8
PATTERNS = 2**FEATURES


def drawn(exposures: int, seed: int) -> tuple[AgentStatistics, Exposures]:
    """Random exposures of a uniform policy with control, and their sums."""
    rng = np.random.default_rng(seed)
    p = np.full(ARMS, 0.9 / ARMS)
    p[0] += 0.1
    context = rng.integers(0, SEGMENTS * PATTERNS, exposures)
    arm = rng.choice(ARMS, exposures, p=p)
    x = (rng.random(exposures) < 0.05 + 0.02 * (arm == context % 4 + 1)).astype(np.float64)
    fold, half = rng.integers(0, 3, exposures), rng.integers(0, 2, exposures)
    names = tuple(f"feature-{at}" for at in range(FEATURES))
    patterns = tuple(
        "|".join(name for at, name in enumerate(names) if pattern >> at & 1) for pattern in range(PATTERNS)
    )
    segments = tuple(f"segment-{at}" for at in range(SEGMENTS))
    size = SEGMENTS * PATTERNS
    contexts = Contexts(
        np.zeros(size, dtype=np.int64),
        tuple(segments[at // PATTERNS] for at in range(size)),
        patterns * SEGMENTS,
        np.ones((size, ARMS), dtype=np.bool_),
    )
    key = ((context * ARMS + arm) * 3 + fold) * 2 + half
    count, won = np.bincount(key, minlength=size * ARMS * 6), np.bincount(key, weights=x, minlength=size * ARMS * 6)
    at = np.flatnonzero(count)
    n, total, place = count[at].astype(np.float64), won[at], at // 6 // ARMS
    cells = Cells(
        place // PATTERNS, place % PATTERNS, at // 6 % ARMS, at // 2 % 3, at % 2, count[at], total.astype(np.int64),
        n, n, total, total,
    )  # fmt: skip
    arms = tuple(f"decision-1:{at}" for at in range(ARMS))
    point = PointStatistics(
        "point-1", "decision-1", arms, 0, segments, patterns, cells, names, tuple(Feature(name) for name in names)
    )
    log = Exposures(contexts, context, arm, p[arm], x, fold, half, np.ones(exposures, dtype=np.int64))
    return AgentStatistics((point,), binary=True), log


def main() -> None:
    """Print seconds and memory by number of exposures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exposures", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    asked = parser.parse_args()
    for exposures in asked.exposures:
        statistics, log = drawn(exposures, 0)
        started = time.process_time()
        found = review_agent(statistics, log, [None], {"arms": SampleRatio(0.0, 1, 0.5)}, Placebo(0, 0.0))
        rows = sum(len(point.keys) for point in found.policy.points)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(
            f"{exposures:>9} exposures, {len(statistics.points[0].cells.arm):>6} cells: "
            f"{time.process_time() - started:.2f} s CPU, {rows} row sets, peak {peak:.2f} GB"
        )


if __name__ == "__main__":
    main()
