"""The check stage: every profile feature validated, failures listed, drift measured; decides whether the night may go
on.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from contracts.errors import RunBlocked
from contracts.features import FeatureSpec
from contracts.progress import Progress
from contracts.settings import Settings
from store import data_docs
from store.check_page import write_check_page
from transforms import check_results, drift, feature_snapshot
from transforms.check_results import CheckResult
from transforms.drift import Drift
from transforms.expectations import validate
from transforms.feature_snapshot import Feature
from transforms.learned import learn
from transforms.quoting import identifier
from transforms.suite import Suite, build_suite

_STEPS = ("last run", "snapshot", "validate", "list failures", "drift", "pages")


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """What the checks found. ``quarantined`` counts profiles that drop out of training (table
    ``quarantined_profiles``).
    """

    results: tuple[CheckResult, ...]
    drift: tuple[Drift, ...]
    rows: int
    quarantined: int

    @property
    def failed(self) -> tuple[CheckResult, ...]:
        return tuple(result for result in self.results if not result.passed)

    @property
    def blocking(self) -> tuple[CheckResult, ...]:
        return tuple(result for result in self.failed if result.severity == "block")

    @property
    def drifted(self) -> tuple[Drift, ...]:
        return tuple(row for row in self.drift if row.drifted)


def check(
    con: duckdb.DuckDBPyConnection,
    target: Path,
    settings: Settings,
    feature_spec: FeatureSpec,
    as_of: datetime,
    previous_run: Path | None,
    progress: Progress,
) -> CheckOutcome:
    """Check ``profile_features`` and the profiles' properties; raise ``RunBlocked`` if a check of severity ``block``
    failed.

    ``con`` is the workbench with tables ``profile_features`` and ``profiles``; it receives ``checks``,
    ``check_failures``, ``drift`` and ``quarantined_profiles``. ``target`` is the run's staging folder (its name is
    the run id), which receives ``reports/data_docs`` and ``reports/checks.html``, all of it also when the run is
    blocked. ``previous_run`` is the folder of the last published run.
    """
    scratch = target / ".checks"
    scratch.mkdir(parents=True, exist_ok=True)
    try:
        outcome = _check(con, target, scratch, settings, feature_spec, as_of, previous_run, progress)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if outcome.blocking:
        shown = "\n".join(
            f"  - {one.expectation}: expected {one.expected}, observed {one.observed}" for one in outcome.blocking
        )
        raise RunBlocked(
            f"{len(outcome.blocking)} check(s) of severity block failed:\n{shown}",
            hint="correct the data or definitions/features.yaml, then run again; the published run keeps serving",
        )
    return outcome


def _check(
    con: duckdb.DuckDBPyConnection,
    target: Path,
    scratch: Path,
    settings: Settings,
    spec: FeatureSpec,
    as_of: datetime,
    previous_run: Path | None,
    progress: Progress,
) -> CheckOutcome:
    steps = iter(enumerate(_STEPS))

    def step() -> None:
        done, name = next(steps)
        progress.step("check", done, len(_STEPS), name)

    check_results.create_tables(con)
    features = feature_snapshot.describe(con, "profile_features", feature_snapshot.registered_properties(con))
    step()
    before = _previous(con, previous_run, features, scratch / "previous.parquet")
    learned = learn(con, before.relation, before.features, before.rows) if before else None
    suite = build_suite(features, spec, learned)
    step()
    path = scratch / "profile_features.parquet"
    now = _snapshot(con, suite, features, path)
    step()
    docs = target / "reports" / "data_docs"
    pipeline = settings.pipeline
    verdicts = validate(
        path,
        suite.checks,
        run_id=target.name,
        as_of=as_of,
        docs=docs,
        threads=pipeline.threads,
        memory_limit=pipeline.memory_limit,
    )
    step()
    results = check_results.record(con, now, suite.checks, verdicts)
    quarantined = check_results.quarantine(con)
    step()
    drifts: tuple[Drift, ...] = ()
    drift.create_table(con)
    rows = check_results.count(con, now)
    if before:
        recent = _write(con, f"SELECT * FROM {feature_snapshot.sample(now, rows)}", scratch / "recent.parquet")
        drifts = drift.measure(
            con, before.features, recent, before.relation, spec.drift, before.run_id, (before.rows, rows)
        )
    step()
    outcome = CheckOutcome(results, drifts, rows, quarantined)
    data_docs.make_offline(docs)
    write_check_page(target, as_of, outcome.results, outcome.drift, outcome.rows, outcome.quarantined)
    progress.step("check", len(_STEPS), len(_STEPS), f"{len(outcome.failed)} of {len(results)} failed")
    return outcome


def _snapshot(con: duckdb.DuckDBPyConnection, suite: Suite, features: tuple[Feature, ...], path: Path) -> str:
    """Write the run's features, with the columns that checks need, to ``path``; returns it as a relation."""
    flags = "".join(f", {one.flag} AS {identifier(one.column)}" for one in suite.flags)
    query = feature_snapshot.select(features, "profile_features", "profiles", suite.typed)
    return _write(con, f"SELECT *{flags} FROM ({query})", path)


@dataclass(frozen=True, slots=True)
class _Previous:
    """The last published run: a relation with those of tonight's features that it had, of a sample of its ``rows``
    profiles.
    """

    run_id: str
    relation: str
    features: tuple[Feature, ...]
    rows: int


def _previous(
    con: duckdb.DuckDBPyConnection, run: Path | None, features: tuple[Feature, ...], path: Path
) -> _Previous | None:
    """Features of the last published run, None without such a run or when it has no such tables."""
    tables = [_table(run, name) for name in ("profile_features", "profiles")] if run is not None else []
    if run is None or not all(tables):
        return None
    rows = check_results.count(con, tables[0])
    table, profiles = (feature_snapshot.sample(relation, rows) for relation in tables)
    kept = feature_snapshot.restrict(con, features, table)
    return _Previous(run.name, _write(con, feature_snapshot.select(kept, table, profiles), path), kept, rows)


def _table(run: Path, name: str) -> str:
    path = run / "tables" / f"{name}.parquet"
    return _relation(path) if path.is_file() else ""


def _write(con: duckdb.DuckDBPyConnection, query: str, path: Path) -> str:
    con.execute(f"COPY ({query}) TO {feature_snapshot.literal(str(path))} (FORMAT parquet, COMPRESSION snappy)")
    return _relation(path)


def _relation(path: Path) -> str:
    return f"read_parquet({feature_snapshot.literal(str(path))})"
