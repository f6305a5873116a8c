"""The churn stage: decide whether there is data enough, train, judge, score every profile, and say why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from contracts.progress import Progress
from contracts.settings import Churn, Settings
from models.churn import horizon, labels, reasons, select, stored
from models.churn.horizon import Horizon
from models.churn.select import Choice, Rows
from store.exports import open_table
from store.models import CARD, load_arrays, save_arrays
from transforms import churn_inputs, churn_labels, churn_scores
from transforms.churn_inputs import Inputs
from transforms.churn_labels import Definition
from transforms.customer_features import CustomerFeatures

if TYPE_CHECKING:
    from flows.stages.publish import PreviousRun

MOST_ROWS = 100_000
BLOCK_ROWS = 50_000
_REASONS = 3
_LISTED_IMPORTANCES = 20


@dataclass(slots=True)
class ChurnOutcome:
    """What the stage did: rows of ``training_jobs`` and ``evaluation``, figures of the churn report, profiles scored.

    ``reported``: the run that trained the model and made the report, and its cut-off; None without any.
    ``exclusions`` names the workbench table with the rows of ``training_exclusions``.
    """

    jobs: list[dict[str, Any]]
    evaluation: list[dict[str, Any]] = field(default_factory=list)
    report: dict[str, Any] = field(default_factory=dict)
    scored: int = 0
    reported: tuple[str, str] | None = None
    exclusions: str = "churn_exclusions"


@dataclass(frozen=True, slots=True)
class Ground:
    """What a training stands on: the definition, the horizon with its figures, and the inputs."""

    defined: Definition
    horizon: Horizon
    inputs: Inputs
    activity_events: int
    profiles: int


@dataclass(frozen=True, slots=True)
class Skip(Exception):
    """No job starts, for a reason of the retention contract (section 4): ``code`` and the figures behind it."""

    code: str
    figures: dict[str, float]


def train_churn(
    con: duckdb.DuckDBPyConnection,
    target: Path,
    settings: Settings,
    as_of: datetime,
    previous: PreviousRun | None,
    progress: Progress,
    *,
    skip: str = "",
    customers: CustomerFeatures | None = None,
) -> ChurnOutcome:
    """Train on the workbench ``con`` as of ``as_of``, save the model under ``target/models/churn``, create table
    ``churn``.

    ``customers``: what an account adds to the features. When there is not data enough, or ``skip`` says why nothing is
    to be trained, the previous run's model scores instead. When a gate rejects the model, the previous run's scores and
    report are carried forward as they are. Without a previous model the table stays empty. The job row says so.
    """
    steps = _Steps(progress)
    last = _load_previous(previous)
    ground = survey(con, as_of, settings.churn, customers)
    steps("survey")
    try:
        if skip:
            raise Skip(skip, {})
        rows, share = training_rows(con, as_of, settings.churn, ground, settings.pipeline.seed)
    except Skip as short:
        return _carry_forward(con, target, settings, as_of, last, "Skipped", short.code, {"figures": short.figures})
    steps("labels and features")
    choice = select.choose(rows, settings.pipeline.seed, step=steps)
    evaluation = _evaluation(choice, rows, as_of)
    details = _details(choice, rows, share, ground, settings.churn, con)
    failed = [gate.name for gate in choice.gates if not gate.passed]
    if choice.fitted is None or failed:
        why = f"gate_rejected: {', '.join(failed)}" if failed else f"no model could be fitted: {choice.notes}"
        published = previous.folder if previous else None
        outcome = _carry_forward(con, target, settings, as_of, last, "Failed", why, details, published)
        outcome.evaluation = [row | {"serving": False} for row in evaluation]
        return outcome
    card, arrays = stored.to_card(choice.fitted)
    report = churn_report(con, as_of, settings.churn, ground, last[0] if last else None, choice)
    card |= {
        "algorithm": "churn",
        "model": choice.name,
        "as_of": as_of.isoformat(),
        "trained_by_run": target.name,
        "definition": ground.defined,
        "horizon_days": ground.horizon.days,
        "curve_days": list(settings.churn.curve_days),
        "inputs": ground.inputs.card(),
        "importances": choice.importances,
        "report": report,
        "metrics": details["metrics"],
    }
    save_arrays(target / "models" / "churn", card, arrays)
    scored = score(con, as_of, card, arrays, settings.churn, steps)
    details |= {"report": report, "profiles_scored": scored}
    steps("scored")
    job = _job(choice.name, "Completed", target.name, "", details)
    return ChurnOutcome(
        [job], evaluation, report | {"profiles_scored": scored}, scored, (target.name, as_of.isoformat())
    )


def survey(
    con: duckdb.DuckDBPyConnection, as_of: datetime, churn: Churn, customers: CustomerFeatures | None = None
) -> Ground:
    """Definition, horizon and inputs as of ``as_of``; creates the tables of moments, exclusions and population."""
    explicit = churn_labels.create_moments(con, as_of, churn)
    defined = churn_labels.definition(explicit, churn)
    inputs = churn_inputs.find_inputs(con, churn, customers)
    churn_inputs.create_attributes(con, inputs)
    churn_labels.create_exclusions(con, as_of, churn, defined)
    events, span = churn_labels.activity(con, as_of, churn)
    gaps, times = churn_labels.gaps(con, as_of, churn)
    inferred = horizon.infer(gaps, times, span, churn.horizon_days)
    return Ground(defined, inferred, inputs, events, churn_labels.eligible_profiles(con))


def training_rows(
    con: duckdb.DuckDBPyConnection, as_of: datetime, churn: Churn, ground: Ground, seed: int
) -> tuple[Rows, float]:
    """Labelled rows of every snapshot and the share of profiles they were sampled from. Raises ``Skip``."""
    events = ground.activity_events
    if ground.profiles < churn.min_profiles or (ground.defined == "inactivity" and events < churn.min_events):
        raise Skip("inadequate_data", {"profiles": ground.profiles, "activity_events": events})
    days = ground.horizon.days
    if not days:
        raise Skip("insufficient_history", ground.horizon.figures)
    ages = churn_labels.snapshot_ages(days, int(ground.horizon.figures["span_days"]), churn.snapshots)
    churn_labels.create_labels(con, as_of, ages, days, churn, ground.defined)
    counts = churn_labels.label_counts(con)
    if sum(counts) < churn.min_rows or min(counts) < churn.min_rows_per_label:
        raise Skip("inadequate_data", {"training_rows": sum(counts), "label_0": counts[0], "label_1": counts[1]})
    share = churn_inputs.create_rows(con, as_of, ages, churn, ground.inputs, MOST_ROWS)
    columns = churn_inputs.read_rows(con, ground.inputs)
    names = (*ground.inputs.numbers, *ground.inputs.texts)
    rows = Rows(
        {name: columns[name] for name in names},
        ground.inputs.numbers,
        ground.inputs.texts,
        columns["label"].astype(np.int64),
        columns["duration"].astype(np.int64),
        columns["event"].astype(np.bool_),
        columns["snapshot"].astype(np.int64),
        columns["draw"].astype(np.int64) + seed,
        ages,
        days,
        ground.defined == "inactivity",
        columns["activity"].astype(np.int64),
    )
    return rows, share


def score(
    con: duckdb.DuckDBPyConnection,
    as_of: datetime,
    card: dict[str, Any],
    arrays: dict[str, NDArray[Any]],
    churn: Churn,
    step: Callable[[str], None] = lambda _: None,
) -> int:
    """Score every profile of the population at ``as_of`` with a stored model, and create table ``churn``; returns its
    rows.

    Works for a model of this run or of an earlier one: definition, horizon and inputs are the card's. Profiles are
    taken in blocks of 50,000.
    """
    defined: Definition = card["definition"]
    inputs = Inputs.restore(card["inputs"])
    churn_labels.create_moments(con, as_of, churn)
    churn_inputs.create_attributes(con, inputs)
    churn_labels.create_exclusions(con, as_of, churn, defined)
    fitted = stored.restore(card, arrays)
    features, days = fitted.design.features, tuple(card["curve_days"])
    total = churn_inputs.create_scoring(con, as_of, churn, inputs)
    churn_scores.create_scored(con)
    for first in range(0, total, BLOCK_ROWS):
        step(f"scoring {first} of {total}")
        columns = churn_inputs.read_scoring(con, inputs, first, first + BLOCK_ROWS)
        probability, contributions = fitted.explain(columns)
        place, share = reasons.strongest(contributions, _REASONS)
        churn_scores.insert_scored(
            con,
            columns["position"],
            probability,
            labels.label(probability, churn.thresholds),
            labels.expected_days(probability, card["horizon_days"]),
            fitted.survival(columns, probability, days),
            place,
            share,
        )
    return churn_scores.create_churn(con, inputs, features, len(days), card["horizon_days"], card["model"])


def explain_profile(
    con: duckdb.DuckDBPyConnection,
    as_of: datetime,
    card: dict[str, Any],
    arrays: dict[str, NDArray[Any]],
    churn: Churn,
    profile_id: str,
) -> dict[str, Any] | None:
    """Every contribution to one profile's score (see ``stored.explain``), or None for an unknown profile.

    ``con`` needs ``profiles``, ``items`` and ``events`` (those of this profile are enough); it receives scratch tables.
    """
    inputs = Inputs.restore(card["inputs"])
    row = churn_inputs.inputs_of(con, as_of, churn, inputs, profile_id)
    return None if row is None else stored.explain(card, arrays, row)


def churn_report(
    con: duckdb.DuckDBPyConnection,
    as_of: datetime,
    churn: Churn,
    ground: Ground,
    last: dict[str, Any] | None,
    choice: Choice,
) -> dict[str, Any]:
    """Figures of the churn report (section 13); ``last`` is the previous run's card."""
    counted, churned = churn_labels.report(con, as_of, churn, ground.defined, ground.horizon.days)
    percentage = round(100 * churned / counted, 1) if counted else 0.0
    before = last.get("report", {}).get("current_churn_percentage") if last else None
    difference = 0.0 if before is None else round(before - percentage, 1) + 0.0
    metrics = _metrics(choice, choice.name)
    zeros, ones = churn_labels.label_counts(con)
    return {
        "current_churn_percentage": percentage,
        "churn_direction_indication": "positive" if difference > 0 else "negative" if difference < 0 else "stalled",
        "churn_percentage_difference": difference,
        "features_of_importance": choice.importances[:_LISTED_IMPORTANCES],
        "churn_definition": ground.defined,
        "horizon_days": ground.horizon.days,
        "class_counts": {"0": zeros, "1": ones},
        "model_accuracy": metrics.get("auc", 0.5),
        "brier": metrics.get("brier", 0.0),
        "calibration_error": metrics.get("calibration_error", 0.0),
    }


