"""Small durable acts on disk: digest a file, write it whole, make a rename last."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contracts.errors import StorageError

_CHUNK = 1 << 20


def digest(path: Path) -> str:
    """SHA-256 of a file's bytes, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync_folder(path: Path) -> None:
    """Make renames and unlinks inside ``path`` survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file(path: Path) -> None:
    """Make the bytes of ``path`` survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, content: bytes) -> None:
    """Replace ``path`` by ``content``: readers see the old bytes or the new ones, and the new ones survive a power
    cut.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with fresh.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_folder(path.parent)


@contextmanager
def storage_errors(what: str) -> Iterator[None]:
    """Map operating-system errors to ``StorageError`` with what was being done."""
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"cannot {what}: {error}", hint="check free space and permissions of the data folder"
        ) from error
