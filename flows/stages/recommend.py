"""Train recommenders: judge each candidate on what followed, refit the best on everything, or carry the last."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import duckdb
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from contracts.errors import NightloomError
from contracts.progress import Progress
from contracts.settings import Settings
from models.evaluate import HEADLINE, MODES, Judgement, auc, judge
from models.interactions import Interactions
from models.items import Items
from models.lesson import Lesson
from models.recommenders.carried import Carried
from models.recommenders.linear import LINEAR, affordable
from models.recommenders.recommender import Recommender
from models.registry import RECOMMENDERS, describe
from models.selection import BASELINE, Verdict, choose
from models.split import Mode, Split, time_split
from store.models import carry_model, load_recommender, save_recommender
from transforms import interactions as source

NEIGHBOURING = "neighbours"
CANDIDATES = ("popular", NEIGHBOURING, "ease", "spectral", "als", "content", "blend", "ranker")
SHARED_PARTS = (*LINEAR, "content", "blend")
"""Candidates that others are made of; each is fitted before those that take it over."""
LEARNING = ("blend", "ranker")
"""Those that learn from an earlier window how to combine others."""
SERVED, NEIGHBOURS, CONTENT = "recommender", "item_neighbours", "content"
"""Folders under ``models/`` of a run, by what the model in them is for."""


class PreviousRun(Protocol):
    """What is looked at of the run that serves now."""

    @property
    def run_id(self) -> str: ...

    @property
    def folder(self) -> Path: ...


@dataclass(frozen=True, slots=True, eq=False)
class RecommendOutcome:
    """What training gave: the models that precompute uses, and rows for ``evaluation`` and ``training_jobs``.

    ``interactions`` are the histories of all profiles, to make lists of; ``learned_from`` those of the profiles that
    the models learned from, which alone decide what is popular.
    ``serving`` orders the lists, ``neighbours`` the item neighbours, ``content`` the neighbours of items the other
    knows none of. ``further`` are the other recommenders that were asked for by name, the best first. ``window`` is
    what rules can be judged on, None when no model was. ``lists_of``: folder of the run whose lists are served on,
    where a model that is carried forward is to bring them along.
    """

    interactions: Interactions
    learned_from: Interactions
    item_ids: list[str]
    serving: Recommender
    neighbours: Recommender
    content: Recommender
    evaluation: list[dict[str, Any]]
    jobs: list[dict[str, Any]]
    further: tuple[Recommender, ...] = ()
    window: Window | None = None
    lists_of: Path | None = None


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
class _Trial:
    """The evaluation on one cut: verdicts and judgements by model, and what went wrong with the rest.

    ``content`` is that model: it learned from the items alone, so it is fitted once for all dates. ``lesson`` is what
    this cut teaches a model that is fitted on everything.
    """

    window_from: datetime | None
    judgements: dict[tuple[str, Mode], Judgement]
    verdicts: dict[str, Verdict]
    errors: dict[str, str]
    chosen: str | None
    content: Recommender | None = None
    window: Window | None = None
    lesson: Lesson | None = None


def train(
    con: duckdb.DuckDBPyConnection,
    target: Path,
    settings: Settings,
    as_of: datetime,
    previous: PreviousRun | None,
    progress: Progress,
    named: Collection[str] = (),
    related: bool = False,
    *,
    skip: str = "",
    accuracy: bool = False,
    keep_lists: bool = False,
) -> RecommendOutcome:
    """Create ``interactions`` and ``popularity`` on the workbench, train, and save models under ``target/models``.
    Recommenders that are ``named`` are fitted also when another one serves; with ``related`` the window has neighbours.
    ``skip``: why nothing is to be trained; with ``accuracy`` the area under the curve is measured, too; with
    ``keep_lists`` a model that is carried forward brings its published lists along.

    ``con`` has tables profiles, items and view events as of ``as_of`` and, from the check stage, quarantined_profiles.
    Nothing is learned from, or judged on, the profiles of ``recommender_exclusions``, which is created here as well.
    Faults of a model are recorded, never raised: the last published model is carried forward, and without one
    popularity serves.
    """
    wanted = settings.recommendations
    progress.step("train recommenders", 0, len(CANDIDATES) + 2, "interactions")
    source.create_item_events(con, wanted, source.unlisted_types(con, wanted))
    source.create_interactions(con, wanted, as_of)
    source.create_popularity(con)
    trained = source.read_trained(con)
    item_ids = [row[0] for row in con.execute("SELECT item_id FROM items ORDER BY item_index").fetchall()]
    columns = source.read_interactions(con, wanted, as_of, created=True)
    histories = Interactions.from_columns(len(trained), len(item_ids), **columns).dated(source.day_of(as_of))
    interactions = histories if trained.all() else _learned_from(columns, trained, len(item_ids), as_of)
    del columns
    items = Items(*source.read_item_text(con), source.read_item_prices(con))
    threads = settings.pipeline.threads
    shortage = skip or _shortage(int(trained.sum()), interactions, settings)
    trial = _Trial(None, {}, {}, {}, None)
    if not shortage:
        trial = _try_all(con, settings, trained, items, progress, named, related, accuracy)
    progress.step("train recommenders", len(CANDIDATES) + 1, len(CANDIDATES) + 2, trial.chosen or "carried")
    if trial.content is None:
        content = _make("content", settings).fit(interactions, items, threads=threads)
    else:
        content = trial.content.with_order(interactions.popularity_order())
    about = {"trained_by_run": target.name, "as_of": as_of.isoformat()}
    save_recommender(target / "models" / CONTENT, content, item_ids, about)
    serving, trained_by, reason = _serve(
        trial, shortage, settings, interactions, items, item_ids, previous, target, about, content
    )
    neighbours = _neighbour_source(serving, settings, interactions, items, item_ids, target, about)
    further, faults = _further(named, serving, trial, shortage, settings, interactions, items, content)
    progress.step("train recommenders", len(CANDIDATES) + 2, len(CANDIDATES) + 2, serving.name)
    status = "Skipped" if shortage else "Failed" if reason else "Completed"
    job = {
        "algorithm": "rec",
        "model": serving.name,
        "status": status,
        "trained_by_run": trained_by,
        "reason": reason,
        "details": _details(trial, trained, source.read_exclusions(con), interactions, serving, settings, faults),
    }
    evaluation = _rows(trial, serving.name if trained_by == target.name else "", as_of)
    lists_of = previous.folder if keep_lists and previous is not None and isinstance(serving, Carried) else None
    return RecommendOutcome(
        histories, interactions, item_ids, serving, neighbours, content, evaluation, [job], further, trial.window,
        lists_of,
    )


def _further(
    named: Collection[str], serving: Recommender, trial: _Trial, shortage: str, settings: Settings,
    interactions: Interactions, items: Items, content: Recommender,
) -> tuple[tuple[Recommender, ...], dict[str, str]]:
    """The recommenders that are named and do not serve, the best first, and what went wrong with others. Without
    enough to learn from only those that learn nothing of profiles.
    """
    wanted = [name for name in CANDIDATES if name in named and name != serving.name and name not in trial.errors]
    wanted = [name for name in wanted if not shortage or name in (BASELINE, CONTENT)]
    wanted.sort(key=lambda name: -trial.verdicts[name].value if name in trial.verdicts else 0.0)
    fitted: list[Recommender] = []
    faults = {}
    for name in wanted:
        try:
            model = content
            if name != CONTENT:
                model = _fit(name, settings, interactions, items, trial.lesson, {CONTENT: content})
            fitted.append(model)
        except Exception as error:  # one model's fault, of whatever library, must not end the night
            faults[name] = f"{type(error).__name__}: {error}"
    return tuple(fitted), faults


def _learned_from(
    columns: source.Columns, trained: NDArray[np.bool_], n_items: int, as_of: datetime
) -> Interactions:
    """The interactions of the profiles to learn from; the others keep their rows, with nothing in them."""
    kept = trained[columns["profile_index"]]
    return Interactions.from_columns(
        len(trained), n_items, **{name: values[kept] for name, values in columns.items()}
    ).dated(source.day_of(as_of))


def _shortage(profiles: int, interactions: Interactions, settings: Settings) -> str:
    """Which minimum is not reached by the profiles to learn from, in words; empty when all are."""
    wanted = settings.recommendations
    rows = (
        ("profiles", profiles, wanted.min_profiles),
        ("items", interactions.n_items, wanted.min_items),
        ("weighted events", int(interactions.events.sum()), wanted.min_events),
    )
    short = [f"{have} {name} of {least}" for name, have, least in rows if have < least]
    return f"inadequate_data: {', '.join(short)}" if short else ""


def _make(name: str, settings: Settings) -> Recommender:
    """An unfitted model with the parameters that the settings give."""
    given: dict[str, dict[str, Any]] = {
        "als": {"factors": settings.recommendations.factors, "seed": settings.pipeline.seed},
        "ranker": {"seed": settings.pipeline.seed},
    }
    return RECOMMENDERS[name](**given.get(name, {}))


def _fit(
    name: str, settings: Settings, interactions: Interactions, items: Items, lesson: Lesson | None,
    parts: Mapping[str, Recommender],
) -> Recommender:
    return _make(name, settings).fit(
        interactions, items, threads=settings.pipeline.threads, lesson=lesson, parts=parts
    )


def _mode(settings: Settings) -> Mode:
    """What the lists are for."""
    return "repeat" if settings.recommendations.recommend_interacted_items else "new"


def _lesson(
    con: duckdb.DuckDBPyConnection, settings: Settings, trained: NDArray[np.bool_], items: Items, cut: datetime
) -> Lesson | None:
    """What a model as of ``cut`` can learn from: the past as of an earlier cut, and what followed until ``cut``."""
    wanted = settings.recommendations
    earlier = source.time_cut(con, wanted, cut)
    if earlier is None:
        return None
    past = _learned_from(source.read_interactions(con, wanted, earlier), trained, len(items), earlier)
    after = source.read_window(con, earlier, cut)
    split = time_split(past, after["profile_index"], after["item_index"])
    linear = _make(affordable(past)[0], settings).fit(past, items, threads=settings.pipeline.threads)
    return Lesson(split, _mode(settings), {linear.name: linear})


def _try_all(
    con: duckdb.DuckDBPyConnection, settings: Settings, trained: NDArray[np.bool_], items: Items, progress: Progress,
    named: Collection[str], related: bool, accuracy: bool,
) -> _Trial:
    """Fit every candidate as of the cut, judge it on the window after it, and choose."""
    wanted = settings.recommendations
    cut = source.time_cut(con, wanted)
    assert cut is not None  # there are events, or there would be a shortage
    past = _learned_from(source.read_interactions(con, wanted, cut), trained, len(items), cut)
    after = source.read_window(con, cut)
    split = time_split(past, after["profile_index"], after["item_index"])
    judged = _mode(settings)
    near: dict[str, NDArray[np.int32]] = {}
    judgements: dict[tuple[str, Mode], Judgement] = {}
    errors: dict[str, str] = {}
    parts: dict[str, Recommender] = {}
    lesson: Lesson | None = None
    linear, _ = affordable(split.train)
    for number, name in enumerate(CANDIDATES):
        if name in LINEAR and name != linear:
            continue
        progress.step("train recommenders", number + 1, len(CANDIDATES) + 2, f"judge {name}")
        try:
            if name in LEARNING and lesson is None:
                lesson = _lesson(con, settings, trained, items, cut)
            model = _fit(name, settings, split.train, items, lesson, parts)
            if name in SHARED_PARTS:
                parts[name] = model
            judgements |= {
                (name, mode): judge(model, split, mode, depth=wanted.candidates, threads=settings.pipeline.threads)
                for mode in MODES
            }
            if accuracy:
                area = auc(model, split, judged, threads=settings.pipeline.threads)
                one = judgements[name, judged]
                judgements[name, judged] = replace(one, metrics=(*one.metrics, area))
            if related and (model.additive or name == NEIGHBOURING or name in named):
                near[name], _ = model.neighbours(
                    wanted.neighbours, allowed=split.known, threads=settings.pipeline.threads
                )
        except Exception as error:  # one model's fault, of whatever library, must not end the night
            errors[name] = f"{type(error).__name__}: {error}"
    chosen, verdicts = choose({name: one for (name, of), one in judgements.items() if of == judged}, CANDIDATES)
    window = None
    if chosen is not None:
        kept = [one for (name, of), one in judgements.items() if of == judged and (name == chosen or name in named)]
        window = _window(cut, split, kept, wanted.candidates, near)
    known = {name: parts[name] for name in LINEAR if name in parts}
    tonight = Lesson(split, judged, known)
    return _Trial(cut, judgements, verdicts, errors, chosen, parts.get(CONTENT), window, tonight)


def _window(
    cut: datetime, split: Split, judgements: Sequence[Judgement], candidates: int,
    neighbours: Mapping[str, NDArray[np.int32]],
) -> Window:
    """What the rules of scenarios are judged on: lists of the judgements, which are of the same profiles."""
    train, subjects = split.train, judgements[0].subjects
    popular = train.popularity_order()
    # Of the items of one day the last in order counts; every judged profile has one.
    profile = np.repeat(np.arange(train.n_profiles), np.diff(train.indptr))
    order = np.lexsort((train.indices, train.last_day, profile))
    latest = train.indices[order[train.indptr[subjects + 1] - 1]]
    lists = {one.model: np.ascontiguousarray(one.lists[:, :candidates]) for one in judgements}
    return Window(
        cut, subjects, lists, judgements[0].relevant, split.known, popular[split.known[popular]], latest, neighbours
    )


def _serve(
    trial: _Trial,
    shortage: str,
    settings: Settings,
    interactions: Interactions,
    items: Items,
    item_ids: list[str],
    previous: PreviousRun | None,
    target: Path,
    about: Mapping[str, Any],
    content: Recommender,
) -> tuple[Recommender, str, str]:
    """The model to serve, the run that trained it, and why it is not tonight's best (empty when it is)."""
    reason = shortage
    if not shortage and trial.chosen is None:
        faults = [f"{name}: {text}" for name, text in trial.errors.items()]
        faults += [f"{one.model}: {one.reason}" for one in trial.verdicts.values() if not one.passed]
        reason = "; ".join(faults) or "no candidate could be judged"
    if trial.chosen is not None:
        try:
            model = content
            if trial.chosen != CONTENT:
                model = _fit(trial.chosen, settings, interactions, items, trial.lesson, {CONTENT: content})
            save_recommender(target / "models" / SERVED, model, item_ids, dict(about))
            return model, target.name, ""
        except NightloomError:
            raise
        except Exception as error:  # as above: carried forward instead
            reason = f"{trial.chosen} could not be fitted on everything: {type(error).__name__}: {error}"
    if previous is not None and (previous.folder / "models" / SERVED).is_dir():
        try:
            return *_carry(previous.folder / "models" / SERVED, target, interactions, item_ids), reason
        except (NightloomError, KeyError, TypeError, ValueError) as error:  # damaged, or of another version of the code
            reason = f"{reason}; the model of {previous.run_id} cannot be carried forward: {error}"
    model = _make(BASELINE, settings).fit(interactions, items)
    save_recommender(target / "models" / SERVED, model, item_ids, dict(about))
    return model, target.name, reason


