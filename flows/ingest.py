"""Loading drops between nights: ``flows/ingest.py:ingest``."""

from __future__ import annotations

from prefect import flow

from flows.artifacts import table_artifact
from flows.desk import open_desk
from flows.night import drain_journal, take_drops
from flows.nightly import home
from flows.prefect_step import LoggedProgress, as_task
from flows.stages.live_segments import follow_files
from flows.stages.notify import deliver


@flow(name="ingest", flow_run_name="ingest-{workspace}", persist_result=False)
def ingest(workspace: str = "default") -> dict[str, int]:
    """Load what lies in the inbox and what the endpoint wrote; what was loaded becomes readable with the next
    published run.
    """
    with open_desk(home(), workspace, LoggedProgress()) as desk, desk.journal.lease(
        "pipeline", "ingest", desk.settings.pipeline.lease_seconds
    ):
        drained = as_task("drain", lambda: drain_journal(desk), retries=2)
        loaded = as_task("ingest", lambda: take_drops(desk), retries=2)
        as_task("live segments", lambda: follow_files(desk.layout, desk.settings, desk.journal), retries=2)
        deliver(desk.journal, desk.settings, desk.progress)
    table_artifact(
        "nightloom-files", [load.as_dict() for load in loaded.loads], "Delivered files and what became of their rows"
    )
    return {"writes": drained.rows, "files": len(loaded.loads), "rows": loaded.rows_in}
