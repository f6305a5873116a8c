"""Forecasts of the level of churn on made-up shops: how far each rule is from the level that came, in log-odds.

    python -m benchmarks.churn_levels [--worlds 8] [--days 450 548 640 800]

A shop's customers arrive over years, buy at a rate of their own times the season's, and leave for good after some
purchase; of the shop only the last ``days`` are known, so early history is cut off. A logistic model with a level for
each snapshot learns from snapshots a horizon apart and a year back. Root mean square over the worlds, half of them
growing, for no season and two strengths of it. Rules: ``newest`` snapshot's level; ``mean`` of the last year; ``half``
newest, half the same season a year before; ``drift``, last year's season and what the newest gained in a year; and
``ours`` (``calibrate.level_for``).
"""

from __future__ import annotations

import argparse
import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from sklearn.linear_model import LogisticRegression

from models.churn import calibrate

Floats = NDArray[np.float64]
HORIZON = 90
AGES = (90, 180, 270, 360)
BEFORE = 900
YEAR = 360


def shop(draw: np.random.Generator, days: int, strength: float, growth: float, customers: int = 2500) -> Floats:
    """Whether each customer bought on each day known and of the horizon after: (customers, days + horizon) booleans."""
    start = np.sort(draw.random(customers) ** (1 / (1 + growth)) * (BEFORE + days) - BEFORE)
    rate, leave = draw.gamma(1.2, 1 / 60, customers) + 1 / 400, draw.beta(1, 6, customers)
    day = np.arange(-BEFORE, days + HORIZON)
    season = strength * np.cos(2 * np.pi * (day - 365 * draw.random()) / 365) + 0.05 * draw.normal(size=len(day))
    wander = np.zeros(len(day))
    for place, step in enumerate(draw.normal(0, 0.02, len(day) - 1), start=1):
        wander[place] = 0.98 * wander[place - 1] + step
    bought = draw.random((customers, len(day))) < np.minimum(rate[:, None] * np.exp(season + wander), 0.9)
    bought &= day > start[:, None]
    bought[np.arange(customers), np.clip((start + BEFORE).astype(int) + 1, 0, len(day) - 1)] = True
    left = bought & (draw.random(bought.shape) < leave[:, None])
    gone = np.cumsum(left, axis=1) - left > 0
    return np.asarray((bought & ~gone)[:, BEFORE:])


def snapshot(bought: Floats, cut: int) -> tuple[Floats, NDArray[np.int64]]:
    """Features of everybody who bought before day ``cut``, and who did not in the horizon after it."""
    known = bought[bought[:, :cut].any(axis=1)]
    before = known[:, :cut]
    recency, first, count = np.argmax(before[:, ::-1], axis=1), np.argmax(before, axis=1), before.sum(axis=1)
    age = cut - 1 - np.arange(cut)
    faded = [np.log1p(before @ np.power(2.0, -age / half)) for half in (30, 90, 240)]
    rhythm = np.log1p(recency * count / (cut - first))
    cut_off = np.exp(-first / 90)
    columns = (np.log1p(recency), np.log1p(cut - first), np.log1p(count), *faded, rhythm, cut_off, cut_off / count)
    return np.column_stack(columns), (~known[:, cut : cut + HORIZON].any(axis=1)).astype(np.int64)


def errors(draw: np.random.Generator, days: int, strength: float, growth: float) -> dict[str, float]:
    """Forecast less what came, by rule."""
    bought = shop(draw, days, strength, growth)
    ages = [age for age in (*AGES, YEAR + HORIZON) if age + HORIZON <= days]
    parts = [snapshot(bought, days - age) for age in ages]
    fresh, outcome = snapshot(bought, days)
    every = np.vstack([features for features, _ in parts])
    mean, spread = every.mean(axis=0), every.std(axis=0)
    label = np.concatenate([labels for _, labels in parts])
    code = np.repeat(np.arange(len(ages)), [len(labels) for _, labels in parts])
    model = LogisticRegression(C=0.02, max_iter=300)
    model.fit(np.hstack([(every - mean) / spread, (code[:, None] == np.arange(len(ages))) * 10.0]), label)
    weights = model.coef_[0][: every.shape[1]]
    found = calibrate.fit((every - mean) / spread @ weights, label, code, ages)
    odds = (fresh - mean) / spread @ weights * found.slope
    came = brentq(lambda level: calibrate.sigmoid(odds + level).mean() - outcome.mean(), -12, 12)
    levels = dict(zip(ages, found.levels, strict=True))
    last_year = [levels[age] for age in ages if age <= YEAR]
    season = levels.get(YEAR, float(np.mean(last_year)))
    rules = {
        "newest": levels[HORIZON],
        "mean": float(np.mean(last_year)),
        "half": (levels[HORIZON] + season) / 2,
        "drift": season + levels[HORIZON] - levels[YEAR + HORIZON] if YEAR + HORIZON in levels else np.nan,
        "ours": found.level,
    }
    return {name: value - came for name, value in rules.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=8)
    parser.add_argument("--days", type=int, nargs="+", default=[450, 548, 640, 800])
    given = parser.parse_args()
    for days in given.days:
        for strength in (0.0, 0.4, 0.8):
            found = [
                errors(np.random.default_rng(world), days, strength, growth)
                for world in range(given.worlds)
                for growth in (0.0, 1.5)
            ]
            squares = {name: np.sqrt(np.mean([one[name] ** 2 for one in found])) for name in found[0]}
            told = ", ".join(f"{name} {value:.2f}" for name, value in squares.items() if np.isfinite(value))
            print(f"{days} days known, season {strength}: {told}", flush=True)


if __name__ == "__main__":
    main()
