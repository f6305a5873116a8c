"""The nightly flow: ``flows/nightly.py:nightly``."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from prefect import flow

from flows.artifacts import publish_artifacts
from flows.desk import open_desk
from flows.night import Order, Outcome, night
from flows.prefect_step import LoggedProgress, as_task


def home() -> Path:
    """The installation a deployed flow works on: ``$NIGHTLOOM_HOME``, else the folder the worker runs it in."""
    return Path(os.environ.get("NIGHTLOOM_HOME", ".")).resolve()


@flow(name="nightly", flow_run_name="nightly-{workspace}", persist_result=False)
def nightly(as_of: datetime | None = None, workspace: str = "default", force: bool = False) -> Outcome:
    """Ingest what was dropped, train, precompute and publish.

    ``as_of`` (naive UTC) rebuilds the run of a past moment; by default the settings decide. ``force`` makes a run even
    when nothing is new.
    """
    with open_desk(home(), workspace, LoggedProgress()) as desk:
        outcome = night(desk, Order(as_of=_naive(as_of), force=force), as_task)
    publish_artifacts(outcome)
    return outcome


def _naive(moment: datetime | None) -> datetime | None:
    """Prefect hands over aware datetimes; inside, all times are naive UTC."""
    if moment is None or moment.tzinfo is None:
        return moment
    from datetime import UTC

    return moment.astimezone(UTC).replace(tzinfo=None)
