"""``nightloom get``: what an account of the retention dialect configured, and its records."""

from __future__ import annotations

import json as jsons
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from cli.account_state import opened
from cli.get import app
from cli.terminal import show_facts, show_json, show_table
from contracts.errors import NotFound

Ids = Annotated[bool, Parameter(name=("--ids", "-i"), negative="")]
Limit = Annotated[int, Parameter(validator=Number(gte=0))]
ALGORITHMS = ("rec", "churn")


@app.command
def accountconfig(*, workspace: str = "", json: bool = False) -> None:
    """Show the account's configuration.

    Parameters
    ----------
    workspace
        Workspace.
    json
        Print JSON.
    """
    from store.account_documents import ACCOUNT

    with opened(workspace) as (_, _, journal):
        found = [jsons.loads(one.body) for one in journal.documents(ACCOUNT)]
    if not found:
        raise NotFound("the account configuration was never set", hint="nightloom account -o set, or apply -f FILE")
    (show_json if json else show_facts)(found[0])


@app.command
def algorithmconfig(
    name: Literal["rec", "churn"] | None = None, /, *, workspace: str = "", json: bool = False
) -> None:
    """Show the configurations of the algorithms.

    Parameters
    ----------
    name
        Only this algorithm.
    workspace
        Workspace.
    json
        Print JSON.
    """
    from store.account_documents import ALGORITHM

    with opened(workspace) as (_, _, journal):
        found = {one.name: jsons.loads(one.body) for one in journal.documents(ALGORITHM)}
    shown = [
        {"algorithm_name": one, "configurations": found.get(one, {})} for one in ALGORITHMS if name in (None, one)
    ]
    if json:
        show_json(shown)
        return
    rows = [
        (one["algorithm_name"], key, jsons.dumps(value, ensure_ascii=False))
        for one in shown for key, value in one["configurations"].items()
    ]
    show_table("Algorithm configurations", ("algorithm", "setting", "value"), rows, whole=("value",))


@app.command
def eventtypes(*names: str, ids: Ids = False, workspace: str = "", json: bool = False) -> None:
    """List the account's own event types.

    Parameters
    ----------
    names
        Only these, by id or name.
    ids
        Print the ids only.
    workspace
        Workspace.
    json
        Print JSON.
    """
    from store.event_type_documents import listed

    with opened(workspace) as (_, _, journal), journal.reading() as connection:
        found = _chosen(listed(connection), names, ("event_type_id", "event_type"))
    _show(
        "Event types", found, ids, "event_type_id", json,
        ("id", "event type", "properties", "created (UTC)"),
        lambda one: (
            one["event_type_id"], one["event_type"], ", ".join(one["event_properties"]), str(one["created_at"])[:19]
        ),
    )


@app.command
def segments(*names: str, ids: Ids = False, workspace: str = "", json: bool = False) -> None:
    """List the account's segments.

    Parameters
    ----------
    names
        Only these, by id or name.
    ids
        Print the ids only.
    workspace
        Workspace.
    json
        Print JSON.
    """
    from store.journal import live_tags
    from store.pack.account import read_account
    from store.segment_documents import shown, stored

    with opened(workspace) as (layout, _, journal), journal.reading() as connection:
        found = _chosen(stored(connection), names, ("segment_id", "segment_name"))
        counts = live_tags.counts(connection)
        pointer = journal.pointer()
        if pointer is not None:
            counts |= read_account(layout.run(pointer.run_id) / "pack")["segment_counts"]
    told = [
        {**shown(one), "profile_count": counts.get(one["segment_id"], 0), "created_at": one["created_at"]}
        for one in found
    ]
    _show(
        "Segments", told, ids, "segment_id", json,
        ("id", "name", "type", "days", "status", "profiles", "created (UTC)"),
        lambda one: (
            one["segment_id"], one["segment_name"], f"{one['segment_type']} {one['segment_sub_type']}",
            one["segment_timeframe"], one["segment_status"], one["profile_count"], str(one["created_at"])[:19],
        ),
    )


