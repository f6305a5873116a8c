"""``nightloom rollback``: serve an older run again."""

from __future__ import annotations

from cli.home import find_layout
from cli.terminal import show_json
from contracts.errors import NotFound, UsageError


def rollback(run_id: str = "", *, workspace: str = "", json: bool = False) -> None:
    """Serve an older kept run again; its files are verified first, and readers switch in one step.

    Parameters
    ----------
    run_id
        Run to serve; by default the one that was served before the current one.
    workspace
        Workspace.
    json
        Print JSON.
    """
    from flows.desk import open_desk
    from flows.stages import publish

    layout = find_layout(workspace)
    with (
        open_desk(layout.home, layout.workspace) as desk,
        desk.journal.lease("pipeline", "rollback", desk.settings.pipeline.lease_seconds) as lease,
    ):
        pointer = desk.journal.pointer()
        if pointer is None:
            raise NotFound("no run is published yet", hint="nightloom run")
        promotions = desk.journal.promotions()
        wanted = run_id or next((p.previous for p in promotions if p.run_id == pointer.run_id and p.previous), "")
        if not wanted:
            raise NotFound(f"no run was served before {pointer.run_id}", hint="nightloom runs list")
        renewed = publish.renew_views(desk)
        if wanted == pointer.run_id and not renewed:
            raise UsageError(f"{wanted} is the run that is served now", hint="nightloom runs list")
        if wanted != pointer.run_id:
            publish.rollback(desk, wanted, lease, who="rollback")
    if json:
        show_json({"serving": wanted, "before": pointer.run_id})
    else:
        print(f"serving {wanted}; before it was {pointer.run_id}")
