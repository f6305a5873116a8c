"""The report stage: the nightly report from the run's tables and from what only the night itself knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from flows.stages.check import CheckOutcome
from store.report import Night, write_report


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """What the tables do not say: ``laps`` and ``loads`` as plain values (of ``Lap`` and of the ingest's loads), the
    outcome of the checks.

    A load is known by its ``load_id``; ``skips`` in it, if given, maps a rule to the rows it left out.
    """

    run_id: str
    as_of: datetime
    previous_run: Path | None = None
    laps: tuple[Mapping[str, Any], ...] = ()
    loads: tuple[Mapping[str, Any], ...] = ()
    checked: CheckOutcome | None = None


def report(target: Path, facts: ReportFacts) -> Path:
    """Write ``target/reports/index.html`` from ``target/tables`` and ``facts``; returns its path."""
    checked = facts.checked or CheckOutcome((), (), 0, 0)
    return write_report(
        target,
        Night(
            run_id=facts.run_id,
            as_of=facts.as_of,
            previous_run=facts.previous_run,
            laps=facts.laps,
            loads=facts.loads,
            checks=checked.results,
            drift=checked.drift,
            quarantined=checked.quarantined,
        ),
    )
