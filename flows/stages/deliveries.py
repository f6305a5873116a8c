"""Files delivered, and what is written down of each: what became of its rows, that it was refused or came twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from contracts.definitions import ENTITIES, Entity, Source
from contracts.errors import DropRefused
from store import warehouse


@dataclass(frozen=True, slots=True)
class FileLoad:
    """What became of one file, for one entity. ``rows_in`` is the sum of the other four; ``skips`` has
    ``rows_skipped`` by rule.
    """

    load_id: int
    entity: str
    resource: str
    file: str
    content_hash: str
    status: str
    rows_in: int = 0
    rows_loaded: int = 0
    rows_already: int = 0
    rows_skipped: int = 0
    rows_quarantined: int = 0
    message: str = ""
    loaded_at: datetime | None = None
    skips: Mapping[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The row as plain values."""
        return asdict(self)



@dataclass(frozen=True, slots=True)
class Drift:
    """One column of a resource that is not as in its load before: ``new``, ``lost`` or ``retyped``."""

    resource: str
    file: str
    column: str
    change: str
    type: str



@dataclass(frozen=True, slots=True)
class Delivery:
    """One file to load. ``resource`` is an entity (a plain drop) or a source mapping."""

    name: str
    path: Path
    content_hash: str
    resource: Entity | Source

    @property
    def resource_name(self) -> str:
        return self.resource.name if isinstance(self.resource, Source) else self.resource

    @property
    def entities(self) -> tuple[Entity, ...]:
        if isinstance(self.resource, Source):
            named = {mapping.entity for mapping in self.resource.entities}
            return tuple(entity for entity in ENTITIES if entity in named)
        return (self.resource,)



def next_load(con: duckdb.DuckDBPyConnection) -> int:
    """Number of the next load."""
    row = con.execute("SELECT coalesce(max(load_id), 0) + 1 FROM file_loads").fetchone()
    assert row is not None
    return int(row[0])



def record(con: duckdb.DuckDBPyConnection, load: FileLoad, replay_of: int | None = None) -> None:
    """Write down what became of a file. ``replay_of``: the load whose rows were repaired."""
    con.execute(
        "INSERT INTO file_loads VALUES ($load_id, $entity, $resource, $file, $content_hash, $status, $rows_in, "
        "$rows_loaded, $rows_already, "
        "$rows_skipped, $rows_quarantined, $message, $loaded_at, $replay_of)",
        {**{name: value for name, value in load.as_dict().items() if name != "skips"}, "replay_of": replay_of},
    )



def record_refusal(
    con: duckdb.DuckDBPyConnection, delivery: Delivery, error: DropRefused, now: datetime
) -> list[FileLoad]:
    """Note a file that could not be read: one row a load, and one quarantine row on line 1."""
    load_id = next_load(con)
    loads = [
        FileLoad(
            load_id,
            entity,
            delivery.resource_name,
            delivery.name,
            delivery.content_hash,
            "refused",
            message=error.message,
            loaded_at=now,
        )
        for entity in delivery.entities
    ]
    with warehouse.transaction(con):
        for load in loads:
            record(con, load)
            con.execute(
                "INSERT INTO quarantine VALUES ($load, $entity, $file, $hash, 1, '', NULL, $rule, $reason, NULL, "
                "$now, NULL)",
                {
                    "load": load_id,
                    "entity": load.entity,
                    "file": load.file,
                    "hash": load.content_hash,
                    "rule": error.rule,
                    "reason": f"{error.message}; {error.hint}" if error.hint else error.message,
                    "now": now,
                },
            )
    return loads



def record_duplicate(con: duckdb.DuckDBPyConnection, delivery: Delivery, now: datetime) -> list[FileLoad]:
    """Note a delivery of bytes that were loaded before."""
    load_id = next_load(con)
    loads = [
        FileLoad(load_id, entity, delivery.resource_name, delivery.name, delivery.content_hash, "duplicate",
                 message="the same bytes were loaded before", loaded_at=now)
        for entity in delivery.entities
    ]
    for load in loads:
        record(con, load)
    return loads
