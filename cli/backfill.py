"""``nightloom backfill``: the runs of past dates."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from cli.home import find_layout
from cli.terminal import TerminalProgress, show_json, show_table


def backfill(
    *,
    from_: Annotated[datetime, Parameter(name="--from")],
    to: datetime,
    every_days: Annotated[int, Parameter(validator=Number(gte=1))] = 1,
    workspace: str = "",
    json: bool = False,
) -> None:
    """Make the run of every date from --from to --to out of what the warehouse holds now.

    The runs are kept beside the served one.

    Parameters
    ----------
    from_
        First date (UTC midnight is its cut-off).
    to
        Last date, included.
    every_days
        Days from one date to the next.
    workspace
        Workspace.
    json
        Print JSON.
    """
    from flows.desk import open_desk
    from flows.history import fill

    layout = find_layout(workspace)
    with open_desk(layout.home, layout.workspace, TerminalProgress()) as desk:
        outcomes = fill(desk, from_.date(), to.date(), every_days)
    rows = [{"as_of": outcome.as_of, "run_id": outcome.run_id, "reason": outcome.reason} for outcome in outcomes]
    if json:
        show_json(rows)
    else:
        show_table("Backfilled", ("as of (UTC)", "run", "note"), [tuple(row.values()) for row in rows], whole=("run",))
