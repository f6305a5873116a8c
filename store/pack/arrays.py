"""Flat arrays on disk in numpy's own format."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from contracts.errors import StorageError


def save_array(path: Path, array: npt.NDArray[Any]) -> None:
    """Write an array; equal arrays give equal bytes."""
    np.save(path, np.ascontiguousarray(array), allow_pickle=False)


def map_array(path: Path) -> npt.NDArray[Any]:
    """Map an array for reading; its pages are shared by all processes that map it. Raises StorageError."""
    try:
        mapped: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray)
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error
    return mapped


def map_flat(path: Path) -> memoryview[Any]:
    """Map an array as one flat run of numbers; Python reads single elements of it several times faster than numpy's."""
    return memoryview(cast("Any", map_array(path).reshape(-1)))


def unreadable(path: Path, error: Exception) -> StorageError:
    """What to say of a file that cannot be mapped."""
    return StorageError(
        f"{path.name} of the serving pack cannot be mapped: {error}", hint="publish a new run, or roll back"
    )
