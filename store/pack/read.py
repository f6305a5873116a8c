"""Read side of the serving pack: everything is mapped, nothing is read before it is asked for."""

from __future__ import annotations

import json
from bisect import bisect_left
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from contracts.errors import StorageError
from scenarios.catalogue import Catalogue
from scenarios.columns import Column
from scenarios.history import History
from scenarios.spec import PropertyType
from store.pack.account import read_account
from store.pack.agent_reports import AgentReports
from store.pack.arrays import map_array, map_flat, unreadable
from store.pack.blobs import Blob
from store.pack.ids import IdIndex
from store.pack.listing import Listing
from store.pack.logs import Logs
from store.pack.policies import PolicyBook
from store.pack.rows import RowIndex, Rows
from store.pack.value_types import ValueTypes, read_value_types

VERSION = 5


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


class PackedWords:
    """A property's distinct strings, mapped; a ``scenarios.columns.Vocabulary`` in the order of their bytes."""

    def __init__(self, folder: Path, name: str) -> None:
        self._blob = Blob(folder, name)

    def __len__(self) -> int:
        return len(self._blob)

    def __getitem__(self, code: int) -> str:
        return self._blob[code].decode()

    def find(self, text: str) -> int:
        """Code of a string, -1 when no item has it."""
        sought = text.encode()
        at = bisect_left(self._blob, sought)
        return at if at < len(self._blob) and self._blob[at] == sought else -1


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
        self.customer_ids = Blob(folder, "customer_ids")
        self._profile_index = IdIndex(folder, "profile", (self.profile_ids, self.customer_ids))
        self._customers = Blob(folder, "customers")
        self._children = Blob(folder, "children")
        self._child_index = IdIndex(
            folder, "child", (Blob(folder, "child_ids"), Blob(folder, "child_customer_ids"))
        )
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
        self.event_types: tuple[str, ...] = tuple(facts["event_types"])
        self.history_events = map_flat(folder / "history_events.npy")
        self.history_rated = map_flat(folder / "history_rated.npy")
        self.history_ratings: npt.NDArray[np.float32] = map_array(folder / "history_ratings.npy")
        self._history = History(
            map_array(folder / "history_offsets.npy").view(np.int64), map_array(folder / "history_items.npy"),
            map_array(folder / "history_types.npy"), self.event_types,
        )
        self._folder = folder
        self.logs = Logs(folder, self.item_ids)
        self._algorithms: dict[str, list[str]] = facts["algorithms"]
        self._further_lists: dict[str, npt.NDArray[np.int32]] = {}
        self._properties: list[dict[str, Any]] = facts["properties"]
        self.row_index: tuple[RowIndex, ...] = tuple(map(RowIndex.of, facts["rows"]))

    def profile_row(self, text: str) -> int:
        """Row of a profile by its profile_id or customer_id (the former wins), or -1."""
        return self._profile_index.row(text.encode())

    def resolved_row(self, text: str) -> int:
        """The same, also by an id of a profile that was merged into it."""
        row = self.profile_row(text)
        if row < 0 and len(self._children):
            merge = self.merged(text)
            row = -1 if merge is None else self.profile_row(merge["parent"])
        return row

    @cached_property
    def account(self) -> dict[str, Any]:
        """Jobs, churn report and segment counts of the run, as ``store.pack.account`` describes them."""
        return read_account(self._folder)

    @cached_property
    def policies(self) -> PolicyBook:
        """The policies by which agents decide."""
        return PolicyBook(self._folder)

    def customer(self, profile_row: int) -> dict[str, Any]:
        """What the retention dialect adds to a profile: ``rfm_score``, ``rfm_segment_desc``, ``tags`` of past segments,
        ``exclusions`` from training, ``children`` merged into it; empty when there is none of it.
        """
        found: dict[str, Any] = json.loads(self._customers[profile_row] or b"{}")
        return found

    def merged(self, text: str) -> dict[str, Any] | None:
        """The merge that a profile_id or customer_id of a merged profile stands for, with its ``parent``; else None."""
        row = self._child_index.row(text.encode())
        return None if row < 0 else cast("dict[str, Any]", json.loads(self._children[row]))

    @cached_property
    def agent_reports(self) -> AgentReports:
        """What is told of agents."""
        return AgentReports(self._folder)

    def item_row(self, text: str) -> int:
        """Row of an item by its id, or -1."""
        return self._item_index.row(text.encode())

    def seen(self, profile_row: int) -> list[int]:
        """Rows of the items that a profile is not to be shown again, by events before the run's cut-off, rising."""
        start, end = self._seen_offsets[profile_row], self._seen_offsets[profile_row + 1]
        found: list[int] = self._seen_items[start:end].tolist()
        return found


    @cached_property
    def listing(self) -> Listing:
        """What lists of profiles and items go by."""
        return Listing(self._folder)

    @cached_property
    def value_types(self) -> ValueTypes:
        """Types of the keys of profiles and events."""
        return read_value_types(self._folder)

    @cached_property
    def property_types(self) -> dict[str, PropertyType]:
        """Type of every item property, by name in lower case."""
        return {
            entry["name"]: PropertyType(entry["value_type"], entry["repeated"]) for entry in self._properties
        }

    def catalogue(self) -> Catalogue:
        """The run's items with all their properties, mapped; the same object each time."""
        return self._catalogue

    @cached_property
    def _catalogue(self) -> Catalogue:
        folder = self._folder / "properties"
        columns = {}
        for number, (name, kind) in enumerate(self.property_types.items()):
            words = PackedWords(folder, f"{number}_words") if kind.family in ("string", "text") else None
            columns[name] = Column(
                name, kind, self.item_count, map_array(folder / f"{number}_rows.npy"),
                map_array(folder / f"{number}_values.npy"), map_array(folder / f"{number}_filled.npy"), words,
            )
        alive = np.frombuffer(self.eligible, np.uint8)[:-1]
        return Catalogue(
            self.item_count, np.asarray(self.popular, np.int32), alive, columns, self.item_row, self.neighbours.items
        )

    def history(self, rows: slice | npt.NDArray[np.int64]) -> History:
        """Histories of some profiles, in the order given; a slice (without a step) copies nothing."""
        whole = self._history
        if isinstance(rows, slice):
            start, stop, _ = rows.indices(self.profile_count)
            return History(whole.offsets[start : stop + 1], whole.items, whole.types, whole.type_names)
        starts, ends = whole.offsets[rows], whole.offsets[rows + 1]
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(ends - starts)])
        place = np.repeat(starts - offsets[:-1], ends - starts) + np.arange(offsets[-1])
        return History(offsets, whole.items[place], whole.types[place], whole.type_names)

    def history_of(self, profile_row: int) -> slice:
        """Where a profile's entries stand in ``history_ratings`` and in ``history(slice(None))``."""
        offsets = self._history.offsets
        return slice(int(offsets[profile_row]), int(offsets[profile_row + 1]))

    def met(self, profile_row: int) -> bool:
        """Whether a profile has any event with an item of the run."""
        place = self.history_of(profile_row)
        return int(place.start) < int(place.stop)

    @cached_property
    def materialized(self) -> dict[tuple[str, str], Rows]:
        """Rows by reco type and rules digest."""
        return {(index.reco_type, index.digest): Rows(self._folder, index) for index in self.row_index}

    @cached_property
    def tables(self) -> dict[str, Rows]:
        """Rows by table name: ``<reco_type>`` without rules, ``<reco_type>.<case>`` of a case."""
        return {name: self.materialized[row.reco_type, row.digest] for row in self.row_index for name in row.tables}

    def algorithms(self, reco_type: str) -> tuple[str, ...]:
        """Recommenders whose lists the run has for a reco type, in the order of preference."""
        return tuple(self._algorithms.get("neighbours" if reco_type.startswith("item") else "lists", ()))

    def base(self, reco_type: str, algorithm: str | None = None) -> npt.NDArray[np.int32]:
        """Lists that rules start from, int32 (subjects, K) padded with -1: of the preferred or of a named recommender.

        Raises KeyError for one whose lists the run does not have.
        """
        kind = "neighbours" if reco_type.startswith("item") else "lists"
        known = self._algorithms.get(kind, [])
        if algorithm is None or algorithm in known[:1]:
            return self.neighbours.items if kind == "neighbours" else self.lists.items
        if algorithm not in known:
            raise KeyError(algorithm)
        return self._further(f"{kind}.{algorithm}")

    def _further(self, name: str) -> npt.NDArray[np.int32]:
        found = self._further_lists.get(name)
        if found is None:
            found = self._further_lists[name] = map_array(self._folder / f"{name}_items.npy")
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
