"""The border where errors of the system and of databases become ours.

Is the disk full, unreadable or locked, or is it a fault of the program? Only the former become ``StorageError``.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from contracts.errors import NightloomError, StorageError

# DuckDB gives up a database for good after a write that failed; then every statement says only that.
_DATABASE = (duckdb.IOException, duckdb.OutOfMemoryException, duckdb.FatalException, duckdb.InternalException)
# What failed on the way to a commit or inside another library keeps the system's words, not its error class.
_WORDS = (
    "no space left", "file too large", "could not write", "disk quota", "permission denied", "read-only file system",
    "input/output error", "temp directory",
)
_FULL = frozenset({errno.ENOSPC, errno.EFBIG, errno.EDQUOT})
_FULL_WORDS = ("no space left", "file too large", "disk quota", "could not write")
_CLOSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_REFUSED = _FULL | _CLOSED | {errno.EIO, errno.ENXIO, errno.ESTALE, errno.EMFILE, errno.ENFILE}
_DEEPEST = 20  # errors in a chain of causes


def storage_fault(error: BaseException) -> BaseException | None:
    """The error that says that disk or database refused: ``error``, or what it was raised for; None when none does."""
    at: BaseException | None = error
    found: BaseException | None = error if isinstance(error, OSError) else None
    for _ in range(_DEEPEST):
        if at is None:
            break
        if isinstance(at, _DATABASE) or (isinstance(at, OSError) and at.errno in _REFUSED) or _says_so(at):
            found = at
        at = at.__cause__ or at.__context__
    return found


def as_storage_error(what: str, error: BaseException) -> StorageError | None:
    """``error`` as a ``StorageError`` that says what was being done and what to try; None when it is no matter of
    storage.
    """
    fault = storage_fault(error)
    if fault is None:
        return None
    return StorageError(f"{what}: {_first_line(fault)}", hint=_hint(fault))


@contextmanager
def storage_border(what: str) -> Iterator[None]:
    """Map what the system and databases refuse inside the block to ``StorageError``; every other error passes as it
    is.
    """
    try:
        yield
    except NightloomError:
        raise
    except Exception as error:
        ours = as_storage_error(what, error)
        if ours is None:
            raise
        raise ours from error


def _says_so(error: BaseException) -> bool:
    text = str(error).lower()
    return isinstance(error, Exception) and any(words in text for words in _WORDS)


def _hint(fault: BaseException) -> str:
    number = fault.errno if isinstance(fault, OSError) else None
    text = str(fault).lower()
    if number in _FULL or any(words in text for words in _FULL_WORDS):
        return "free disk space in the data folder, then run again: nothing that was delivered or published is lost"
    if number in _CLOSED or "permission denied" in text or "read-only file system" in text:
        return "give the account that runs nightloom the right to read and write there, then run again"
    if isinstance(fault, duckdb.OutOfMemoryException):
        return "raise pipeline.memory_limit or free disk space, then run again"
    return "check free space, permissions and mount of the data folder, then run again"


def _first_line(error: BaseException) -> str:
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return text if isinstance(error, OSError) else text.removeprefix("IO Error: ").removeprefix("Out of Memory Error: ")
