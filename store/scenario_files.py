"""Scenarios that an operator wrote: ``scenarios/<reco_type>/<name>.yaml`` and ``scenarios/defaults.yaml`` among the
definitions, and how they come into the journal.

A file is put when it differs from the last version that came from files, so a change made through the API stands until
the file changes; what a removed file had put is deleted only while it is still the newest version.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from contracts.errors import DefinitionError, Problem
from scenarios.check import Known, check
from scenarios.graph import Graph, Key
from scenarios.metadata_filter import same_json
from scenarios.parse import parse
from scenarios.spec import RECO_TYPES, Definition, PropertyType
from scenarios.spec import Problem as Fault
from store import scenario_documents
from store.journal import documents
from store.journal.documents import Document
from store.layout import Layout
from store.scenario_documents import DEFAULT, SCENARIO, Control, key_of, name_of
from store.yaml_lines import LinedDocument, read_lined

WHO = "definitions"
DEFAULTS = "defaults.yaml"


@dataclass(frozen=True, slots=True)
class ScenarioFiles:
    """What stands in the files: definitions, defaults by reco type, and the document that each definition is from."""

    definitions: Mapping[Key, Definition] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)
    origins: Mapping[Key, LinedDocument] = field(default_factory=dict)
    default_lines: LinedDocument | None = None

    def place(self, definition: Definition, path: str) -> str:
        """File and line of a part of a definition; the name of a stored one."""
        origin = self.origins.get((definition.reco_type, definition.name))
        return origin.place(path) if origin else f"{definition.reco_type}/{definition.name} {path}"


@dataclass(frozen=True, slots=True)
class Change:
    """One document to write: ``body`` None deletes it."""

    kind: str
    name: str
    body: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Changes:
    """What applying the files changes, and warnings about what is put, by document."""

    changes: tuple[Change, ...]
    warnings: Mapping[str, tuple[str, ...]]


def read_files(layout: Layout, problems: list[Problem]) -> ScenarioFiles:
    """Read and parse every scenario file; each fault is added to ``problems`` with file and line. OSError is the
    caller's.
    """
    folder = layout.definitions / "scenarios"
    definitions: dict[Key, Definition] = {}
    origins: dict[Key, LinedDocument] = {}
    default_lines = None
    for path in sorted(folder.iterdir()) if folder.exists() else ():
        if path.name == DEFAULTS:
            default_lines = read_lined(path, f"scenarios/{DEFAULTS}")
            problems.extend(default_lines.problems)
        elif path.is_dir() and not path.name.startswith("."):
            _read_folder(path, definitions, origins, problems)
        elif path.suffix in (".yaml", ".yml"):
            said = "a scenario file stands in the folder of its reco type"
            problems.append(Problem(f"scenarios/{path.name}", said, f"scenarios/<reco_type>/{path.name}"))
    defaults = _defaults(default_lines, problems)
    return ScenarioFiles(definitions, defaults, origins, default_lines)


def _read_folder(
    folder: Path, definitions: dict[Key, Definition], origins: dict[Key, LinedDocument], problems: list[Problem]
) -> None:
    for path in sorted(folder.iterdir()):
        if path.suffix not in (".yaml", ".yml"):
            continue
        document = read_lined(path, f"scenarios/{folder.name}/{path.name}")
        problems.extend(document.problems)
        if document.problems:
            continue
        key = folder.name, path.stem
        definition, faults = parse(*key, document.value)
        problems.extend(_in_file(fault, document.place(fault.where)) for fault in faults)
        if key in origins:
            problems.append(Problem(document.name, f"scenario {path.stem!r} is also in {origins[key].name}"))
        if definition is not None:
            definitions[key], origins[key] = definition, document


def _defaults(document: LinedDocument | None, problems: list[Problem]) -> dict[str, str]:
    if document is None or document.problems or document.value is None:
        return {}
    if not isinstance(document.value, dict):
        problems.append(Problem(document.name, "must hold lines of the form reco_type: name of a scenario"))
        return {}
    for reco_type, name in document.value.items():
        place = document.place(f"$.{reco_type}")
        if reco_type not in RECO_TYPES:
            problems.append(Problem(place, f"{reco_type!r} is not a reco type", f"one of {', '.join(RECO_TYPES)}"))
        elif not isinstance(name, str):
            problems.append(Problem(place, "must be the name of a scenario", "put it in quotes"))
    return {key: name for key, name in document.value.items() if isinstance(name, str)}


def _in_file(fault: Fault, where: str) -> Problem:
    return Problem(where, fault.message, fault.hint)


@dataclass(frozen=True, slots=True)
class Stored:
    """What the journal holds: control documents as they stand, and every version of scenarios and defaults."""

    control: Control = field(default_factory=Control)
    versions: Mapping[str, Sequence[Document]] = field(default_factory=dict)


def read_stored(connection: Connection) -> Stored:
    """Everything that files are compared with."""
    versions = {kind: documents.history(connection, kind) for kind in (SCENARIO, DEFAULT)}
    return Stored(scenario_documents.read(connection), versions)


def changes_of(
    files: ScenarioFiles, stored: Stored, item_types: Mapping[str, PropertyType], item_names: Collection[str] = (),
    user_names: Collection[str] = (),
) -> Changes:
    """What applying the files would change.

    ``item_types``: exact types of item properties beside the declared ones; ``item_names``, ``user_names``: further
    properties that are there. Raises DefinitionError with every problem of what would be put.
    """
    changes = tuple(_changes(files, stored.versions))
    gone = {key_of(one.name) for one in changes if one.kind == SCENARIO and one.body is None}
    put = [files.definitions[key_of(one.name)] for one in changes if one.kind == SCENARIO and one.body is not None]
    graph = stored.control.graph.without(gone)
    known = Known(
        {**item_types, **stored.control.item_types}, stored.control.user_types, stored=graph, item_names=item_names,
        user_names=user_names,
    )
    found = check(put, known, place=files.place)
    problems = [_in_file(fault, fault.where) for fault in found.problems]
    problems += _dangling_defaults(changes, gone, files, graph.shadowed(put))
    if problems:
        raise DefinitionError(problems)
    return Changes(changes, {name_of(*key): texts for key, texts in found.warnings.items()})


def apply(
    connection: Connection, files: ScenarioFiles, at: datetime, item_types: Mapping[str, PropertyType],
    item_names: Collection[str] = (), user_names: Collection[str] = (),
) -> Changes:
    """Bring what changed in the files into the journal, inside a write transaction; see ``changes_of``."""
    found = changes_of(files, read_stored(connection), item_types, item_names, user_names)
    for change in found.changes:
        _write(connection, change, files, at)
    return found


def _dangling_defaults(
    changes: Iterable[Change], gone: Collection[Key], files: ScenarioFiles, graph: Graph
) -> Iterator[Problem]:
    """Defaults that are new, or whose scenario goes away with its file, and that lead nowhere."""
    changed = {one.name for one in changes if one.kind == DEFAULT}
    for reco_type, name in files.defaults.items():
        concerned = reco_type in changed or (reco_type, name) in gone
        if concerned and graph.lookup(reco_type, name) is None and files.default_lines is not None:
            place = files.default_lines.place(f"$.{reco_type}")
            yield Problem(place, f"there is no scenario {name!r} of {reco_type}", "write its file too")


def _changes(files: ScenarioFiles, versions: Mapping[str, Sequence[Document]]) -> Iterator[Change]:
    """What differs from the last version that was put from files: scenarios that are put, then defaults, then what is
    deleted.
    """
    wanted: dict[str, dict[str, Mapping[str, Any]]] = {
        SCENARIO: {name_of(*key): one.raw for key, one in files.definitions.items()},
        DEFAULT: {reco_type: {"name": name} for reco_type, name in files.defaults.items()},
    }
    deleted: list[Change] = []
    for kind, bodies in wanted.items():
        newest = {one.name: one for one in versions.get(kind, ())}
        from_files = {one.name: one for one in versions.get(kind, ()) if one.who == WHO}
        for name, body in sorted(bodies.items()):
            last = from_files.get(name)
            if last is None or last.deleted or not same_json(json.loads(last.body), body):
                yield Change(kind, name, body)
        gone = (name for name, one in newest.items() if name not in bodies and one.who == WHO and not one.deleted)
        deleted.extend(Change(kind, name, None) for name in gone)
    yield from deleted


def _write(connection: Connection, change: Change, files: ScenarioFiles, at: datetime) -> None:
    if change.kind == DEFAULT:
        if change.body is None:
            scenario_documents.delete_default(connection, change.name, WHO, at)
        else:
            scenario_documents.put_default(connection, change.name, change.body["name"], WHO, at)
    elif change.body is None:
        scenario_documents.delete(connection, *key_of(change.name), WHO, at)
    else:
        scenario_documents.put(connection, files.definitions[key_of(change.name)], WHO, at)
