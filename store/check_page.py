"""The checks' own page: every expectation with what was seen, and the drift since the last published run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from store.pages import write_page
from transforms.check_results import CheckResult
from transforms.drift import Drift

_RANK = {"block": 0, "quarantine": 1, "warn": 2}


def write_check_page(
    target: Path, as_of: datetime, results: Sequence[CheckResult], drift: Sequence[Drift], rows: int, quarantined: int
) -> Path:
    """Write ``target/reports/checks.html``, failures first, the gravest before; returns its path."""
    values = {
        "run_id": target.name,
        "as_of": as_of,
        "failed": failures(results),
        "passed": [result for result in results if result.passed],
        "drifted": drifted(drift),
        "steady": [row for row in drift if not row.drifted],
        "rows": rows,
        "quarantined": quarantined,
    }
    return write_page("checks.html", target / "reports" / "checks.html", values)


def failures(results: Sequence[CheckResult]) -> list[CheckResult]:
    """Failed checks, the gravest first, then those with most rows against them."""
    return sorted(
        (one for one in results if not one.passed),
        key=lambda one: (_RANK[one.severity], -one.rows_failed, one.expectation),
    )


def drifted(drift: Sequence[Drift]) -> list[Drift]:
    """Drifts past their threshold, the farthest first."""
    far = [row for row in drift if row.drifted]
    return sorted(
        far, key=lambda row: (-row.value / row.threshold if row.threshold else 0.0, row.feature, row.statistic)
    )
