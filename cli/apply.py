"""``nightloom apply``: files of scenarios and agents, or documents of an account, into the journal without waiting for
the night.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from cli.account_state import WHO, opened
from cli.home import find_layout
from cli.terminal import show_json
from contracts.errors import NightloomError, NotFound, UsageError


def apply(
    *, file: Annotated[Path | None, Parameter(name=("--filepath", "-f"))] = None, dry: bool = False,
    workspace: str = "", json: bool = False,
) -> None:
    """Put the scenarios and agents among the definitions into force now; what did not change in the files is left
    alone. With a file: apply its documents instead, each entry by itself.

    Parameters
    ----------
    file
        YAML documents of kind accountConfigurations, algorithmConfigurations, eventTypes, segments,
        templates, agents or targetingRules; a document of one agent needs no kind.
    dry
        Only say what would change.
    workspace
        Workspace.
    json
        Print JSON.
    """
    from store import definitions
    from store.definition_apply import apply_files, preview_files
    from store.journal import Journal

    if file is not None:
        _apply_documents(file, dry, workspace, json)
        return
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
    print("nothing changed in the files" if not count else f"{count} {'would change' if dry else 'changed'}")


def _apply_documents(file: Path, dry: bool, workspace: str, json: bool) -> None:
    from store.account_apply import apply_text

    if dry:
        raise UsageError("--dry is for scenario files", hint="leave it out, or leave -f out")
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NotFound(f"{file} cannot be read: {error}", hint="name a YAML file in UTF-8") from error
    with opened(workspace) as (_, settings, journal):
        found = apply_text(journal, settings, text, file.name, WHO)
    refused = [one for one in found if one.refusal]
    if json:
        show_json([
            {"where": one.where, "kind": one.kind, "name": one.name, "change": one.change, "refusal": one.refusal}
            for one in found
        ])
    else:
        for one in found:
            print(f"{one.where}: {one.change or 'refused'} {one.name}{f': {one.refusal}' if one.refusal else ''}")
    if refused:
        raise NightloomError(f"{len(refused)} of {len(found)} entries were refused")
