"""``nightloom report``: where the nightly report is, and its figures in the terminal."""

from __future__ import annotations

from typing import Any

from cli.home import find_layout
from cli.terminal import show_facts, show_json, show_table
from contracts.errors import NotReady

QUERIES = {
    "evaluation": "SELECT algorithm, cut, model, mode, metric, value, standard_error, subjects, baseline, serving, "
    "last_value, last_serving "
    "FROM evaluation ORDER BY algorithm, cut, mode, serving DESC, baseline, model, metric",
    "training": "SELECT algorithm, model, status, trained_by_run, reason FROM training_jobs ORDER BY 1",
    "failed_checks": "SELECT expectation, severity, rows_failed, observed, expected FROM checks "
                     "WHERE NOT passed ORDER BY 1",
    "drift": "SELECT feature, statistic, value, threshold FROM drift WHERE drifted ORDER BY 1, 2",
}

LAST = "last run"


def report(*, workspace: str = "", json: bool = False) -> None:
    """Show where the served run's report is, and its main figures: evaluation, training, checks and drift.

    Parameters
    ----------
    workspace
        Workspace.
    json
        Print JSON.
    """
    import duckdb

    layout = find_layout(workspace)
    if not layout.analytics.exists():
        raise NotReady("no run is published yet", hint="nightloom run")
    with duckdb.connect(str(layout.analytics), read_only=True) as con:
        current = con.execute("SELECT run_id, as_of FROM runs WHERE current").fetchone()
        assert current is not None
        tables = {name: con.execute(query).pl().to_dicts() for name, query in QUERIES.items()}
    page = layout.run(current[0]) / "reports" / "index.html"
    if json:
        show_json({"run_id": current[0], "as_of": current[1], "report": str(page), **tables})
        return
    show_facts({"run": current[0], "as of": f"{current[1]} UTC", "report": page})
    _show_evaluation(tables.pop("evaluation"))
    for name, rows in tables.items():
        shown = [tuple(_figure(value) for value in row.values()) for row in rows]
        show_table(
            name.capitalize().replace("_", " "), tuple(rows[0]) if rows else (), shown, whole=("trained_by_run",)
        )


def _show_evaluation(rows: list[dict[str, Any]]) -> None:
    """A row a model and a column a metric; ``*`` is the model that serves, and the standard error stands behind ±.
    The first metric stands there as it was in the last run, too.
    """
    from store.report_data import metric_rank

    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["algorithm"], row["cut"], row["mode"]), []).append(row)
    for (algorithm, cut, mode), group in groups.items():
        metrics = sorted({row["metric"] for row in group}, key=metric_rank)
        models: dict[str, dict[str, Any]] = {}
        for row in group:
            model = models.setdefault(row["model"], {"serving": row["serving"]})
            model[row["metric"]] = _with_error(row)
            if row["metric"] == metrics[0] and row["last_value"] is not None:
                model[LAST] = _figure(row["last_value"])
        if any(LAST in model for model in models.values()):
            metrics.insert(1, LAST)
        subjects = max(row["subjects"] for row in group)
        show_table(
            f"Evaluation of {algorithm}, {' '.join(part for part in (cut, mode) if part)}: {subjects:,} profiles",
            ("", "model", *metrics),
            [
                ("*" if model["serving"] else "", name, *(model.get(metric) for metric in metrics))
                for name, model in models.items()
            ],
            right=metrics,
            spare=metrics[:1:-1],
        )


def _with_error(row: dict[str, Any]) -> str:
    error = row["standard_error"]
    return f"{_figure(row['value'])}{'' if error is None else f' ±{error:.3f}'}"


def _figure(value: Any) -> Any:
    return f"{value:.3f}" if isinstance(value, float) else value
