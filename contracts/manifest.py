"""The manifest of a run: what decides its contents, its files and their digests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

MANIFEST_VERSION = 1


@dataclass(frozen=True, slots=True)
class Identity:
    """What decides a run's contents. Two runs of one identity have equal bytes in every table and model.

    ``compared_with`` is the run that was served before: drift is measured against it and what fails is carried forward
    from it. ``documents_digest`` is of scenarios, defaults, property definitions and an account's configurations,
    empty without any.
    """

    workspace: str
    as_of: str
    journal_seq: int
    warehouse_digest: str
    definitions_digest: str
    code_version: str
    seed: int
    compared_with: str = ""
    documents_digest: str = ""


@dataclass(frozen=True, slots=True)
class PublishedTable:
    """Files of one table, relative to the run's folder, with their rows and SHA-256 digests (equal position)."""

    name: str
    files: tuple[str, ...]
    rows: int
    digests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Manifest:
    """``manifest.json`` of a run.

    ``files`` holds the SHA-256 of every file but the tables' and the manifest itself (models, pack).
    """

    run_id: str
    created_at: str
    identity: Identity
    tables: tuple[PublishedTable, ...]
    files: dict[str, str] = field(default_factory=dict)
    models: dict[str, Any] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    version: int = MANIFEST_VERSION
