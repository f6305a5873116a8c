"""BG/NBD against published figures, an integral, and customers made up by its own story."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.churn import bgnbd
from models.churn.bgnbd import BgNbd
from models.churn.scorer import CannotFit, Sample

CDNOW = BgNbd(0.243, 4.414, 0.793, 2.426)
"""Estimates of the paper for 2,357 customers of CDNOW, in weeks."""


def one(*values: float) -> list[np.ndarray]:
    return [np.array([value]) for value in values]


def test_the_worked_example_of_the_paper() -> None:
    """Two repeat purchases, the last after 30.43 of 38.86 weeks: 1.226 expected in the next 39 (formula 10)."""
    from scipy.special import hyp2f1

    r, alpha, a, b = CDNOW.r, CDNOW.alpha, CDNOW.a, CDNOW.b
    x, last, age, ahead = 2.0, 30.43, 38.86, 39.0
    series = hyp2f1(r + x, b + x, a + b + x - 1, ahead / (alpha + age + ahead))
    expected = (a + b + x - 1) / (a - 1) * (1 - ((alpha + age) / (alpha + age + ahead)) ** (r + x) * series)
    assert expected * CDNOW.alive(*one(x, last, age))[0] == pytest.approx(1.226, abs=5e-4)


def test_the_likelihood_is_the_integral_over_rates_and_chances() -> None:
    from scipy.integrate import dblquad
    from scipy.stats import beta, gamma

    model, x, last, age = BgNbd(1.5, 3.0, 1.2, 2.0), 3, 4.0, 6.0

    def part(p: float, rate: float) -> float:
        lived = (1 - p) ** x * rate**x * np.exp(-rate * age)
        left = p * (1 - p) ** (x - 1) * rate**x * np.exp(-rate * last)
        return float((lived + left) * beta.pdf(p, model.a, model.b) * gamma.pdf(rate, model.r, scale=1 / model.alpha))

    expected = dblquad(part, 0, 20, 0, 1)[0]
    assert np.exp(model.log_likelihood(*one(x, last, age))[0]) == pytest.approx(expected, rel=1e-4)


def test_customers_of_the_story_are_found_again() -> None:
    draw = np.random.default_rng(0)
    truth, count, age, ahead = BgNbd(1.0, 5.0, 1.0, 3.0), 5000, 52.0, 20.0
    rate, leave = draw.gamma(truth.r, 1 / truth.alpha, count), draw.beta(truth.a, truth.b, count)
    # gone after a purchase with chance `leave`: the first chance comes with the first repeat purchase
    most = 400
    times = np.cumsum(draw.exponential(1 / rate[:, None], (count, most)), axis=1)
    left = draw.random((count, most)) < leave[:, None]
    known = np.concatenate([np.zeros((count, 1)), np.cumsum(left, axis=1)[:, :-1]], axis=1) == 0
    before = known & (times <= age)
    x = before.sum(axis=1).astype(float)
    last = np.where(before, times, 0).max(axis=1)
    silent = ~(known & (times > age) & (times <= age + ahead)).any(axis=1)
    model = bgnbd.learn(x, last, np.full(count, age))
    assert [model.r, model.alpha, model.a / (model.a + model.b)] == pytest.approx([1.0, 5.0, 0.25], rel=0.15)
    told = model.silent(x, last, np.full(count, age), ahead)
    for part in np.array_split(np.argsort(told), 5):
        assert told[part].mean() == pytest.approx(silent[part].mean(), abs=0.05)


def test_extremes_stay_numbers() -> None:
    x, last, age = np.array([0.0, 1e5, 1.0]), np.array([0.0, 9e4, 0.0]), np.array([0.0, 1e5, 1e6])
    told = CDNOW.silent(x, last, age, 90)
    assert ((told >= 0) & (told <= 1)).all()
    assert np.isfinite(CDNOW.log_likelihood(x, last, age)).all()


def test_as_a_model_of_a_night_it_is_the_law_of_the_visits_of_a_row() -> None:
    draw = np.random.default_rng(1)
    tenure = draw.integers(100, 400, 300).astype(float)
    days = 1.0 + draw.poisson(2, 300)
    recency = np.where(days > 1, np.floor(tenure * draw.random(300)), tenure)
    recency[0], days[0] = np.nan, 0.0
    matrix = np.column_stack([draw.normal(size=300), recency, days, tenure])
    label = draw.integers(0, 2, 300)
    zeros = np.zeros(300, np.int64)
    names = ("other", "recency_days", "active_days", "tenure_days")
    sample = Sample(matrix, matrix, label, zeros + 90, label == 1, zeros, 1 - label, names, 90.0)
    model = bgnbd.fit(sample)
    shares = model.contributions(matrix, matrix)
    assert shares.sum(axis=1) == pytest.approx(model.score(matrix, matrix), abs=1e-9)
    assert (shares[:, 0] == 0).all()
    assert shares.mean(axis=0) == pytest.approx(0, abs=1e-9)
    x, last = np.maximum(days - 1, 0), np.where(days > 1, tenure - np.nan_to_num(recency), 0)
    silent = model.law.silent(x, last, tenure, 90.0)
    told = np.log(silent) - np.log1p(-silent)
    assert model.score(matrix, matrix) - told == pytest.approx(np.full(300, model.score(matrix, matrix)[0] - told[0]))
    strange = {"activity": None}, {"terms": ("a", "b", "c", "d")}, {"label": zeros}
    for hopeless in (replace(sample, **change) for change in strange):  # type: ignore[arg-type]
        with pytest.raises(CannotFit):
            bgnbd.fit(hopeless)
