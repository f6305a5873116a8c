"""Judging recommenders the way they are used: fitted on the past, scored on what profiles did next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models import metrics
from models.recommenders.recommender import Recommender
from models.split import Mode, Split, without

MODES: tuple[Mode, ...] = ("new", "repeat")
HEADLINE = "ndcg@10"
RECALL_AT = (10, 20, 50)
NDCG_AT = (10,)
_RANKED_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Metric:
    """Mean over ``subjects`` profiles with its standard error (null where it has none)."""

    name: str
    value: float
    standard_error: float | None
    subjects: int


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """How one model did in one mode: its metrics, and the headline value of every judged profile (to pair).

    ``subjects`` int64 (b,): the profiles judged; ``lists`` int32 (b, k), padded with -1: what each was given;
    ``relevant``: CSR (b, n_items), what each met next.
    """

    model: str
    mode: Mode
    metrics: tuple[Metric, ...]
    headline: NDArray[np.float64]
    subjects: NDArray[np.int64]
    lists: NDArray[np.int32]
    relevant: csr_matrix

    def __getitem__(self, name: str) -> Metric:
        return next(metric for metric in self.metrics if metric.name == name)


def judge(model: Recommender, split: Split, mode: Mode, *, depth: int = 0, threads: int = 1) -> Judgement:
    """Rank all known items for every subject and score the lists; ``depth``: how long they are at least.

    ``new``: items excluded by the past are left out and do not count as relevant; ``repeat``: nothing is left out.
    Raises ``FloatingPointError`` when the model gives a score that is not finite.
    """
    history = split.train.histories(split.subjects)
    relevant, subjects = split.relevant[split.subjects], split.subjects
    exclude = None
    if mode == "new":
        exclude = split.train.excluded()[split.subjects]
        relevant = without(relevant, exclude)
        some = np.diff(relevant.indptr) > 0
        history, relevant, exclude, subjects = history[some], relevant[some], exclude[some], subjects[some]
    deepest = max(*RECALL_AT, *NDCG_AT, depth)
    items, _ = model.recommend(history, deepest, exclude=exclude, allowed=split.known, threads=threads)
    return _score_lists(model.name, mode, subjects, items, relevant, int(split.known.sum()))


def quality(model: Recommender, split: Split, mode: Mode, depth: int, threads: int = 1) -> NDArray[np.float64]:
    """NDCG of the first ``depth`` items, of each subject who has something to be found in this mode."""
    history = split.train.histories(split.subjects)
    relevant = split.relevant[split.subjects]
    exclude = None
    if mode == "new":
        exclude = split.train.excluded()[split.subjects]
        relevant = without(relevant, exclude)
        some = np.diff(relevant.indptr) > 0
        history, relevant, exclude = history[some], relevant[some], exclude[some]
    items, _ = model.recommend(history, depth, exclude=exclude, allowed=split.known, threads=threads)
    return metrics.ndcg(metrics.hits(items, relevant), np.diff(relevant.indptr), depth)


def auc(model: Recommender, split: Split, mode: Mode, *, most: int = 500, threads: int = 1) -> Metric:
    """Chance that an item of the window stands above another item in a subject's ranking of all known items.

    The mean over at most ``most`` evenly spaced subjects; items excluded by the past count as in ``judge``. 0.5 when
    nobody can be judged.
    """
    subjects = split.subjects
    if len(subjects) > most:
        subjects = subjects[np.linspace(0, len(subjects) - 1, most).astype(np.int64)]
    excluded = split.train.excluded() if mode == "new" else None
    values = []
    for start in range(0, len(subjects), _RANKED_AT_ONCE):
        some = subjects[start : start + _RANKED_AT_ONCE]
        exclude = None if excluded is None else excluded[some]
        relevant = split.relevant[some] if exclude is None else without(split.relevant[some], exclude)
        items, _ = model.recommend(
            split.train.histories(some), split.train.n_items, exclude=exclude, allowed=split.known, threads=threads
        )
        candidates = np.full(len(some), int(split.known.sum()))
        if exclude is not None:
            rows = np.repeat(np.arange(len(some)), np.diff(exclude.indptr))
            candidates -= np.bincount(rows[split.known[exclude.indices]], minlength=len(some))
        values.append(metrics.auc(items, relevant, candidates))
    found = np.concatenate([np.empty(0), *values])
    found = found[np.isfinite(found)]
    value, error = metrics.mean(found) if len(found) else (0.5, 0.0)
    return Metric("auc", value, error, len(found))


def _score_lists(
    name: str, mode: Mode, subjects: NDArray[np.int64], items: NDArray[np.int32], relevant: csr_matrix, catalogue: int
) -> Judgement:
    hit = metrics.hits(items, relevant)
    number = np.diff(relevant.indptr)
    by_name = {f"ndcg@{k}": metrics.ndcg(hit, number, k) for k in NDCG_AT}
    by_name |= {f"recall@{k}": metrics.recall(hit, number, k) for k in RECALL_AT}
    found = [Metric(metric, *metrics.mean(values), len(values)) for metric, values in by_name.items()]
    found.append(Metric("coverage@10", metrics.coverage(items, 10, catalogue), None, len(items)))
    return Judgement(name, mode, tuple(found), by_name[HEADLINE], subjects, items, relevant)
