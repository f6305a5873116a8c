"""What the retention dialect needs of a run beside its rows: jobs whose outputs it serves, churn report, members."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

NAME = "account.json"


def write_account(
    pack: Path, jobs: Mapping[str, Mapping[str, Any]], report: Mapping[str, Any] | None, counts: Mapping[str, int],
    merges: Mapping[str, Any] | None = None,
) -> None:
    """Write ``account.json`` into a pack's folder.

    ``jobs`` by algorithm as webhooks name it: training_job_id, as_of (ISO, naive UTC) and metrics of the job whose
    outputs are served, only of algorithms of which one ever completed. ``report``: the figures of ``churn_report`` with
    training_job_id and report_as_of, or None. ``counts``: members by past segment.
    """
    facts = {"jobs": jobs, "churn_report": report, "segment_counts": counts, "merges": merges or {}}
    (pack / NAME).write_text(json.dumps(facts, sort_keys=True, indent=1) + "\n")


def read_account(pack: Path) -> dict[str, Any]:
    """The same facts; empty where the run was made without them."""
    path = pack / NAME
    if not path.exists():
        return {"jobs": {}, "churn_report": None, "segment_counts": {}, "merges": {}}
    found: dict[str, Any] = json.loads(path.read_text())
    return found
