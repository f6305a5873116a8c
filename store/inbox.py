"""The inbox: which delivered files are complete, and their way through claim, archive or refusal. Nothing is ever
copied over or lost.

A file is taken when three things hold: its name is not one that tools use while writing (hidden, ``.tmp``, ``.part``,
``.filepart``, ``~`` and the like), neither its content nor its name changed for ``settle_seconds`` (``mtime`` and
``ctime``, so that a preserved time stamp cannot pass for an old file), and nobody has it open for writing (a read lease
is refused then; asked only where the system grants leases). So rsync, S3 sync and sftp clients that write under a
temporary name and rename are always safe, and ``cp`` or a plain upload is safe however slow it is on a local file
system; on a network file system it is safe while it pauses for less than ``settle_seconds``.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from contracts.errors import StorageError
from store.disk import storage_errors, sync_file, sync_folder
from store.layout import Layout

_UNFINISHED = re.compile(
    r"^\.|~$|\.(tmp|temp|part|partial|filepart|crdownload|download|swp|swx|inprogress|incomplete|lock|!qb)$|\.~tmp~$|^~\$|^_temporary$",
    re.IGNORECASE,
)
_RSYNC = re.compile(r"^\..+\.[A-Za-z0-9]{6}$")
_COUNTER = itertools.count()
_COPY = "adopt-"


@dataclass(frozen=True, slots=True)
class Drop:
    """A delivered file that is complete. ``name`` is its path in the inbox, with forward slashes."""

    name: str
    path: Path
    size: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """A file in the inbox that is not taken now, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Claimed:
    """A drop that was moved out of the inbox and belongs to this ingest."""

    name: str
    path: Path
    size: int
    modified_ns: int


def discover(layout: Layout, settle_seconds: float) -> tuple[list[Drop], list[Waiting]]:
    """Complete files of the inbox by name, and those that wait.

    Links are not followed; unreadable folders and files wait.
    """
    drops: list[Drop] = []
    waits: list[Waiting] = []
    for name, entry in _walk(layout.inbox, waits):
        reason = _why_not(Path(entry.path), settle_seconds)
        if reason:
            waits.append(Waiting(name, reason))
            continue
        try:
            drops.append(Drop(name, Path(entry.path), entry.stat(follow_symlinks=False).st_size))
        except OSError as error:
            waits.append(Waiting(name, f"cannot be read: {error.strerror}"))
    return sorted(drops, key=lambda drop: drop.name), sorted(waits, key=lambda wait: wait.name)


def waiting(layout: Layout, now: datetime, settle_seconds: float) -> list[Waiting]:  # noqa: ARG001 - file times are the system's own
    """Everything in the inbox: what is ready, and what waits and why."""
    drops, waits = discover(layout, settle_seconds)
    return sorted(
        [*(Waiting(drop.name, "ready for the next ingest") for drop in drops), *waits], key=lambda wait: wait.name
    )


def settles_in(layout: Layout, settle_seconds: float) -> float:
    """Seconds until every file that changed just now has stood still for long enough, if nobody touches it again; 0
    when none did.
    """
    ages = []
    for _, entry in _walk(layout.inbox, []):
        try:
            stat = entry.stat(follow_symlinks=False)
        except OSError:
            continue
        ages.append(time.time() - max(stat.st_mtime, stat.st_ctime))
    return max((settle_seconds - age for age in ages if 0 <= age < settle_seconds), default=0.0)


def claim(layout: Layout, drop: Drop) -> Claimed | None:
    """Move a drop out of the inbox, atomically. None when somebody else took it or it may not be moved."""
    token = f"{time.time_ns():x}-{os.getpid()}-{next(_COUNTER)}"
    target = layout.claimed / token / drop.name
    with storage_errors("claim a drop"):
        target.parent.mkdir(parents=True)
    try:
        drop.path.rename(target)
    except OSError as error:
        _remove_empty(target.parent, layout.claimed)
        if isinstance(error, FileNotFoundError | PermissionError):
            return None
        raise StorageError(
            f"cannot claim {drop.name}: {error}", hint="inbox and workspace folder must lie on one file system"
        ) from error
    sync_folder(target.parent)
    return _claimed(drop.name, target)


def adopt(layout: Layout, path: Path) -> Claimed:
    """Claim a copy of a file that lies elsewhere and stays there.

    The copy is made beside the claims and put among them whole: what a kill leaves is never taken for a delivery.
    """
    token = f"{time.time_ns():x}-{os.getpid()}-{next(_COUNTER)}"
    target = layout.claimed / token / path.name
    copy = layout.scratch / f"{_COPY}{token}"
    with storage_errors(f"copy {path.name}"):
        copy.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(path, copy)
            sync_file(copy)
            target.parent.mkdir(parents=True)
            copy.rename(target)
        finally:
            copy.unlink(missing_ok=True)
        sync_folder(target.parent)
    return _claimed(path.name, target)


