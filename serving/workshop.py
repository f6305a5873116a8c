"""What serves one workspace, and how one that is not the endpoint's own is opened."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.settings import Settings
from serving.commit import GroupCommit
from serving.live import Live
from store.journal import Journal
from store.layout import Layout
from store.settings_file import load_settings


@dataclass(slots=True)
class Workshop:
    """What serves one workspace. ``own``: the endpoint's, which closes it itself."""

    layout: Layout
    settings: Settings
    journal: Journal
    live: Live
    commit: GroupCommit
    own: bool = False


def opened(layout: Layout) -> tuple[Settings, Journal, Live]:
    """The slow part: files are read and a run is mapped."""
    settings = load_settings(layout)
    journal = Journal.open(layout, settings)
    live = Live(layout, settings, journal)
    live.open_now()
    return settings, journal, live
