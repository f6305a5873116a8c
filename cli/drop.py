"""``nightloom drop``: put files into the inbox, safely."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from cli.home import find_layout
from contracts.errors import NotFound, UsageError


def drop(files: list[Path], /, *, into: str, workspace: str = "") -> None:
    """Copy files into a folder of the inbox. They appear there whole, by rename, so that a night never sees half a
    file.

    Parameters
    ----------
    files
        Files to deliver.
    into
        Folder of the inbox: profiles, items, events, or one that a source mapping matches.
    workspace
        Workspace.
    """
    layout = find_layout(workspace)
    folder = layout.inbox / into
    if layout.inbox.resolve() not in (folder.resolve(), *folder.resolve().parents):
        raise UsageError(
            f"{into!r} lies outside the inbox", hint="profiles, items, events, or a folder of a source mapping"
        )
    missing = [str(path) for path in files if not path.is_file()]
    if missing:
        raise NotFound(f"no such file: {', '.join(missing)}", hint="nothing was dropped; name files, not folders")
    names = [path.name for path in files]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(
            f"several files are named {', '.join(twice)}", hint="rename them, or drop them one after another"
        )
    folder.mkdir(parents=True, exist_ok=True)
    for path in files:
        arriving = folder / f".{path.name}.{os.getpid()}.part"
        shutil.copyfile(path, arriving)
        with arriving.open("rb") as copied:
            os.fsync(copied.fileno())
        arriving.replace(folder / path.name)
        print(f"dropped {folder.relative_to(layout.home)}/{path.name}")
