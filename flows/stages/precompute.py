"""Precompute: every profile's list and every item's neighbours, in blocks, as tables and as flat arrays for serving."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from contracts.progress import Progress
from contracts.published import TABLE_BY_NAME
from contracts.settings import Settings
from flows.stages.list_inputs import EarlierLists, find_earlier, input_keys, remember, shared_digest
from flows.stages.recommend import RecommendOutcome
from flows.stages.shards import Block, MakeLists, list_makers
from models.interactions import Interactions
from models.ranking import Floats, Ints
from models.recommenders.popular import Popular
from store import disk
from store.exports import open_table
from store.pack.arrays import create_array, flush

BLOCK = 4096
"""Profiles computed at once. Memory: history and lists of so many, and one tile of scores for each worker."""


@dataclass(frozen=True, slots=True)
class Precomputed:
    """What was written. ``cold`` profiles have no interaction and got popularity. ``copied``: lists taken from the last
    run, as making them again would give the same; ``reason``: why so many, or none.
    """

    profiles: int
    cold: int
    items: int
    items_with_neighbours: int
    copied: int = 0
    reason: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Everything, by name."""
        return asdict(self)


def precompute(
    con: duckdb.DuckDBPyConnection, target: Path, outcome: RecommendOutcome, settings: Settings, progress: Progress,
    named: Collection[str] = (), previous: Path | None = None,
) -> Precomputed:
    """Create tables ``recommendation_lists`` and ``item_neighbour_lists`` and, in ``target/pack``, the same as arrays.

    ``lists_items.npy`` int32 (profiles, candidates), ``lists_scores.npy`` float32, ``neighbours_items.npy``,
    ``neighbours_scores.npy`` (items, neighbours), items padded with -1, and ``popularity.npy`` int32 (items), best
    first. Of every further recommender the same without scores, as ``lists.<model>_items.npy`` and
    ``neighbours.<model>_items.npy``; of a serving model that gives no neighbours these too, when it is ``named``.
    ``algorithms.json`` names them all, the preferred one first. Inactive and stop-listed items are in no list, nor what
    an event of the profile excludes. Every profile has a list, also one that no model learned from: made of its
    history, or of popularity when it has none. Lists of ``outcome.lists_of`` are taken over as they are, but for items
    that may not be listed any more. Lists of profiles whose inputs are those of the run in ``previous``, with an equal
    model, are copied from there.
    """
    pack = target / "pack"
    pack.mkdir(parents=True, exist_ok=True)
    with disk.storage_errors("write the precomputed lists"):
        np.save(pack / "popularity.npy", outcome.learned_from.popularity_order(), allow_pickle=False)
        allowed = _allowed(con, settings, len(outcome.item_ids))
        with list_makers(settings.pipeline) as make:
            made = _write_lists(con, target, outcome, settings, allowed, progress, make, previous)
            related = _write_neighbours(con, pack, outcome, settings, allowed, progress)
            _write_further(pack, outcome, settings, allowed, progress, named, make)
    return replace(made, items_with_neighbours=related)


def _allowed(con: duckdb.DuckDBPyConnection, settings: Settings, n_items: int) -> NDArray[np.bool_]:
    """Which items may be listed: active and not stop-listed, bool (n_items,)."""
    found = con.execute(
        "SELECT item_index FROM items "
        "WHERE status IS DISTINCT FROM 'inactive' AND NOT list_contains($stopped::VARCHAR[], item_id)",
        {"stopped": list(settings.recommendations.item_stop_list)},
    ).fetchnumpy()["item_index"]
    allowed = np.zeros(n_items, np.bool_)
    allowed[np.ma.getdata(found)] = True
    return allowed


