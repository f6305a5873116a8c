"""The cut-off of a run."""

from __future__ import annotations

from datetime import datetime

import pytest

from flows.stages.cutoff import cut_off

STARTED = datetime(2024, 7, 1, 2, 0, 0, 250_000)


@pytest.mark.parametrize(
    ("policy", "started", "newest", "expected"),
    [
        ("run_start", STARTED, None, datetime(2024, 7, 1, 2, 0, 1)),
        ("run_start", STARTED.replace(microsecond=0), datetime(2030, 1, 1), datetime(2024, 7, 1, 2, 0, 0)),
        ("last_event", STARTED, datetime(2011, 12, 9, 12, 50), datetime(2011, 12, 9, 12, 50, 1)),
        ("last_event", STARTED, datetime(2011, 12, 9, 12, 50, 0, 999_999), datetime(2011, 12, 9, 12, 50, 1)),
        ("last_event", STARTED, None, datetime(2024, 7, 1, 2, 0, 1)),
    ],
)
def test_cut_off(policy: str, started: datetime, newest: datetime | None, expected: datetime) -> None:
    assert cut_off(policy, started, newest) == expected  # type: ignore[arg-type]
