"""``nightloom upload``: load a file of profiles, items or events now."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from cli.home import find_layout
from cli.terminal import show_json, show_table
from contracts.errors import NotFound
from contracts.settings import Settings
from store.layout import Layout

ERRORS = 10


def upload(
    resource: Literal["profiles", "items", "events"], /, *,
    file: Annotated[Path, Parameter(name=("--file", "-f", "--filepath"))],
    workspace: str = "", json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Land a file and load it; its rows become readable with the next published run. Exit codes: 0 all good, 2 some
    rows quarantined, 1 refused.

    Parameters
    ----------
    resource
        profiles, items or events.
    file
        A CSV or Parquet file.
    workspace
        Workspace.
    json
        Print JSON.
    """
    from flows.desk import open_desk
    from flows.stages.account_documents import with_event_types
    from flows.stages.identified import published_merges
    from flows.stages.ingest import ingest_paths
    from flows.stages.live_segments import follow_files
    from flows.stages.notify import deliver

    layout = find_layout(workspace)
    if not file.is_file():
        raise NotFound(f"no such file: {file}", hint="name a file, not a folder")
    with open_desk(layout.home, layout.workspace) as desk:
        with desk.journal.lease("pipeline", "an upload", desk.settings.pipeline.lease_seconds):
            report = ingest_paths(
                layout, with_event_types(desk.settings, desk.journal), desk.definitions.sources, resource, [file],
                desk.started, desk.progress, published_merges(layout, desk.journal),
            )
            follow_files(layout, desk.settings, desk.journal)
        errors = _errors(desk.settings, layout, [load.load_id for load in report.loads])
        deliver(desk.journal, desk.settings, desk.progress)
    loads = [load.as_dict() for load in report.loads]
    if json:
        show_json({"loads": loads, "errors": errors})
    else:
        columns = ("entity", "status", "rows_in", "rows_loaded", "rows_already", "rows_skipped", "rows_quarantined")
        rows = [tuple(load.get(name) for name in columns) for load in loads]
        show_table(f"Upload of {file.name}", columns, rows, right=columns[2:])
        if errors:
            names = ("line", "column_name", "value", "rule", "reason")
            shown = [tuple(one[name] for name in names) for one in errors]
            show_table("First errors", names, shown, whole=("rule",))
    sys.stdout.flush()
    if report.refused:
        sys.exit(1)
    if report.rows_quarantined:
        sys.exit(2)


def _errors(settings: Settings, layout: Layout, load_ids: list[int]) -> list[dict[str, object]]:
    from store.warehouse import open_warehouse

    names = ("line", "column_name", "value", "rule", "reason")
    with open_warehouse(layout, settings.pipeline, read_only=True) as con:
        rows = con.execute(
            f"SELECT {', '.join(names)} FROM quarantine WHERE list_contains($loads, load_id) "
            f"ORDER BY load_id, line, rule LIMIT {ERRORS}",
            {"loads": load_ids},
        ).fetchall()
    return [dict(zip(names, row, strict=True)) for row in rows]
