"""Materialized rows: for one reco type and one set of effective rules the head of every subject's list."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from store.pack.arrays import create_array, flush, map_array

FOLDER = "rows"
NARROW = 65_535
"""Up to so many items rows hold uint16; the greatest number is then the padding, as -1 is in int32."""


@dataclass(frozen=True, slots=True)
class RowIndex:
    """What ``rows/<number>`` holds. ``name`` is what analysts see; ``tables`` are the names under which a lookup may
    ask for it, none for what a case and the default scenario give together.
    """

    number: int
    reco_type: str
    digest: str
    name: str
    tables: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """As it stands in ``pack.json``."""
        return {
            "number": self.number, "reco_type": self.reco_type, "digest": self.digest, "name": self.name,
            "tables": list(self.tables),
        }

    @classmethod
    def of(cls, facts: dict[str, Any]) -> RowIndex:
        """From ``pack.json``."""
        return cls(facts["number"], facts["reco_type"], facts["digest"], facts["name"], tuple(facts["tables"]))


class RowsWriter:
    """Writes ``rows/<number>_items.npy`` (subjects, depth) and ``rows/<number>_lengths.npy`` uint16, shards in any
    order.
    """

    def __init__(self, pack: Path, number: int, subjects: int, depth: int, items: int) -> None:
        (pack / FOLDER).mkdir(exist_ok=True)
        narrow = items <= NARROW
        self._items = create_array(
            pack / FOLDER / f"{number}_items.npy", (subjects, depth), np.uint16 if narrow else np.int32
        )
        self._lengths = create_array(pack / FOLDER / f"{number}_lengths.npy", (subjects,), np.uint16)

    def put(self, start: int, items: npt.NDArray[np.int32], lengths: npt.NDArray[np.int32]) -> None:
        """Lists of the subjects from ``start`` on, padded with -1, and the lengths of the full lists."""
        # The padding -1 becomes the greatest uint16 by itself.
        self._items[start : start + len(items)] = items.astype(self._items.dtype)
        self._lengths[start : start + len(items)] = lengths

    def close(self) -> None:
        """Write what was put to disk."""
        flush(self._items)
        flush(self._lengths)


class Rows:
    """Read side: ``items`` (subjects, depth) uint16 or int32, valid up to min(length, depth); ``lengths`` uint16."""

    def __init__(self, pack: Path, index: RowIndex) -> None:
        self.index = index
        self.items: npt.NDArray[Any] = map_array(pack / FOLDER / f"{index.number}_items.npy")
        self.lengths: npt.NDArray[np.uint16] = map_array(pack / FOLDER / f"{index.number}_lengths.npy")
        self.depth = int(self.items.shape[1])

    def length(self, subject: int) -> int:
        """Items of the subject's full list, of which the row holds the first ``depth``."""
        return int(self.lengths[subject])

    def part(self, subject: int, offset: int, amount: int) -> list[int] | None:
        """Item rows at positions ``offset`` to ``offset + amount`` of the full list, fewer at its end; None when the
        row does not reach so far.
        """
        length = int(self.lengths[subject])
        end = min(offset + amount, length)
        if end > self.depth:
            return None
        found: list[int] = self.items[subject, offset:end].tolist()
        return found


def write_row_index(pack: Path, rows: Sequence[RowIndex]) -> None:
    """Say in ``pack.json`` which rows there are."""
    path = pack / "pack.json"
    facts = json.loads(path.read_bytes())
    facts["rows"] = [row.as_dict() for row in rows]
    path.write_text(json.dumps(facts, sort_keys=True, indent=1) + "\n")
