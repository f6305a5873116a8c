"""From an id to its row: sorted 64-bit digests in buckets, searched by bisection; the ids decide in the end."""

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
    ordered = everything[order]
    bits = bucket_bits(len(ordered))
    bounds = np.arange(1 << bits, dtype=np.uint64) << np.uint64(64 - bits)
    starts = np.append(np.searchsorted(ordered, bounds), len(ordered)).astype(np.uint32)
    save_array(folder / f"{name}_buckets.npy", starts)
    save_array(folder / f"{name}_digests.npy", ordered)
    save_array(folder / f"{name}_entries.npy", entries[order])


def bucket_bits(count: int) -> int:
    """Leading bits of a digest that choose its bucket: about four digests fall into each."""
    return max(1, count.bit_length() - 2)


class IdIndex:
    """Finds the row of an id among the ids of one or more columns."""

    def __init__(self, folder: Path, name: str, columns: tuple[Blob, ...]) -> None:
        self._digests = map_flat(folder / f"{name}_digests.npy")
        self._entries = map_flat(folder / f"{name}_entries.npy")
        self._columns = columns
        self._width = len(columns)
        self._count = len(self._digests)
        self._buckets = map_flat(folder / f"{name}_buckets.npy")
        self._shift = 64 - bucket_bits(self._count)

    def row(self, text: bytes) -> int:
        """Row of the id, or -1."""
        wanted = digest(text)
        digests = self._digests
        bucket = wanted >> self._shift
        at = bisect_left(digests, wanted, self._buckets[bucket], self._buckets[bucket + 1])
        while at < self._count and digests[at] == wanted:
            row, column = divmod(self._entries[at], self._width)
            if self._columns[column][row] == text:
                return row  # type: ignore[no-any-return]
            at += 1
        return -1
