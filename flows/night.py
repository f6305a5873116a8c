"""The nightly run as prose: drain, ingest, build, check, train, precompute, materialize, publish, prune.

No Prefect here; ``flows.nightly`` wraps each step.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

import duckdb

from contracts.account import Account
from contracts.errors import StorageError
from flows.desk import Desk
from flows.stages import cutoff, decision_upkeep, publish
from flows.stages.account_documents import take_documents, with_event_types
from flows.stages.agent_erasure import forget
from flows.stages.build import build
from flows.stages.check import check
from flows.stages.churn import ChurnOutcome, train_churn
from flows.stages.customers import describe_customers
from flows.stages.cutoff import Cut
from flows.stages.decision_logs import take_logs
from flows.stages.definition_files import apply_files
from flows.stages.documents import registered_types, value_types
from flows.stages.drain import DrainReport, drain
from flows.stages.drained import declared_properties
from flows.stages.experiments import judge
from flows.stages.identified import published_merges
from flows.stages.ingest import IngestReport, ingest
from flows.stages.job_log import JobLog, close_failed, close_interrupted
from flows.stages.jobs import Records, exclusions, records
from flows.stages.live_segments import follow_files
from flows.stages.materialize import materialize
from flows.stages.notify import deliver
from flows.stages.policies import learn_policies
from flows.stages.precompute import precompute
from flows.stages.publish import PreviousRun
from flows.stages.recommend import RecommendOutcome, train
from flows.stages.scenario_evaluation import evaluate_scenarios
from flows.stages.stage import stage_run
from flows.stages.steering import not_started, steer
from flows.stopwatch import Lap, Stopwatch
from store import inbox, runs
from store.agent_documents import read_agents
from store.faults import storage_border
from store.journal import live_tags
from store.pack.build import build_pack
from store.pack.value_types import write_value_types
from store.workbench import open_workbench
from transforms.customer_features import features_of

T = TypeVar("T")


class Step(Protocol):
    """How one stage is run: called directly, or as a Prefect task."""

    def __call__(self, name: str, work: Callable[[], T], *, retries: int = 0) -> T: ...


def direct(name: str, work: Callable[[], T], *, retries: int = 0) -> T:  # noqa: ARG001 - the step protocol
    """Run a stage in place, once."""
    return work()


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked of a night.

    ``as_of`` None follows the settings. ``force`` makes a run even when nothing is new. ``serve`` False keeps the run
    without serving it. ``alone`` makes it without looking at the published run (no drift, nothing carried forward), so
    that the order of runs cannot matter. ``ingest`` False takes the warehouse as it is.
    """

    as_of: datetime | None = None
    force: bool = False
    ingest: bool = True
    serve: bool = True
    alone: bool = False
    who: str = "night"


@dataclass(slots=True)
class Outcome:
    """What a night did.

    ``run_id`` is the run made or, when nothing was new, the one that goes on serving (``made`` False).
    """

    run_id: str = ""
    as_of: datetime | None = None
    made: bool = False
    promoted: bool = False
    reason: str = ""
    ingest: IngestReport | None = None
    laps: list[Lap] = field(default_factory=list)
    tables: dict[str, int] = field(default_factory=dict)
    jobs: list[dict[str, Any]] = field(default_factory=list)
    records: Records = field(default_factory=Records)
    evaluation: list[dict[str, Any]] = field(default_factory=list)
    lists: dict[str, Any] = field(default_factory=dict)
    report: str = ""


def night(desk: Desk, order: Order = Order(), step: Step = direct) -> Outcome:
    """Run one night and return what happened. One at a time per workspace: raises ``LeaseHeld`` while another runs.

    Whatever goes wrong before the run is promoted, the pointer stays where it was; whatever goes wrong, the next night
    starts clean. What disk or databases refuse is a ``StorageError`` that names the stage. At the end notifications go
    out, also of a night that failed.
    """
    try:
        return run_night(desk, order, step)
    finally:
        deliver(desk.journal, desk.settings, desk.progress)