def _write_lists(
    con: duckdb.DuckDBPyConnection,
    target: Path,
    outcome: RecommendOutcome,
    settings: Settings,
    allowed: NDArray[np.bool_],
    progress: Progress,
    make: MakeLists,
    previous: Path | None,
) -> Precomputed:
    interactions, width, pack = outcome.interactions, settings.recommendations.candidates, target / "pack"
    profile_ids = (
        con.execute("SELECT profile_id FROM profiles ORDER BY profile_index")
        .to_arrow_table()
        .column(0)
        .combine_chunks()
    )
    item_ids = pa.array(outcome.item_ids, pa.string())
    excluded = None if settings.recommendations.recommend_interacted_items else interactions.excluded()
    popular = Popular().fit(outcome.learned_from)
    common = popular.recommend(csr_matrix((1, len(item_ids)), dtype=np.float32), width, allowed=allowed)
    total, cold_total, copied = interactions.n_profiles, 0, 0
    starts = range(0, total, BLOCK)
    kept = _read_kept(con, outcome.lists_of, total) if outcome.lists_of is not None else None
    _create(con, "recommendation_lists")
    with (
        _array(pack / "lists_items.npy", (total, width), np.int32) as all_items,
        _array(pack / "lists_scores.npy", (total, width), np.float32) as all_scores,
    ):
        earlier = _earlier(con, target, outcome, excluded, allowed, width, previous if kept is None else None)
        anew = (np.diff(interactions.indptr) > 0) & (earlier.rows < 0)
        warm = [np.flatnonzero(anew[start : start + BLOCK]) + start for start in starts]
        made = make(outcome.serving, _blocks(interactions, excluded, warm), width, allowed)
        for start, some, found in zip(starts, warm, made, strict=True):
            stop = min(start + BLOCK, total)
            progress.step("precompute lists", start, total)
            rows = np.arange(start, stop)
            cold = np.diff(interactions.indptr[start : stop + 1]) == 0
            all_items[start:stop], all_scores[start:stop] = common
            all_items[some], all_scores[some] = found
            same = rows[~cold & (earlier.rows[start:stop] >= 0)]
            if len(same):
                before = earlier.rows[same]
                all_items[same], all_scores[same] = earlier.items[before], earlier.scores[before]
                copied += len(same)
            if excluded is not None:
                barred = rows[cold & (np.diff(excluded.indptr[start : stop + 1]) > 0)]
                all_items[barred], all_scores[barred] = popular.recommend(
                    interactions.histories(barred), width, exclude=excluded[barred], allowed=allowed,
                    threads=settings.pipeline.threads,
                )
            models = np.where(cold, popular.name, outcome.serving.name)
            if kept is not None:
                block = all_items[start:stop], all_scores[start:stop]
                kept.put(start, stop, block, allowed, None if excluded is None else excluded[start:stop])
                known = kept.known[start:stop]
                models = np.where(known, kept.models[start:stop], models)
                cold = np.where(known, kept.cold[start:stop], cold)
            cold_total += int(cold.sum())
            item_lists, score_lists = _as_lists(all_items[start:stop], all_scores[start:stop], item_ids)
            _append(
                con,
                "recommendation_lists",
                {
                    "profile_id": profile_ids.slice(start, stop - start),
                    "profile_index": pa.array(rows.astype(np.int32)),
                    "model": pa.array(models.tolist(), pa.string()),
                    "cold": pa.array(cold),
                    "item_ids": item_lists,
                    "scores": score_lists,
                },
            )
    progress.step("precompute lists", total, total)
    return Precomputed(total, cold_total, len(item_ids), 0, copied, earlier.reason)


def _earlier(
    con: duckdb.DuckDBPyConnection, target: Path, outcome: RecommendOutcome, excluded: csr_matrix | None,
    allowed: NDArray[np.bool_], width: int, previous: Path | None,
) -> EarlierLists:
    """Which lists need not be made, after keeping for the next run what tonight's are made from."""
    interactions, model = outcome.interactions, outcome.serving
    order = outcome.learned_from.popularity_order()
    shared = shared_digest(model, outcome.item_ids, allowed, order, width)
    rows = [np.arange(start, min(start + BLOCK, interactions.n_profiles))
            for start in range(0, interactions.n_profiles, BLOCK)]
    keys = [input_keys(block) for block in _blocks(interactions, excluded, rows)]
    every = np.concatenate([np.empty((0, 2), np.uint64), *keys])
    if outcome.lists_of is None:
        remember(target, shared, every)
    return find_earlier(con, previous, shared, every, model.row_wise)