def _carry(old: Path, target: Path, interactions: Interactions, item_ids: list[str]) -> tuple[Recommender, str]:
    """The model saved in ``old`` with tonight's item numbers, copied into ``target``, and the run that trained it."""
    inner, old_ids, card = load_recommender(old)
    carry_model(old, target / "models" / SERVED)
    numbers = {item_id: number for number, item_id in enumerate(item_ids)}
    mapping = np.array([numbers.get(item_id, -1) for item_id in old_ids], dtype=np.int32)
    return Carried(inner, mapping, interactions.popularity_order()), str(card["trained_by_run"])


def _neighbour_source(
    serving: Recommender,
    settings: Settings,
    interactions: Interactions,
    items: Items,
    item_ids: list[str],
    target: Path,
    about: Mapping[str, Any],
) -> Recommender:
    """The serving model, or what it is made of, where that adds up neighbours itself; else item neighbours fitted for
    that alone.

    Nearest factors, for one, made worse sessions than item neighbours wherever they were compared.
    """
    own = serving.neighbour_source()
    if own is serving:
        return serving
    if own is not None and not isinstance(own, Carried):
        save_recommender(target / "models" / NEIGHBOURS, own, item_ids, dict(about))
        return own
    model = _make(NEIGHBOURING, settings).fit(interactions, items, threads=settings.pipeline.threads)
    save_recommender(target / "models" / NEIGHBOURS, model, item_ids, dict(about))
    return model


