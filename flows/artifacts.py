"""What a night leaves in Prefect for people: tables of stages, files, models and the link to the report."""

from __future__ import annotations

from typing import Any

from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact

from flows.night import Outcome


def publish_artifacts(outcome: Outcome) -> None:
    """Create the run's artifacts. Keys are stable, so that Prefect shows their history from night to night."""
    as_of = outcome.as_of.isoformat(sep=" ") if outcome.as_of else "none"
    create_markdown_artifact(
        key="nightloom-run",
        markdown=f"# {outcome.run_id or 'no run'}\n\nas of {as_of} UTC; {'published' if outcome.promoted else outcome.reason or 'kept'}\n",
        description="What this night did",
    )
    _table("nightloom-stages", [_rounded(lap.as_dict()) for lap in outcome.laps], "Seconds, rows and memory of each stage")
    if outcome.ingest is not None:
        _table("nightloom-files", [load.as_dict() for load in outcome.ingest.loads], "Delivered files and what became of their rows")
    _table("nightloom-training", [{key: str(value) for key, value in job.items()} for job in outcome.jobs], "Models trained or carried forward")
    _table("nightloom-evaluation", [_rounded(row) for row in outcome.evaluation], "How the models did on the past")
    if outcome.report:
        create_link_artifact(key="nightloom-report", link=f"file://{outcome.report}", link_text="The nightly report", description="The run's report")


def _table(key: str, rows: list[dict[str, Any]], description: str) -> None:
    if rows:
        create_table_artifact(key=key, table=rows, description=description)


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    return {key: round(value, 5) if isinstance(value, float) else (str(value) if hasattr(value, "isoformat") else value) for key, value in row.items()}
