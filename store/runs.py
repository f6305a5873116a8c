"""Runs on disk: staged aside, verified, moved into place, pruned. Which one is current is said by the journal alone."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from contracts.errors import NotFound, StorageError, VerificationFailed
from contracts.manifest import MANIFEST_VERSION, Identity, Manifest, PublishedTable
from store import disk
from store.exports import check_table
from store.layout import Layout

MANIFEST = "manifest.json"


def run_id_of(identity: Identity) -> str:
    """Name of the run with this identity: its date, then the head of a digest. Equal identities share it."""
    text = json.dumps(dataclasses.asdict(identity), sort_keys=True)
    stamp = datetime.fromisoformat(identity.as_of).strftime("%Y%m%dT%H%M%S")
    return f"r-{stamp}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def stage(layout: Layout, run_id: str) -> Path:
    """A fresh, empty folder for the run; what an interrupted night left under that name is removed."""
    folder = layout.staging / run_id
    with disk.storage_errors("stage the run"):
        shutil.rmtree(folder, ignore_errors=True)
        for part in ("tables", "models", "pack", "reports"):
            (folder / part).mkdir(parents=True)
    return folder


def clear_leftovers(layout: Layout) -> tuple[str, ...]:
    """Remove every staged run and scratch file that a dead night left; returns their names.

    Call only while holding the lease.
    """
    left = [path for folder in (layout.staging, layout.scratch) if folder.exists() for path in sorted(folder.iterdir())]
    for path in left:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return tuple(path.name for path in left)


def write_manifest(
    folder: Path, run_id: str, created_at: datetime, identity: Identity, tables: Iterable[PublishedTable],
    models: Mapping[str, Any], notes: Mapping[str, Any],
) -> Manifest:
    """Digest every model and pack file, write ``manifest.json`` and make all of it durable."""
    files = {}
    for part in ("models", "pack"):
        for path in sorted((folder / part).rglob("*")):
            if path.is_file():
                disk.sync_file(path)
                files[path.relative_to(folder).as_posix()] = disk.digest(path)
    manifest = Manifest(
        run_id,
        created_at.isoformat(),
        identity,
        tuple(sorted(tables, key=lambda table: table.name)),
        files,
        dict(models),
        dict(notes),
    )
    disk.write_whole(folder / MANIFEST, json.dumps(dataclasses.asdict(manifest), indent=1, sort_keys=True).encode())
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a run; ``NotFound`` without one, ``StorageError`` for one that cannot be read."""
    path = folder / MANIFEST
    try:
        raw = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise NotFound(f"there is no run {folder.name!r}", hint="nightloom runs") from None
    except (OSError, ValueError) as error:
        raise StorageError(
            f"cannot read {path.name} of run {folder.name}: {error}",
            hint="roll back to another run, or run the night again",
        ) from error
    if not isinstance(raw, dict) or raw.get("version") != MANIFEST_VERSION:
        found = raw.get("version") if isinstance(raw, dict) else "none"
        raise StorageError(
            f"run {folder.name} was written by another version (manifest {found})", hint="run the night again"
        )
    tables = tuple(
        PublishedTable(table["name"], tuple(table["files"]), table["rows"], tuple(table["digests"]))
        for table in raw["tables"]
    )
    return Manifest(**{**raw, "identity": Identity(**raw["identity"]), "tables": tables})


def verify(folder: Path) -> Manifest:
    """Check every file of a staged or kept run against its manifest; raises ``VerificationFailed`` with the first
    fault.
    """
    manifest = read_manifest(folder)
    for table in manifest.tables:
        check_table(folder, table)
    for relative, digest in manifest.files.items():
        path = folder / relative
        if not path.is_file() or disk.digest(path) != digest:
            raise VerificationFailed(f"{relative} is missing or not what was written", hint="run the night again")
    return manifest


def settle(layout: Layout, folder: Path) -> Path:
    """Move a verified staged run among the kept ones by one rename; a leftover of the same run that is not current
    is replaced.
    """
    target = layout.run(folder.name)
    with disk.storage_errors("move the run into place"):
        if target.exists():
            shutil.rmtree(target)
        folder.rename(target)
        disk.sync_folder(layout.runs)
    return target


def complete(layout: Layout, run_id: str) -> bool:
    """Whether a run lies among the kept ones with its manifest."""
    return (layout.run(run_id) / MANIFEST).is_file()


def discard(folder: Path) -> None:
    """Remove a staged run that is not wanted."""
    shutil.rmtree(folder, ignore_errors=True)


def kept(layout: Layout) -> tuple[list[Manifest], tuple[str, ...]]:
    """Manifests of all complete runs on disk, oldest as_of first, then by creation; and the names of folders whose
    manifest cannot be read.
    """
    manifests, unreadable = [], []
    folders = (
        [path for path in sorted(layout.runs.iterdir()) if not path.name.startswith(".")]
        if layout.runs.exists()
        else []
    )
    for folder in folders:
        try:
            if (folder / MANIFEST).is_file():
                manifests.append(read_manifest(folder))
        except (StorageError, OSError):
            unreadable.append(folder.name)
    return sorted(manifests, key=lambda manifest: (manifest.identity.as_of, manifest.created_at)), tuple(unreadable)


def remove(layout: Layout, run_id: str) -> None:
    """Delete a kept run. Readers that have it mapped keep their bytes until they let go."""
    folder = layout.run(run_id)
    doomed = folder.with_name(f".{run_id}.pruned")
    if folder.exists():
        folder.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)
