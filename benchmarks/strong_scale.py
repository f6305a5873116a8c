"""What strong generalization costs as data grow: processor seconds and memory of each of our recommenders.

    python -m benchmarks.strong_scale [--profiles 6000] [--items 3700] [--pairs 1000000] [--only ease,als]

Made-up pairs of the size of a known data set: lengths of histories are log-normal, profiles mix two of thirty tastes,
each of which has its own popular items. Their figures compare models with each other only. ``--folder`` keeps the
pairs as a CSV file for ``nightloom bench``.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from pathlib import Path
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import numpy as np
from numpy.typing import NDArray

from models.benchmark.protocols import strong_figures, strong_split
from models.registry import RECOMMENDERS

TASTES = 30
NONE = ("no reference",)


def made_up(profiles: int, items: int, pairs: int, seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Profile and item of about so many distinct pairs."""
    rng = np.random.default_rng(seed)
    length = rng.lognormal(0, 1, profiles)
    drawn = np.maximum(5, length / length.sum() * pairs * 1.35).astype(np.int64)
    profile = np.repeat(np.arange(profiles), drawn)
    share = np.cumsum(1 / np.arange(1, items + 1) ** 0.7)
    place = np.searchsorted(share / share[-1], rng.random(len(profile)))
    other = np.arange(items) // 8 % TASTES
    order = np.stack([np.lexsort((rng.random(items), other != taste)) for taste in range(TASTES)])
    taste = rng.integers(0, TASTES, (2, profiles))[rng.integers(0, 2, len(profile)), profile]
    found = np.unique(profile * items + np.where(rng.random(len(profile)) < 0.4, place, order[taste, place]))
    row, column = np.divmod(found[np.sort(rng.permutation(len(found))[:pairs])], items)
    return row, column


def keep(folder: Path, row: NDArray[Any], column: NDArray[Any]) -> Path:
    """The pairs as a file in the layout that the benchmark knows as plain."""
    import duckdb

    path = folder / f"pairs-{len(row)}.csv"
    pairs = {"row": row, "column": column}
    with duckdb.connect() as con:
        con.register("pairs", pairs)
        con.execute(
            "COPY (SELECT row AS profile_id, column AS item_id, '2024-01-01'::TIMESTAMP AS created_at FROM pairs) "
            f"TO '{path}'"
        )
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profiles", type=int, default=6_000)
    parser.add_argument("--items", type=int, default=3_700)
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", default="")
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    names = [name for name in given.only.split(",") if name] or [name for name in RECOMMENDERS if name != "content"]
    row, column = made_up(given.profiles, given.items, given.pairs)
    print(f"{len(row):,} pairs of {given.profiles:,} profiles and {given.items:,} items", flush=True)
    if given.folder is not None:
        print(keep(given.folder, row, column))
    started = time.process_time()
    data = strong_split(given.profiles, given.items, row, column)
    print(f"split: {time.process_time() - started:.1f} s, {_peak():.2f} GB", flush=True)
    before = time.process_time()

    def tell(what: str) -> None:
        nonlocal before
        now = time.process_time()
        print(f"  {now - before:8.1f} s, {_peak():.2f} GB, before {what}", flush=True)
        before = now

    for one in strong_figures([data], given.threads, tell, names, NONE):
        words = ", ".join(f"{name} {value:.4f}" for name, (value, _) in one.metrics.items())
        print(f"{one.model}: {words}; {dict(one.notes)}")
    tell("the end")


def _peak() -> float:
    """The most memory this process has had, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    main()
