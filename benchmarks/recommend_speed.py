"""Speed of training and precompute beside references of the same run, on synthetic interactions.

    python -m benchmarks.recommend_speed [--profiles 30000] [--items 20000] [--ease-items 5000] [--threads 2]

EASE beside the closed form with ``scipy.linalg.inv``; ALS beside the ``implicit`` library called directly; lists of the
best 50 of all items for every profile, seen items left out, beside ``implicit``'s own ``recommend`` and as a share of
what the machine's own matrix multiplication would take for the scores alone. Seconds are processor seconds of all
threads, best of several: they hold on a machine that does other work meanwhile.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from functools import partial
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import numpy as np
from scipy.sparse import csr_matrix

from models.interactions import Interactions
from models.recommenders.als import Als
from models.recommenders.ease import Ease
from models.recommenders.neighbours import Neighbours
from models.threads import one_thread

SERVED = 8192


def synthetic(profiles: int, items: int, each: int, seed: int = 0) -> Interactions:
    """Sixteen tastes, each with its own popular items; popularity falls like rank to the power of -0.8."""
    rng = np.random.default_rng(seed)
    profile = rng.integers(0, profiles, profiles * each)
    share = np.cumsum(1 / np.arange(1, items + 1) ** 0.8)
    item = (np.searchsorted(share / share[-1], rng.random(len(profile))) + profile % 16 * (items // 16)) % items
    profile, item = np.divmod(np.unique(profile * items + item), items)
    return Interactions.from_columns(profiles, items, profile, item, rng.integers(1, 2**20, len(item)) / 2**20)


def best(work: Callable[[], Any], rounds: int = 3) -> tuple[float, float]:
    """Least processor seconds and least seconds by the clock of some rounds."""
    found = []
    for _ in range(rounds):
        clock, processor = time.perf_counter(), time.process_time()
        work()
        found.append((time.process_time() - processor, time.perf_counter() - clock))
    return min(one[0] for one in found), min(one[1] for one in found)


def multiply_rate() -> float:
    """float32 operations a processor second of matrix multiplication."""
    matrix = np.random.default_rng(0).random((2048, 2048), dtype=np.float32)
    with one_thread():
        return 2 * 2048**3 / best(lambda: matrix @ matrix, 5)[0]


def plain_ease(matrix: csr_matrix) -> None:
    import scipy.linalg

    gram = (matrix.T @ matrix).toarray()
    gram[np.diag_indices(len(gram))] += 200
    inverse = scipy.linalg.inv(gram, overwrite_a=True)
    inverse /= -np.diag(inverse)
    inverse[np.diag_indices(len(inverse))] = 0


def direct_als(matrix: csr_matrix, factors: int, threads: int) -> Any:
    from implicit.cpu.als import AlternatingLeastSquares

    with one_thread():
        model = AlternatingLeastSquares(factors, iterations=Als().iterations, num_threads=threads, random_state=0)
        model.fit(matrix, show_progress=False)
    return model


def compare(name: str, ours: Callable[[], Any], theirs: Callable[[], Any], rounds: int = 2) -> None:
    mine, peer = best(ours, rounds)[0], best(theirs, rounds)[0]
    print(f"{name}: {mine:.2f} s; reference: {peer:.2f} s; ratio {mine / peer:.2f}", flush=True)


def lists(name: str, work: Callable[[], Any], flops: float, rate: float) -> None:
    """``flops`` is what the scores of one profile take, zero where that is not known."""
    processor, clock = best(work)
    share = f"; {SERVED * flops / processor / rate:.2f} of the multiplication" if flops else ""
    print(
        f"{name}: {SERVED / processor:,.0f} profiles a processor second, {SERVED / clock:,.0f} by the clock{share}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profiles", type=int, default=30_000)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--ease-items", type=int, default=5_000)
    parser.add_argument("--each", type=int, default=40)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()

    small = synthetic(given.profiles, given.ease_items, given.each)
    with one_thread():
        plain = partial(plain_ease, small.matrix())
        compare(f"EASE fit, {given.ease_items} items", partial(Ease().fit, small, threads=given.threads), plain)
    interactions = synthetic(given.profiles, given.items, given.each)
    print(f"lists from {given.items} items, {interactions.entries} pairs of {given.profiles} profiles")
    history = interactions.matrix()[:SERVED]
    rate = multiply_rate()
    for factors in (64, 256):
        measure_als(factors, interactions, history, given.threads, rate)
    for model in (Ease(), Neighbours()):
        print(f"{model.name} fit: {best(partial(model.fit, interactions, threads=given.threads), 1)[0]:.2f} s")
        lists(
            f"{model.name} lists",
            partial(model.recommend, history, 50, exclude=history, threads=given.threads),
            0,
            rate,
        )


def measure_als(factors: int, interactions: Interactions, history: csr_matrix, threads: int, rate: float) -> None:
    model = Als(factors=factors)
    confidence = interactions.matrix() * 2
    direct = partial(direct_als, confidence, factors, threads)
    compare(f"ALS fit, {factors} factors", partial(model.fit, interactions, threads=threads), direct)
    library = direct()
    flops = 2.0 * factors * interactions.n_items
    ours = partial(model.recommend, history, 50, exclude=history, threads=threads)
    lists(f"ALS lists, {factors} factors, folded in", ours, flops, rate)
    theirs = partial(library.recommend, np.arange(SERVED), history, N=50)
    lists(f"implicit, {factors} factors, nothing folded in", theirs, flops, rate)


if __name__ == "__main__":
    main()
