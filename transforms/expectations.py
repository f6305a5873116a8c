"""The only place that speaks to Great Expectations: a suite becomes expectations, a validation becomes verdicts."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

from contracts.errors import NightloomError
from transforms.feature_snapshot import KEY
from transforms.suite import Check

_NAME = "profile_features"
_CLASSES = {
    "not_null": "ExpectColumnValuesToNotBeNull",
    "unique": "ExpectColumnValuesToBeUnique",
    "between": "ExpectColumnValuesToBeBetween",
    "in_set": "ExpectColumnValuesToBeInSet",
    "row_count": "ExpectTableRowCountToBeBetween",
}
_TOLERANT = {"not_null", "between", "in_set"}
_SEVERITY = {"warn": "info", "quarantine": "warning", "block": "critical"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Outcome of one expectation: rows looked at (missing values left out where the rule ignores them) and rows
    against it.
    """

    passed: bool
    rows_checked: int
    rows_failed: int


def validate(
    snapshot: Path,
    checks: Sequence[Check],
    *,
    run_id: str,
    as_of: datetime,
    docs: Path | None = None,
    threads: int = 1,
    memory_limit: str = "2GB",
) -> dict[str, Verdict]:
    """Validate all rows of a Parquet file and return one verdict per check name.

    Checks without ``kind`` are left out: their verdict is known. ``docs`` is a folder that receives the Data Docs of
    this validation. Raises ``NightloomError`` where a metric could not be computed: that says nothing about the data.
    """
    asked = [check for check in checks if check.kind]
    if not asked:
        return {}
    with _quiet(), _mapped():
        verdicts = _run(snapshot, asked, run_id, as_of, docs, {"threads": threads, "memory_limit": memory_limit})
    lost = [check.name for check in asked if check.name not in verdicts]
    if lost:
        raise NightloomError(
            f"Great Expectations gave no result for {', '.join(lost)}", hint="this is a fault of nightloom; report it"
        )
    return verdicts


def expectation(check: Check) -> Any:
    """The Great Expectations object of one check; its name, severity and wording travel in ``meta`` and
    ``description``.
    """
    import great_expectations.expectations as gxe

    arguments = dict(check.arguments)
    if check.kind != "row_count":
        arguments["column"] = check.column
    if check.kind in _TOLERANT:
        arguments["mostly"] = check.mostly
    # Data Docs put the description into the page as it is, through string.Template: a dollar sign is doubled to stand
    # for itself.
    wording = escape(f"{check.name}: {check.expected} [{check.severity}]").replace("$", "$$")
    return getattr(gxe, _CLASSES[check.kind])(
        **arguments,
        severity=_SEVERITY[check.severity],
        description=wording,
        meta={"check": check.name, "severity": check.severity},
    )


def _run(
    snapshot: Path, checks: Sequence[Check], run_id: str, as_of: datetime, docs: Path | None, limits: dict[str, Any]
) -> dict[str, Verdict]:
    import great_expectations as gx

    from transforms import gx_duckdb

    gx_duckdb.install()
    context: Any = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    # In memory, so that no file is locked; the file's folder is a setting, so that no path shows in the Data Docs.
    config = {**limits, "file_search_path": str(snapshot.parent), "temp_directory": str(snapshot.parent / "spill")}
    source = context.data_sources.add_sql(
        "features", connection_string="duckdb:///:memory:", kwargs={"connect_args": {"config": config}}
    )
    try:
        asset = source.add_query_asset(_NAME, query=f"select * from read_parquet('{snapshot.name}')")
        suite = context.suites.add(
            gx.ExpectationSuite(name=_NAME, expectations=[expectation(check) for check in checks])
        )
        definition = context.validation_definitions.add(
            gx.ValidationDefinition(name=_NAME, data=asset.add_batch_definition_whole_table("all"), suite=suite)
        )
        # Even the lists of a COMPLETE result stop at 20 ids and 200 values on SQL; the check's own SQL lists all
        # failing ids.
        outcome = definition.run(
            run_id=gx.RunIdentifier(run_name=run_id, run_time=as_of.replace(tzinfo=UTC)),
            result_format={"result_format": "COMPLETE", "unexpected_index_column_names": [KEY]},
        )
        verdicts = dict(_verdict(result) for result in outcome.results)
        if docs is not None:
            _write_docs(context, docs)
        return verdicts
    finally:
        _release(source)


def _write_docs(context: Any, docs: Path) -> None:
    """Write the Data Docs of everything in ``context``. They do not escape what comes from the data, so it is escaped
    before.
    """
    results = context.validation_results_store
    for key in results.list_keys():
        outcome = results.get(key)
        for result in outcome.results:
            result.result = _escaped(result.result)
            result.expectation_config.kwargs.update(_escaped(result.expectation_config.kwargs))
        results.set(key=key, value=outcome)
    suite = context.suites.get(_NAME)
    unsafe = [
        rule
        for rule in suite.expectations
        if _escaped(getattr(rule, "value_set", None)) != getattr(rule, "value_set", None)
    ]
    for rule in unsafe:
        rule.value_set = _escaped(rule.value_set)
    if unsafe:  # storing a suite again is dear
        context.suites.add_or_update(suite)
    context.add_data_docs_site(_NAME, _site(docs))
    context.build_data_docs(site_names=[_NAME])


def _escaped(value: Any) -> Any:
    """``value`` with every text inside it made safe for HTML."""
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, dict):
        return {_escaped(key): _escaped(inner) for key, inner in value.items()}
    return [_escaped(inner) for inner in value] if isinstance(value, list) else value


def _release(source: Any) -> None:
    """Close the engine's connection: DuckDB's memory goes with it."""
    engine = source.get_execution_engine()
    engine.close()
    engine.engine.dispose()


def _site(docs: Path) -> dict[str, Any]:
    return {
        "class_name": "SiteBuilder",
        "show_how_to_buttons": False,
        "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(docs)},
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
    }


def _verdict(result: Any) -> tuple[str, Verdict]:
    name = str(result.expectation_config.meta["check"])
    for fault in _faults(result.exception_info):
        raise NightloomError(
            f"the check {name!r} could not be computed: {fault}",
            hint="nothing is known about the data; run the night again, or report this",
        )
    found = result.result
    if "observed_value" in found:
        return name, Verdict(bool(result.success), int(found["observed_value"]), 0)
    checked = int(found["element_count"]) - int(found.get("missing_count") or 0)
    return name, Verdict(bool(result.success), checked, int(found["unexpected_count"] or 0))


def _faults(info: Any) -> Iterator[str]:
    """Messages of the exceptions in an ``exception_info``, which is one record or one record per metric."""
    for record in [info] if "raised_exception" in info else info.values():
        if record.get("raised_exception"):
            yield str(record.get("exception_message"))


@contextmanager
def _mapped() -> Iterator[None]:
    """Nothing of Great Expectations or its database layer leaves this module as an exception of theirs."""
    from great_expectations.datasource.fluent.interfaces import TestConnectionError
    from great_expectations.exceptions.exceptions import GreatExpectationsError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (GreatExpectationsError, SQLAlchemyError, TestConnectionError) as error:
        raise NightloomError(
            f"the checks could not be run: {error}",
            hint="nothing is known about the data; run the night again, or report this",
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Great Expectations warns of its own dependencies and logs tracebacks that also come back as results."""
    logger = logging.getLogger("great_expectations")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
