"""The page on the decision dialect tells every reason for which a goal earns nothing, and every cap."""

from __future__ import annotations

from pathlib import Path

from decisions import creation
from decisions.assignment import COMBINATIONS
from decisions.decide import LISTED
from decisions.rewards import REASONS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "conductrics.md").read_text(encoding="utf-8")


def test_reasons_and_caps() -> None:
    assert [reason for reason in REASONS if f"`{reason}`" not in PAGE] == []
    for told in (
        f"{creation.AGENTS} agents; {creation.POINTS} points, {creation.GOALS} goals",
        f"{creation.DECISIONS} decisions",
        f"{creation.CHOICES} choices of a decision", f"{creation.SEGMENTS + 1}st segment", f"Up to {COMBINATIONS} of",
        f"{LISTED:,} are listed",
    ):
        assert told in PAGE, told
