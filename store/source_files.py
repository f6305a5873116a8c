"""Delivered files as they lie on disk: which format a file has, and its plain text when it is compressed."""

from __future__ import annotations

import gzip
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contracts.definitions import FileFormat
from contracts.errors import DropRefused, StorageError
from store.inbox import suffixes

_FORMATS: dict[str, FileFormat] = {
    "csv": "csv", "tsv": "csv", "tab": "csv", "txt": "csv", "psv": "csv",
    "jsonl": "jsonl", "ndjson": "jsonl", "json": "jsonl", "parquet": "parquet", "pq": "parquet",
}
_CHUNK = 1 << 20


def format_of(name: str, path: Path, declared: FileFormat | None) -> FileFormat:
    """By its first bytes when Parquet, else as declared, else by its name; CSV when the name does not say."""
    with path.open("rb") as file:
        magic = file.read(4)
    if magic == b"PAR1":
        return "parquet"
    endings = [part for part in suffixes(name).split(".") if part not in ("", "gz", "zst", "gzip")]
    found = declared or (_FORMATS.get(endings[-1], "csv") if endings else "csv")
    if found == "parquet":
        raise DropRefused(
            "the file is called Parquet and is none", rule="unreadable", hint="deliver the file again, whole"
        )
    return found


@contextmanager
def plain_text(path: Path, scratch: Path) -> Iterator[Path]:
    """Yield the path of the uncompressed bytes: ``path`` itself, or a file in ``scratch`` that is removed afterwards.

    A compressed file is checked to its end: one that was cut off raises ``DropRefused``.
    """
    with path.open("rb") as file:
        magic = file.read(4)
    kind = "gzip" if magic[:2] == b"\x1f\x8b" else "zstd" if magic == b"\x28\xb5\x2f\xfd" else ""
    scratch.mkdir(parents=True, exist_ok=True)
    try:
        if kind:
            target = scratch / "plain"
            _expand(path, target, kind)
            yield target
        else:
            yield path
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _expand(path: Path, target: Path, kind: str) -> None:
    try:
        with target.open("wb") as out:
            if kind == "gzip":
                with gzip.open(path, "rb") as file:
                    shutil.copyfileobj(file, out, _CHUNK)
            else:
                import pyarrow as pa

                with pa.input_stream(str(path), compression="zstd") as stream:
                    while chunk := stream.read(_CHUNK):
                        out.write(chunk)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DropRefused(
            f"the compressed file is damaged or cut off: {error}", rule="unreadable", hint="deliver it again, whole"
        ) from error
    except OSError as error:
        if error.errno is not None:
            raise StorageError(f"cannot unpack {path.name}: {error}", hint="free disk space") from error
        raise DropRefused(
            f"the compressed file is damaged or cut off: {error}", rule="unreadable", hint="deliver it again, whole"
        ) from error
