"""Flat arrays on disk in numpy's own format."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from contracts.errors import StorageError


def save_array(path: Path, array: npt.NDArray[Any]) -> None:
    """Write an array; equal arrays give equal bytes."""
    np.save(path, np.ascontiguousarray(array), allow_pickle=False)


def create_array(path: Path, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """A new file, mapped to be filled; ``flush()`` it at the end. Raises OSError when the disk has no room for it.

    The room is taken at once: a write through memory to a disk that is full would kill the process without a word.
    """
    if 0 in shape:
        np.save(path, np.zeros(shape, dtype), allow_pickle=False)  # nothing cannot be mapped
        return np.zeros(shape, dtype)
    mapped = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    with path.open("r+b") as file:
        os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return cast("npt.NDArray[Any]", mapped)


def flush(array: npt.NDArray[Any]) -> None:
    """Write what was filled in to disk."""
    if isinstance(array, np.memmap):
        array.flush()


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
