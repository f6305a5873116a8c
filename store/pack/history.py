"""What every profile did with which item, in the serving pack: for exclusions, counts and ratings at lookup."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from scenarios.history import History
from store.pack.arrays import create_array, flush, save_array

RATING = "rating"
"""The reserved event type of an explicit rating; its property of the same name holds the value."""
BATCH = 50_000

# Of several ratings of one item the newest counts, of equal times the greatest.
_MET = f"""
    SELECT profiles.profile_index, items.item_index, kinds.code,
           max_by(events.rating::FLOAT, (events.created_at, events.rating))
               FILTER (events.rating IS NOT NULL) AS rating
    FROM (
        SELECT profile_id, item_id, event_type, created_at,
               CASE WHEN event_type = '{RATING}' THEN TRY_CAST(properties ->> '$.{RATING}' AS DOUBLE) END AS rating
        FROM events
    ) AS events
    JOIN profiles USING (profile_id)
    JOIN items USING (item_id)
    JOIN kinds USING (event_type)
    GROUP BY ALL
"""
_COUNTS = f"""
    SELECT profile_index, coalesce(events, 0)::INTEGER, coalesce(rated, 0)::INTEGER
    FROM profiles LEFT JOIN (
        SELECT profile_id, count(*) FILTER (event_type <> '{RATING}') AS events, count(DISTINCT item_id) AS rated
        FROM events WHERE item_id IS NOT NULL GROUP BY profile_id
    ) USING (profile_id)
    ORDER BY profile_index