@app.command
def templates(*names: str, ids: Ids = False, workspace: str = "", json: bool = False) -> None:
    """List the account's messaging templates.

    Parameters
    ----------
    names
        Only these, by id or name.
    ids
        Print the ids only.
    workspace
        Workspace.
    json
        Print JSON.
    """
    from store.template_documents import shown, stored

    with opened(workspace) as (_, _, journal), journal.reading() as connection:
        found = _chosen(stored(connection), names, ("template_id", "friendly_name"))
    told = [{**shown(one), **{name: one[name] for name in ("created_at", "updated_at")}} for one in found]
    _show(
        "Templates", told, ids, "template_id", json,
        ("id", "name", "type", "title", "placeholders", "updated (UTC)"),
        lambda one: (
            one["template_id"], one["friendly_name"], one["template_type"], one["title"],
            ", ".join(one["required_data"]), str(one["updated_at"])[:19],
        ),
    )


@app.command
def churnreport(
    *, output: Annotated[Path | None, Parameter(name=("--output", "-o"))] = None, workspace: str = "",
    json: bool = False,
) -> None:
    """Show the churn report of the published run.

    Parameters
    ----------
    output
        Write it as a Markdown file into this folder.
    workspace
        Workspace.
    json
        Print JSON.
    """
    from store.pack.account import read_account

    with opened(workspace) as (layout, _, journal):
        pointer = journal.pointer()
        report = read_account(layout.run(pointer.run_id) / "pack")["churn_report"] if pointer else None
    if report is None:
        raise NotFound("no churn prediction training job has completed", hint="nightloom get jobs")
    if json:
        show_json(report)
    elif output is not None:
        output.mkdir(parents=True, exist_ok=True)
        path = output / f"octy-churn-report--{datetime.now(UTC):%Y-%m-%dT%H-%M-%SZ}.MD"
        path.write_text(_markdown(report), encoding="utf-8")
        print(path)
    else:
        importances = report["features_of_importance"]
        show_facts(dict(_figures(report)))
        show_table(
            "Features of importance", ("feature", "importance"),
            [(one["feature_name"], f"{one['feature_importance']:.3f}") for one in importances], right=("importance",),
        )


@app.command
def jobs(*, limit: Limit = 20, workspace: str = "", json: bool = False) -> None:
    """List the training jobs, the latest first.

    Parameters
    ----------
    limit
        So many in the table; 0 for all.
    workspace
        Workspace.
    json
        Print JSON.
    """
    from store.journal import jobs as records

    with opened(workspace) as (_, _, journal), journal.reading() as connection:
        found = [one.record() for one in records.listed(connection)]
    _records("Training jobs", found, json, limit, (
        "training_job_id", "algorithm", "status", "run_id", "started_at", "finished_at", "failure_reason",
    ))


@app.command
def exclusions(*, limit: Limit = 20, workspace: str = "", json: bool = False) -> None:
    """List whom the published run's trainings left out, and why.

    Parameters
    ----------
    limit
        So many in the table; 0 for all.
    workspace
        Workspace.
    json
        Print JSON.
    """
    with opened(workspace) as (layout, _, journal):
        pointer = journal.pointer()
        found: list[dict[str, Any]] = []
        if pointer is not None:
            path = layout.run(pointer.run_id) / "tables" / "training_exclusions.parquet"
            found = _rows("SELECT * FROM read_parquet($path) ORDER BY ALL", {"path": str(path)})
    _records("Training exclusions", found, json, limit)


@app.command
def deliveries(*, status: str = "", limit: Limit = 20, workspace: str = "", json: bool = False) -> None:
    """List the notifications with every attempt, the latest first.

    Parameters
    ----------
    status
        Only those that are pending, delivered, dead, skipped or refused.
    limit
        So many in the table; 0 for all.
    workspace
        Workspace.
    json
        Print JSON.
    """
    from store.journal import outbox

    with opened(workspace) as (_, _, journal), journal.reading() as connection:
        found = outbox.listed(connection, status)
    if json:
        show_json([
            {
                "delivery_id": one.delivery_id, "subject": one.subject, "body": jsons.loads(one.message),
                "created_at": one.created_at, "status": one.status, "host": one.host, "next_at": one.next_at,
                "finished_at": one.finished_at,
                "attempts": [
                    dict(zip(("attempt", "at", "http_status", "error", "answer"), attempt, strict=True))
                    for attempt in one.tries
                ],
            }
            for one in found
        ])
        return
    show_table(
        "Deliveries", ("id", "subject", "status", "host", "attempts", "last answer", "created (UTC)", "next (UTC)"),
        [
            (
                one.delivery_id, one.subject, one.status, one.host, one.attempts,
                (one.tries[-1][2] or one.tries[-1][3]) if one.tries else "", one.created_at, one.next_at,
            )
            for one in found
        ],
        right=("attempts",), spare=("created (UTC)",), whole=("id",), limit=limit,
    )


