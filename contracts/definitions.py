"""What an operator defines about deliveries: source mappings, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Entity = Literal["profiles", "items", "events"]
FileFormat = Literal["csv", "jsonl", "parquet"]
PropertyType = Literal["string", "number", "boolean", "string[]", "number[]", "boolean[]"]
OnRepeat = Literal["latest", "quarantine"]

ENTITIES: tuple[Entity, ...] = ("profiles", "items", "events")
SYSTEM_EVENT_TYPES = ("charged", "churned", "complaint")


@dataclass(frozen=True, slots=True)
class RowRule:
    """A named condition on a row of the file.

    ``when`` is a SQL expression over the file's columns; true means that the rule applies.
    """

    rule: str
    when: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class EntityMapping:
    """How rows of a file become one entity.

    ``columns`` pairs our column, or ``properties.key``, ``profile_data.key``, ``platform_info.key``, with a SQL
    expression over the file's columns. Rows for which ``where`` is not true are skipped under the rule ``where``; the
    first of ``skip`` that applies counts. ``updated_at`` dates a version of a profile or item; without it versions are
    dated by the ingest. ``on_repeat`` says what several rows of one id in one file are: versions of which the latest
    wins, or faults. ``value_types`` gives some of the properties in ``types`` exactly: ``int16``, ``text``,
    ``unicode64[]``.
    """

    entity: Entity
    columns: tuple[tuple[str, str], ...]
    where: str = ""
    skip: tuple[RowRule, ...] = ()
    quarantine: tuple[RowRule, ...] = ()
    defaults: tuple[tuple[str, str | int | float | bool], ...] = ()
    updated_at: str = ""
    on_repeat: OnRepeat = "latest"
    types: tuple[tuple[str, PropertyType], ...] = ()
    create_profiles: bool = False
    value_types: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How the file is read where its name or content does not say.

    ``types`` are DuckDB types that columns are cast to on reading.
    """

    format: FileFormat | None = None
    delimiter: str = ""
    quote: str = ""
    types: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """One kind of delivered file.

    ``match`` are globs on the path relative to the inbox; ``event_types`` are declared by it.
    """

    name: str
    match: tuple[str, ...]
    entities: tuple[EntityMapping, ...]
    read: ReadOptions = ReadOptions()
    event_types: tuple[str, ...] = ()
    where: str = ""
