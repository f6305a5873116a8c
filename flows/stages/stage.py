"""The stage before publishing: report and manifest of a run whose tables and serving pack are written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from contracts.account import JOB_NAMES
from contracts.manifest import Manifest, PublishedTable
from flows.stages.check import CheckOutcome
from flows.stages.cutoff import Cut
from flows.stages.materialize import Materialized
from flows.stages.publish import PreviousRun
from flows.stages.report import ReportFacts, report
from store import runs

if TYPE_CHECKING:
    from flows.desk import Desk
    from flows.night import Outcome


def stage_run(
    desk: Desk,
    target: Path,
    cut: Cut,
    outcome: Outcome,
    tables: list[PublishedTable],
    months: dict[str, dict[str, str]],
    checked: CheckOutcome,
    previous: PreviousRun | None,
    made: Materialized,
) -> Manifest:
    """Write the nightly report, then the manifest that digests everything; returns the manifest."""
    report(target, ReportFacts(
        run_id=outcome.run_id,
        as_of=cut.as_of,
        previous_run=previous.folder if previous else None,
        laps=tuple(lap.as_dict() for lap in outcome.laps),
        loads=tuple(load.as_dict() for load in outcome.ingest.loads) if outcome.ingest else (),
        checked=checked,
    ))
    models = {
        job["algorithm"]: {
            **{key: job[key] for key in ("model", "status", "trained_by_run")},
            "serving": outcome.records.serving.get(JOB_NAMES[job["algorithm"]]),
        }
        for job in outcome.jobs
    }
    notes = {
        **months, "events_before": cut.events_before, "rows": outcome.tables, "lists": outcome.lists,
        "materialized": [one.as_dict() for one in made.index],
    }
    return runs.write_manifest(target, outcome.run_id, desk.started, cut.identity, tables, models, notes)
