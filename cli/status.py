"""``nightloom status``: what is served, what ran last, what comes next, what waits and why."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

from cli.home import find_layout
from cli.terminal import show_facts, show_json, show_table


def status(*, workspace: str = "", json: bool = False) -> None:
    """Show what is served, what ran last, what comes next, what waits and why.

    Parameters
    ----------
    workspace
        Workspace.
    json
        Print JSON.
    """
    from flows.state import look
    from store.definitions import load_settings

    layout = find_layout(workspace)
    now = datetime.now(UTC).replace(tzinfo=None)
    state = look(layout, load_settings(layout), now)
    if json:
        show_json(dataclasses.asdict(state))
        return
    last = state.last_run
    show_facts({
        "workspace": state.workspace,
        "serving": f"{state.serving} (as of {state.as_of} UTC, published {state.promoted_at:%Y-%m-%d %H:%M} UTC)" if state.serving and state.promoted_at
        else "nothing yet: drop files, then nightloom run",
        "running now": state.running or "no",
        "last run": f"{last.run_id} {last.status}{': ' + last.message if last.message else ''}" if last else "none",
        "next night": f"{state.next_night:%Y-%m-%d %H:%M} UTC (cron {state.schedule}, when Prefect's worker runs)" if state.next_night else "not scheduled",
        "files waiting": len(state.waiting_files),
        "writes waiting": state.writes_waiting,
        "rows held back": "unknown" if state.quarantined_rows is None else f"{state.quarantined_rows} (nightloom quarantine list)",
        "files refused": "unknown" if state.refused_files is None else state.refused_files,
    })
    if state.waiting_files:
        show_table("Waiting in the inbox", ("file", "why"), state.waiting_files)
    for note in state.notes:
        print(f"note: {note}")