@dataclass(slots=True)
class _Steps:
    """Counts steps of unknown number for a progress."""

    progress: Progress
    done: int = 0

    def __call__(self, detail: str) -> None:
        self.done += 1
        self.progress.step("churn", self.done, 0, detail)


def _load_previous(previous: PreviousRun | None) -> tuple[dict[str, Any], dict[str, NDArray[Any]]] | None:
    folder = previous.folder / "models" / "churn" if previous else None
    return load_arrays(folder) if folder is not None and (folder / CARD).is_file() else None


def _carry_forward(
    con: duckdb.DuckDBPyConnection,
    target: Path,
    settings: Settings,
    as_of: datetime,
    last: tuple[dict[str, Any], dict[str, NDArray[Any]]] | None,
    status: str,
    reason: str,
    details: dict[str, Any],
    published: Path | None = None,
) -> ChurnOutcome:
    """The last model and its report go on: with the scores of run ``published`` where it is given, else with new
    ones.
    """
    if last is None:
        churn_scores.create_empty(con)
        return ChurnOutcome([_job("", status, "", reason, details)])
    card, arrays = last
    kept = {name: value for name, value in card.items() if name != "files"}
    save_arrays(target / "models" / "churn", kept, arrays)
    if published is not None and open_table(con, published, "churn", "published_churn"):
        scored = churn_scores.carry(con, "published_churn")
    else:
        scored = score(con, as_of, card, arrays, settings.churn)
    report = card.get("report", {})
    job = _job(
        card["model"], status, card["trained_by_run"], reason, details | {"report": report, "profiles_scored": scored}
    )
    reported = (card["trained_by_run"], card["as_of"])
    return ChurnOutcome([job], [], report | {"profiles_scored": scored}, scored, reported)


