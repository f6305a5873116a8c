"""Shortcuts of churn models' fits against the long way round."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from models.churn import aft, bins
from models.churn.forest import Forest
from models.churn.scorer import Sample


def test_a_forest_grown_on_bins_is_scikit_learns() -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier

    draw = np.random.default_rng(0)
    matrix = np.asfortranarray(draw.normal(size=(3000, 5)))
    matrix[:, 1] = draw.integers(0, 4, 3000)
    matrix[:, 2] = 1e300 * draw.choice([-1.0, 1.0], 3000)
    matrix[draw.random(matrix.shape) < 0.1] = np.nan
    label = (np.nan_to_num(matrix[:, 0]) + (matrix[:, 1] == 2) + np.isnan(matrix[:, 3]) > 0.5).astype(int)

    def model() -> HistGradientBoostingClassifier:
        return HistGradientBoostingClassifier(max_iter=40, max_leaf_nodes=4, early_stopping=False, random_state=0)

    ours, theirs = bins.grow(model(), matrix, label, None), Forest.of(model().fit(matrix, label))
    assert (ours.term == theirs.term).all()
    assert ours.score(matrix) == pytest.approx(theirs.score(matrix), abs=1e-12)
    fresh = draw.normal(size=(500, 5))
    assert ours.score(fresh) == pytest.approx(theirs.score(fresh), abs=1e-12)


def test_bins_of_values_that_recur_are_between_them() -> None:
    column = np.array([1.0, 3.0, np.nan, 3.0, 9.0])
    found = bins.Bins.of(column[:, None])
    assert found.edges[0].tolist() == [2.0, 6.0]
    assert found.codes(column[:, None])[:, 0].tolist() == pytest.approx([0, 1, np.nan, 1, 2], nan_ok=True)


@pytest.mark.parametrize("rows", [60, 2000])
def test_log_normal_times_are_those_lifelines_finds_from_afar(rows: int) -> None:
    from lifelines import LogNormalAFTFitter

    draw = np.random.default_rng(1)
    terms = draw.normal(size=(rows, 4))
    life = np.exp(2 - terms @ [0.8, -0.4, 0.0, 0.2] + 0.7 * draw.normal(size=rows))
    seen = draw.exponential(15, rows)
    duration, event = np.ceil(np.minimum(life, seen)).astype(np.int64), life <= seen
    zeros = np.zeros(rows, np.int64)
    ours = aft.fit(Sample(terms, terms, zeros, duration, event, zeros))
    frame = pd.DataFrame(terms, columns=list("abcd")).assign(duration=duration.astype(float), event=event)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = LogNormalAFTFitter(penalizer=0.001 + 5 / rows).fit(frame, "duration", "event").params_
    assert -ours.coefficients == pytest.approx(theirs["mu_"][list("abcd")].to_numpy(), abs=1e-3)
    assert ours.scale == pytest.approx(np.exp(theirs["sigma_"]["Intercept"]), abs=1e-3)
