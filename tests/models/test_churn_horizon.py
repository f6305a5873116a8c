"""Horizon, labels and expected days: the worked examples of the retention contract, section 13."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.churn import horizon, labels

FORTY = np.arange(1, 41)
ONCE = np.ones(40, dtype=np.int64)


@pytest.mark.parametrize(("span", "days"), [(365, 36), (50, 25), (13, 0)])
def test_forty_gaps_of_the_contract(span: int, days: int) -> None:
    assert horizon.infer(FORTY, ONCE, span).days == days


def test_below_thirty_gaps_it_is_thirty_days() -> None:
    assert horizon.gap_quantile(np.array([1]), np.array([29])) == 30
    assert horizon.gap_quantile(np.array([1]), np.array([30])) == 1


@pytest.mark.parametrize(("gaps", "span", "days"), [([1], 365, 7), ([900], 4000, 365), ([1], 14, 7), ([1], None, 0)])
def test_bounds(gaps: list[int], span: int | None, days: int) -> None:
    assert horizon.infer(np.array(gaps), np.array([30]), span).days == days


def test_a_configured_horizon_needs_twice_its_days() -> None:
    assert horizon.infer(FORTY, ONCE, 101, 50).days == 50
    assert horizon.infer(FORTY, ONCE, 99, 50).days == 0


@given(st.lists(st.integers(1, 400), min_size=30, max_size=200))
def test_the_quantile_is_the_gap_at_that_rank(gaps: list[int]) -> None:
    values, times = np.unique(gaps, return_counts=True)
    assert horizon.gap_quantile(values, times) == sorted(gaps)[-(-9 * len(gaps) // 10) - 1]


def test_expected_days_of_the_contract() -> None:
    found = labels.expected_days(np.array([0.25, 0.5, 0.75, 1.0, 0.0, 1e-9]), 30)
    assert found.tolist() == [73, 30, 15, 0, 3650, 3650]


def test_labels_change_at_the_thresholds() -> None:
    found = labels.label(np.array([0.0, 0.2499, 0.25, 0.4999, 0.5, 0.7499, 0.75, 1.0]), (0.25, 0.5, 0.75))
    assert found.tolist() == ["low", "low", "mid", "mid", "high", "high", "very-high", "very-high"]
