"""How lists serve what is hardly known yet: items that came lately, and profiles without a past."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models import metrics
from models.evaluate import Judgement
from models.interactions import Interactions
from models.recommenders.recommender import Recommender
from models.split import Split

LATEST = 0.05
"""Share of the training time in which cold items were seen first."""
DEPTH = 50
Value = tuple[float, float | None]


def cold_items(train: Interactions) -> NDArray[np.bool_]:
    """Items whose first event is in the last ``LATEST`` of the time of ``train``, bool (n_items,)."""
    first = np.full(train.n_items, train.day + 1, np.int64)
    np.minimum.at(first, train.indices, train.first_day)
    begun = int(train.first_day.min(initial=train.day))
    return (first <= train.day) & (first >= train.day - LATEST * (train.day - begun))


def item_figures(judgement: Judgement, cold: NDArray[np.bool_], popularity: NDArray[np.int64]) -> dict[str, Value]:
    """Share of the wanted pairs found in the first ``DEPTH`` places: those of cold items, and those of other items of
    the same ``popularity`` (n_items,), compared within its powers of two. Empty where nobody wanted a cold item.
    """
    relevant = judgement.relevant
    row = np.repeat(np.arange(relevant.shape[0], dtype=np.int64), np.diff(relevant.indptr))
    item = relevant.indices
    listed = np.arange(relevant.shape[0], dtype=np.int64)[:, None] * relevant.shape[1] + judgement.lists[:, :DEPTH]
    found = np.isin(row * relevant.shape[1] + item, listed[judgement.lists[:, :DEPTH] >= 0])
    level = np.floor(np.log2(np.maximum(popularity[item], 1))).astype(np.int64)
    levels = int(level.max(initial=0)) + 1
    young, old = cold[item], ~cold[item]
    wanted = np.bincount(level[young], minlength=levels), np.bincount(level[old], minlength=levels)
    both = (wanted[0] > 0) & (wanted[1] > 0)
    number = wanted[0] * both
    if not number.any():
        return {}
    share = number / number.sum()
    values: dict[str, Value] = {}
    for name, some, there in (("cold items", young, wanted[0]), ("as popular", old, wanted[1])):
        hits = np.bincount(level[some], found[some], minlength=levels) / np.maximum(there, 1)
        spread = hits * (1 - hits) / np.maximum(there, 1)
        values[f"{name}@{DEPTH}"] = (float(share @ hits), float(np.sqrt(share**2 @ spread)))
    return values


def profile_figures(model: Recommender, split: Split, threads: int) -> dict[str, Value]:
    """NDCG@10 of the profiles that wanted something and had no past; all of them get the list of an empty history."""
    without_past = np.diff(split.train.indptr) == 0
    subjects = np.flatnonzero(without_past & (np.diff(split.relevant.indptr) > 0))
    if not len(subjects):
        return {}
    nobody = csr_matrix((1, split.train.n_items), dtype=np.float32)
    items, _ = model.recommend(nobody, 10, allowed=split.known, threads=threads)
    relevant = split.relevant[subjects]
    hit = metrics.hits(np.repeat(items, len(subjects), axis=0), relevant)
    return {"cold profiles ndcg@10": metrics.mean(metrics.ndcg(hit, np.diff(relevant.indptr), 10))}
