"""``nightloom apply``: scenario files into the journal, without waiting for the night."""

from __future__ import annotations

from cli.home import find_layout
from cli.terminal import show_json


def apply(*, dry: bool = False, workspace: str = "", json: bool = False) -> None:
    """Put the scenarios among the definitions into force now; what did not change in the files is left alone.

    Parameters
    ----------
    dry
        Only say what would change.
    workspace
        Workspace.
    json
        Print JSON.
    """
    from store import definitions
    from store.journal import Journal
    from store.scenario_apply import apply_files, preview_files

    layout = find_layout(workspace)
    written = definitions.load(layout)
    with Journal.open(layout, written.settings) as journal:
        found = (preview_files if dry else apply_files)(layout, written, journal)
    if json:
        changes = [{"kind": one.kind, "name": one.name, "deleted": one.body is None} for one in found.changes]
        show_json({"changes": changes, "warnings": found.warnings})
        return
    for name, texts in found.warnings.items():
        for text in texts:
            print(f"warning: {name}: {text}")
    for one in found.changes:
        print(f"{'delete' if one.body is None else 'put'} {one.kind.replace('_', ' ')} {one.name}")
    count = len(found.changes)
    print("nothing changed in the scenario files" if not count else f"{count} {'would change' if dry else 'changed'}")
