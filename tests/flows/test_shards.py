"""Lists made by the workers of a Dask cluster are those made by threads, to the bit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from contracts.errors import StorageError
from contracts.settings import Pipeline
from flows.stages.shards import Block, list_makers
from models.interactions import Interactions
from models.recommenders.als import Als
from models.recommenders.carried import Carried
from models.recommenders.ease import Ease
from models.recommenders.recommender import Recommender

distributed = pytest.importorskip("distributed")
PROFILES, ITEMS, EACH, K = 900, 300, 250, 20


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, protocol="tcp://", dashboard_address=None
    ) as cluster:
        yield cluster.scheduler_address


def shop() -> Interactions:
    rng = np.random.default_rng(0)
    profile, item = np.divmod(np.unique(rng.integers(0, PROFILES * ITEMS, 9000)), ITEMS)
    return Interactions.from_columns(PROFILES, ITEMS, profile, item, rng.integers(1, 2**20, len(item)) / 2**20)


def learned() -> list[Recommender]:
    past = shop()
    ease, als = Ease().fit(past), Als(factors=8).fit(past)
    numbering = np.where(np.arange(ITEMS) % 5 == 0, -1, np.arange(ITEMS)[::-1])
    return [ease, als, Carried(als, numbering, ease.order_)]


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("excluding", [False, True])
def test_equal_to_threads(scheduler: str, number: int, excluding: bool) -> None:
    past, model = shop(), learned()[number]
    excluded, allowed = past.excluded(), np.arange(ITEMS) % 7 > 0
    rows = [np.arange(start, min(start + EACH, PROFILES)) for start in range(0, PROFILES, EACH)]
    blocks = [Block(past.histories(some), excluded[some] if excluding else None) for some in rows]
    ways = Pipeline(), replace(Pipeline(), threads=1), replace(Pipeline(), dask_scheduler=scheduler)
    found = []
    for pipeline in ways:
        with list_makers(pipeline) as make:
            found.append([items.tobytes() + scores.tobytes() for items, scores in make(model, blocks, K, allowed)])
    assert found[0] == found[1] == found[2]
    assert len(found[0]) == len(blocks)


def test_a_scheduler_that_does_not_answer_is_named() -> None:
    with (
        pytest.raises(StorageError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"),
        list_makers(Pipeline(dask_scheduler="tcp://127.0.0.1:9")),
    ):
        pass
