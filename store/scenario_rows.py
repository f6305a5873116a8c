"""The published table ``scenario_rows``: one Parquet file a set of rules, ids written by their dictionary."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from contracts.manifest import PublishedTable
from store.exports import published
from store.pack.rows import Rows

NAME = "scenario_rows"
BATCH = 20_000
_PLAIN = ("reco_type", "table_name", "rules_digest", "subject_id")
_SCHEMA = pa.schema([
    ("reco_type", pa.dictionary(pa.int32(), pa.string())), ("table_name", pa.dictionary(pa.int32(), pa.string())),
    ("rules_digest", pa.dictionary(pa.int32(), pa.string())), ("subject_id", pa.string()),
    ("item_ids", pa.list_(pa.dictionary(pa.int32(), pa.string()))), ("length", pa.int32()),
])


class ScenarioRows:
    """Writes the files one after the other; ``subject_ids`` by reco type and ``item_ids`` are in the order of rows."""

    def __init__(self, target: Path, subject_ids: dict[str, pa.Array], item_ids: pa.Array) -> None:
        self._target = target
        self._folder = target / "tables" / NAME
        self._folder.mkdir(parents=True, exist_ok=True)
        self._subject_ids = subject_ids
        self._item_ids = item_ids

    def add(self, rows: Rows, subjects: NDArray[np.int64]) -> None:
        """Write the rows of some subjects, a batch at a time."""
        index = rows.index
        ids = self._subject_ids[index.reco_type]
        with self._writer(index.number) as writer:
            for start in range(0, len(subjects), BATCH):
                some = subjects[start : start + BATCH]
                lengths = rows.lengths[some]
                listed = np.minimum(lengths, rows.depth).astype(np.int64)
                items = rows.items[some][np.arange(rows.depth) < listed[:, None]]
                ends = np.concatenate([[0], np.cumsum(listed)]).astype(np.int32)
                words = pa.DictionaryArray.from_arrays(pa.array(items.astype(np.int32)), self._item_ids)
                writer.write_batch(pa.record_batch([
                    *(_constant(text, len(some)) for text in (index.reco_type, index.name, index.digest)),
                    ids.take(pa.array(some)), pa.ListArray.from_arrays(ends, words),
                    pa.array(lengths.astype(np.int32)),
                ], schema=_SCHEMA), row_group_size=BATCH)

    def close(self) -> PublishedTable:
        """The table with all files; an empty one when nothing was added."""
        if not any(self._folder.iterdir()):
            self._writer(0).close()
        return published(NAME, self._target, sorted(self._folder.iterdir()))

    def _writer(self, number: int) -> pq.ParquetWriter:
        return pq.ParquetWriter(
            self._folder / f"{number:04}.parquet", _SCHEMA, compression="zstd", compression_level=1,
            write_statistics=list(_PLAIN),
        )


def _constant(text: str, rows: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([text]))