"""


def write_history(con: duckdb.DuckDBPyConnection, folder: Path, profiles: int) -> list[str]:
    """Write the histories of all ``profiles`` under ``folder``; returns the event types, by code.

    ``con`` has the relations ``events``, ``profiles`` and ``items``. One entry is a distinct (profile, item, type) of
    an item of the run: ``history_offsets.npy`` uint64 (profiles + 1,), ``history_items.npy`` int32 and
    ``history_types.npy`` uint16, by item and type within a profile, ``history_ratings.npy`` float32 (not a number
    where the entry is no rating). Of all events with an item, known or not: ``history_events.npy`` int32, how many
    that are no ratings, and ``history_rated.npy`` int32, distinct items.
    """
    con.execute(
        "CREATE OR REPLACE TABLE kinds AS SELECT event_type, (row_number() OVER (ORDER BY event_type) - 1)::USMALLINT "
        "AS code FROM (SELECT DISTINCT event_type FROM events WHERE item_id IS NOT NULL)"
    )
    con.execute(f"CREATE OR REPLACE TABLE met AS {_MET}")
    found = con.execute("SELECT count(*) FROM met").fetchone()
    assert found is not None
    total = int(found[0])
    items = create_array(folder / "history_items.npy", (total,), np.int32)
    types = create_array(folder / "history_types.npy", (total,), np.uint16)
    ratings = create_array(folder / "history_ratings.npy", (total,), np.float32)
    counts = np.zeros(profiles, np.uint64)
    at = 0
    for batch in _batches(con, "SELECT profile_index, item_index, code, coalesce(rating, 'nan'::FLOAT) FROM met "
                               "ORDER BY profile_index, item_index, code"):
        end = at + batch.num_rows
        owners = batch.column(0).to_numpy()
        np.add.at(counts, owners, np.uint64(1))
        items[at:end] = batch.column(1).to_numpy()
        types[at:end] = batch.column(2).to_numpy()
        ratings[at:end] = batch.column(3).to_numpy()
        at = end
    for array in (items, types, ratings):
        flush(array)
    save_array(folder / "history_offsets.npy", np.concatenate([np.zeros(1, np.uint64), np.cumsum(counts)]))
    events, rated = np.zeros(profiles, np.int32), np.zeros(profiles, np.int32)
    for batch in _batches(con, _COUNTS):
        rows = batch.column(0).to_numpy()
        events[rows], rated[rows] = batch.column(1).to_numpy(), batch.column(2).to_numpy()
    save_array(folder / "history_events.npy", events)
    save_array(folder / "history_rated.npy", rated)
    names = [str(name) for (name,) in con.execute("SELECT event_type FROM kinds ORDER BY code").fetchall()]
    con.execute("DROP TABLE met")
    con.execute("DROP TABLE kinds")
    return names


def _batches(con: duckdb.DuckDBPyConnection, query: str) -> Iterator[pa.RecordBatch]:
    reader: Any = con.execute(query).to_arrow_reader(BATCH)
    yield from reader


def history_before(con: duckdb.DuckDBPyConnection, profiles: NDArray[np.int64], before: datetime) -> History:
    """What some profiles (by profile_index, in that order) had met before a time: as ``write_history`` writes it, of
    events before it only. ``con`` has the same relations.
    """
    con.register("asked", pa.table({"profile_index": profiles, "place": np.arange(len(profiles))}))
    found = con.execute(
        "SELECT DISTINCT asked.place, items.item_index, events.event_type FROM events "
        "JOIN profiles USING (profile_id) JOIN items USING (item_id) JOIN asked USING (profile_index) "
        "WHERE events.created_at < $before ORDER BY ALL", {"before": before},
    ).to_arrow_table()
    con.unregister("asked")
    kinds = found.column(2).combine_chunks().dictionary_encode()
    counts = np.bincount(found.column(0).to_numpy(), minlength=len(profiles))
    return History(
        np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]), found.column(1).to_numpy().astype(np.int32),
        kinds.indices.to_numpy().astype(np.uint16), tuple(kinds.dictionary.to_pylist()),
    )


@dataclass(frozen=True, slots=True)
class Seeds:
    """The newest distinct items of subjects: subject s has ``items[offsets[s] : offsets[s + 1]]``, the newest first,
    each met by an event of ``types`` (codes into ``type_names``) with ``ratings``, not a number where it is none.
    """

    offsets: NDArray[np.int64]
    items: NDArray[np.int32]
    types: NDArray[np.int32]
    ratings: NDArray[np.float64]
    type_names: tuple[str, ...]


def seeds_before(con: duckdb.DuckDBPyConnection, profiles: NDArray[np.int64], before: datetime, most: int) -> Seeds:
    """The ``most`` newest distinct items that some profiles had met before a time. ``con`` as in ``history_before``."""
    con.register("asked", pa.table({"profile_index": profiles, "place": np.arange(len(profiles))}))
    found = con.execute(
        "SELECT place, item_index, event_type, rating FROM ("
        "SELECT asked.place, items.item_index, events.event_type, events.created_at, events.event_id, "
        f"CASE WHEN event_type = '{RATING}' THEN TRY_CAST(events.properties ->> '$.{RATING}' AS DOUBLE) END AS rating "
        "FROM events JOIN profiles USING (profile_id) JOIN items USING (item_id) JOIN asked USING (profile_index) "
        "WHERE events.created_at < $before "
        "QUALIFY row_number() OVER (PARTITION BY place, item_index "
        "ORDER BY events.created_at DESC, events.event_id DESC) = 1) "
        "QUALIFY row_number() OVER (PARTITION BY place ORDER BY created_at DESC, event_id DESC) <= $most "
        "ORDER BY place, created_at DESC, event_id DESC",
        {"before": before, "most": most},
    ).to_arrow_table()
    con.unregister("asked")
    kinds = found.column(2).combine_chunks().dictionary_encode()
    counts = np.bincount(found.column(0).to_numpy(), minlength=len(profiles))
    return Seeds(
        np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]), found.column(1).to_numpy().astype(np.int32),
        kinds.indices.to_numpy().astype(np.int32), found.column(3).fill_null(float("nan")).to_numpy(),
        tuple(kinds.dictionary.to_pylist()),
    )
