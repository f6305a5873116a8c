"""Protocols under which recommenders are compared, ours and the references in one run on the same split.

``time``: everything before a date is learned from, what profiles did from then on is to be found. ``strong``: whole
profiles are held out; of each four fifths of the items are given and the rest is to be found. ``given``: a split that
comes with the data, every training item of a profile being known.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models import metrics
from models.benchmark import cold
from models.benchmark import references as peer
from models.benchmark.references import Reference, Score, Tuned
from models.evaluate import judge
from models.interactions import Interactions
from models.items import Items
from models.lesson import Lesson
from models.recommenders.linear import LINEAR
from models.recommenders.recommender import Recommender
from models.registry import RECOMMENDERS
from models.split import Mode, Split, time_split, without

Protocol = Literal["time", "strong", "given"]
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, eq=False)
class Figures:
    """How one model did. ``metrics``: name to (mean, standard error or none); ``reference``: it is not ours.

    ``per_subject``: the headline of every profile judged, to compare two models profile by profile.
    """

    protocol: str
    mode: str
    model: str
    reference: bool
    metrics: Mapping[str, tuple[float, float | None]]
    subjects: int
    fit_seconds: float
    rank_seconds: float
    notes: Mapping[str, Any]
    per_subject: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class TimeData:
    """What the time protocol needs of events: splits at the cut with the project's weights, with all-time ones and
    with summed weights halved every 180 days, and one at an earlier cut whose window ends at the cut.
    """

    ours: Split
    all_time: Split
    decayed: Split
    earlier: Split
    items: Items


@dataclass(frozen=True, slots=True)
class Contestant:
    """A model with the interactions it learns from. ``learned`` fits it; ``of_ours`` is false for references."""

    label: str
    model: Recommender
    split: Split
    of_ours: bool
    modes: tuple[Mode, ...] = ("new", "repeat")
    taught: dict[Mode, Lesson] = field(default_factory=dict)


def time_figures(
    data: TimeData, threads: int, tell: Tell, only: Sequence[str] = (), peers: Sequence[str] = ()
) -> list[Figures]:
    """Both modes of the time protocol; ``only``: names of the models of ours, ``peers``: parts of the names of the
    references; all by default.
    """
    found: list[Figures] = []
    parts: dict[Mode, dict[str, Recommender]] = {"new": {}, "repeat": {}}
    young, popularity = cold.cold_items(data.ours.train), data.ours.train.item_profiles()
    for one in _time_contestants(data, threads, only, peers):
        model = one.model
        for mode in one.modes:
            if not one.taught and mode != one.modes[0] and found and found[-1].model == one.label:
                fitted = found[-1].fit_seconds
            else:
                tell(f"{one.label}: fit")
                lesson = one.taught.get(mode)
                known = parts[mode] if one.of_ours else {}
                # What others were made of stays as it is when the model is fitted for the other mode.
                model = copy(model)
                fitted = _seconds(_fitting(model, one.split.train, data.items, threads, lesson, known))
                if one.of_ours and one.label in SHARED:
                    for which in (mode,) if lesson is not None else one.modes:
                        parts[which][one.label] = model
            tell(f"{one.label}: {mode}")
            started = time.perf_counter()
            judgement = judge(model, one.split, mode, threads=threads)
            seconds = time.perf_counter() - started
            figures = {metric.name: (metric.value, metric.standard_error) for metric in judgement.metrics}
            figures |= cold.item_figures(judgement, young, popularity)
            figures |= cold.profile_figures(model, one.split, threads)
            subjects = len(judgement.subjects)
            found.append(Figures("time", mode, one.label, not one.of_ours, figures, subjects, fitted, seconds,
                                 dict(model.notes_), judgement.headline))
    return found


def _fitting(
    model: Recommender, train: Interactions, items: Items | None, threads: int, lesson: Lesson | None,
    parts: Mapping[str, Recommender],
) -> Callable[[], Any]:
    return lambda: model.fit(train, items, threads=threads, lesson=lesson, parts=parts)


def _seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _wanted(peer_name: str, peers: Sequence[str]) -> bool:
    return not peers or any(part.lower() in peer_name.lower() for part in peers)


def _time_contestants(
    data: TimeData, threads: int, only: Sequence[str], peers: Sequence[str]
) -> Iterator[Contestant]:
    recent = data.ours.train.popularity.astype(np.float64)
    recent_share = (recent / max(recent.mean(), 1e-9)).astype(np.float32)
    both: tuple[Mode, ...] = ("new", "repeat")
    back: tuple[Mode, ...] = ("repeat",)
    plain = {mode: Lesson(data.earlier, mode) for mode in both}
    summed = replace(data.earlier, train=_summed(data.earlier.train))
    decayed = {mode: Lesson(summed, mode) for mode in both}

    def of_recent(_: Any) -> Score:
        return peer.popularity(_row(recent_share))

    reference: tuple[tuple[Reference, Split, tuple[Mode, ...], dict[Mode, Lesson]], ...] = (
        (Reference("popularity, all time", peer.popularity), data.all_time, both, {}),
        (Reference("popularity, recent", of_recent), data.all_time, both, {}),
        *((one, data.all_time, both, plain) for one in tuned_neighbours(threads)),
        (Tuned("EASE, binary", peer.binary_ease, RIDGES), data.all_time, both, plain),
        (Tuned("EASE, 180 days", peer.plain_ease, RIDGES), data.decayed, both, decayed),
        (tuned_als(threads, "implicit ALS, binary"), data.all_time, both, plain),
        (tuned_als(threads, "implicit ALS, 180 days"), data.decayed, both, decayed),
        (Reference("recent popularity x EASE", peer.popular_ease(recent_share)), data.all_time, both, {}),
        (Reference("own counts", peer.own), _counted(data.all_time), back, {}),
        (Reference("own, recency-weighted", peer.own), data.decayed, back, {}),
        (Tuned("own, recency-weighted + EASE", peer.own_and_ease, SHARES), data.decayed, back, decayed),
    )
    for model, split, modes, taught in reference:
        if not _wanted(model.name, peers):
            continue
        yield Contestant(model.name, model, split, False, modes, taught)
    lessons: dict[Mode, Lesson] = {mode: Lesson(data.earlier, mode) for mode in both}
    for name, kind in RECOMMENDERS.items():
        if only and name not in only:
            continue
        yield Contestant(name, kind(), data.ours, True, taught=lessons if name in LEARNING else {})


LEARNING = ("ease", "als", "blend", "ensemble", "ranker")
SHARED = (*LINEAR, "als", "neighbours", "content", "blend")
"""Models that others are made of."""
RIDGES = {"regularization": (500.0, 50.0, 100.0, 200.0, 1000.0)}
SHARES = {"share": (1.0, 0.3, 0.6, 2.0, 4.0)}


def tuned_als(threads: int, name: str = "implicit ALS") -> Reference:
    """``implicit`` with the parameters that were best in a lesson, gone through twice, since they depend on each other.
    """
    axes = {"regularization": (0.01, 1.0, 10.0, 30.0), "alpha": (1.0, 4.0, 10.0), "factors": (64.0, 128.0, 256.0)}
    return Tuned(name, partial(peer.implicit_als, threads), axes, rounds=2)


def tuned_neighbours(threads: int) -> tuple[Reference, ...]:
    """Peers that add up item neighbours, whose parameters are settled on a lesson."""
    nearest = (50, 20, 100)
    found = [
        Tuned(f"item-kNN (implicit {name})", partial(peer.implicit_neighbours, f"{name}Recommender", threads),
              {"k": nearest})
        for name in ("Cosine", "BM25")
    ]
    return *found, Tuned("RP3beta", peer.rp3beta, {"beta": (0.6, 0.2, 0.4, 0.8), "k": (100, 50, 200)})


def _summed(train: Interactions) -> Interactions:
    """The same with summed weights for strengths."""
    return replace(train, strength=train.weight)


def _row(values: Any) -> Any:
    from scipy.sparse import csr_matrix

    return csr_matrix(values[None, :])


def _counted(split: Split) -> Split:
    """The split with numbers of events for strengths."""
    return replace(split, train=replace(split.train, strength=split.train.events.astype(np.float32)))


@dataclass(frozen=True, slots=True, eq=False)
class StrongData:
    """Held-out profiles: ``train`` has whole profiles; in ``valid`` and ``test`` the held-out ones have what is given
    of them, and what is hidden is relevant. ``train`` and those two number profiles alike.
    """

    train: Interactions
    valid: Split
    test: Split
    items: Items | None


def strong_split(
    n_profiles: int, n_items: int, profile: NDArray[Any], item: NDArray[Any], items: Items | None = None,
    folds: int = 10, fold: int = 0, least: int = 5, seed: int = 0,
) -> StrongData:
    """Of so many ``folds`` of the profiles of at least ``least`` items one is held out to validate, and the next one to
    test; a fifth of the items of each is hidden, the same ones whichever fold is tested.
    """
    pairs = np.unique(np.asarray(profile, np.int64) * n_items + np.asarray(item, np.int64))
    row, column = np.divmod(pairs, n_items)
    rng = np.random.default_rng(seed)
    counts = np.bincount(row, minlength=n_profiles)
    able = rng.permutation(np.flatnonzero(counts >= least))
    size = max(1, len(able) // folds) if len(able) > 2 else 0
    part = np.zeros(n_profiles, np.int8)
    for number, which in enumerate((fold % folds, (fold + 1) % folds), start=1):
        part[able[which * size : (which + 1) * size if which < folds - 1 else len(able)]] = number
    order = np.lexsort((rng.random(len(row)), row))
    place = np.empty(len(row), np.int64)
    starts = np.cumsum(counts) - counts
    place[order] = np.arange(len(row)) - starts[row[order]]
    hidden = (part[row] > 0) & (place < np.maximum(1, counts[row] // 5))

    def of(rows: NDArray[np.bool_]) -> Interactions:
        ones = np.ones(int(rows.sum()))
        return Interactions.from_columns(n_profiles, n_items, row[rows], column[rows], ones)

    train = of(part[row] == 0)
    splits = []
    for number in (1, 2):
        given = of((part[row] == 0) | ((part[row] == number) & ~hidden))
        mine = hidden & (part[row] == number)
        splits.append(time_split(given, row[mine], column[mine]))
    return StrongData(train, splits[0], splits[1], items)


STRONG_RECALL, STRONG_NDCG = (20, 50), (100,)


def strong_figures(
    folds: Iterable[StrongData], threads: int, tell: Tell, only: Sequence[str] = (), peers: Sequence[str] = ()
) -> list[Figures]:
    """Strong generalization: Recall@20, Recall@50 (over min(K, hidden)) and NDCG@100 of the test profiles of all folds,
    each of which is learned from anew.
    """
    runs = []
    for number, data in enumerate(folds, start=1):

        def of_fold(what: str, number: int = number) -> None:
            tell(f"fold {number}, {what}")

        lesson = Lesson(data.valid, "new")
        runs.append(_fit_and_rank("strong", data.train, data.test, data.items, lesson, threads, of_fold, only, peers))
    return [_pooled("strong", ranked) for ranked in zip(*runs, strict=True)]


def given_figures(
    train: Interactions, test: Split, lesson: Lesson | None, threads: int, tell: Tell, only: Sequence[str] = (),
    peers: Sequence[str] = (),
) -> list[Figures]:
    """A split that comes with the data: Recall@20 over the number of test items, as in the literature, and NDCG@20."""
    runs = _fit_and_rank("given", train, test, None, lesson, threads, tell, only, peers)
    return [_pooled("given", (ranked,)) for ranked in runs]


@dataclass(frozen=True, slots=True, eq=False)
class _Ranked:
    """How one model did on one fold: each metric of every profile, the headline first."""

    model: str
    reference: bool
    values: Mapping[str, NDArray[np.float64]]
    fit_seconds: float
    rank_seconds: float
    notes: Mapping[str, Any]


def _pooled(protocol: Protocol, folds: Sequence[_Ranked]) -> Figures:
    """The figures over the profiles of all folds."""
    first = folds[0]
    values = {name: np.concatenate([one.values[name] for one in folds]) for name in first.values}
    headline = next(iter(values.values()))
    notes = first.notes if len(folds) == 1 else {"folds": [dict(one.notes) for one in folds]}
    return Figures(
        protocol, "new", first.model, first.reference, {name: metrics.mean(one) for name, one in values.items()},
        len(headline), sum(one.fit_seconds for one in folds), sum(one.rank_seconds for one in folds), notes, headline,
    )


def _fit_and_rank(
    protocol: Protocol, train: Interactions, test: Split, items: Items | None, lesson: Lesson | None, threads: int,
    tell: Tell, only: Sequence[str], peers: Sequence[str],
) -> list[_Ranked]:
    reference: tuple[Reference, ...] = (
        Reference("popularity", peer.popularity),
        *tuned_neighbours(threads),
        *(() if train.n_items > DENSE_MOST else (Tuned("EASE, binary", peer.binary_ease, RIDGES),)),
        tuned_als(threads),
    )
    models: list[tuple[str, Recommender, bool]] = [
        (one.name, one, True) for one in reference if _wanted(one.name, peers)
    ]
    models += [(name, kind(), False) for name, kind in RECOMMENDERS.items() if not only or name in only]
    parts: dict[str, Recommender] = {}
    ours = Lesson(lesson.split, lesson.mode) if lesson is not None else None
    found = []
    for label, model, is_reference in models:
        if items is None and label == "content":
            continue
        tell(f"{label}: fit")
        taught = None
        if lesson is not None and is_reference:
            taught = Lesson(lesson.split, lesson.mode)
        elif label in LEARNING:
            taught = ours
        known = {} if is_reference else parts
        fitted = _seconds(_fitting(model, train, items, threads, taught, known))
        if not is_reference and label in SHARED:
            parts[label] = model
        tell(f"{label}: rank")
        started = time.perf_counter()
        values = _values(protocol, model, test, threads)
        seconds = time.perf_counter() - started
        found.append(_Ranked(label, is_reference, values, fitted, seconds, dict(model.notes_)))
    return found


DENSE_MOST = 20_000
"""Items up to which references with a dense inverse are fitted."""


def _values(
    protocol: Protocol, model: Recommender, test: Split, threads: int
) -> dict[str, NDArray[np.float64]]:
    """Each metric of every profile with something to be found, the headline first."""
    exclude = test.train.excluded()[test.subjects]
    relevant = without(test.relevant[test.subjects], exclude)
    number = np.diff(relevant.indptr)
    listed, _ = model.recommend(
        test.train.histories(test.subjects), max(*STRONG_RECALL, *STRONG_NDCG), exclude=exclude, allowed=test.known,
        threads=threads,
    )
    hit = metrics.hits(listed, relevant)
    some = number > 0
    hit, number = hit[some], number[some]
    if protocol == "given":
        recall = {"recall@20": np.asarray(hit[:, :20].sum(axis=1) / number, np.float64)}
        return {"ndcg@20": metrics.ndcg(hit, number, 20)} | recall
    values = {f"ndcg@{k}": metrics.ndcg(hit, number, k) for k in STRONG_NDCG}
    return values | {f"recall@{k}": metrics.recall(hit, number, k) for k in STRONG_RECALL}
