"""``nightloom init``: the folders of a workspace, and a settings file to start from."""

from __future__ import annotations

import os
from pathlib import Path

from contracts.errors import UsageError
from store.layout import Layout, name_fault

SETTINGS = """\
# Settings of this workspace. Everything has a default; docs/settings.md lists all of them.

[pipeline]
# run_start: the night's start; last_event: one second after the newest event, for historical data.
as_of = "run_start"

[recommendations]
# Which events count as interactions, and how much.
event_weights = { charged = 1.0 }

[churn]
activity_event_types = ["charged"]
"""


def init(folder: Path | None = None, *, workspace: str = "default") -> None:
    """Make the folders of a workspace and a settings file to start from; nothing that exists is touched.

    Parameters
    ----------
    folder
        Where the installation lives; by default $NIGHTLOOM_HOME, else the current folder.
    workspace
        Workspace to make.
    """
    fault = name_fault(workspace)
    if fault:
        raise UsageError(fault, hint="letters, digits, - and _")
    home = (folder or Path(os.environ.get("NIGHTLOOM_HOME") or ".")).expanduser().resolve()
    if home.exists() and not home.is_dir():
        raise UsageError(f"{home} is a file", hint="name a folder; it is made when it is missing")
    layout = Layout(home, workspace)
    layout.create()
    (layout.definitions / "sources").mkdir(parents=True, exist_ok=True)
    settings = layout.definitions / "settings.toml"
    if not settings.exists():
        settings.write_text(SETTINGS, encoding="utf-8")
    scope = "" if workspace == "default" else f" --workspace {workspace}"
    print(
        f"workspace {workspace} is ready\n"
        f"  drop files into  {layout.inbox}/profiles, items, events\n"
        f"  settings         {settings}\n"
        f"  then             nightloom run{scope}"
    )
