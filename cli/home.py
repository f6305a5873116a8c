"""Which installation and workspace a command is about."""

from __future__ import annotations

import os
from pathlib import Path

from contracts.errors import NotFound, UsageError
from store.layout import Layout, name_fault


def find_home() -> Path:
    """``$NIGHTLOOM_HOME``, else the nearest folder upwards that has ``definitions/``.

    Raises ``UsageError`` without one.
    """
    named = os.environ.get("NIGHTLOOM_HOME")
    if named:
        home = Path(named).expanduser().resolve()
        if not (home / "definitions").is_dir():
            raise UsageError(
                f"NIGHTLOOM_HOME is {home}, which has no definitions/ folder", hint=f"nightloom init {home}"
            )
        return home
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "definitions").is_dir():
            return folder
    raise UsageError("there is no definitions/ folder here or above", hint="nightloom init, or set NIGHTLOOM_HOME")


def find_layout(workspace: str = "", *, new: bool = False) -> Layout:
    """The layout of the workspace named, of ``$NIGHTLOOM_WORKSPACE``, or of ``default``.

    Raises ``UsageError`` for a name that none can have, ``NotFound`` for a workspace that was never made (unless
    ``new``).
    """
    name = workspace or os.environ.get("NIGHTLOOM_WORKSPACE") or "default"
    fault = name_fault(name)
    if fault:
        raise UsageError(fault, hint="letters, digits, - and _")
    layout = Layout(find_home(), name)
    if not new and name != "default" and not layout.root.is_dir() and not layout.definitions.is_dir():
        raise NotFound(
            f"there is no workspace {name!r} in {layout.home}", hint=f"nightloom init {layout.home} --workspace {name}"
        )
    return layout
