"""``nightloom quarantine``: rows that were held back."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number

from cli.home import find_layout
from cli.run import show_loads
from cli.terminal import show_json, show_table

app = App(name="quarantine", help="List, show and replay rows that were held back.")


@app.default
@app.command(name="list")
def list_(*, all: bool = False, workspace: str = "", json: bool = False) -> None:
    """List what is held back, by load and rule.

    Parameters
    ----------
    all
        Also what was resolved.
    workspace
        Workspace.
    json
        Print JSON.
    """
    from flows.stages.quarantine import list_held
    from store.definitions import load_settings

    layout = find_layout(workspace)
    held = list_held(layout, load_settings(layout), everything=all)
    if json:
        show_json([one.as_dict() for one in held])
        return
    if not held:
        print("nothing is held back")
        return
    show_table(
        "Held back",
        ("load", "entity", "file", "rule", "column", "rows", "open", "first line"),
        [
            (
                str(one.load_id),
                one.entity,
                one.file,
                one.rule,
                one.column_name,
                one.rows,
                one.open,
                str(one.first_line or ""),
            )
            for one in held
        ],
        right=("load", "rows", "open", "first line"),
        spare=("entity", "first line", "rows"),
        whole=("rule",),
    )
    print(
        "\nnightloom quarantine show LOAD            the rows and why\nnightloom quarantine replay               "
        "load them again"
    )


@app.command
def show(
    load: int,
    /,
    *,
    limit: Annotated[int, Parameter(validator=Number(gte=0))] = 20,
    all: bool = False,
    export: Path | None = None,
    workspace: str = "",
    json: bool = False,
) -> None:
    """Show the rows of one load that were held back, and why; or write them to a file to repair.

    Parameters
    ----------
    load
        Number of the load.
    limit
        At most so many rows; 0 for all.
    all
        Also what was resolved.
    export
        Write the rows to this file in the layout of the original, for ``replay --load LOAD --file FILE``.
    workspace
        Workspace.
    json
        Print JSON.
    """
    from flows.stages.quarantine import export_held, show_held
    from store.definitions import load as load_definitions

    layout = find_layout(workspace)
    definitions = load_definitions(layout)
    if export is not None:
        records = export_held(layout, definitions.settings, definitions.sources, load, export)
        if json:
            show_json({"load": load, "file": str(export), "records": records})
        else:
            print(f"{records} record(s) in {export}; repair them, then")
            print(f"  nightloom quarantine replay --load {load} --file {export}")
        return
    rows = show_held(layout, definitions.settings, load, limit=limit, everything=all)
    if json:
        show_json([row.as_dict() for row in rows])
        return
    show_table(
        f"Load {load}: {rows[0].file}" if rows else f"Load {load}: nothing open",
        ("line", "entity", "column", "value", "rule", "what to do"),
        [(str(row.line or ""), row.entity, row.column_name, row.value, row.rule, row.reason) for row in rows],
        right=("line",), spare=("entity", "rule"), whole=("rule",),
    )


@app.command
def replay(*, load: int | None = None, file: Path | None = None, workspace: str = "", json: bool = False) -> None:
    """Load held rows again: as delivered under the definitions of today, or from a repaired file.

    Parameters
    ----------
    load
        Only the rows of this load.
    file
        A repaired file as ``show LOAD --export FILE`` wrote it; it goes on from the original load.
    workspace
        Workspace.
    json
        Print JSON.
    """
    from flows.stages import quarantine
    from store.definitions import load as load_definitions

    layout = find_layout(workspace)
    definitions = load_definitions(layout)
    now = datetime.now(UTC).replace(tzinfo=None)
    report = quarantine.replay(layout, definitions.settings, definitions.sources, now, load_id=load, file=file)
    if json:
        show_json(report.as_dict())
        return
    show_loads("Replayed", report.loads)
    print(f"resolved {report.resolved}, still held back {report.still_open}")
