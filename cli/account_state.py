"""Opening the journal for commands that configure an account."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cli.home import find_layout
from contracts.settings import Settings
from store.journal import Journal
from store.layout import Layout

WHO = "command line"


@contextmanager
def opened(workspace: str) -> Iterator[tuple[Layout, Settings, Journal]]:
    """The workspace's layout, settings and journal."""
    from store.settings_file import load_settings

    layout = find_layout(workspace)
    settings = load_settings(layout)
    with Journal.open(layout, settings) as journal:
        yield layout, settings, journal
