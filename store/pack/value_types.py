"""Types of the keys of profiles and events that deliveries and writes registered, in the serving pack."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from contracts.value_types import KeyType

NAME = "value_types.json"
Row = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class ValueTypes:
    """``profiles`` by key in lower case, ``events`` by (event type, key)."""

    profiles: Mapping[str, KeyType] = field(default_factory=dict)
    events: Mapping[tuple[str, str], str] = field(default_factory=dict)


def write_value_types(folder: Path, rows: Iterable[Row]) -> None:
    """Write rows (entity, parent, key, type) of profiles and events into a pack's folder."""
    found = sorted(row for row in rows if row[0] in ("profiles", "events"))
    (folder / NAME).write_text(json.dumps(found, indent=0, ensure_ascii=False) + "\n", encoding="utf-8")


def read_value_types(folder: Path) -> ValueTypes:
    """The same; empty where the run was made without them."""
    path = folder / NAME
    rows = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    profiles: dict[str, KeyType] = {}
    for entity, parent, key, kind in rows:
        if entity == "profiles":
            profiles.setdefault(key.lower(), KeyType(key, parent, kind))
    return ValueTypes(profiles, {(row[1], row[2]): row[3] for row in rows if row[0] == "events"})
