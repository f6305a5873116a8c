"""From an id to its row: a sorted array of 64-bit digests, searched by bisection; the ids decide in the end."""

from __future__ import annotations

from bisect import bisect_left
from hashlib import md5
from pathlib import Path

import numpy as np
import numpy.typing as npt

from store.pack.arrays import map_flat, save_array
from store.pack.blobs import Blob

# The same number in SQL: the first eight bytes of the MD5, the least significant first. Only its spread matters.
SQL_DIGEST = "md5_number_upper({column})"


def digest(text: bytes) -> int:
    """Digest of an id, as ``SQL_DIGEST`` gives it."""
    return int.from_bytes(md5(text, usedforsecurity=False).digest()[:8], "little")


def write_index(folder: Path, name: str, digests: list[npt.NDArray[np.uint64]]) -> None:
    """Write the index over columns of ids, each one digest a row; 0 marks a missing id.

    An entry is ``row * columns + column``; of equal digests those of an earlier column come first.
    """
    everything = np.concatenate(digests)
    rows = np.concatenate([np.arange(len(column), dtype=np.uint32) for column in digests])
    entries = rows * np.uint32(len(digests)) + np.repeat(
        np.arange(len(digests), dtype=np.uint32), [len(column) for column in digests]
    )
    order = np.argsort(everything, kind="stable")
    order = order[everything[order] != 0]
    save_array(folder / f"{name}_digests.npy", everything[order])
    save_array(folder / f"{name}_entries.npy", entries[order])


class IdIndex:
    """Finds the row of an id among the ids of one or more columns."""

    def __init__(self, folder: Path, name: str, columns: tuple[Blob, ...]) -> None:
        self._digests = map_flat(folder / f"{name}_digests.npy")
        self._entries = map_flat(folder / f"{name}_entries.npy")
        self._columns = columns
        self._count = len(self._digests)

    def row(self, text: bytes) -> int:
        """Row of the id, or -1."""
        wanted = digest(text)
        at = bisect_left(self._digests, wanted)
        while at < self._count and self._digests[at] == wanted:
            row, column = divmod(self._entries[at], len(self._columns))
            if self._columns[column][row] == text:
                return int(row)
            at += 1
        return -1
