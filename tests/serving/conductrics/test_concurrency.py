"""A small version of ``benchmarks/decision_clients.py``: shared sessions, a killed worker, a published run."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.decision_clients import hammer, wrongs

pytestmark = [pytest.mark.slow, pytest.mark.server]


def test_sessions_limits_and_events_hold_while_a_worker_is_killed(tmp_path: Path) -> None:
    seen = hammer(tmp_path, clients=8, seconds=3, workers=2, sessions=10, kills=1)
    assert (seen.killed, seen.published) == (1, 1)
    assert len(seen.decisions) > 50 and len(seen.goals) > 20
    assert not seen.failures
    assert wrongs(tmp_path, seen) == []
