"""Small versions of the benchmarks of regret and of nightly A/A reading (decision contract, 15.8 and 15.9)."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.policy_aa import errors
from benchmarks.policy_regret import nightly_regret, thompson_regret


def test_learning_twenty_times_costs_little_beside_learning_every_visit() -> None:
    nightly = nightly_regret(runs=60, visits=20_000, updates=20, seed=0)
    every = thompson_regret(runs=60, visits=20_000, seed=0)
    assert nightly.mean() <= 1.2 * every.mean()
    uniform = 20_000 * 0.02 * 0.9
    assert every.mean() < 0.8 * uniform
    once = nightly_regret(runs=20, visits=20_000, updates=1, seed=0)
    assert once.mean() == pytest.approx(uniform, rel=0.01)


def test_runs_are_seeded_one_by_one() -> None:
    assert np.array_equal(nightly_regret(5, 2000, 10, 3)[:3], nightly_regret(3, 2000, 10, 3))


def test_nightly_reading_of_an_aa_test() -> None:
    found = errors(runs=800, nightly=500, rate=0.1, seed=0, looks=(7, 14, 30))
    assert found.always_valid[30] <= 0.03
    assert [found.fixed[look] for look in (7, 14, 30)] == pytest.approx([0.16, 0.22, 0.28], abs=0.04)
    assert [found.one_sided[look] for look in (7, 14, 30)] == pytest.approx([0.15, 0.19, 0.24], abs=0.04)
