"""Where everything of one workspace lies on disk. The only place that joins paths."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

RESERVED = frozenset({"inbox", "sample", "prefect"})
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def name_fault(workspace: str) -> str:
    """Why no workspace can have this name, or nothing: it is a folder's name below ``data/``."""
    if workspace in RESERVED:
        return f"the workspace name {workspace!r} is reserved"
    return "" if _NAME.fullmatch(workspace) else f"{workspace!r} cannot be the name of a workspace"


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths of one workspace under ``home`` (the folder that holds ``definitions/`` and ``data/``).

    The default workspace takes its drops from ``data/inbox/``, another one from ``data/<workspace>/inbox/``. Inbox and
    workspace folder must share a file system, because a drop is claimed by rename.
    """

    home: Path
    workspace: str = "default"

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def root(self) -> Path:
        return self.data / self.workspace

    @property
    def control(self) -> Path:
        """Databases, accounts and keys of the whole installation."""
        return self.data / "control.sqlite"

    @property
    def definitions(self) -> Path:
        """What an operator wrote: ``definitions/``, or ``definitions/workspaces/<name>/`` for another workspace than
        the default.
        """
        folder = self.home / "definitions"
        return folder if self.workspace == "default" else folder / "workspaces" / self.workspace

    @property
    def inbox(self) -> Path:
        """Drop folder: ``profiles/``, ``items/``, ``events/``, and any name that a source mapping matches."""
        return self.data / "inbox" if self.workspace == "default" else self.root / "inbox"

    @property
    def claimed(self) -> Path:
        """Drops being loaded; what is found here at the start of a night was interrupted and is loaded again."""
        return self.root / "claimed"

    @property
    def archive(self) -> Path:
        """Originals of loaded drops, by content hash."""
        return self.root / "archive"

    @property
    def refused(self) -> Path:
        """Originals of drops that could not be read at all."""
        return self.root / "refused"

    @property
    def warehouse(self) -> Path:
        return self.root / "warehouse.duckdb"

    @property
    def journal(self) -> Path:
        return self.root / "journal.sqlite"

    @property
    def analytics(self) -> Path:
        return self.root / "analytics.duckdb"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def staging(self) -> Path:
        """Runs being built; never read by anyone else, removed when found at the start of a night."""
        return self.root / "staging"

    @property
    def scratch(self) -> Path:
        """Spill space of DuckDB."""
        return self.root / "scratch"

    @property
    def prefect_home(self) -> Path:
        return self.data / "prefect"

    def run(self, run_id: str) -> Path:
        return self.runs / run_id

    def create(self) -> None:
        """Make every folder that the pipeline writes to."""
        for path in (self.inbox, self.claimed, self.archive, self.refused, self.runs, self.staging, self.scratch):
            path.mkdir(parents=True, exist_ok=True)
        for entity in ("profiles", "items", "events"):
            (self.inbox / entity).mkdir(exist_ok=True)
