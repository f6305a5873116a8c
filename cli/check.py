"""``nightloom check``: all definitions at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.home import find_layout
from cli.terminal import show_json
from contracts.errors import DefinitionError

if TYPE_CHECKING:
    from store.definitions import Definitions
    from store.layout import Layout
    from store.scenario_files import Changes


def check(*, workspace: str = "", json: bool = False) -> None:
    """Check settings, source mappings, feature rules, scenarios and agents; report every problem and its place.

    Parameters
    ----------
    workspace
        Workspace whose definitions to check.
    json
        Print JSON.
    """
    from store import definitions

    layout = find_layout(workspace)
    try:
        loaded = definitions.load(layout)
        changes = _changes(layout, loaded)
    except DefinitionError as error:
        if json:
            show_json({"problems": [{"where": p.where, "message": p.message, "hint": p.hint} for p in error.problems]})
        raise
    warnings = [f"{name}: {text}" for name, texts in changes.warnings.items() for text in texts]
    if json:
        show_json({
            "problems": [], "sources": [source.name for source in loaded.sources], "digest": loaded.digest,
            "scenarios": [f"{kind}/{name}" for kind, name in loaded.scenarios.definitions],
            "agents": list(loaded.agents.documents), "warnings": warnings,
        })
        return
    for warning in warnings:
        print(f"warning: {warning}")
    names = ", ".join(source.name for source in loaded.sources) or "none"
    rules, scenarios = len(loaded.features.features), len(loaded.scenarios.definitions)
    print(
        f"definitions are good: sources {names}; {rules} feature rules; {scenarios} scenarios; "
        f"{len(loaded.agents.documents)} agents; digest {loaded.digest[:16]}"
    )


def _changes(layout: Layout, loaded: Definitions) -> Changes:
    """What applying the scenario files would change."""
    from store.definition_apply import preview_files
    from store.journal import Journal

    if not loaded.settings.journal_url and not layout.journal.exists():
        return preview_files(layout, loaded, None)
    with Journal.open(layout, loaded.settings) as journal:
        return preview_files(layout, loaded, journal)
