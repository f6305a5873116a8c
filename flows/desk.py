"""What a night works with: the workspace's paths, definitions, journal and a progress to report to.

Opened at the edge, passed down.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from contracts.progress import Progress, Silent
from contracts.settings import Settings
from store import definitions
from store.definitions import Definitions
from store.faults import storage_border
from store.journal import Journal
from store.layout import Layout


@dataclass(frozen=True, slots=True)
class Desk:
    """One opened workspace.

    ``started`` is the night's clock reading (naive UTC): nothing below reads the clock again.
    """

    layout: Layout
    definitions: Definitions
    journal: Journal
    started: datetime
    progress: Progress

    @property
    def settings(self) -> Settings:
        return self.definitions.settings


@contextmanager
def open_desk(home: Path, workspace: str = "default", progress: Progress | None = None) -> Iterator[Desk]:
    """Open a workspace for writing; its folders are made when missing.

    Raises ``DefinitionError`` with every fault in the definitions, ``StorageError`` where files or folders may not be
    read or made.
    """
    layout = Layout(home, workspace)
    loaded = definitions.load(layout)
    with storage_border(f"cannot make the folders of workspace {workspace}"):
        layout.create()
    journal = Journal.open(layout, loaded.settings)
    try:
        yield Desk(layout, loaded, journal, datetime.now(UTC).replace(tzinfo=None), progress or Silent())
    finally:
        journal.close()
