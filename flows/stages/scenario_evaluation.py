"""Judge the rules of stored scenarios: what each costs or brings on what profiles did next, beside lists without."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from contracts.manifest import PublishedTable
from contracts.progress import Progress
from contracts.settings import Settings
from flows.stages.publish import insert_rows
from flows.stages.trial import Window
from models import metrics
from models.sessions import sessions
from models.threads import over_shards
from models.unlikeness import unlikeness
from scenarios.base_list import SESSION_ITEMS
from scenarios.catalogue import Catalogue
from scenarios.evaluate import evaluate
from scenarios.history import History
from scenarios.row_sets import RowSet
from scenarios.spec import PropertyExclusion
from store import disk
from store.exports import export_table
from store.pack.history import history_before, seeds_before
from store.pack.read import ServingPack
from transforms.quoting import text_literal

POSITIONS = 10
SHARD = 1024
DESCRIPTIONS = ("item_name", "item_description")
NAME = "scenario_evaluation"
INFERRED = 1.0
"""Weight of an event type that the settings do not name; a rating weighs its share of the highest."""
HIGHEST_RATING = 10.0

Values = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True, eq=False)
class _Subjects:
    """Who is judged under one reco type: base lists, histories, what is relevant, and the item a list is for."""

    base: NDArray[np.int32]
    relevant: csr_matrix
    history: History
    self_items: NDArray[np.int32] | None


def evaluate_scenarios(
    target: Path, row_sets: Sequence[RowSet], window: Window | None, as_of: datetime, settings: Settings,
    progress: Progress,
) -> PublishedTable:
    """Write the table ``scenario_evaluation``: every materialized set of rules on the window of the evaluation.

    ``profile_to_items`` is judged on the lists that the chosen model, fitted on the time before the window, gave;
    ``item_to_items`` on the neighbours of the item that the profile met last; ``session_to_items`` as if the newest
    items that it met were a session. Properties are those of today. Nothing is judged without a window or scenarios,
    nor rules that start from lists of a recommender that was not tried.
    """
    rows: list[dict[str, Any]] = []
    with disk.storage_errors("write the evaluation of scenarios"), duckdb.connect() as con:
        if window is not None and len(window.subjects) and any(one.scenarios for one in row_sets):
            rows = list(_judge(target, con, row_sets, window, as_of, settings, progress))
        insert_rows(con, NAME, rows)
        return export_table(con, NAME, target)


def _judge(
    target: Path, con: duckdb.DuckDBPyConnection, row_sets: Sequence[RowSet], window: Window, as_of: datetime,
    settings: Settings, progress: Progress,
) -> Iterator[dict[str, Any]]:
    pack = ServingPack(target / "pack")
    today = pack.catalogue()
    near = window.neighbours.get(next(iter(pack.algorithms("item_to_items")), ""))
    catalogue = Catalogue(
        today.size, window.popular, window.known.astype(np.uint8), today.columns, today.row_of, near
    )
    chosen = _spread(len(window.subjects), settings.scenarios.evaluated_profiles)
    features = _features(catalogue)
    judged = [
        one for one in row_sets
        if one.algorithm in _starts(window, one.reco_type)
        and any(other.scenarios for other in row_sets if other.reco_type == one.reco_type)
    ]
    subjects: dict[tuple[str, str | None], _Subjects] = {}
    plain: dict[str, Values] = {}
    plain_coverage: dict[str, float] = {}
    # Lists without rules come first: everything is compared with them.
    for number, one in enumerate(sorted(judged, key=lambda one: (one.reco_type, bool(one.scenarios), one.name))):
        progress.step("evaluate scenarios", number, len(judged), one.name)
        of = (one.reco_type, one.algorithm)
        if of not in subjects:
            subjects[of] = _subjects(one, target, con, window, chosen, settings)
        lists = _lists(catalogue, one, subjects[of], settings.pipeline.threads)
        values = _values(lists, subjects[of].relevant, features)
        coverage = metrics.coverage(lists, POSITIONS, int(window.known.sum()))
        plain.setdefault(one.reco_type, values)
        plain_coverage.setdefault(one.reco_type, coverage)
        common = {
            "reco_type": one.reco_type, "table_name": one.name, "rules_digest": one.digest,
            "scenarios": list(one.scenarios), "subjects": len(lists), "window_from": window.start, "window_to": as_of,
        }
        for metric, found in values.items():
            value, error = metrics.mean(found)
            difference, difference_error = metrics.mean(found - plain[one.reco_type][metric])
            yield common | {
                "metric": metric, "value": value, "standard_error": error, "difference": difference,
                "difference_error": difference_error,
            }
        yield common | {
            "metric": f"coverage@{POSITIONS}", "value": coverage,
            "difference": coverage - plain_coverage[one.reco_type],
        }
    progress.step("evaluate scenarios", len(judged), len(judged))


def _spread(count: int, most: int) -> NDArray[np.int64]:
    """Evenly spaced ones of ``count``, at most ``most``."""
    if count <= most:
        return np.arange(count)
    return np.linspace(0, count - 1, most).astype(np.int64)


def _starts(window: Window, reco_type: str) -> Mapping[str, NDArray[np.int32]]:
    """What rules of a reco type can start from, by recommender: lists of the profiles, or neighbours of the items."""
    return window.lists if reco_type == "profile_to_items" else window.neighbours


def _subjects(
    one: RowSet, target: Path, con: duckdb.DuckDBPyConnection, window: Window, chosen: NDArray[np.int64],
    settings: Settings,
) -> _Subjects:
    relevant, start = window.relevant[chosen], _starts(window, one.reco_type)[one.algorithm or ""]
    if one.reco_type == "item_to_items":
        latest = window.latest[chosen]
        return _Subjects(start[latest], relevant, History.none(len(chosen)), latest)
    for name, files in (("profiles", "profiles.parquet"), ("items", "items.parquet"), ("events", "events/*.parquet")):
        path = text_literal(str(target / "tables" / files))
        con.execute(f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM read_parquet({path})")
    history = history_before(con, window.subjects[chosen], window.start)
    if one.reco_type == "profile_to_items":
        return _Subjects(start[chosen], relevant, history, None)
    seeds = seeds_before(con, window.subjects[chosen], window.start, SESSION_ITEMS)
    given = settings.recommendations.event_weights
    by_type = np.array([given.get(name, INFERRED) for name in seeds.type_names] or [INFERRED])
    weights = np.where(np.isnan(seeds.ratings), by_type[seeds.types], seeds.ratings / HIGHEST_RATING)
    base = sessions(start, window.popular, seeds.offsets, seeds.items, weights)
    return _Subjects(base, relevant, history, None)


def _lists(catalogue: Catalogue, one: RowSet, subjects: _Subjects, threads: int) -> NDArray[np.int32]:
    """The first ten items of each subject under one set of rules, int32 (b, 10)."""
    found = np.empty((len(subjects.base), POSITIONS), np.int32)
    whole, own = subjects.history, subjects.self_items

    def work(start: int, stop: int) -> None:
        history = History(whole.offsets[start : stop + 1], whole.items, whole.types, whole.type_names)
        found[start:stop] = evaluate(
            catalogue, one.rules, subjects.base[start:stop], history,
            self_items=None if own is None else own[start:stop], positions=POSITIONS,
        ).items

    over_shards(work, len(found), SHARD, threads)
    return found


def _features(catalogue: Catalogue) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Values by which two items are told apart, as offsets and codes: short texts and truths that items share."""
    names = [
        name for name, column in sorted(catalogue.columns.items())
        if column.type.family in ("string", "bool") and name not in DESCRIPTIONS
        and 2 * column.distinct[2] <= catalogue.size
    ]
    found = catalogue.exclusion(tuple(PropertyExclusion(name, ()) for name in names), ())
    return found.offsets, found.codes


def _values(
    lists: NDArray[np.int32], relevant: csr_matrix, features: tuple[NDArray[np.int64], NDArray[np.int32]]
) -> Values:
    """Every metric but coverage, one value a subject."""
    hit = metrics.hits(lists, relevant)
    number = np.diff(relevant.indptr)
    return {
        f"hit_rate@{POSITIONS}": np.asarray(hit.any(axis=1), np.float64),
        f"recall@{POSITIONS}": metrics.recall(hit, number, POSITIONS),
        f"ndcg@{POSITIONS}": metrics.ndcg(hit, number, POSITIONS),
        f"diversity@{POSITIONS}": unlikeness(lists, *features),
        f"full@{POSITIONS}": np.asarray((lists >= 0).all(axis=1), np.float64),
    }
