"""``nightloom check``: all definitions at once."""

from __future__ import annotations

from cli.home import find_layout
from cli.terminal import show_json
from contracts.errors import DefinitionError


def check(*, workspace: str = "", json: bool = False) -> None:
    """Check settings, source mappings and feature rules; report every problem, each with its place and what to try.

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
    except DefinitionError as error:
        if json:
            show_json({"problems": [{"where": p.where, "message": p.message, "hint": p.hint} for p in error.problems]})
        raise
    if json:
        show_json({"problems": [], "sources": [source.name for source in loaded.sources], "digest": loaded.digest})
    else:
        names = ", ".join(source.name for source in loaded.sources) or "none"
        rules = len(loaded.features.features)
        print(f"definitions are good: sources {names}; {rules} feature rules; digest {loaded.digest[:16]}")
