"""Takes the events of agents that were deleted out of the warehouse."""

from __future__ import annotations

from contracts.settings import Settings
from store import agent_documents, warehouse
from store.journal import Journal
from store.layout import Layout
from transforms.erasure import erase_agents


def forget(layout: Layout, settings: Settings, journal: Journal) -> int:
    """Delete what deleted agents received before they were deleted, once it is drained; returns how many events.

    An agent of the same code that came after keeps what is its own.
    """
    with journal.reading() as connection:
        deletions = agent_documents.read_deletions(connection)
    if not deletions or not layout.warehouse.exists():
        return 0
    with warehouse.open_warehouse(layout, settings.pipeline) as con, warehouse.transaction(con):
        erased = erase_agents(con, deletions)
        if erased:
            warehouse.bump_version(con)
    return erased