def interrupted(layout: Layout) -> list[Claimed]:
    """Drops that an ingest claimed and did not finish. Half copies of ``adopt`` are removed: only one ingest runs."""
    for copy in layout.scratch.glob(f"{_COPY}*"):
        copy.unlink(missing_ok=True)
    found = []
    for path in sorted(path for path in layout.claimed.glob("*/**/*") if path.is_file() and not path.is_symlink()):
        name = "/".join(path.relative_to(layout.claimed).parts[1:])
        found.append(_claimed(name, path))
    for folder in sorted(layout.claimed.glob("*"), reverse=True):
        for inner in sorted((inner for inner in folder.glob("**/*") if inner.is_dir()), reverse=True):
            _remove_empty(inner, layout.claimed)
        _remove_empty(folder, layout.claimed)
    return found


def unchanged(claimed: Claimed) -> bool:
    """Whether nobody wrote to a claimed file since."""
    stat = claimed.path.stat()
    return (stat.st_size, stat.st_mtime_ns) == (claimed.size, claimed.modified_ns)


def release(layout: Layout, claimed: Claimed) -> None:
    """Put a claimed file back where it was delivered, unless a newer one lies there."""
    target = layout.inbox / claimed.name
    with storage_errors("put a drop back"):
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            target = target.with_name(f"again-{time.time_ns():x}-{target.name}")
        claimed.path.rename(target)
        _remove_empty(claimed.path.parent, layout.claimed)


def archive(layout: Layout, claimed: Claimed, content_hash: str) -> Path:
    """Keep the original under its content hash; a second delivery of the same bytes is dropped."""
    folder = layout.archive / content_hash[:2]
    target = folder / f"{content_hash}{suffixes(claimed.name)}"
    with storage_errors("archive a drop"):
        folder.mkdir(parents=True, exist_ok=True)
        if target.exists():
            claimed.path.unlink()
        else:
            claimed.path.rename(target)
        sync_folder(folder)
        _remove_empty(claimed.path.parent, layout.claimed)
    return target


def archived(layout: Layout, content_hash: str) -> Path | None:
    """The original with that content, None when it is gone."""
    return next(iter(sorted((layout.archive / content_hash[:2]).glob(f"{content_hash}*"))), None)


def refuse(layout: Layout, claimed: Claimed, content_hash: str) -> Path:
    """Keep a file that could not be read, for somebody to look at."""
    target = layout.refused / f"{content_hash[:12]}-{claimed.name.replace('/', '-')}"
    with storage_errors("set a refused drop aside"):
        layout.refused.mkdir(parents=True, exist_ok=True)
        claimed.path.replace(target)
        sync_folder(layout.refused)
        _remove_empty(claimed.path.parent, layout.claimed)
    return target


def suffixes(name: str) -> str:
    """Endings that say how a file is read: '.csv.gz'."""
    found = re.search(r"((\.[A-Za-z]{1,8})?\.[A-Za-z0-9]{1,8})$", name.rsplit("/", 1)[-1])
    return found.group(1).lower() if found else ""


def _claimed(name: str, path: Path) -> Claimed:
    stat = path.stat()
    return Claimed(name, path, stat.st_size, stat.st_mtime_ns)


def _walk(inbox: Path, waits: list[Waiting]) -> Iterator[tuple[str, os.DirEntry[str]]]:
    folders = [("", inbox)]
    while folders:
        prefix, folder = folders.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except FileNotFoundError:
            continue
        except OSError as error:
            waits.append(Waiting(prefix or ".", f"the folder cannot be read: {error.strerror}"))
            continue
        for entry in entries:
            name = f"{prefix}{entry.name}"
            if entry.is_symlink():
                waits.append(Waiting(name, "a link is not followed; deliver the file itself"))
            elif entry.is_dir(follow_symlinks=False):
                if not _UNFINISHED.search(entry.name):
                    folders.append((name + "/", Path(entry.path)))
            elif entry.is_file(follow_symlinks=False):
                if _UNFINISHED.search(entry.name) or _RSYNC.search(entry.name):
                    if entry.name not in (".gitkeep", ".gitignore", ".DS_Store"):
                        waits.append(Waiting(name, "the name says that it is still being written"))
                else:
                    yield name, entry


def _why_not(path: Path, settle_seconds: float) -> str:
    try:
        stat = path.lstat()
        age = time.time() - max(stat.st_mtime, stat.st_ctime)
        # A time in the future cannot be waited for: then only the lease speaks.
        if 0 <= age < settle_seconds:
            return f"changed {age:.0f} s ago; it is taken when it stood still for {settle_seconds:g} s"
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return "it was just taken away"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    try:
        return "somebody has it open for writing" if _being_written(descriptor) else ""
    finally:
        os.close(descriptor)


def _being_written(descriptor: int) -> bool:
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _remove_empty(folder: Path, stop: Path) -> None:
    """Remove empty folders upwards, below ``stop``."""
    while folder != stop and stop in folder.parents:
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent
