"""What was written since the served run was made: the journal's writes above the run's watermark, ready for lookups."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from serving.changes import Changes, stranger_key
from serving.run_side import FIELDS, PackRun, Values
from store.journal import StoredWrite
from store.pack.read import ServingPack

__all__ = ["Overlay", "stranger_key"]

_NOTHING: frozenset[int] = frozenset()


class Overlay:
    """What was written since the run, as far as it changes an answer. ``seq``: highest write it contains.

    ``event_types``: the types that exclude their item; empty when interacted items may be recommended again.
    ``interactions``: the types that say what a profile unknown to the run is interested in. ``changes`` has everything
    that was written; here is what the plain lookups read at every request.
    """

    RECENT = 20  # items kept of a profile that the run does not know

    def __init__(
        self, pack: ServingPack, event_types: frozenset[str], seq: int, interactions: frozenset[str] = frozenset()
    ) -> None:
        self.seq = seq
        self.writes = 0
        self.run = PackRun(pack)
        self.changes = Changes(self.run, self._met)
        self.gone: frozenset[int] = _NOTHING
        self._pack = pack
        self._event_types = event_types
        self._interactions = interactions
        self._seen: dict[int, set[int]] = {}
        self._strangers: dict[str, set[int]] = {}
        self._recent: dict[str, list[int]] = {}
        self._followed = 0

    def apply(self, writes: Iterable[StoredWrite]) -> None:
        """Take in further writes, in the order of their numbers."""
        reducers = self.changes.reducers
        for write in writes:
            reduce = reducers.get(write.entity)
            if reduce is not None:
                reduce(write, orjson.loads(write.body))
            self.seq = write.seq
            self.writes += 1
        changed = self.changes.items.changed
        if self._followed < len(changed):
            self._follow_items(changed[self._followed :])
            self._followed = len(changed)

    @property
    def items_changed(self) -> int:
        """Grows with every write of an item."""
        return self._followed

    def seen(self, profile_row: int) -> set[int] | frozenset[int]:
        """Rows of the items a known profile interacted with since the run."""
        return self._seen.get(profile_row, _NOTHING)

    def seen_by_stranger(self, asked: str) -> set[int] | frozenset[int]:
        """The same for a profile that the run does not know."""
        if not self._strangers:
            return _NOTHING
        return self._strangers.get(self.changes.key(asked), _NOTHING)

    def recent_of_stranger(self, asked: str) -> list[int]:
        """Rows of the items such a profile met last, each once, the newest first."""
        if not self._recent:
            return []
        return self._recent.get(self.changes.key(asked), [])[::-1]

    def item(self, item_id: str) -> bytes | None:
        """An item as JSON, None when there is none."""
        row = self._pack.item_row(item_id)
        written = self.changes.items.rows.get(item_id)
        if written is None:
            return self._pack.items[row] if row >= 0 else None
        if written.deleted:
            return None
        base = orjson.loads(self._pack.items[row]) if row >= 0 else {"item_id": item_id, "status": "active"}
        values = self.changes.items.values(item_id, lambda: self.run.item_values(row) if row >= 0 else {})
        return orjson.dumps(_item(base, values))

    def listed(self, row: int) -> bytes:
        """The part of a list's entry that says what the item is: an open JSON object, the score follows."""
        written = self.changes.items.rows.get(self.run.items[row]) if self.changes.items.rows else None
        if written is None:
            return self._pack.listed[row]
        item = orjson.loads(self.item(self.run.items[row]) or self._pack.items[row])
        names = ("item_id", "item_name", "item_category", "item_price")
        return orjson.dumps({name: item[name] for name in names})[:-1] + b',"score":'

    def profile(self, asked: str) -> bytes | None:
        """A profile as JSON, None when nobody described it."""
        key = self.changes.key(asked)
        row = self.changes.profile_row(key)
        written = self.changes.profiles.rows.get(key)
        if written is None:
            return self._pack.profiles[row] if row >= 0 else None
        if written.deleted:
            return None
        if row >= 0:
            base = orjson.loads(self._pack.profiles[row])
        else:
            base = {
                "profile_id": key, "customer_id": self.changes.customers.get(key), "has_charged": False,
                "status": "active", "profile_data": {}, "platform_info": {}, "created_at": None, "updated_at": None,
            }
        base["profile_data"] = dict(sorted(
            self.changes.profiles.values(key, lambda: self.run.profile_values(row) if row >= 0 else {}).items()
        ))
        facts = self.changes.profile_facts[key]
        if facts.platform_info is not None:
            base["platform_info"] = facts.platform_info
        base["has_charged"] = facts.charged or (base["has_charged"] if facts.has_charged is None else facts.has_charged)
        base["status"] = facts.status_over(base["status"])
        return orjson.dumps(base)

    def _follow_items(self, changed: list[str]) -> None:
        gone = set(self.gone)
        for item_id in changed:
            row = self._pack.item_row(item_id)
            if row >= 0:
                (gone.add if self.changes.items.rows[item_id].deleted else gone.discard)(row)
        self.gone = frozenset(gone)

    def _met(self, key: str, kind: str, item_id: str) -> None:
        excludes, interests = kind in self._event_types, kind in self._interactions
        if not (excludes or interests):
            return
        item = self._pack.item_row(item_id)
        if item < 0:
            return  # not in the run, so it is no candidate anyway
        row = self._pack.profile_row(key)
        if row >= 0:
            if excludes:
                self._seen.setdefault(row, set()).add(item)
            return
        if excludes:
            self._strangers.setdefault(key, set()).add(item)
        if interests:
            recent = self._recent.setdefault(key, [])
            if item in recent:
                recent.remove(item)
            recent.append(item)
            del recent[: -self.RECENT]


def _item(base: dict[str, Any], values: Values) -> dict[str, Any]:
    """An item as a run would write it, with other values."""
    own: dict[str, Any] = dict.fromkeys(FIELDS)
    for name in FIELDS:
        wanted: type = int if name == "item_price" else str
        if type(values.get(name)) is wanted:
            own[name] = values[name]
    properties = {name: values[name] for name in sorted(values) if own.get(name) is None}
    return {
        "item_id": base["item_id"], **own, "status": base["status"], "properties": properties,
        "created_at": base.get("created_at"), "updated_at": base.get("updated_at"),
    }
