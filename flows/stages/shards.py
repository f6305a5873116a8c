"""Where the lists of blocks of profiles are made: by threads of this process, or by the workers of a Dask cluster.

A block is the same either way and every sum in it has its order, so tables and arrays are the same to the bit where
the workers' processors are of this machine's kind: compiled sums have the order that suits a processor. What is sent
are plain arrays, but Dask's own wire pickles calls, so a scheduler is to be one that is trusted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from contracts.errors import StorageError, UsageError
from contracts.settings import Pipeline
from models.histories import Histories
from models.ranking import Floats, Ints
from models.recommenders.carried import Carried
from models.recommenders.recommender import Recommender
from models.registry import describe, restore

Made = tuple[Ints, Floats]


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Histories of some profiles, and what is not to be in their lists: CSR (b, n_items)."""

    history: Histories
    exclude: csr_matrix | None


MakeLists = Callable[[Recommender, Iterable[Block], int, NDArray[np.bool_]], Iterator[Made]]
"""Model, blocks, length of a list and allowed items to items and scores of each block, as ``Recommender.recommend``
gives them, in the blocks' order."""


@contextmanager
def list_makers(pipeline: Pipeline) -> Iterator[MakeLists]:
    """The way to make lists that the settings name: a Dask cluster where ``dask_scheduler`` is one's address.

    Raises ``UsageError`` where Dask is not installed, ``StorageError`` where nobody answers at that address.
    """
    if not pipeline.dask_scheduler:
        yield lambda model, blocks, k, allowed: (
            model.recommend(block.history, k, exclude=block.exclude, allowed=allowed, threads=pipeline.threads)
            for block in blocks
        )
        return
    try:
        from distributed import Client
    except ImportError as error:
        raise UsageError(
            "pipeline.dask_scheduler is set, but Dask is not installed",
            hint="pip install '.[dask]' in the project's folder",
        ) from error
    try:
        client = Client(pipeline.dask_scheduler, timeout=10, set_as_default=False)  # type: ignore[no-untyped-call]
    except OSError as error:  # a TimeoutError is one
        raise StorageError(
            f"no Dask scheduler answers at {pipeline.dask_scheduler}",
            hint="start one, or leave pipeline.dask_scheduler empty",
        ) from error
    with client:
        yield lambda model, blocks, k, allowed: _on_cluster(client, model, blocks, k, allowed)


def _on_cluster(
    client: Any, model: Recommender, blocks: Iterable[Block], k: int, allowed: NDArray[np.bool_]
) -> Iterator[Made]:
    """At most two blocks for each thread of the workers are on their way, so memory does not grow with the profiles."""
    learned = client.scatter(_packed(model), broadcast=True, hash=False)
    most = 2 * max(sum(client.nthreads().values()), 1)
    pending: deque[Any] = deque()
    for block in blocks:
        if len(pending) >= most:
            yield pending.popleft().result()
        pending.append(client.submit(_lists, learned, _arrays(block), k, allowed, pure=False))
    while pending:
        yield pending.popleft().result()


def _packed(model: Recommender) -> dict[str, Any]:
    """A fitted model as its card and plain arrays; a carried one with its numbering."""
    inner = model.inner if isinstance(model, Carried) else model
    arrays = {name: np.asarray(array) for name, array in inner.to_arrays().items()}
    numbering = (model.mapping_, model.order_) if isinstance(model, Carried) else None
    return {"card": describe(inner), "arrays": arrays, "numbering": numbering}


def _unpacked(packed: dict[str, Any]) -> Recommender:
    model = restore(packed["card"], packed["arrays"])
    return model if packed["numbering"] is None else Carried(model, *packed["numbering"])


def _arrays(block: Block) -> dict[str, Any]:
    """A block as plain arrays."""
    return {
        "rows": _plain(block.history.strength),
        "columns": {one.name: getattr(block.history, one.name) for one in fields(Histories) if one.name != "strength"},
        "exclude": None if block.exclude is None else _plain(block.exclude),
    }


def _plain(matrix: csr_matrix) -> tuple[Any, ...]:
    return matrix.data, matrix.indices, matrix.indptr, matrix.shape


def _matrix(plain: tuple[Any, ...]) -> csr_matrix:
    data, indices, indptr, shape = plain
    return csr_matrix((data, indices, indptr), shape=shape)


def _lists(learned: dict[str, Any], arrays: dict[str, Any], k: int, allowed: NDArray[np.bool_]) -> Made:
    """What a worker does for one block."""
    history = Histories(_matrix(arrays["rows"]), **arrays["columns"])
    exclude = None if arrays["exclude"] is None else _matrix(arrays["exclude"])
    return _unpacked(learned).recommend(history, k, exclude=exclude, allowed=allowed)
