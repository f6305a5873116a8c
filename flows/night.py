"""The nightly run as prose: drain, ingest, build, check, train, precompute, publish, prune. No Prefect here; ``flows.nightly`` wraps each step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar

from contracts.published import Identity
from flows.desk import Desk
from flows.stages import cutoff, publish
from flows.stages.build import build
from flows.stages.check import check
from flows.stages.churn import train_churn
from flows.stages.drain import drain
from flows.stages.ingest import IngestReport, ingest
from flows.stages.precompute import precompute
from flows.stages.recommend import train
from flows.stopwatch import Lap, Stopwatch
from store import runs
from store.workbench import open_workbench

T = TypeVar("T")


class Step(Protocol):
    """How one stage is run: called directly, or as a Prefect task."""

    def __call__(self, name: str, work: Callable[[], T], *, retries: int = 0) -> T: ...


def direct(name: str, work: Callable[[], T], *, retries: int = 0) -> T:  # noqa: ARG001 - the step protocol
    """Run a stage in place, once."""
    return work()


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked of a night. ``as_of`` None follows the settings; ``promote`` False keeps the run without serving it."""

    as_of: datetime | None = None
    force: bool = False
    ingest: bool = True
    promote: bool = True
    who: str = "night"


@dataclass(slots=True)
class Outcome:
    """What a night did. ``published`` is the run now serving; ``made`` says whether this night made a run at all."""

    run_id: str = ""
    as_of: datetime | None = None
    made: bool = False
    promoted: bool = False
    reason: str = ""
    ingest: IngestReport | None = None
    laps: list[Lap] = field(default_factory=list)
    tables: dict[str, int] = field(default_factory=dict)
    jobs: list[dict[str, Any]] = field(default_factory=list)
    evaluation: list[dict[str, Any]] = field(default_factory=list)
    report: str = ""


def night(desk: Desk, order: Order = Order(), step: Step = direct) -> Outcome:
    """Run one night and return what happened. One at a time per workspace: raises ``LeaseHeld`` while another runs.

    Whatever goes wrong, the pointer stays where it was and the next night starts clean.
    """
    watch = Stopwatch()
    outcome = Outcome(laps=watch.laps)
    with desk.journal.lease("pipeline", seconds=desk.settings.pipeline.lease_seconds) as lease:
        runs.clear_staging(desk.layout)
        with watch.lap("drain") as lap:
            drained = step("drain", lambda: drain_journal(desk), retries=2)
            lap.rows = drained.rows
        if order.ingest:
            with watch.lap("ingest") as lap:
                outcome.ingest = step("ingest", lambda: take_drops(desk), retries=2)
                lap.rows = outcome.ingest.rows_in
        with watch.lap("identify") as lap:
            identity = step("identify", lambda: cutoff.identify(desk, order.as_of))
        if identity is None:
            outcome.reason = "nothing to build on: the warehouse is empty; drop files into the inbox"
            return outcome
        outcome.as_of = datetime.fromisoformat(identity.as_of)
        same = None if order.force or order.as_of else publish.unchanged(desk, identity)
        if same:
            outcome.run_id, outcome.reason = same, "nothing new since the published run: no new file, write, definition or code"
            return outcome
        outcome.run_id = runs.run_id_of(identity)
        desk.journal.record_run(outcome.run_id, "building", as_of=outcome.as_of, watermark=identity.journal_seq)
        try:
            make(desk, order, identity, outcome, watch, step)
            with watch.lap("publish") as lap:
                step("publish", lambda: publish.publish(desk, outcome, identity, promote=order.promote, who=order.who, lease=lease), retries=2)
        except BaseException as error:
            desk.journal.record_run(outcome.run_id, "failed", message=f"{type(error).__name__}: {error}"[:2000])
            raise
    outcome.made = True
    return outcome


def make(desk: Desk, order: Order, identity: Identity, outcome: Outcome, watch: Stopwatch, step: Step) -> None:
    """Build, check, train, precompute and stage one run."""
    as_of = datetime.fromisoformat(identity.as_of)
    settings, progress = desk.settings, desk.progress
    target = runs.stage(desk.layout, outcome.run_id)
    previous = publish.previous_run(desk)
    with open_workbench(desk.layout, settings, outcome.run_id) as con:
        with watch.lap("build") as lap:
            outcome.tables = step("build", lambda: build(con, as_of, settings))
            lap.rows = sum(outcome.tables.values())
        with watch.lap("check") as lap:
            checked = step("check", lambda: check(
                con, target, settings, desk.definitions.features, as_of, previous.folder if previous else None, progress))
            lap.rows = checked.rows
        with watch.lap("train recommenders") as lap:
            recommended = step("train recommenders", lambda: train(con, target, settings, as_of, previous, progress))
            lap.rows = recommended.rows
        with watch.lap("train churn") as lap:
            churn = step("train churn", lambda: train_churn(con, target, settings, as_of, previous, progress))
            lap.rows = churn.rows
        with watch.lap("precompute") as lap:
            lap.rows = step("precompute", lambda: precompute(con, target, recommended, settings, progress))
        outcome.jobs = [*recommended.jobs, *churn.jobs]
        outcome.evaluation = [*recommended.evaluation, *churn.evaluation]
        with watch.lap("export") as lap:
            lap.rows = step("export", lambda: publish.export(con, target, desk, outcome, recommended, churn, previous))
    with watch.lap("stage") as lap:
        step("stage", lambda: publish.stage(desk, target, identity, outcome, checked))


def drain_journal(desk: Desk) -> Any:
    """Copy the journal's writes into the warehouse, up to the number read at the start."""
    up_to = desk.journal.last_seq()
    return drain(desk.layout, desk.settings, desk.journal.writes_between, up_to)


def take_drops(desk: Desk) -> IngestReport:
    """Load what lies in the inbox."""
    return ingest(desk.layout, desk.settings, desk.definitions.sources, desk.started, desk.progress)
