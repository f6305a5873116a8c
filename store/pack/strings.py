"""Arrow's strings as runs of bytes, without making a Python object of each."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from contracts.errors import VerificationFailed


def ends_and_bytes(column: pa.Array) -> tuple[npt.NDArray[np.uint64], memoryview]:
    """End of each string within the batch's bytes, and those bytes. The column must have no nulls."""
    if column.null_count:
        raise VerificationFailed(f"{column.null_count} fragments are null", hint="a fault of nightloom: report it")
    _, offsets, data = column.buffers()
    width = np.int64 if pa.types.is_large_string(column.type) else np.int32
    positions = np.frombuffer(offsets, width)[column.offset : column.offset + len(column) + 1].astype(np.uint64)
    raw = memoryview(data if data is not None else b"")
    return positions[1:] - positions[0], raw[int(positions[0]) : int(positions[-1])]
