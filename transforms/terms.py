"""What delivered rows are judged by, and what judging them gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from contracts.definitions import PropertyType
from transforms.layouts import Fault

Types = Mapping[tuple[str, str], PropertyType]


@dataclass(frozen=True, slots=True)
class Terms:
    """What a row is judged by.

    ``types`` are the registered ones by (parent, key); ``now`` is naive UTC and dates what has no date. ``deletions``:
    table ``profile_deletions`` has rows.
    """

    now: datetime
    latest: datetime
    event_types: frozenset[str]
    create_profiles: bool
    content_hash: str
    types: Types
    deletions: bool = False

    @staticmethod
    def at(
        now: datetime,
        future_hours: float,
        event_types: frozenset[str],
        create_profiles: bool,
        content_hash: str,
        types: Types,
        clock: datetime | None = None,
        *,
        deletions: bool = False,
    ) -> Terms:
        """``clock`` is the time that future dates are measured from, when it is not ``now``."""
        return Terms(
            now, (clock or now) + timedelta(hours=future_hours), event_types, create_profiles, content_hash, types,
            deletions,
        )


@dataclass(frozen=True, slots=True)
class Built:
    """SQL that checks and types the rows of one entity.

    ``relation`` has all that ``select`` (the entity's columns) and ``faults`` name. ``learned`` are property types to
    register when a good row has a value, as (parent, key, type); ``held``, where given, has for each the SQL that is
    true where a row has one. ``lacks`` is SQL that is true where a row has to wait.
    """

    relation: str
    select: str
    faults: tuple[Fault, ...]
    learned: tuple[tuple[str, str, PropertyType], ...]
    held: tuple[str, ...] = ()
    lacks: str = "false"


def stamp(moment: datetime) -> str:
    """A constant TIMESTAMP, for SQL."""
    return f"TIMESTAMP '{moment.isoformat(sep=' ', timespec='microseconds')}'"
