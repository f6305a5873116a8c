"""Read side of the serving pack: everything is mapped, nothing is read before it is asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from contracts.errors import StorageError
from store.pack.arrays import map_array, map_flat, unreadable
from store.pack.blobs import Blob
from store.pack.ids import IdIndex

VERSION = 2


class Lists:
    """Lists of equal width, one a row: item positions (int32, padded with -1) and scores (float32).

    ``clean``: every item is eligible and padding stands only at the end of a row.
    """

    def __init__(self, folder: Path, name: str, clean: bool) -> None:
        self.clean = clean
        self.items: npt.NDArray[np.int32] = map_array(folder / f"{name}_items.npy")
        self.scores: npt.NDArray[np.float32] = map_array(folder / f"{name}_scores.npy")
        self.width = int(self.items.shape[1])
        self._flat = map_flat(folder / f"{name}_items.npy")

    def row(self, index: int) -> list[int]:
        """Item positions of a row, with its padding."""
        return self.head(index, self.width)

    def head(self, index: int, amount: int) -> list[int]:
        """The first ``amount`` item positions of a row (or all), with padding."""
        start = index * self.width
        found: list[int] = self._flat[start : start + min(amount, self.width)].tolist()
        return found


class ServingPack:
    """One run's data for the endpoint. Rows are ``profile_index`` and ``item_index``; -1 means unknown.

    ``eligible`` has one byte an item and a last one for the padding, which is 0, so that ``eligible[-1]`` is false.
    """

    def __init__(self, folder: Path) -> None:
        facts = _facts(folder)
        self.profile_count: int = facts["profiles"]
        self.item_count: int = facts["items"]
        self.models: list[str] = facts["models"]
        self.profiles = Blob(folder, "profiles")
        self.churn = Blob(folder, "churn")
        self.items = Blob(folder, "items")
        self.listed = Blob(folder, "listed")
        self.profile_ids = Blob(folder, "profile_ids")
        self.item_ids = Blob(folder, "item_ids")
        customer_ids = Blob(folder, "customer_ids")
        self._profile_index = IdIndex(folder, "profile", (self.profile_ids, customer_ids))
        self._item_index = IdIndex(folder, "item", (self.item_ids,))
        self.lists = Lists(folder, "lists", facts["clean"]["lists"])
        self.neighbours = Lists(folder, "neighbours", facts["clean"]["neighbours"])
        self.lists_model = map_flat(folder / "lists_model.npy")
        self.lists_cold = map_flat(folder / "lists_cold.npy")
        self.neighbours_model = map_flat(folder / "neighbours_model.npy")
        self.eligible = map_array(folder / "eligible.npy").tobytes() + b"\0"
        order = map_array(folder / "popularity_order.npy")
        mask = np.frombuffer(self.eligible, np.uint8)[:-1].astype(bool)
        self.popular = memoryview(cast("Any", order[mask[order]]))
        self.popularity_rank = map_array(folder / "popularity_rank.npy")
        self._seen_offsets = map_flat(folder / "seen_offsets.npy")
        self._seen_items = map_flat(folder / "seen_items.npy")

    def profile_row(self, text: str) -> int:
        """Row of a profile by its profile_id or customer_id (the former wins), or -1."""
        return self._profile_index.row(text.encode())

    def item_row(self, text: str) -> int:
        """Row of an item by its id, or -1."""
        return self._item_index.row(text.encode())

    def seen(self, profile_row: int) -> list[int]:
        """Rows of the items that a profile is not to be shown again, by events before the run's cut-off, rising."""
        start, end = self._seen_offsets[profile_row], self._seen_offsets[profile_row + 1]
        found: list[int] = self._seen_items[start:end].tolist()
        return found


def _facts(folder: Path) -> dict[str, Any]:
    try:
        facts: dict[str, Any] = json.loads((folder / "pack.json").read_bytes())
    except (OSError, ValueError) as error:
        raise unreadable(folder / "pack.json", error) from error
    if facts["version"] != VERSION:
        raise StorageError(
            f"the serving pack has version {facts['version']}, this program reads {VERSION}", hint="publish a new run"
        )
    return facts