@app.command
def quarantine(*, limit: Limit = 20, workspace: str = "", json: bool = False) -> None:
    """List rows that were held back, the latest load first.

    Parameters
    ----------
    limit
        So many in the table; 0 for all.
    workspace
        Workspace.
    json
        Print JSON.
    """
    _ledger("Quarantine", "quarantine", "ingested_at", "line, rule", workspace, json, limit)


@app.command
def loads(*, limit: Limit = 20, workspace: str = "", json: bool = False) -> None:
    """List the files that were delivered and what became of their rows, the latest first.

    Parameters
    ----------
    limit
        So many in the table; 0 for all.
    workspace
        Workspace.
    json
        Print JSON.
    """
    _ledger("File loads", "file_loads", "loaded_at", "file", workspace, json, limit)


def _ledger(title: str, table: str, by: str, second: str, workspace: str, json: bool, limit: int) -> None:
    from store.warehouse import open_warehouse

    with opened(workspace) as (layout, settings, _):
        found: list[dict[str, Any]] = []
        if layout.warehouse.exists():
            with open_warehouse(layout, settings.pipeline, read_only=True) as con:
                found = _of(con.execute(f"SELECT * FROM {table} ORDER BY {by} DESC, load_id DESC, entity, {second}"))
    _records(title, found, json, limit)


def _rows(query: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    import duckdb

    with duckdb.connect() as con:
        return _of(con.execute(query, parameters))


def _of(cursor: Any) -> list[dict[str, Any]]:
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _records(
    title: str, found: list[dict[str, Any]], json: bool, limit: int, columns: Sequence[str] | None = None
) -> None:
    if json:
        show_json(found)
        return
    names = list(columns or (found[0] if found else ()))
    show_table(title, names, [tuple(one.get(name) for name in names) for one in found], limit=limit)


def _chosen(found: list[dict[str, Any]], names: Sequence[str], by: tuple[str, str]) -> list[dict[str, Any]]:
    if not names:
        return found
    chosen = [one for one in found if any(one[key] in names for key in by)]
    if not chosen:
        raise NotFound(f"none of {', '.join(names)} exists", hint="leave the names out to list all")
    return chosen


def _show(
    title: str, found: list[dict[str, Any]], ids: bool, key: str, json: bool, columns: Sequence[str],
    row: Callable[[dict[str, Any]], tuple[Any, ...]],
) -> None:
    if ids and not json:
        for one in found:
            print(one[key])
    elif json:
        show_json([one[key] for one in found] if ids else found)
    else:
        show_table(title, columns, [row(one) for one in found], whole=("id",))


def _figures(report: dict[str, Any]) -> list[tuple[str, Any]]:
    """The report's figures for a person: accuracy with 3 decimals, percentages with 2."""
    return [
        ("training job", report["training_job_id"]), ("as of (UTC)", report["report_as_of"]),
        ("model accuracy", _decimals(report["model_accuracy"], 3)),
        ("current churn percentage", _decimals(report["current_churn_percentage"], 2)),
        ("churn direction", report["churn_direction_indication"]),
        ("churn percentage difference", _decimals(report["churn_percentage_difference"], 2)),
        ("churn definition", report["churn_definition"]), ("horizon (days)", report["horizon_days"]),
        ("profiles scored", report["profiles_scored"]),
    ]


def _decimals(value: Any, places: int) -> str:
    return "" if value is None else f"{value:.{places}f}"


def _markdown(report: dict[str, Any]) -> str:
    figures = "\n".join(f"| {name} | {value} |" for name, value in _figures(report))
    importances = "\n".join(
        f"| {one['feature_name']} | {one['feature_importance']:.3f} |" for one in report["features_of_importance"]
    )
    return (
        f"# Churn report\n\n| figure | value |\n|---|---|\n{figures}\n\n## Features of importance\n\n"
        f"| feature | importance |\n|---|---|\n{importances}\n"
    )
