"""What the files of scenarios and agents change in a workspace, said or done: for the night, ``nightloom apply`` and
``check``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

from scenarios.spec import PropertyType
from store.agent_documents import AGENT
from store.agent_files import apply_agents, changed_agents
from store.definitions import Definitions
from store.journal import Journal, Pointer
from store.layout import Layout
from store.scenario_files import Change, Changes, Stored, apply, changes_of, read_stored


def apply_files(layout: Layout, written: Definitions, journal: Journal) -> Changes:
    """Bring the files into the journal; raises DefinitionError with every problem, and changes nothing then."""
    known = _known(layout, written, journal.pointer())
    with journal.writing() as connection:
        at = journal.clock()
        found = apply(connection, written.scenarios, at, *known)
        return _with_agents(found, written, apply_agents(connection, written.agents, layout.workspace, at))


def preview_files(layout: Layout, written: Definitions, journal: Journal | None) -> Changes:
    """What ``apply_files`` would do; without a journal nothing is stored yet. Raises DefinitionError."""
    if journal is None:
        found = changes_of(written.scenarios, Stored(), *_known(layout, written, None))
        return _with_agents(found, written, changed_agents(written.agents, None))
    known = _known(layout, written, journal.pointer())
    with journal.reading() as connection:
        found = changes_of(written.scenarios, read_stored(connection), *known)
        return _with_agents(found, written, changed_agents(written.agents, connection))


def _with_agents(found: Changes, written: Definitions, codes: Iterable[str]) -> Changes:
    put = tuple(Change(AGENT, code, written.agents.documents[code]) for code in codes)
    return replace(found, changes=(*found.changes, *put))


def _known(layout: Layout, written: Definitions, served: Pointer | None) -> tuple[
    dict[str, PropertyType], frozenset[str], frozenset[str]
]:
    """Exact types of item properties, and names of further item and user properties.

    Of a property that the served run found in deliveries only the name counts: its type there is a guess, which the
    definitions that are being applied may have changed.
    """
    items, users = written.property_names("items"), written.property_names("profiles")
    return written.exact_types("items"), items | _served_names(layout, served), users


def _served_names(layout: Layout, served: Pointer | None) -> frozenset[str]:
    if served is None:
        return frozenset()
    try:
        facts = json.loads((layout.run(served.run_id) / "pack" / "pack.json").read_text(encoding="utf-8"))
        return frozenset(entry["name"] for entry in facts["properties"])
    except (OSError, ValueError, KeyError):
        return frozenset()  # only warnings depend on it
