"""The backfill flow: ``flows/backfill.py:backfill``."""

from __future__ import annotations

from datetime import date

from prefect import flow

from flows.desk import open_desk
from flows.history import fill
from flows.nightly import home
from flows.prefect_step import LoggedProgress, as_task


@flow(name="backfill", flow_run_name="backfill-{workspace}-{first}-{last}", persist_result=False)
def backfill(first: date, last: date, workspace: str = "default", every_days: int = 1) -> list[str]:
    """Make the runs of ``first`` to ``last`` (both included); returns their ids."""
    with open_desk(home(), workspace, LoggedProgress()) as desk:
        return [outcome.run_id for outcome in fill(desk, first, last, every_days, as_task)]