def _blocks(
    interactions: Interactions, excluded: csr_matrix | None, rows: list[NDArray[np.int64]]
) -> Iterator[Block]:
    """What is known of the profiles of each entry of ``rows``."""
    for some in rows:
        yield Block(interactions.histories(some), None if excluded is None else excluded[some])


@dataclass(frozen=True, slots=True, eq=False)
class _Kept:
    """Lists of an earlier run with tonight's numbers: ``rows`` (rising), ``items`` and ``scores`` of each entry, in the
    lists' order; ``known``, ``cold`` bool and ``models`` by profile.
    """

    rows: NDArray[np.int64]
    items: NDArray[np.int32]
    scores: NDArray[np.float32]
    known: NDArray[np.bool_]
    cold: NDArray[np.bool_]
    models: NDArray[np.object_]

    def put(
        self, start: int, stop: int, block: tuple[NDArray[Any], NDArray[Any]], allowed: NDArray[np.bool_],
        excluded: csr_matrix | None,
    ) -> None:
        """Write the lists of ``[start, stop)`` over a block of rows; what may not be listed falls out."""
        first, last = np.searchsorted(self.rows, (start, stop))
        rows, items, scores = self.rows[first:last] - start, self.items[first:last], self.scores[first:last]
        fine = allowed[items]
        if excluded is not None:
            width = excluded.shape[1]
            barred = np.repeat(np.arange(stop - start), np.diff(excluded.indptr)) * width + excluded.indices
            fine &= ~np.isin(rows * width + items, barred)
        rows, items, scores = rows[fine], items[fine], scores[fine]
        places = np.arange(len(rows)) - np.searchsorted(rows, rows)
        room = places < block[0].shape[1]
        known = np.flatnonzero(self.known[start:stop])
        block[0][known], block[1][known] = -1, 0
        block[0][rows[room], places[room]] = items[room]
        block[1][rows[room], places[room]] = scores[room]


def _read_kept(con: duckdb.DuckDBPyConnection, folder: Path, total: int) -> _Kept | None:
    """The lists of a run, of the profiles and items that there are tonight; None where it has none."""
    if not open_table(con, folder, "recommendation_lists", "published_lists"):
        return None
    found = con.execute(
        "SELECT p.profile_index, l.model, l.cold FROM published_lists AS l "
        "JOIN profiles AS p ON p.profile_id = l.profile_id ORDER BY 1"
    ).fetchnumpy()
    entries = con.execute(
        "SELECT p.profile_index::BIGINT AS profile_index, i.item_index::INTEGER AS item_index, u.score::FLOAT AS score "
        "FROM (SELECT profile_id, unnest(item_ids) AS item_id, unnest(scores) AS score, "
        "generate_subscripts(item_ids, 1) AS place FROM published_lists) AS u "
        "JOIN profiles AS p ON p.profile_id = u.profile_id JOIN items AS i ON i.item_id = u.item_id "
        "ORDER BY p.profile_index, u.place"
    ).fetchnumpy()
    known, cold, models = np.zeros(total, np.bool_), np.zeros(total, np.bool_), np.full(total, "", object)
    at = np.ma.getdata(found["profile_index"])
    known[at], cold[at], models[at] = True, np.ma.getdata(found["cold"]), np.ma.getdata(found["model"])
    rows, items, scores = (np.ma.getdata(entries[name]) for name in ("profile_index", "item_index", "score"))
    return _Kept(rows, items, scores, known, cold, models)


