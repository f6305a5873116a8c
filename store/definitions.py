"""Reads what an operator wrote: settings, source mappings, feature rules, scenarios and agents.

Every problem of every file is reported at once.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from contracts.definitions import Entity, Source
from contracts.errors import DefinitionError, Problem
from contracts.features import FeatureSpec
from contracts.settings import Settings
from scenarios.spec import PropertyType
from scenarios.value_types import parse_type
from store.agent_files import AgentFiles, read_agent_files
from store.faults import storage_border
from store.layout import Layout
from store.scenario_files import ScenarioFiles, read_files
from store.settings_file import load_settings, read_settings
from transforms.decision_log_mapping import DecisionLog, parse_log
from transforms.features_definition import parse_features
from transforms.sources import parse_source

__all__ = ["Definitions", "load", "load_settings"]

ITEM_COLUMNS = {"item_category", "item_name", "item_description", "item_price"}
"""Columns of an item that are properties too."""

# Settings that change how a run is made but never what is in it.
_NOT_CONTENT = {"pipeline": {"threads", "memory_limit", "keep_runs", "lease_seconds", "as_of", "dask_scheduler"}}
_NOT_CONTENT_SECTIONS = {"serving", "journal_url", "workspace", "ingest", "webhooks", "live_segments"}


@dataclass(frozen=True, slots=True)
class Definitions:
    """Everything an operator wrote for one workspace, parsed and checked."""

    settings: Settings
    sources: tuple[Source, ...]
    features: FeatureSpec
    scenarios: ScenarioFiles = field(default_factory=ScenarioFiles)
    agents: AgentFiles = field(default_factory=AgentFiles)
    logs: tuple[DecisionLog, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of what decides a run's contents (not of hosts, ports, threads or memory).

        Scenarios and agents come into a run from the journal, and are told apart there.
        """
        settings = dataclasses.asdict(self.settings)
        for section in _NOT_CONTENT_SECTIONS:
            settings.pop(section)
        for section, names in _NOT_CONTENT.items():
            for name in names:
                settings[section].pop(name)
        content = {
            "settings": settings,
            "features": dataclasses.asdict(self.features),
            "value_types": self.value_types("items"),
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()

    def value_types(self, entity: Entity) -> dict[str, str]:
        """Exact types that source mappings give properties of an entity, by name in lower case."""
        return {
            name.lower(): kind
            for source in self.sources
            for mapping in source.entities
            if mapping.entity == entity
            for name, kind in mapping.value_types
        }

    def exact_types(self, entity: Entity) -> dict[str, PropertyType]:
        """The same, parsed."""
        words = self.value_types(entity).items()
        parsed = {name: parse_type(word.removesuffix("[]"), word.endswith("[]")) for name, word in words}
        return {name: kind for name, kind in parsed.items() if isinstance(kind, PropertyType)}

    def property_names(self, entity: Entity) -> frozenset[str]:
        """Properties of an entity that are there whatever is delivered or that source mappings make, in lower case."""
        columns = (
            column
            for source in self.sources
            for mapping in source.entities
            if mapping.entity == entity
            for column, _expression in mapping.columns
        )
        made = {tail.lower() for head, dot, tail in (column.partition(".") for column in columns) if dot}
        return frozenset(made | (ITEM_COLUMNS if entity == "items" else set()))


def load(layout: Layout) -> Definitions:
    """Read ``settings.toml``, ``sources/*.yaml``, ``decision_logs/*.yaml``, ``features.yaml``, ``scenarios/`` and
    ``agents/``; raise ``DefinitionError`` with every problem found.

    Raises ``StorageError`` for what is there and cannot be read: going on without it would run with other definitions
    than were written.
    """
    problems: list[Problem] = []
    with storage_border("cannot read the definitions"):
        settings = read_settings(layout, problems)
        sources = tuple(_sources(layout.definitions / "sources", problems))
        problems.extend(_contradictions(sources))
        features = _features(layout.definitions / "features.yaml", problems)
        scenarios = read_files(layout, problems)
        agents = read_agent_files(layout, problems)
        logs = tuple(_logs(layout.definitions / "decision_logs", problems))
    if problems or settings is None or features is None:
        raise DefinitionError(problems)
    return Definitions(settings, sources, features, scenarios, agents, logs)


def _sources(folder: Path, problems: list[Problem]) -> Iterator[Source]:
    names: dict[str, str] = {}
    # Not glob: that takes a folder that may not be read for an empty one.
    for path in sorted(path for path in folder.iterdir() if path.suffix == ".yaml") if folder.exists() else ():
        before = len(problems)
        document = _yaml(path, problems)
        if len(problems) > before:
            continue
        parsed = parse_source(document, f"sources/{path.name}")
        problems.extend(parsed.problems)
        if parsed.source is None:
            continue
        if parsed.source.name in names:
            problems.append(
                Problem(f"sources/{path.name}", f"source {parsed.source.name!r} is also in {names[parsed.source.name]}")
            )
        names[parsed.source.name] = path.name
        yield parsed.source


def _logs(folder: Path, problems: list[Problem]) -> Iterator[DecisionLog]:
    names: dict[str, str] = {}
    for path in sorted(path for path in folder.iterdir() if path.suffix == ".yaml") if folder.exists() else ():
        before = len(problems)
        document = _yaml(path, problems)
        log, found = parse_log(document, f"decision_logs/{path.name}") if len(problems) == before else (None, [])
        problems.extend(found)
        if log is None:
            continue
        if log.name in names:
            problems.append(Problem(f"decision_logs/{path.name}", f"log {log.name!r} is also in {names[log.name]}"))
        names[log.name] = path.name
        yield log


def _contradictions(sources: tuple[Source, ...]) -> Iterator[Problem]:
    """Properties to which two mappings give different exact types."""
    known: dict[tuple[str, str], tuple[str, str]] = {}
    for source in sources:
        for mapping in source.entities:
            for name, kind in mapping.value_types:
                first, where = known.setdefault((mapping.entity, name.lower()), (kind, source.name))
                if first != kind:
                    yield Problem(
                        f"source {source.name!r}: types.{name}", f"is {kind} here and {first} in source {where!r}",
                        "a property has one type",
                    )


def _features(path: Path, problems: list[Problem]) -> FeatureSpec | None:
    before = len(problems)
    document = _yaml(path, problems) if path.exists() else None
    if len(problems) > before:
        return None
    parsed = parse_features(document, path.name)
    problems.extend(parsed.problems)
    return parsed.spec


def _yaml(path: Path, problems: list[Problem]) -> Any:
    """The document of a YAML file (None for an empty one); a file that is none adds a problem that names the line."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        problems.append(Problem(f"{path.name}{line}", str(error.problem)))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        problems.append(Problem(path.name, str(error)))
    return None