def _details(
    trial: _Trial,
    trained: NDArray[np.bool_],
    excluded: Mapping[str, int],
    interactions: Interactions,
    serving: Recommender,
    settings: Settings,
    faults: Mapping[str, str],
) -> dict[str, Any]:
    """What decided, as JSON; nothing in it depends on time or threads."""
    gates = {
        name: {
            "passed": one.passed,
            "reason": one.reason,
            HEADLINE: one.value,
            "above_popularity": one.difference,
            "standard_error": one.difference_error,
        }
        for name, one in trial.verdicts.items()
    }
    known = {} if isinstance(serving, Carried) else describe(serving)
    return {
        "row_counts": {
            "profiles": int(trained.sum()),
            "items": interactions.n_items,
            "interactions": interactions.entries,
            "events": int(interactions.events.sum()),
            "training_rows": interactions.entries,
        },
        "metrics": _metrics(trial, settings),
        "excluded_profiles": dict(excluded),
        "mode": _mode(settings),
        "gates": gates,
        "errors": {**trial.errors, **faults},
        "configuration": known,
        "linear": affordable(interactions)[1],
        "settings": asdict(settings.recommendations),
    }


def _metrics(trial: _Trial, settings: Settings) -> dict[str, float]:
    """Metrics of the model that was chosen, in the mode that it serves in."""
    judgement = trial.judgements.get((trial.chosen or "", _mode(settings)))
    return {metric.name: metric.value for metric in judgement.metrics} if judgement is not None else {}


def _rows(trial: _Trial, serving: str, as_of: datetime) -> list[dict[str, Any]]:
    """Rows of the published table ``evaluation``."""
    return [
        {
            "algorithm": "rec",
            "cut": "rolling",
            "model": name,
            "mode": mode,
            "metric": metric.name,
            "value": metric.value,
            "standard_error": metric.standard_error,
            "subjects": metric.subjects,
            "baseline": name == BASELINE,
            "serving": name == serving,
            "window_from": trial.window_from,
            "window_to": as_of,
        }
        for (name, mode), judgement in trial.judgements.items()
        for metric in judgement.metrics
    ]