def _write_neighbours(
    con: duckdb.DuckDBPyConnection,
    pack: Path,
    outcome: RecommendOutcome,
    settings: Settings,
    allowed: NDArray[np.bool_],
    progress: Progress,
) -> int:
    k, threads = settings.recommendations.neighbours, settings.pipeline.threads
    progress.step("precompute neighbours", 0, len(outcome.item_ids))
    items, scores = outcome.neighbours.neighbours(k, allowed=allowed, threads=threads)
    alone = items[:, 0] < 0 if k else np.zeros(len(items), np.bool_)
    if alone.any():
        by_content, content_scores = outcome.content.neighbours(k, allowed=allowed, threads=threads)
        items[alone], scores[alone] = by_content[alone], content_scores[alone]
    np.save(pack / "neighbours_items.npy", items, allow_pickle=False)
    np.save(pack / "neighbours_scores.npy", scores, allow_pickle=False)
    item_ids = pa.array(outcome.item_ids, pa.string())
    models = np.where(alone, outcome.content.name, outcome.neighbours.name)
    _create(con, "item_neighbour_lists")
    for start in range(0, len(items), BLOCK):
        stop = min(start + BLOCK, len(items))
        item_lists, score_lists = _as_lists(items[start:stop], scores[start:stop], item_ids)
        _append(
            con,
            "item_neighbour_lists",
            {
                "item_id": item_ids.slice(start, stop - start),
                "item_index": pa.array(np.arange(start, stop, dtype=np.int32)),
                "model": pa.array(models[start:stop].tolist(), pa.string()),
                "item_ids": item_lists,
                "scores": score_lists,
            },
        )
    progress.step("precompute neighbours", len(items), len(items))
    return int((items[:, 0] >= 0).sum()) if k else 0


def _write_further(
    pack: Path, outcome: RecommendOutcome, settings: Settings, allowed: NDArray[np.bool_], progress: Progress,
    named: Collection[str], make: MakeLists,
) -> None:
    """Lists of the further recommenders; a cold profile has popularity in each of them."""
    wanted, interactions = settings.recommendations, outcome.interactions
    excluded = None if wanted.recommend_interacted_items else interactions.excluded()
    cold = np.diff(interactions.indptr) == 0
    own = (outcome.serving,) if outcome.serving.name in named else ()
    related = [model for model in (*own, *outcome.further) if model.name != outcome.neighbours.name]
    served = np.load(pack / "lists_items.npy", mmap_mode="r", allow_pickle=False)
    starts = range(0, len(served), BLOCK)
    for model in outcome.further:
        with _array(pack / f"lists.{model.name}_items.npy", served.shape, np.int32) as items:
            warm = [np.flatnonzero(~cold[start : start + BLOCK]) + start for start in starts]
            made = make(model, _blocks(interactions, excluded, warm), wanted.candidates, allowed)
            for start, some, (found, _) in zip(starts, warm, made, strict=True):
                progress.step(f"precompute lists of {model.name}", start, len(served))
                items[start : start + BLOCK] = served[start : start + BLOCK]
                items[some] = found
    for model in related:
        progress.step(f"precompute neighbours of {model.name}", 0, len(allowed))
        near, _ = model.neighbours(wanted.neighbours, allowed=allowed, threads=settings.pipeline.threads)
        np.save(pack / f"neighbours.{model.name}_items.npy", near, allow_pickle=False)
    names = {
        "lists": [outcome.serving.name, *(model.name for model in outcome.further)],
        "neighbours": [outcome.neighbours.name, *(model.name for model in related)],
    }
    (pack / "algorithms.json").write_text(json.dumps(names, sort_keys=True, indent=1) + "\n")


def _as_lists(items: Ints, scores: Floats, ids: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Rows padded with -1 as Arrow lists of ids and of scores."""
    found = items >= 0
    ends = np.concatenate([[0], np.cumsum(found.sum(axis=1))]).astype(np.int32)
    lists = pa.ListArray.from_arrays(ends, ids.take(pa.array(items[found])))
    return lists, pa.ListArray.from_arrays(ends, pa.array(scores[found]))


def _create(con: duckdb.DuckDBPyConnection, name: str) -> None:
    columns = ", ".join(f"{column.name} {column.type}" for column in TABLE_BY_NAME[name].columns)
    con.execute(f"CREATE OR REPLACE TABLE {name} ({columns})")


def _append(con: duckdb.DuckDBPyConnection, name: str, columns: dict[str, pa.Array]) -> None:
    con.register("block", pa.table(columns))
    con.execute(f"INSERT INTO {name} SELECT * FROM block")
    con.unregister("block")


@contextmanager
def _array(path: Path, shape: tuple[int, ...], dtype: Any) -> Iterator[NDArray[Any]]:
    """A new ``.npy`` file to be filled through memory and flushed at the end."""
    mapped = create_array(path, shape, dtype)
    yield mapped
    flush(mapped)