def run_night(desk: Desk, order: Order, step: Step) -> Outcome:
    """The night itself."""
    watch = Stopwatch()
    outcome = Outcome(laps=watch.laps)
    with (
        storage_border(f"the night stopped ({desk.layout.root})"),
        desk.journal.lease("pipeline", order.who, desk.settings.pipeline.lease_seconds) as lease,
    ):
        step = bordered(step, desk.layout.root)
        recover(desk)
        with watch.lap("scenario files") as lap:
            lap.rows = len(step("scenario files", lambda: apply_files(desk), retries=2).changes)
        if order.ingest:
            with watch.lap("drain") as lap:
                lap.rows = step("drain", lambda: drain_journal(desk), retries=2).rows
            step("deleted agents", lambda: forget(desk.layout, desk.settings, desk.journal), retries=2)
            with watch.lap("ingest") as lap:
                outcome.ingest = step("ingest", lambda: take_drops(desk), retries=2)
                lap.rows = outcome.ingest.rows_in
            step("live segments", lambda: follow_files(desk.layout, desk.settings, desk.journal), retries=2)
        with watch.lap("identify"):
            cut = step("identify", lambda: cutoff.identify(desk, order.as_of))
        if cut is None:
            outcome.reason = (
                "nothing to build on: the warehouse is empty; "
                "drop files into the inbox (nightloom status says what waits)"
            )
            return outcome
        outcome.as_of = cut.as_of
        same = None if order.force or order.as_of else publish.unchanged(desk, cut.identity, cut.events_before)
        if same:
            outcome.run_id, outcome.reason = (
                same,
                "nothing new since the published run: no new file, write, definition or code",
            )
            return outcome
        previous = None if order.alone else publish.previous_run(desk, cut.identity)
        cut = replace(cut, identity=replace(cut.identity, compared_with=previous.run_id if previous else ""))
        outcome.run_id = runs.run_id_of(cut.identity)
        # A run that is kept or served is being made again (to compare, to serve it, or to repair it): its record must
        # not say otherwise meanwhile.
        served = desk.journal.pointer()
        if not runs.complete(desk.layout, outcome.run_id) and (served is None or served.run_id != outcome.run_id):
            desk.journal.record_run(outcome.run_id, "building", as_of=cut.as_of, watermark=cut.identity.journal_seq)
        log = JobLog(
            desk.journal, outcome.run_id, cut.as_of, cut.documents.account, order.serve,
            desk.settings.webhooks.training_body,
        )
        publishing = False
        try:
            make(desk, cut, previous, outcome, watch, step, log)
            publishing = True
            lease.check()
            with watch.lap("publish"):
                step(
                    "publish",
                    lambda: publish.promote(desk, outcome.run_id, lease, who=order.who, serve=order.serve),
                    retries=2,
                )
        except BaseException as error:
            note_failure(desk, outcome.run_id, error, publishing=publishing)
            raise
        with watch.lap("views"):
            step("views", lambda: publish.refresh(desk), retries=2)
    outcome.made, outcome.promoted = True, order.serve
    outcome.report = str(desk.layout.run(outcome.run_id) / "reports" / "index.html")
    return outcome


