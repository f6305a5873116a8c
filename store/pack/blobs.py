"""Many byte strings in one file, with the position of each in an array beside it."""

from __future__ import annotations

import mmap
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from contracts.errors import StorageError
from store.pack.arrays import create_array, flush, map_flat, unreadable


class BlobWriter:
    """Writes ``<name>.bin`` and ``<name>_offsets.npy`` (uint64, one more than rows), a batch of strings at a time."""

    def __init__(self, folder: Path, name: str, rows: int) -> None:
        self._file = (folder / f"{name}.bin").open("wb")
        self._offsets = create_array(folder / f"{name}_offsets.npy", (rows + 1,), np.uint64)
        self._rows = rows
        self._row = 0
        self._position = 0

    def __enter__(self) -> BlobWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        flush(self._offsets)
        if error is None and self._row != self._rows:
            raise StorageError(f"{self._file.name}: {self._row} rows were written, {self._rows} expected")

    def write(self, ends: npt.NDArray[np.uint64], data: memoryview | bytes) -> None:
        """Append strings given as one run of bytes and the end of each string in it."""
        self._offsets[self._row + 1 : self._row + 1 + len(ends)] = ends + np.uint64(self._position)
        self._file.write(data)
        self._row += len(ends)
        self._position += len(data)


class Blob:
    """Read side of a blob: ``blob[row]`` is the row's bytes, copied out of the map."""

    def __init__(self, folder: Path, name: str) -> None:
        self._offsets: memoryview[Any] = map_flat(folder / f"{name}_offsets.npy")
        self._data = _map_bytes(folder / f"{name}.bin")

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, row: int) -> bytes:
        return self._data[self._offsets[row] : self._offsets[row + 1]]


def _map_bytes(path: Path) -> mmap.mmap | bytes:
    try:
        with path.open("rb") as file:
            if path.stat().st_size == 0:
                return b""
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise unreadable(path, error) from error