def _job(model: str, status: str, run: str, reason: str, details: dict[str, Any]) -> dict[str, Any]:
    return {
        "algorithm": "churn",
        "model": model,
        "status": status,
        "trained_by_run": run,
        "reason": reason,
        "details": details,
    }


def _metrics(choice: Choice, name: str) -> dict[str, float]:
    return {metric: value for one in choice.judged if one.name == name for metric, (value, _) in one.metrics.items()}


def _details(
    choice: Choice, rows: Rows, share: float, ground: Ground, churn: Churn, con: duckdb.DuckDBPyConnection
) -> dict[str, Any]:
    zeros, ones = churn_labels.label_counts(con)
    return {
        "row_counts": {
            "profiles": ground.profiles,
            "activity_events": ground.activity_events,
            "training_rows": zeros + ones,
            "fitted_rows": choice.rows,
            "held_out_rows": choice.held_out_rows,
        },
        "sample_share": share,
        "held_out": choice.held_out,
        "metrics": _metrics(choice, choice.name),
        "baseline_metrics": _metrics(choice, select.BASELINE),
        "gates": [gate.row() for gate in choice.gates],
        "notes": choice.notes,
        "dropped": choice.fitted.design.dropped if choice.fitted else {},
        "snapshot_ages_days": list(rows.ages),
        "definition": ground.defined,
        "horizon_days": ground.horizon.days,
        "horizon_figures": ground.horizon.figures,
        "excluded_profiles": churn_labels.exclusion_counts(con),
        "configuration": asdict(churn),
    }


def _evaluation(choice: Choice, rows: Rows, as_of: datetime) -> list[dict[str, Any]]:
    start = as_of - timedelta(days=min(rows.ages))
    return [
        {
            "algorithm": "churn",
            "cut": "rolling",
            "model": one.name,
            "mode": "",
            "metric": metric,
            "value": value,
            "standard_error": error,
            "subjects": choice.held_out_rows,
            "baseline": one.name == select.BASELINE,
            "serving": one.name == choice.name,
            "window_from": start,
            "window_to": start + timedelta(days=rows.horizon_days),
        }
        for one in choice.judged
        for metric, (value, error) in sorted(one.metrics.items())
    ]
