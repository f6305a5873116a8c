"""Writes what lists of profiles and items go by into the serving pack; ``store.pack.listing`` reads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt

from store.pack.arrays import save_array
from store.pack.listing import NAME


def write_listing(con: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Write under ``folder`` what the relations ``profiles``, ``items``, ``churn``, ``rfm`` and ``segment_members`` of
    ``con`` say. Equal relations give equal bytes.

    ``<noun>_order``: rows by (created_at in whole seconds, id), of profiles only those that somebody described;
    ``<noun>_seconds``: these seconds. By profile_index: ``rfm_scores`` (0: none) and ``churn_labels`` (0: none, else
    the label's place in ``listing.json``). ``member_rows``: rows of past segments' members, segment by segment.
    """
    for noun, index, key, described in (
        ("profile", "profile_index", "profile_id", "NOT implicit"), ("item", "item_index", "item_id", "true")
    ):
        found = con.execute(
            f"SELECT {index}::INTEGER AS row_index, coalesce(floor(epoch(created_at)), 0)::BIGINT AS seconds "
            f"FROM {noun}s WHERE {described} ORDER BY seconds, {key}"
        ).fetchnumpy()
        save_array(folder / f"{noun}_order.npy", _plain(found["row_index"], np.int32))
        save_array(folder / f"{noun}_seconds.npy", _plain(found["seconds"], np.int64))
    found = con.execute(
        "SELECT coalesce(r.rfm_score, 0)::SMALLINT AS score, coalesce(c.churn_probability, '') AS label FROM profiles "
        "LEFT JOIN rfm r USING (profile_id) LEFT JOIN churn c USING (profile_id) ORDER BY profile_index"
    ).fetchnumpy()
    save_array(folder / "rfm_scores.npy", _plain(found["score"], np.int16))
    labels, codes = np.unique(np.append(np.ma.getdata(found["label"]).astype(str), ""), return_inverse=True)
    save_array(folder / "churn_labels.npy", codes[:-1].astype(np.uint8))
    found = con.execute(
        "SELECT segment_id, profile_index::INTEGER AS row_index FROM segment_members JOIN profiles USING (profile_id) "
        "ORDER BY segment_id, row_index"
    ).fetchnumpy()
    segments, starts = np.unique(np.ma.getdata(found["segment_id"]).astype(str), return_index=True)
    save_array(folder / "member_rows.npy", _plain(found["row_index"], np.int32))
    facts = {"churn_labels": labels.tolist(), "segments": dict(zip(segments.tolist(), starts.tolist(), strict=True))}
    (folder / NAME).write_text(json.dumps(facts, sort_keys=True, indent=1) + "\n")


def _plain(column: Any, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    return np.ma.getdata(column).astype(dtype)
