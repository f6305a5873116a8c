"""Parallel work that gives the same bits for any number of threads: one BLAS thread, shards of fixed size and place."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from threading import local
from typing import Any

import numpy as np
from numpy.typing import NDArray


@lru_cache(maxsize=1)
def _controller(modules: int) -> Any:  # noqa: ARG001
    """Every pool of the process, looked for again when there are more ``modules``: libraries bring pools of their own,
    and one loaded later would be missed.
    """
    import scipy.linalg  # noqa: F401  (SciPy brings a BLAS of its own, which must be loaded to be found)
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@contextmanager
def one_thread() -> Iterator[None]:
    """Within this, every BLAS and OpenMP pool of the process uses one thread, so sums do not depend on their number,
    and small work does not wait for threads that others keep from running. Libraries are to be loaded before.
    """
    with _controller(len(sys.modules)).limit(limits=1):
        yield


def over_shards(work: Callable[[int, int], None], total: int, size: int, threads: int) -> None:
    """Call ``work(start, stop)`` for every shard of ``size`` rows of ``total``, on ``threads`` workers.

    ``work`` must write its result at its own rows, and nowhere else. The first error raised is raised again here.
    """
    starts = range(0, total, size)
    with one_thread():
        if threads <= 1 or len(starts) <= 1:
            for start in starts:
                work(start, min(start + size, total))
            return
        with ThreadPoolExecutor(max_workers=threads) as pool:
            for done in [pool.submit(work, start, min(start + size, total)) for start in starts]:
                done.result()


class Scratch:
    """Memory for one block of float32 numbers of each worker, kept from shard to shard: memory that is new to the
    process costs as much as filling it with scores.
    """

    def __init__(self) -> None:
        self._local = local()

    def block(self, rows: int, columns: int) -> NDArray[np.float32]:
        """This worker's block, (rows, columns), with whatever was in it before."""
        held: NDArray[np.float32] | None = getattr(self._local, "held", None)
        if held is None or held.size < rows * columns:
            held = self._local.held = np.empty(rows * columns, np.float32)
        return held[: rows * columns].reshape(rows, columns)
