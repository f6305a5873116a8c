"""``nightloom init``: the folders of a workspace, and a settings file to start from."""

from __future__ import annotations

from pathlib import Path

from contracts.errors import UsageError
from store.layout import RESERVED, Layout

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


def init(folder: Path = Path("."), *, workspace: str = "default") -> None:
    """Make the folders of a workspace and a settings file to start from; nothing that exists is touched.

    Parameters
    ----------
    folder
        Where the installation lives.
    workspace
        Workspace to make.
    """
    if workspace in RESERVED or not workspace.replace("-", "").replace("_", "").isalnum():
        raise UsageError(f"{workspace!r} cannot be a workspace", hint="letters, digits, - and _, but not inbox or sample")
    layout = Layout(folder.resolve(), workspace)
    layout.create()
    (layout.definitions / "sources").mkdir(parents=True, exist_ok=True)
    settings = layout.definitions / "settings.toml"
    if not settings.exists():
        settings.write_text(SETTINGS, encoding="utf-8")
    print(f"workspace {workspace} is ready\n  drop files into  {layout.inbox}/profiles, items, events\n  settings         {settings}\n  then             nightloom run")
