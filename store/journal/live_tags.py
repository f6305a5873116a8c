"""Tags of live segments in the journal: as they stand, when they came and went, and the events that ended episodes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, Select, bindparam, delete, func, insert, select

from segments.live import Tag
from store.journal.schema import live_inactions, live_tag_changes
from store.journal.schema import live_tags as table

Key = tuple[str, str]
"""Segment id and profile id."""
CHUNK = 500


def of(connection: Connection, profiles: Sequence[str]) -> dict[Key, Tag]:
    """Pending and active tags of profiles."""
    return {
        key: tag for chunk in _chunks(profiles)
        for key, tag in _read(connection, select(table).where(table.c.profile_id.in_(chunk)))
    }


def active_of(connection: Connection, profiles: Sequence[str]) -> dict[str, list[tuple[str, datetime]]]:
    """Segment id and time of the active tags of profiles, the earliest first."""
    found: dict[str, list[tuple[str, datetime]]] = {}
    for (segment_id, profile_id), tag in of(connection, profiles).items():
        if tag.created_at is not None:
            found.setdefault(profile_id, []).append((segment_id, tag.created_at))
    return {profile_id: sorted(tags, key=lambda tag: (tag[1], tag[0])) for profile_id, tags in found.items()}


def members(connection: Connection, segment_id: str) -> list[str]:
    """Profiles with an active tag of a segment, by id."""
    mine = (table.c.segment_id == segment_id) & (table.c.status == "active")
    return list(connection.scalars(select(table.c.profile_id).where(mine).order_by(table.c.profile_id)))


def counts(connection: Connection) -> dict[str, int]:
    """How many profiles have an active tag, by segment."""
    query = select(table.c.segment_id, func.count()).where(table.c.status == "active").group_by(table.c.segment_id)
    return {segment_id: int(count) for segment_id, count in connection.execute(query)}


def changes(connection: Connection) -> list[tuple[str, str, Literal["enter", "exit"], datetime]]:
    """When tags became active (``enter``) and stopped being it: segment, profile, change, time; in their order."""
    log = live_tag_changes.c
    query = select(log.segment_id, log.profile_id, log.change, log.at).order_by(log.number)
    return [(row.segment_id, row.profile_id, row.change, row.at) for row in connection.execute(query)]


def next_due(connection: Connection) -> datetime | None:
    """The earliest deadline of a pending tag."""
    found: datetime | None = connection.scalar(select(func.min(table.c.due_at)))
    return found


def overdue(connection: Connection, at: datetime, limit: int) -> dict[Key, Tag]:
    """Pending tags with a deadline of ``at`` or before, the earliest first."""
    order = table.c.due_at, table.c.segment_id, table.c.profile_id
    return dict(_read(connection, select(table).where(table.c.due_at <= at).order_by(*order).limit(limit)))


def matched_before(connection: Connection, segments: Sequence[str], at: datetime, limit: int) -> dict[Key, Tag]:
    """Active tags of segments whose last match was at ``at`` or before."""
    mine = (table.c.status == "active") & table.c.segment_id.in_(list(segments)) & (table.c.last_match_at <= at)
    return dict(_read(connection, select(table).where(mine).order_by(table.c.last_match_at).limit(limit)))


def put(connection: Connection, after: Mapping[Key, Tag | None], before: Mapping[Key, Tag]) -> None:
    """Store tags as they are now; None removes one."""
    _remove(connection, [key for key in after if key in before])
    rows = [
        {
            "segment_id": key[0], "profile_id": key[1], "status": tag.status, "opened_at": tag.opened_at,
            "due_at": tag.due_at, "created_at": tag.created_at, "last_match_at": tag.last_match_at,
        }
        for key, tag in after.items() if tag is not None
    ]
    if rows:
        connection.execute(insert(table), rows)


def log(connection: Connection, entries: Sequence[tuple[Key, str, datetime]]) -> None:
    """Note that tags came or went."""
    if entries:
        connection.execute(insert(live_tag_changes), [
            {"segment_id": key[0], "profile_id": key[1], "change": change, "at": at} for key, change, at in entries
        ])


def inactions_of(connection: Connection, profiles: Sequence[str]) -> dict[Key, set[datetime]]:
    """Times of the known events of profiles that end an episode."""
    found: dict[Key, set[datetime]] = {}
    for chunk in _chunks(profiles):
        query = select(live_inactions).where(live_inactions.c.profile_id.in_(chunk))
        for row in connection.execute(query):
            found.setdefault((row.segment_id, row.profile_id), set()).add(row.at)
    return found


def add_inactions(connection: Connection, fresh: Mapping[Key, Iterable[datetime]]) -> None:
    """Remember such events; they must not be known yet."""
    rows = [
        {"segment_id": key[0], "profile_id": key[1], "at": at} for key, times in fresh.items() for at in sorted(times)
    ]
    if rows:
        connection.execute(insert(live_inactions), rows)


def forget_inactions(connection: Connection, before: datetime) -> None:
    """Forget those from which no episode can start any more."""
    connection.execute(delete(live_inactions).where(live_inactions.c.at < before))


def remove_segment(connection: Connection, segment_id: str, now: datetime) -> None:
    """Remove everything of a segment."""
    log(connection, [((segment_id, profile_id), "exit", now) for profile_id in members(connection, segment_id)])
    connection.execute(delete(table).where(table.c.segment_id == segment_id))
    connection.execute(delete(live_inactions).where(live_inactions.c.segment_id == segment_id))


def remove_profiles(connection: Connection, profiles: Sequence[str], now: datetime) -> None:
    """Remove everything of profiles."""
    gone = of(connection, profiles)
    log(connection, [(key, "exit", now) for key, tag in sorted(gone.items(), key=lambda one: one[0]) if tag.active])
    for chunk in _chunks(profiles):
        for store in (table, live_inactions):
            connection.execute(delete(store).where(store.c.profile_id.in_(chunk)))


def merge(connection: Connection, child: str, parent: str, now: datetime) -> None:
    """Move a child's tags to its parent: of two the earlier active one stays, and an active one beats a pending one."""
    tags = of(connection, [child, parent])
    moved: dict[Key, Tag | None] = {}
    for (segment_id, profile_id), tag in tags.items():
        if profile_id != child:
            continue
        moved[segment_id, child] = None
        other = tags.get((segment_id, parent))
        if other is None or _beats(tag, other):
            moved[segment_id, parent] = tag
    for key, tag_now in moved.items():
        before = tags.get(key)
        if before is not None and before.active and tag_now is None:
            log(connection, [(key, "exit", now)])
        elif tag_now is not None and tag_now.active and (before is None or not before.active):
            log(connection, [(key, "enter", now)])
    put(connection, moved, tags)
    known = inactions_of(connection, [child, parent])
    ends = {segment_id: at for (segment_id, profile_id), at in known.items() if profile_id == child}
    connection.execute(delete(live_inactions).where(live_inactions.c.profile_id == child))
    add_inactions(connection, {
        (segment_id, parent): at - known.get((segment_id, parent), set()) for segment_id, at in ends.items()
    })


def _beats(tag: Tag, other: Tag) -> bool:
    if tag.active != other.active:
        return tag.active
    return (tag.created_at or tag.opened_at) < (other.created_at or other.opened_at)


def _read(connection: Connection, query: Select[Any]) -> Iterator[tuple[Key, Tag]]:
    for row in connection.execute(query):
        yield (row.segment_id, row.profile_id), _tag(row)


def _tag(row: Row[Any]) -> Tag:
    return Tag(row.status, row.opened_at, row.due_at, row.created_at, row.last_match_at)


def _remove(connection: Connection, keys: Sequence[Key]) -> None:
    if keys:
        one = (table.c.segment_id == bindparam("a")) & (table.c.profile_id == bindparam("b"))
        connection.execute(delete(table).where(one), [{"a": segment, "b": profile} for segment, profile in keys])


def _chunks(names: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(names), CHUNK):
        yield list(names[start : start + CHUNK])