def make(
    desk: Desk, cut: Cut, previous: PreviousRun | None, outcome: Outcome, watch: Stopwatch, step: Step, log: JobLog
) -> None:
    """Build, check, train, precompute, materialize and stage one run."""
    for fault in cut.documents.unreadable:
        desk.progress.step("scenarios", 0, 0, f"left out: {fault}")
    settings, progress, as_of = steer(desk.settings, cut.documents.account), desk.progress, cut.as_of
    target = runs.stage(desk.layout, outcome.run_id)
    with open_workbench(desk.layout, settings, outcome.run_id) as con:
        with watch.lap("build") as lap:
            key, folder = cut.documents.account.authenticated_id_key, previous.folder if previous else None
            outcome.tables = step("build", lambda: build(con, as_of, settings, key, outcome.run_id, folder))
            lap.rows = sum(outcome.tables.values())
        with watch.lap("check") as lap:
            checked = step(
                "check",
                lambda: check(
                    con,
                    target,
                    settings,
                    desk.definitions.features,
                    as_of,
                    folder,
                    progress,
                ),
            )
            lap.rows = outcome.tables["profile_features"]
        recommended, churn = learn(desk, con, target, cut, previous, outcome, watch, step, log)
        with watch.lap("export") as lap:
            tables, months = step("export", lambda: publish.export(con, target, outcome, churn, previous, progress))
            lap.rows = sum(table.rows for table in tables)
        types = cut.documents.declared_types(desk.definitions.value_types("items"), registered_types(con))
        write_value_types(target / "pack", value_types(con))
    with watch.lap("pack") as lap:
        spill = desk.layout.scratch / f"{outcome.run_id}.pack"
        step("pack", lambda: build_pack(target, settings, spill, progress, types))
        lap.rows = outcome.tables["profiles"]
    with watch.lap("materialize") as lap:
        made = step("materialize", lambda: materialize(target, cut.documents, settings, progress))
        lap.rows = made.rows
    with watch.lap("evaluate scenarios") as lap:
        judged = step(
            "evaluate scenarios",
            lambda: evaluate_scenarios(
                target, (*made.row_sets, *made.of_sessions), recommended.window, as_of, settings, progress
            ),
        )
        lap.rows = judged.rows
    tables += [*made.tables, judged]
    with watch.lap("stage"):
        step("stage", lambda: stage_run(desk, target, cut, outcome, tables, months, checked, previous, made))


def learn(
    desk: Desk, con: duckdb.DuckDBPyConnection, target: Path, cut: Cut, previous: PreviousRun | None, outcome: Outcome,
    watch: Stopwatch, step: Step, log: JobLog,
) -> tuple[RecommendOutcome, ChurnOutcome]:
    """Describe the customers, train, precompute, and record what became of each training."""
    account = cut.documents.account
    settings, progress, as_of = steer(desk.settings, account), desk.progress, cut.as_of
    with watch.lap("customers") as lap:
        log.start("rfm")
        folder = previous.folder if previous else None
        live = live_changes(desk, account)
        customers = step("customers", lambda: describe_customers(con, as_of, settings, account, folder, live))
        lap.rows = outcome.tables["profiles"]
    with watch.lap("train recommenders") as lap:
        log.start("rec")
        named = cut.documents.algorithms
        recommended = step(
            "train recommenders",
            lambda: train(
                con, target, settings, as_of, previous, progress, named, cut.documents.of_items,
                skip=not_started(account, "rec"), accuracy=account.configured, keep_lists=account.configured,
            ),
        )
        lap.rows = outcome.tables["events"]
    with watch.lap("train churn") as lap:
        log.start("churn")
        churn = step(
            "train churn",
            lambda: train_churn(
                con, target, settings, as_of, previous, progress, skip=not_started(account, "churn"),
                customers=features_of(account, settings.rfm),
            ),
        )
        lap.rows = outcome.tables["profiles"]
    with watch.lap("policies") as lap:
        agents, workspace = cut.documents.agents, settings.workspace
        lap.rows = step(
            "policies",
            lambda: learn_policies(con, target, as_of, outcome.run_id, workspace, agents, folder, progress),
        )
    with watch.lap("precompute") as lap:
        outcome.lists = step(
            "precompute", lambda: precompute(con, target, recommended, settings, progress, named, folder)
        ).as_dict()
        lap.rows = outcome.tables["profiles"]
    with watch.lap("experiments") as lap:
        lap.rows = step("experiments", lambda: judge(con, settings.experiments, as_of, cut.documents.graph))
    outcome.jobs = [*recommended.jobs, *churn.jobs, *customers]
    left_out = {"rec": exclusions(con, "recommender_exclusions"), "churn": exclusions(con, churn.exclusions)}
    outcome.records = records(outcome.jobs, outcome.run_id, as_of, account, previous, left_out)
    log.settle(outcome.records)
    outcome.evaluation = [*recommended.evaluation, *churn.evaluation]
    return recommended, churn


