"""What lists of profiles and items go by: order, and what they may be filtered by (retention contract, 2.4, 7)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from store.pack.arrays import map_array

NAME = "listing.json"
Rows = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Ordered:
    """All of one kind, in order: ``rows`` of the run, and the whole ``seconds`` since 1970 that they go by."""

    rows: Rows
    seconds: npt.NDArray[np.int64]

    @cached_property
    def places(self) -> Rows:
        """Place in the order by row, -1 for rows that are not listed. Rows beyond the last listed one have none."""
        found = np.full(int(self.rows.max(initial=-1)) + 1, -1, np.int32)
        found[self.rows] = np.arange(len(self.rows), dtype=np.int32)
        return found

    def place(self, row: int) -> int:
        """Place of a row, -1 when it is not listed."""
        return int(self.places[row]) if 0 <= row < len(self.places) else -1


class Listing:
    """Read side of ``store.pack.listing_tables``."""

    def __init__(self, folder: Path) -> None:
        self.profiles = Ordered(map_array(folder / "profile_order.npy"), map_array(folder / "profile_seconds.npy"))
        self.items = Ordered(map_array(folder / "item_order.npy"), map_array(folder / "item_seconds.npy"))
        self.rfm_scores: npt.NDArray[np.int16] = map_array(folder / "rfm_scores.npy")
        self._labels: npt.NDArray[np.uint8] = map_array(folder / "churn_labels.npy")
        self._members: Rows = map_array(folder / "member_rows.npy")
        self._facts = json.loads((folder / NAME).read_text())

    def labelled(self, label: str) -> npt.NDArray[np.bool_]:
        """Which profiles, by row, have a churn label."""
        known: list[str] = self._facts["churn_labels"]
        return np.equal(self._labels, known.index(label) if label in known else len(known))

    def members(self, segment_id: str) -> Rows:
        """Rows of a past segment's members."""
        starts: dict[str, int] = self._facts["segments"]
        if segment_id not in starts:
            return np.empty(0, np.int32)
        further = [start for start in starts.values() if start > starts[segment_id]]
        return self._members[starts[segment_id] : min(further, default=len(self._members))]


NOTHING = Ordered(np.empty(0, np.int32), np.empty(0, np.int64))
