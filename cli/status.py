"""``nightloom status``: what is served, what ran last, what comes next, what waits and why."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cli.home import find_layout
from cli.terminal import show_facts, show_json, show_table

if TYPE_CHECKING:
    from flows.state import State


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
    show_facts({
        "workspace": f"{state.workspace} ({layout.root})",
        "serving": _serving(state),
        "running now": state.running or "no",
        "last run": _last(state),
        "next night": _next(state),
        "files waiting": len(state.waiting_files),
        "writes waiting": state.writes_waiting,
        "rows held back": _count(state.quarantined_rows, "nightloom quarantine list"),
        "files refused": _count(state.refused_files, str(layout.refused)),
    })
    if state.waiting_files:
        show_table("Waiting in the inbox", ("file", "why"), state.waiting_files, limit=20)
    for note in state.notes:
        print(f"note: {note}")


def _serving(state: State) -> str:
    if not state.serving:
        return "nothing yet: drop files, then nightloom run"
    published = f", published {state.promoted_at:%Y-%m-%d %H:%M} UTC" if state.promoted_at else ""
    return f"{state.serving} (as of {state.as_of} UTC{published})"


def _last(state: State) -> str:
    last = state.last_run
    if last is None:
        return "none"
    message = last.message.splitlines()[0] if last.message else ""
    return f"{last.run_id} {last.status}{': ' + message if message else ''}"


def _next(state: State) -> str:
    if state.next_night is None:
        return "not scheduled"
    return f"{state.next_night:%Y-%m-%d %H:%M} UTC (cron {state.schedule}, when Prefect's worker runs)"


def _count(count: int | None, where: str) -> str:
    if count is None:
        return "unknown"
    return f"{count:,} ({where})" if count else "0"
