"""Live segments at work on the journal: events change tags, time makes pending ones active, and each change to active
queues one notification; all of it inside the caller's write transaction (retention contract, section 11.2).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import Connection, select

from contracts.settings import LiveSegments as Terms
from segments.live import (
    Happened,
    LiveSegment,
    Tag,
    after_action,
    after_deadline,
    after_inaction,
    after_match,
    live_segment,
    matches,
)
from store.account_documents import KINDS, read_account
from store.journal import Write, documents, live_tags, outbox
from store.journal.live_tags import Key
from store.journal.schema import writes as writes_table
from store.webhooks.messages import tag_created

SECOND = timedelta(seconds=1)
SWEPT = 2_000  # tags of one transaction
READ = 5_000  # writes looked through at a time
_MINTED = re.compile(r"profile_[0-9a-f]{32}")


@dataclass(slots=True)
class _Changes:
    """What one transaction does to tags, by key: as they were and as they are."""

    before: dict[Key, Tag]
    inactions: dict[Key, set[datetime]] = field(default_factory=dict)
    known: dict[Key, set[datetime]] = field(default_factory=dict)
    after: dict[Key, Tag | None] = field(default_factory=dict)
    entered: list[Key] = field(default_factory=list)
    exited: list[tuple[Key, datetime]] = field(default_factory=list)

    def tag(self, key: Key) -> Tag | None:
        return self.after[key] if key in self.after else self.before.get(key)

    def set(self, key: Key, tag: Tag | None, now: datetime) -> None:
        """Note what became of a tag, and whether it became active or stopped being it. The same tag is nothing new."""
        old = self.tag(key)
        if tag == old:
            return
        self.after[key] = tag
        was, is_ = old is not None and old.active, tag is not None and tag.active
        if was and (not is_ or (tag is not None and old is not None and tag.created_at != old.created_at)):
            self.exited.append((key, now))
            was = False
        if is_ and not was:
            self.entered.append(key)


class LiveSegments:
    """Follows the live segments of one journal. Definitions are read again when a document changed."""

    def __init__(self, terms: Terms) -> None:
        self._oldest = timedelta(hours=terms.max_event_age)
        self._ttl = timedelta(days=terms.tag_ttl_days)
        self._revision = -1
        self._segments: dict[str, LiveSegment] = {}
        self._by_type: dict[str, list[LiveSegment]] = {}

    def on_writes(self, connection: Connection, stored: Sequence[Write], now: datetime) -> None:
        """Evaluate the events among writes that were just stored, in their order."""
        if self._read(connection) and any(write.entity == "events" for write in stored):
            self.on_events(connection, happened_in(stored), now)

    def on_events(
        self, connection: Connection, events: Iterable[Happened], now: datetime, arrived: datetime | None = None
    ) -> int:
        """Evaluate events in the order given; they arrived at ``arrived``, by default now. Returns how many tags became
        active.
        """
        if not self._read(connection):
            return 0
        oldest = self.oldest(arrived or now)
        hits = [
            (segment, event) for event in events if event.at >= oldest
            for segment in self._by_type.get(event.event_type, ())
        ]
        if not hits:
            return 0
        profiles = sorted({event.profile_id for _, event in hits})
        inactions = live_tags.inactions_of(connection, profiles)
        changes = _Changes(live_tags.of(connection, profiles), inactions, {key: {*at} for key, at in inactions.items()})
        for segment, event in hits:
            self._apply(changes, segment, event, now)
        self._write(connection, changes, now)
        return len(changes.entered)

    def sweep(self, connection: Connection, now: datetime, limit: int = SWEPT) -> int:
        """Turn at most ``limit`` overdue tags active, end those whose time is over; returns how many were changed.

        A deadline is over when its whole second is: events are dated to the second.
        """
        self._read(connection)
        changes = _Changes(live_tags.overdue(connection, now - SECOND, limit))
        changed = len(changes.before)
        for key, tag in list(changes.before.items()):
            changes.set(key, after_deadline(tag, now) if key[0] in self._segments else None, now)
        if self._ttl:
            ending = [one.segment_id for one in self._segments.values() if one.inaction is None]
            over = live_tags.matched_before(connection, ending, now - self._ttl, limit)
            changes.before.update(over)
            changed += len(over)
            for key in over:
                changes.set(key, None, now)
        self._write(connection, changes, now)
        live_tags.forget_inactions(connection, now - self._oldest)
        return changed

    def waits(self, connection: Connection, now: datetime) -> bool:
        """Whether a sweep would change something now."""
        due = live_tags.next_due(connection)
        if due is not None and due <= now - SECOND:
            return True
        if not self._ttl or not self._read(connection):
            return False
        ending = [one.segment_id for one in self._segments.values() if one.inaction is None]
        return bool(live_tags.matched_before(connection, ending, now - self._ttl, 1))

    def opened(self, connection: Connection, segment_id: str, now: datetime) -> None:
        """Note, right after a segment was stored, ends of episodes that arrived before it and are in the journal."""
        self._read(connection)
        self._revision = -1  # this transaction may not come to be
        segment = self._segments.get(segment_id)
        if segment is None or segment.inaction is None:
            return
        oldest = now - self._oldest
        found: dict[Key, set[datetime]] = {}
        for event in _journalled(connection, segment.inaction.event_type, oldest):
            if event.at >= oldest and matches(segment.inaction, event.event_type, event.properties):
                found.setdefault((segment_id, event.profile_id), set()).add(event.at)
        live_tags.add_inactions(connection, found)

    def closed(self, connection: Connection, segment_id: str, now: datetime) -> None:
        """Remove the tags of a segment that is deleted in this transaction."""
        live_tags.remove_segment(connection, segment_id, now)

    def _apply(self, changes: _Changes, segment: LiveSegment, event: Happened, now: datetime) -> None:
        key = segment.segment_id, event.profile_id
        acts = matches(segment.action, event.event_type, event.properties)
        tag = changes.tag(key)
        if segment.inaction is None:
            if acts:
                changes.set(key, after_match(tag, event.at, now, self._ttl), now)
            return
        if matches(segment.inaction, event.event_type, event.properties):
            changes.inactions.setdefault(key, set()).add(event.at)
            tag = after_inaction(tag, event.at)
            changes.set(key, tag, now)
        if acts:
            changes.set(key, after_action(segment, tag, event.at, changes.inactions.get(key, ())), now)

    def _write(self, connection: Connection, changes: _Changes, now: datetime) -> None:
        live_tags.put(connection, changes.after, changes.before)
        live_tags.add_inactions(connection, {
            key: at - changes.known.get(key, set()) for key, at in changes.inactions.items()
        })
        live_tags.log(connection, [(key, "exit", at) for key, at in changes.exited])
        live_tags.log(connection, [(key, "enter", now) for key in changes.entered])
        outbox.enqueue(connection, [
            tag_created(profile_id, segment_id, self._segments[segment_id].name, now)
            for segment_id, profile_id in changes.entered
        ])

    def _read(self, connection: Connection) -> bool:
        """Know the definitions as this transaction sees them; False when there are none."""
        revision = documents.revision(connection)
        if revision != self._revision:
            account = read_account({kind: documents.listed(connection, kind) for kind in KINDS})
            self._segments = {one.segment_id: live_segment(one) for one in account.segments if not one.past}
            self._by_type = {}
            for segment in self._segments.values():
                for event_type in segment.event_types:
                    self._by_type.setdefault(event_type, []).append(segment)
            self._revision = revision
        return bool(self._segments)

    @property
    def event_types(self) -> frozenset[str]:
        """Types that some live segment looks at, as of the last transaction."""
        return frozenset(self._by_type)

    def looks_at(self, connection: Connection) -> frozenset[str]:
        """Types of events that some live segment looks at now."""
        self._read(connection)
        return self.event_types

    def oldest(self, now: datetime) -> datetime:
        """Events before this arrive too late to be evaluated."""
        return now - self._oldest


def happened_in(stored: Iterable[Write]) -> Iterator[Happened]:
    """The events among writes, as segments look at them."""
    for write in stored:
        if write.entity == "events":
            yield happened(orjson.loads(write.body))


def happened(body: Mapping[str, Any]) -> Happened:
    """An event of the journal, by its body."""
    properties = dict(body.get("properties") or {})
    if body.get("item_id") is not None:
        properties.setdefault("item_id", body["item_id"])
    return Happened(_profile_of(body), str(body["event_type"]), _time_of(body), properties)


def _profile_of(body: Mapping[str, Any]) -> str:
    """The profile's id: as stored where the writer looked it up, else the one that a run would give."""
    asked = str(body["profile_id"])
    if body.get("typed") or "customer_id" in body or _MINTED.fullmatch(asked):
        return asked
    return "profile_" + hashlib.sha256(f"{asked}\n0".encode()).hexdigest()[:32]


def _time_of(body: Mapping[str, Any]) -> datetime:
    at = body.get("at")
    if at is not None:
        return datetime(1970, 1, 1) + timedelta(microseconds=int(at))
    return datetime.fromisoformat(str(body["created_at"]).removesuffix("Z"))


def _journalled(connection: Connection, event_type: str, since: datetime) -> Iterator[Happened]:
    """Events of a type that were received since a time and are still in the journal."""
    named = writes_table.c.body.contains(f'"event_type":{orjson.dumps(event_type).decode()}', autoescape=True)
    mine = (writes_table.c.entity == "events") & (writes_table.c.received_at >= since) & named
    query = select(writes_table.c.body).where(mine).execution_options(yield_per=READ)
    for body in connection.execute(query).scalars():
        yield happened(orjson.loads(body))
