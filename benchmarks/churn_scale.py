"""Churn models of a million made-up profiles: seconds, processor seconds and peak memory of learning and of scoring,
and what is lost by learning from samples.

    python -m benchmarks.churn_scale [--profiles 1000000] [--rows 100000] [--full 100000]

Learning takes the path of a night: at most 100,000 rows are drawn (``--rows``), of which Cox takes 30,000 and
log-normal times 10,000. Scoring gives every profile its probability, its contributions and survival at twelve horizons,
in blocks of 50,000. What is lost: models of lifelines learned from ``--full`` rows with their own limit and without
any, judged on 100,000 fresh rows.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from collections.abc import Callable
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import numpy as np
from numpy.typing import NDArray

from flows.stages.churn import BLOCK_ROWS, MOST_ROWS
from models.churn import aft, cox, design, measure, reasons, select
from models.churn.scorer import Sample
from models.churn.select import Rows

HORIZON = 90
HORIZONS = tuple(range(30, 361, 30))
SNAPSHOTS = 4


def made_up(profiles: int, snapshots: int, seed: int) -> Rows:
    """Rows told by silence: recency, visits, their ratio and a plan count, twenty columns are
    noisy copies of them.
    """
    draw = np.random.default_rng(seed)
    size = profiles * snapshots
    recency, visits = draw.exponential(60, size), draw.negative_binomial(1, 0.15, size).astype(np.float64)
    plan = draw.integers(0, 5, size)
    odds = 0.8 * np.log1p(recency) - 1.6 - 0.7 * np.log1p(visits) + 0.3 * (plan == 2)
    odds += 0.8 * ((recency > 20) & (recency < 60)) - 0.4 * (visits > 8) * (recency < 15)
    truth = 1 / (1 + np.exp(-odds))
    label = (draw.random(size) < truth).astype(np.int64)
    later = draw.random(size) < truth * 0.6
    columns: dict[str, NDArray[Any]] = {"recency_days": recency, "visits": visits}
    for number in range(20):
        source = recency if number % 2 else visits
        columns[f"copy_{number:02d}"] = source * draw.lognormal(0, 0.3 + 0.1 * number, size)
    columns["plan"] = np.array([f"plan {letter}" for letter in "abcde"], dtype=object)[plan]
    numbers = tuple(name for name in columns if name != "plan")
    return Rows(
        columns,
        numbers,
        ("plan",),
        label,
        np.where(label == 1, HORIZON, np.where(later, HORIZON + draw.integers(1, HORIZON, size), 2 * HORIZON)),
        (label == 1) | later,
        np.repeat(np.arange(snapshots), profiles),
        np.tile(np.arange(profiles), snapshots),
        tuple(HORIZON * (number + 1) for number in range(snapshots)),
        HORIZON,
        True,
        np.where(label == 1, 0, 1 + draw.poisson(0.2 * visits)),
    )


def measured(name: str, work: Callable[[], Any]) -> Any:
    """The result of ``work``; prints seconds, processor seconds and the peak memory of the process so far."""
    clock, processor = time.perf_counter(), time.process_time()
    found = work()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f"{name}: {time.perf_counter() - clock:.1f} s, {time.process_time() - processor:.1f} s of processor, "
        f"peak {peak:.2f} GB",
        flush=True,
    )
    return found


def score(fitted: select.Fitted, columns: dict[str, NDArray[Any]], profiles: int) -> float:
    """What a night makes of every profile; the mean chance, so that nothing can be left out."""
    total = 0.0
    for first in range(0, profiles, BLOCK_ROWS):
        part = {name: values[first : first + BLOCK_ROWS] for name, values in columns.items()}
        probability, contributions = fitted.explain(part)
        reasons.strongest(contributions)
        total += float(fitted.survival(part, probability, HORIZONS).sum())
    return total / profiles / len(HORIZONS)


def lost(rows: Rows, fresh: Rows) -> None:
    """Models of lifelines with their limit of rows and without."""
    plan = design.make(rows.columns, rows.numbers, rows.texts)
    sample, unseen = (_sample(plan, one) for one in (rows, fresh))
    for name, module in (("cox", cox), ("log_normal", aft)):
        kept, scores = module.MOST_ROWS, []
        for limit in (kept, len(rows.label)):
            module.MOST_ROWS = limit
            started = time.process_time()
            scorer = select.MAKERS[name](sample, 0)
            seconds = time.process_time() - started
            scores.append(scorer.score(unseen.matrix, unseen.standard))
            area, error = measure.auc(unseen.label, scores[-1])
            used = f"{name}, {limit} of {len(rows.label)} rows"
            print(f"{used}: AUC {area:.4f} ± {error:.4f}, {seconds:.1f} s of processor", flush=True)
        module.MOST_ROWS = kept
        gain, error = measure.auc_difference(unseen.label, scores[0], scores[1])
        print(f"{name}: AUC of the sample less that of all {gain:+.5f} ± {error:.5f}", flush=True)


def _sample(plan: design.Design, rows: Rows) -> Sample:
    matrix = plan.matrix(rows.columns)
    return Sample(
        matrix, plan.standard(matrix), rows.label, rows.duration, rows.event, rows.snapshot, rows.activity
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profiles", type=int, default=1_000_000)
    parser.add_argument("--full", type=int, default=100_000)
    parser.add_argument("--rows", type=int, default=MOST_ROWS)
    given = parser.parse_args()
    everybody = made_up(given.profiles, 1, seed=1)
    print(f"{given.profiles} profiles with {len(everybody.columns)} features")
    per_snapshot = min(given.rows, given.profiles * SNAPSHOTS) // SNAPSHOTS
    rows = made_up(per_snapshot, SNAPSHOTS, seed=2)
    choice = measured(f"choosing and learning from {len(rows.label)} rows", lambda: select.choose(rows))
    print(f"chosen: {choice.name}")
    for one in choice.judged:
        print(f"  {one.name}: Brier {one.metrics['brier'][0]:.4f}, AUC {one.metrics['auc'][0]:.4f}")
    fitted = choice.fitted
    assert fitted is not None
    measured(
        f"{choice.name}: {given.profiles} profiles x {len(HORIZONS)} horizons with reasons",
        lambda: score(fitted, dict(everybody.columns), given.profiles),
    )
    if not given.full:
        return
    full = made_up(given.full // SNAPSHOTS, SNAPSHOTS, seed=3)
    lost(full, made_up(100_000, 1, seed=4))


if __name__ == "__main__":
    main()
