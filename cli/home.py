"""Which installation and workspace a command is about."""

from __future__ import annotations

import os
from pathlib import Path

from contracts.errors import UsageError
from store.layout import Layout


def find_home() -> Path:
    """``$NIGHTLOOM_HOME``, else the nearest folder upwards that has ``definitions/``. Raises ``UsageError`` without one."""
    named = os.environ.get("NIGHTLOOM_HOME")
    if named:
        return Path(named).expanduser().resolve()
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "definitions").is_dir():
            return folder
    raise UsageError("there is no definitions/ folder here or above", hint="nightloom init, or set NIGHTLOOM_HOME")


def find_layout(workspace: str = "") -> Layout:
    """The layout of the workspace named, of ``$NIGHTLOOM_WORKSPACE``, or of ``default``."""
    return Layout(find_home(), workspace or os.environ.get("NIGHTLOOM_WORKSPACE", "default"))
