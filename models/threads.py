"""Parallel work that gives the same bits for any number of threads: one BLAS thread, shards of fixed size and place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any


@cache
def _controller() -> Any:
    import scipy.linalg  # noqa: F401  (SciPy brings a BLAS of its own, which must be loaded to be found)
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Within this, every BLAS and OpenMP pool of the process uses one thread, so sums do not depend on their number."""
    with _controller().limit(limits=1):
        yield


def over_shards(work: Callable[[int, int], None], total: int, size: int, threads: int) -> None:
    """Call ``work(start, stop)`` for every shard of ``size`` rows of ``total``, on ``threads`` workers.

    ``work`` must write its result at its own rows, and nowhere else. The first error raised is raised again here.
    """
    starts = range(0, total, size)
    with one_blas_thread():
        if threads <= 1 or len(starts) <= 1:
            for start in starts:
                work(start, min(start + size, total))
            return
        with ThreadPoolExecutor(max_workers=threads) as pool:
            for done in [pool.submit(work, start, min(start + size, total)) for start in starts]:
                done.result()
