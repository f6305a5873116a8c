"""What was written since the served run was made: the journal's writes above the run's watermark, ready for lookups."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable

import orjson

from store.journal import StoredWrite
from store.pack.read import ServingPack

_MINTED = re.compile(r"profile_[0-9a-f]{32}")
_NOTHING: frozenset[int] = frozenset()


def stranger_key(asked: str) -> str:
    """One name for a profile that the run does not know: its minted id, whichever of its ids was used."""
    if _MINTED.fullmatch(asked):
        return asked
    return "profile_" + hashlib.sha256(f"{asked}\n0".encode()).hexdigest()[:32]


class Overlay:
    """What profiles did since the run, as far as it changes an answer. ``seq``: highest write it contains.

    ``event_types``: the types that exclude their item; empty when interacted items may be recommended again.
    ``interactions``: the types that say what a profile unknown to the run is interested in. A new kind of write becomes
    one more entry of ``_reducers``; kinds without one do not change an answer.
    """

    RECENT = 20  # items kept of a profile that the run does not know

    def __init__(
        self, pack: ServingPack, event_types: frozenset[str], seq: int, interactions: frozenset[str] = frozenset()
    ) -> None:
        self.seq = seq
        self.writes = 0
        self._pack = pack
        self._event_types = event_types
        self._interactions = interactions
        self._seen: dict[int, set[int]] = {}
        self._strangers: dict[str, set[int]] = {}
        self._recent: dict[str, list[int]] = {}
        self._reducers: dict[str, Callable[[StoredWrite], None]] = {"events": self._event}

    def apply(self, writes: Iterable[StoredWrite]) -> None:
        """Take in further writes, in the order of their numbers."""
        for write in writes:
            reduce = self._reducers.get(write.entity)
            if reduce is not None:
                reduce(write)
            self.seq = write.seq
            self.writes += 1

    def seen(self, profile_row: int) -> set[int] | frozenset[int]:
        """Rows of the items a known profile interacted with since the run."""
        return self._seen.get(profile_row, _NOTHING)

    def seen_by_stranger(self, asked: str) -> set[int] | frozenset[int]:
        """The same for a profile that the run does not know."""
        if not self._strangers:
            return _NOTHING
        return self._strangers.get(stranger_key(asked), _NOTHING)

    def recent_of_stranger(self, asked: str) -> list[int]:
        """Rows of the items such a profile met last, each once, the newest first."""
        if not self._recent:
            return []
        return self._recent.get(stranger_key(asked), [])[::-1]

    def _event(self, write: StoredWrite) -> None:
        event = orjson.loads(write.body)
        item_id, kind = event.get("item_id"), event.get("event_type")
        excludes, interests = kind in self._event_types, kind in self._interactions
        if item_id is None or not (excludes or interests):
            return
        item = self._pack.item_row(item_id)
        if item < 0:
            return  # not in the run, so it is no candidate anyway
        row = self._pack.profile_row(write.entity_key)
        if row >= 0:
            if excludes:
                self._seen.setdefault(row, set()).add(item)
            return
        stranger = stranger_key(write.entity_key)
        if excludes:
            self._strangers.setdefault(stranger, set()).add(item)
        if interests:
            recent = self._recent.setdefault(stranger, [])
            if item in recent:
                recent.remove(item)
            recent.append(item)
            del recent[: -self.RECENT]
