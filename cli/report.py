"""``nightloom report``: where the nightly report is, and its figures in the terminal."""

from __future__ import annotations

import duckdb

from cli.home import find_layout
from cli.terminal import show_facts, show_json, show_table
from contracts.errors import NotReady


def report(*, workspace: str = "", json: bool = False) -> None:
    """Show where the served run's report is, and its main figures: evaluation, training, checks and drift.

    Parameters
    ----------
    workspace
        Workspace.
    json
        Print JSON.
    """
    layout = find_layout(workspace)
    if not layout.analytics.exists():
        raise NotReady("no run is published yet", hint="nightloom run")
    with duckdb.connect(str(layout.analytics), read_only=True) as con:
        current = con.execute("SELECT run_id, as_of FROM runs WHERE current").fetchone()
        assert current is not None
        tables = {
            name: con.execute(query).pl().to_dicts()
            for name, query in {
                "evaluation": "SELECT algorithm, cut, model, mode, metric, value, standard_error, subjects, baseline, serving FROM evaluation "
                              "ORDER BY algorithm, cut, mode, metric, value DESC",
                "training": "SELECT algorithm, model, status, trained_by_run, reason FROM training_jobs ORDER BY 1",
                "failed checks": "SELECT expectation, severity, rows_failed, observed, expected FROM checks WHERE NOT passed ORDER BY 1",
                "drift": "SELECT feature, statistic, value, threshold FROM drift WHERE drifted ORDER BY 1, 2",
            }.items()
        }
    page = layout.run(current[0]) / "reports" / "index.html"
    if json:
        show_json({"run_id": current[0], "as_of": current[1], "report": str(page), **tables})
        return
    show_facts({"run": current[0], "as of": f"{current[1]} UTC", "report": page})
    for name, rows in tables.items():
        if rows:
            shown = [tuple(f"{value:.4f}" if isinstance(value, float) else value for value in row.values()) for row in rows]
            show_table(name.capitalize(), tuple(rows[0]), shown)
        else:
            print(f"{name}: none")