def live_changes(desk: Desk, account: Account) -> list[tuple[str, str, str, datetime]]:
    """When tags of live segments came and went, in their order; none for an account without segments."""
    if not account.segments:
        return []
    with desk.journal.reading() as connection:
        return [(segment, profile, change, at) for segment, profile, change, at in live_tags.changes(connection)]


def bordered(step: Step, folder: Path) -> Step:
    """The same way to run a stage, with what disk and databases refuse mapped to ``StorageError`` before anybody
    sees it.
    """

    def run(name: str, work: Callable[[], T], *, retries: int = 0) -> T:
        def guarded() -> T:
            with storage_border(f"stage {name} stopped ({folder})"):
                return work()

        return step(name, guarded, retries=retries)

    return run


def recover(desk: Desk) -> None:
    """Clear what a dead night left, and finish what it could not.

    Called with the lease held, so nothing here belongs to anyone alive.
    """
    runs.clear_leftovers(desk.layout)
    close_interrupted(desk)
    pointer = desk.journal.pointer()
    served = pointer.run_id if pointer else None
    for record in desk.journal.runs():
        if record.run_id == served:
            if record.status != "published":
                desk.journal.record_run(record.run_id, "published", message=record.message)
        elif record.status == "building":
            runs.remove(desk.layout, record.run_id)
            desk.journal.record_run(record.run_id, "failed", message="interrupted")
        elif record.status in ("failed", "pruned") and desk.layout.run(record.run_id).exists():
            runs.remove(desk.layout, record.run_id)
    publish.renew_views(desk)


def note_failure(desk: Desk, run_id: str, error: BaseException, *, publishing: bool = False) -> None:
    """Record why a run failed, if it was still being built: one that is kept or served did not fail by what came later.

    When even that cannot be written (a full disk), the first error is the one to see, and the next night records it as
    interrupted.
    """
    try:
        close_failed(desk, run_id, error, publishing=publishing)
        if any(record.run_id == run_id and record.status == "building" for record in desk.journal.runs()):
            desk.journal.record_run(run_id, "failed", message=f"{type(error).__name__}: {error}"[:2000])
    except StorageError as second:
        error.add_note(f"the failure could not be recorded either: {second}")


def drain_journal(desk: Desk) -> DrainReport:
    """Copy the journal's writes into the warehouse, up to the number read at the start, and clear what is not needed
    beside it.
    """
    up_to = desk.journal.last_seq()
    with desk.journal.reading() as connection:
        declared = declared_properties(connection)
    report = drain(desk.layout, desk.settings, desk.journal.writes_between, up_to, declared)
    decision_upkeep.clear(desk.journal, report.up_to, desk.started)
    return report


def take_drops(desk: Desk) -> IngestReport:
    """Load what lies in the inbox.

    Files that arrived this moment are waited for once, until they have stood still long enough.
    """
    pause = inbox.settles_in(desk.layout, desk.settings.ingest.settle_seconds)
    if pause > 0:
        desk.progress.step("ingest", 0, 0, f"files arrived just now; looking again in {pause:.1f} s")
        time.sleep(pause + 0.05)
    take_documents(desk.layout, desk.settings, desk.journal, desk.started)
    settings = with_event_types(desk.settings, desk.journal)
    merges = published_merges(desk.layout, desk.journal)
    with desk.journal.reading() as connection:
        agents = list(read_agents(connection).values())
    logs = take_logs(desk.layout, settings, desk.definitions.logs, agents, desk.started, desk.progress)
    report = ingest(desk.layout, settings, desk.definitions.sources, desk.started, desk.progress, merges)
    return replace(report, loads=(*logs, *report.loads))
