"""A trial: every candidate is fitted on the past of one cut and judged on what followed it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from contracts.progress import Progress
from contracts.settings import Settings
from flows.stages.candidates import CANDIDATES, CONTENT, LEARNING, NEIGHBOURING, OF_THE_PAST, SHARED_PARTS, fit, mode_of
from models.evaluate import MODES, Judgement, auc, judge
from models.interactions import Interactions
from models.items import Items
from models.lesson import Lesson
from models.recommenders.linear import LINEAR, affordable
from models.recommenders.recommender import Recommender
from models.selection import BASELINE
from models.split import Mode, Split, time_split
from transforms import interactions as source

ROLLING, FROZEN = "rolling", "frozen"
"""Names of cuts in ``evaluation``: one moves with every night, the other stays (``flows.stages.frozen``)."""


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """What profiles met from ``start`` on, beside what recommenders, fitted on the time before, gave them.

    ``subjects`` int64 (b,) by profile_index; ``lists`` int32 (b, candidates) by recommender: the chosen one and those
    that are named; ``relevant`` CSR (b, n_items); ``known`` bool (n_items,): items met before; ``popular`` int32:
    these, best first; ``latest`` int32 (b,): the item that each subject met last before; ``neighbours`` int32
    (n_items, k), padded with -1, by recommender, none unless they were asked for.
    """

    start: datetime
    subjects: NDArray[np.int64]
    lists: Mapping[str, NDArray[np.int32]]
    relevant: csr_matrix
    known: NDArray[np.bool_]
    popular: NDArray[np.int32]
    latest: NDArray[np.int32]
    neighbours: Mapping[str, NDArray[np.int32]]


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """What all trials of a night share: who is ``trained`` on, bool (n_profiles,), and the items; ``accuracy``: the
    area under the curve is measured, too; ``content``: that model, if it was fitted, since it learns from items alone.
    """

    con: duckdb.DuckDBPyConnection
    settings: Settings
    trained: NDArray[np.bool_]
    items: Items
    accuracy: bool = False
    content: Recommender | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """Judgements by model and mode on the window from ``start`` to ``end``, and what went wrong with other models.

    ``content`` is that model; ``lesson`` is what this cut teaches a model that is fitted on everything; ``neighbours``
    are those of items, by recommender, where they were asked for.
    """

    start: datetime
    end: datetime
    split: Split
    judgements: Mapping[tuple[str, Mode], Judgement]
    errors: Mapping[str, str]
    content: Recommender | None
    lesson: Lesson
    neighbours: Mapping[str, NDArray[np.int32]]

    def judged(self, mode: Mode) -> dict[str, Judgement]:
        """Judgements of one mode by model."""
        return {name: one for (name, of), one in self.judgements.items() if of == mode}

    def rows(self, cut: str) -> list[dict[str, Any]]:
        """Rows of the published table ``evaluation``, none of which serves."""
        return [
            {
                "algorithm": "rec",
                "cut": cut,
                "model": name,
                "mode": mode,
                "metric": metric.name,
                "value": metric.value,
                "standard_error": metric.standard_error,
                "subjects": metric.subjects,
                "baseline": name == BASELINE,
                "serving": False,
                "window_from": self.start,
                "window_to": self.end,
            }
            for (name, mode), judgement in self.judgements.items()
            for metric in judgement.metrics
        ]

    def window(self, shown: Collection[str], mode: Mode, candidates: int) -> Window:
        """What the rules of scenarios are judged on, with the lists of the models to be ``shown``."""
        kept = [one for name, one in self.judged(mode).items() if name in shown]
        return _window(self.start, self.split, kept, candidates, self.neighbours)


def learned_from(columns: source.Columns, trained: NDArray[np.bool_], n_items: int, as_of: datetime) -> Interactions:
    """The interactions of the profiles to learn from; the others keep their rows, with nothing in them."""
    kept = trained[columns["profile_index"]]
    return Interactions.from_columns(
        len(trained), n_items, **{name: values[kept] for name, values in columns.items()}
    ).dated(source.day_of(as_of))


def hold_trial(
    ground: Ground, start: datetime, end: datetime, progress: Progress, named: Collection[str] = (),
    related: bool = False,
) -> Trial:
    """Fit every candidate as of ``start`` and judge it on what followed until ``end``; with ``related`` find item
    neighbours of those that add them up, or are ``named``.
    """
    con, settings, items = ground.con, ground.settings, ground.items
    wanted, threads = settings.recommendations, settings.pipeline.threads
    past = learned_from(source.read_interactions(con, wanted, start), ground.trained, len(items), start)
    after = source.read_window(con, start, end)
    split = time_split(past, after["profile_index"], after["item_index"])
    judged = mode_of(settings)
    near: dict[str, NDArray[np.int32]] = {}
    judgements: dict[tuple[str, Mode], Judgement] = {}
    errors: dict[str, str] = {}
    parts: dict[str, Recommender] = {}
    lesson: Lesson | None = None
    linear, _ = affordable(split.train)
    for number, name in enumerate(CANDIDATES):
        if name in LINEAR and name != linear:
            continue
        progress.step("train recommenders", number + 1, len(CANDIDATES) + 2, f"judge {name} from {start:%Y-%m-%d}")
        try:
            if name in LEARNING and lesson is None:
                lesson = _lesson(ground, start)
            if name == CONTENT and ground.content is not None:
                model = ground.content.with_order(past.popularity_order())
            else:
                model = fit(name, settings, split.train, items, lesson, parts)
            if name in SHARED_PARTS:
                parts[name] = model
            judgements |= {
                (name, mode): judge(model, split, mode, depth=wanted.candidates, threads=threads) for mode in MODES
            }
            if ground.accuracy:
                area = auc(model, split, judged, threads=threads)
                one = judgements[name, judged]
                judgements[name, judged] = replace(one, metrics=(*one.metrics, area))
            if related and (model.additive or name == NEIGHBOURING or name in named):
                near[name], _ = model.neighbours(wanted.neighbours, allowed=split.known, threads=threads)
        except Exception as error:  # one model's fault, of whatever library, must not end the night
            errors[name] = f"{type(error).__name__}: {error}"
    known = {name: parts[name] for name in OF_THE_PAST if name in parts}
    return Trial(
        start, end, split, judgements, errors, parts.get(CONTENT), Lesson(split, judged, known), near
    )


def _lesson(ground: Ground, cut: datetime) -> Lesson | None:
    """What a model as of ``cut`` can learn from: the past as of an earlier cut, and what followed until ``cut``."""
    con, wanted = ground.con, ground.settings.recommendations
    earlier = source.time_cut(con, wanted, cut)
    if earlier is None:
        return None
    past = learned_from(source.read_interactions(con, wanted, earlier), ground.trained, len(ground.items), earlier)
    after = source.read_window(con, earlier, cut)
    split = time_split(past, after["profile_index"], after["item_index"])
    return Lesson(split, mode_of(ground.settings))


def _window(
    start: datetime, split: Split, judgements: Sequence[Judgement], candidates: int,
    neighbours: Mapping[str, NDArray[np.int32]],
) -> Window:
    train, subjects = split.train, judgements[0].subjects
    popular = train.popularity_order()
    # Of the items of one day the last in order counts; every judged profile has one.
    profile = np.repeat(np.arange(train.n_profiles), np.diff(train.indptr))
    order = np.lexsort((train.indices, train.last_day, profile))
    latest = train.indices[order[train.indptr[subjects + 1] - 1]]
    lists = {one.model: np.ascontiguousarray(one.lists[:, :candidates]) for one in judgements}
    return Window(
        start, subjects, lists, judgements[0].relevant, split.known, popular[split.known[popular]], latest, neighbours
    )
