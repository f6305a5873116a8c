"""Removes what a workspace holds."""

from __future__ import annotations

import shutil
from pathlib import Path

from contracts.errors import StorageError
from store.layout import Layout


def remove_workspace(layout: Layout) -> None:
    """Remove a workspace's folder: journal, warehouse, runs and archive. Definitions stay. Raises StorageError.

    It is moved aside first: whatever happens later, nobody finds half of it. Doing it twice changes nothing.
    """
    aside = layout.data / f".removed-{layout.workspace}"
    try:
        if layout.root.exists():
            _remove(aside)
            layout.root.rename(aside)
        _remove(aside)
    except OSError as error:
        raise StorageError(f"cannot remove {layout.root}: {error}", hint="see its permissions, then repeat") from error


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
