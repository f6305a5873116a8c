"""What happened, row by row, in the serving pack: interactions by profile and by session, ratings, sessions, and the
order of the profiles' own ids.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from scenarios.spec import PropertyType
from store.pack.arrays import map_flat, unreadable
from store.pack.blobs import Blob
from store.pack.ids import IdIndex

RATING = "rating"
NO_OWNER, OTHER_OWNER = -1, -2
"""A session is nobody's yet; or of a profile that the run does not have."""


class Interaction(NamedTuple):
    """One event with an item. ``at``: microseconds since 1970, UTC; ``properties``: a JSON object, empty for none."""

    at: int
    event_type: str
    item_id: str
    properties: bytes = b""


class Rated(NamedTuple):
    """The last rating of one item."""

    item_id: str
    rating: float
    at: int


class Log:
    """Read side of one log: the interactions of a subject, by time."""

    def __init__(self, folder: Path, name: str, names: tuple[str, ...], item_id: Any) -> None:
        self.offsets = map_flat(folder / f"{name}_offsets.npy")
        self._items = map_flat(folder / f"{name}_items.npy")
        self._types = map_flat(folder / f"{name}_types.npy")
        self._times = map_flat(folder / f"{name}_times.npy")
        self._properties = Blob(folder, f"{name}_properties")
        self._names = names
        self._item_id = item_id

    def of(self, subject: int) -> list[Interaction]:
        """Interactions of the subject in a row."""
        return [
            Interaction(
                self._times[at], self._names[self._types[at]], self._item_id(self._items[at]), self._properties[at]
            )
            for at in range(self.offsets[subject], self.offsets[subject + 1])
        ]

    def count(self, subject: int) -> int:
        """How many there are."""
        return int(self.offsets[subject + 1] - self.offsets[subject])

    def between(self, start: float, end: float) -> list[int]:
        """Subjects with an interaction in these times (microseconds, both included), rising."""
        offsets, times = np.asarray(self.offsets), np.asarray(self._times)
        places = np.flatnonzero((times >= start) & (times <= end))
        found: list[int] = np.unique(np.searchsorted(offsets, places, side="right") - 1).tolist()
        return found


class Logs:
    """Read side of ``store.pack.log_tables``. ``item_ids``: the blob of the run's items."""

    def __init__(self, folder: Path, item_ids: Blob) -> None:
        try:
            facts = json.loads((folder / "logs.json").read_bytes())
        except (OSError, ValueError) as error:
            raise unreadable(folder / "logs.json", error) from error
        names = tuple(facts["event_types"])
        self.profile_types = {
            entry["name"]: PropertyType(entry["value_type"], entry["repeated"]) for entry in facts["profile_types"]
        }
        self._item_ids, self._others = item_ids, Blob(folder, "other_items")
        self.profiles = Log(folder, "log", names, self._item_id)
        self.sessions = Log(folder, "session_log", names, self._item_id)
        self._ratings_offsets = map_flat(folder / "ratings_offsets.npy")
        self._ratings_items = map_flat(folder / "ratings_items.npy")
        self._ratings_values = map_flat(folder / "ratings_values.npy")
        self._ratings_times = map_flat(folder / "ratings_times.npy")
        self.session_ids = Blob(folder, "session_ids")
        self.session_profile_ids = Blob(folder, "session_profile_ids")
        self.session_customer_ids = Blob(folder, "session_customer_ids")
        self.session_owners = map_flat(folder / "session_owners.npy")
        self.session_at = map_flat(folder / "session_at.npy")
        self._session_index = IdIndex(folder, "session", (self.session_ids,))
        self.customer_order = map_flat(folder / "customer_order.npy")
        self.implicit = map_flat(folder / "implicit.npy")

    def ratings(self, profile_row: int) -> list[Rated]:
        """Ratings of a profile, by item id."""
        return [
            Rated(self._item_id(self._ratings_items[at]), self._ratings_values[at], self._ratings_times[at])
            for at in range(self._ratings_offsets[profile_row], self._ratings_offsets[profile_row + 1])
        ]

    def rated(self) -> list[int]:
        """Profiles that rated something, rising."""
        found: list[int] = np.flatnonzero(np.diff(np.asarray(self._ratings_offsets))).tolist()
        return found

    def session_row(self, session_id: str) -> int:
        """Row of a session by its id, or -1."""
        return self._session_index.row(session_id.encode())

    def _item_id(self, code: int) -> str:
        known = len(self._item_ids)
        return (self._item_ids[code] if code < known else self._others[code - known]).decode()
