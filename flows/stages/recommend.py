"""Train recommenders: judge each candidate on what followed, refit the best on everything, or carry the last."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import duckdb
import numpy as np
from numpy.typing import NDArray

from contracts.errors import NightloomError
from contracts.progress import Progress
from contracts.settings import Settings
from flows.stages.candidates import CANDIDATES, CONTENT, NEIGHBOURING, fit, make, mode_of
from flows.stages.frozen import Before, Frozen, judge_frozen, read_before
from flows.stages.trial import ROLLING, Ground, Trial, Window, hold_trial, learned_from
from models.evaluate import HEADLINE
from models.interactions import Interactions
from models.items import Items
from models.recommenders.carried import Carried
from models.recommenders.linear import affordable
from models.recommenders.recommender import Recommender
from models.registry import describe
from models.selection import BASELINE, Selection, choose
from store.models import carry_model, load_recommender, save_recommender
from transforms import interactions as source

SERVED, NEIGHBOURS = "recommender", "item_neighbours"
"""Folders under ``models/`` of a run, by what the model in them is for; beside them one named ``content``."""


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
class _Election:
    """What was tried tonight, and what came of it; without enough to learn from nothing was."""

    selection: Selection
    trial: Trial | None = None
    frozen: Frozen | None = None

    @property
    def errors(self) -> Mapping[str, str]:
        """What went wrong, by model."""
        return self.trial.errors if self.trial else {}


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
    interactions = histories if trained.all() else learned_from(columns, trained, len(item_ids), as_of)
    del columns
    items = Items(*source.read_item_text(con), source.read_item_prices(con))
    shortage = skip or _shortage(int(trained.sum()), interactions, settings)
    election = _Election(Selection(None, {}))
    if not shortage:
        ground, before = Ground(con, settings, trained, items, accuracy), previous.folder if previous else None
        election = _elect(ground, as_of, read_before(con, before), progress, named, related)
    trial, chosen = election.trial, election.selection.chosen
    progress.step("train recommenders", len(CANDIDATES) + 1, len(CANDIDATES) + 2, chosen or "carried")
    if trial is None or trial.content is None:
        content = make(CONTENT, settings).fit(interactions, items, threads=settings.pipeline.threads)
    else:
        content = trial.content.with_order(interactions.popularity_order())
    about = {"trained_by_run": target.name, "as_of": as_of.isoformat()}
    save_recommender(target / "models" / CONTENT, content, item_ids, about)
    serving, trained_by, reason = _serve(
        election, shortage, settings, interactions, items, item_ids, previous, target, about, content
    )
    neighbours = _neighbour_source(serving, settings, interactions, items, item_ids, target, about)
    further, faults = _further(named, serving, election, shortage, settings, interactions, items, content)
    progress.step("train recommenders", len(CANDIDATES) + 2, len(CANDIDATES) + 2, serving.name)
    status = "Skipped" if shortage else "Failed" if reason else "Completed"
    job = {
        "algorithm": "rec",
        "model": serving.name,
        "status": status,
        "trained_by_run": trained_by,
        "reason": reason,
        "details": _details(election, trained, source.read_exclusions(con), interactions, serving, settings, faults),
    }
    evaluation = _rows(election, serving.name if trained_by == target.name else "")
    lists_of = previous.folder if keep_lists and previous is not None and isinstance(serving, Carried) else None
    return RecommendOutcome(
        histories, interactions, item_ids, serving, neighbours, content, evaluation, [job], further,
        _window(election, named, settings), lists_of,
    )


def _elect(
    ground: Ground, as_of: datetime, before: Before, progress: Progress, named: Collection[str], related: bool
) -> _Election:
    """Try every candidate on the rolling window and on the frozen one, and choose."""
    cut = source.time_cut(ground.con, ground.settings.recommendations)
    assert cut is not None  # there are events, or there would be a shortage
    trial = hold_trial(ground, cut, as_of, progress, named, related)
    frozen = judge_frozen(replace(ground, content=trial.content), trial, before.frozen, progress)
    judged = mode_of(ground.settings)
    chosen = choose(trial.judged(judged), CANDIDATES, before.serving, frozen.headlines(judged))
    return _Election(chosen, trial, frozen)


def _window(election: _Election, named: Collection[str], settings: Settings) -> Window | None:
    """What rules can be judged on, with the lists of the chosen model and of those that are named."""
    chosen = election.selection.chosen
    if election.trial is None or chosen is None:
        return None
    return election.trial.window({chosen, *named}, mode_of(settings), settings.recommendations.candidates)


def _further(
    named: Collection[str], serving: Recommender, election: _Election, shortage: str, settings: Settings,
    interactions: Interactions, items: Items, content: Recommender,
) -> tuple[tuple[Recommender, ...], dict[str, str]]:
    """The recommenders that are named and do not serve, the best first, and what went wrong with others. Without
    enough to learn from only those that learn nothing of profiles.
    """
    wanted = [name for name in CANDIDATES if name in named and name != serving.name and name not in election.errors]
    wanted = [name for name in wanted if not shortage or name in (BASELINE, CONTENT)]
    verdicts, lesson = election.selection.verdicts, election.trial.lesson if election.trial else None
    wanted.sort(key=lambda name: -verdicts[name].value if name in verdicts else 0.0)
    fitted: list[Recommender] = []
    faults = {}
    for name in wanted:
        try:
            model = content
            if name != CONTENT:
                model = fit(name, settings, interactions, items, lesson, {CONTENT: content})
            fitted.append(model)
        except Exception as error:  # one model's fault, of whatever library, must not end the night
            faults[name] = f"{type(error).__name__}: {error}"
    return tuple(fitted), faults


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


def _serve(
    election: _Election,
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
    reason, trial, chosen = shortage, election.trial, election.selection.chosen
    if not shortage and chosen is None:
        faults = [f"{name}: {text}" for name, text in election.errors.items()]
        faults += [f"{one.model}: {one.reason}" for one in election.selection.verdicts.values() if not one.passed]
        reason = "; ".join(faults) or "no candidate could be judged"
    if trial is not None and chosen is not None:
        try:
            model = content
            if chosen != CONTENT:
                model = fit(chosen, settings, interactions, items, trial.lesson, {CONTENT: content})
            save_recommender(target / "models" / SERVED, model, item_ids, dict(about))
            return model, target.name, ""
        except NightloomError:
            raise
        except Exception as error:  # as above: carried forward instead
            reason = f"{chosen} could not be fitted on everything: {type(error).__name__}: {error}"
    if previous is not None and (previous.folder / "models" / SERVED).is_dir():
        try:
            return *_carry(previous.folder / "models" / SERVED, target, interactions, item_ids), reason
        except (NightloomError, KeyError, TypeError, ValueError) as error:  # damaged, or of another version of the code
            reason = f"{reason}; the model of {previous.run_id} cannot be carried forward: {error}"
    model = make(BASELINE, settings).fit(interactions, items)
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
    model = make(NEIGHBOURING, settings).fit(interactions, items, threads=settings.pipeline.threads)
    save_recommender(target / "models" / NEIGHBOURS, model, item_ids, dict(about))
    return model


def _details(
    election: _Election,
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
        for name, one in election.selection.verdicts.items()
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
        "metrics": _metrics(election, settings),
        "excluded_profiles": dict(excluded),
        "mode": mode_of(settings),
        "gates": gates,
        "change": dict(election.selection.change),
        "frozen": election.frozen.about() if election.frozen else {},
        "errors": {**election.errors, **faults},
        "configuration": known,
        "linear": affordable(interactions)[1],
        "settings": asdict(settings.recommendations),
    }


def _metrics(election: _Election, settings: Settings) -> dict[str, float]:
    """Metrics of the model that was chosen, in the mode that it serves in."""
    judged = election.trial.judged(mode_of(settings)) if election.trial else {}
    judgement = judged.get(election.selection.chosen or "")
    return {metric.name: metric.value for metric in judgement.metrics} if judgement is not None else {}


def _rows(election: _Election, serving: str) -> list[dict[str, Any]]:
    """Rows of the published table ``evaluation``."""
    rolling = election.trial.rows(ROLLING) if election.trial else []
    frozen = election.frozen.rows if election.frozen else []
    return [row | {"serving": row["model"] == serving} for row in (*rolling, *frozen)]
