"""What a night leaves in Prefect for people: tables of stages, files, models and the link to the report."""

from __future__ import annotations

import json
from typing import Any

from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact

from flows.night import Outcome


def publish_artifacts(outcome: Outcome) -> None:
    """Create the run's artifacts. Keys are stable, so that Prefect shows their history from night to night."""
    as_of = outcome.as_of.isoformat(sep=" ") if outcome.as_of else "none"
    create_markdown_artifact(
        key="nightloom-run",
        markdown=f"# {outcome.run_id or 'no run'}\n\nas of {as_of} UTC; "
                 f"{'published' if outcome.promoted else outcome.reason or 'kept'}\n",
        description="What this night did",
    )
    table_artifact(
        "nightloom-stages", [_rounded(lap.as_dict()) for lap in outcome.laps], "Seconds, rows and memory of each stage"
    )
    if outcome.ingest is not None:
        table_artifact(
            "nightloom-files",
            [load.as_dict() for load in outcome.ingest.loads],
            "Delivered files and what became of their rows",
        )
    table_artifact("nightloom-training", outcome.jobs, "Models trained or carried forward")
    table_artifact(
        "nightloom-evaluation", [_rounded(row) for row in outcome.evaluation], "How the models did on the past"
    )
    if outcome.report:
        create_link_artifact(
            key="nightloom-report",
            link=f"file://{outcome.report}",
            link_text="The nightly report",
            description="The run's report",
        )


def table_artifact(key: str, rows: list[dict[str, Any]], description: str) -> None:
    """Create a table artifact of a few rows; what JSON does not know becomes text. None without rows."""
    if rows:
        create_table_artifact(key=key, table=json.loads(json.dumps(rows, default=str)), description=description)


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    return {key: round(value, 5) if isinstance(value, float) else value for key, value in row.items()}
