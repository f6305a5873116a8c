"""Scores of compiled forests against the same forests summed by numpy, bit for bit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from models.churn.forest import Forest
from models.trees import BLOCK, _small, forest_scores


def grown(leaves: int, trees: int, seed: int = 0) -> tuple[Forest, np.ndarray[Any, Any]]:
    rng = np.random.default_rng(seed)
    matrix = rng.standard_normal((3 * BLOCK + 17, 6)).astype(np.float32)
    matrix[:, 1] = np.round(matrix[:, 1])
    matrix[rng.random(matrix.shape) < 0.2] = np.nan
    label = np.nan_to_num(matrix[:, :3]).sum(axis=1) + np.isnan(matrix[:, 4]) + rng.standard_normal(len(matrix)) > 1
    model = HistGradientBoostingClassifier(
        max_iter=trees, max_leaf_nodes=leaves, min_samples_leaf=5, early_stopping=False, random_state=seed
    )
    return Forest.of(model.fit(matrix, label)), matrix


@pytest.mark.parametrize("leaves", [2, 15, 32, 60])
def test_equal_to_the_sum_over_trees(leaves: int) -> None:
    forest, matrix = grown(leaves, 20)
    other = np.random.default_rng(1).standard_normal((40, 6)).astype(np.float32)
    edges = np.float32(np.resize(forest.threshold[forest.term >= 0], (40, 6)))
    for rows in (matrix, matrix[:1], matrix[:0], other, edges, np.nextafter(edges, np.float32(np.inf))):
        np.testing.assert_array_equal(forest_scores(forest, rows), forest.score(rows))


def test_the_first_trees_of_a_forest() -> None:
    forest, matrix = grown(15, 20)
    some = replace(forest, start=forest.start[:8])
    assert _small(some)
    np.testing.assert_array_equal(forest_scores(some, matrix), some.score(matrix))


def test_the_mean_of_forests_scores_as_their_mean() -> None:
    (one, matrix), (other, _), (short, _) = grown(15, 20), grown(7, 12, seed=1), grown(15, 20, seed=2)
    forests = [one, other, replace(short, start=short.start[:6])]
    together = Forest.mean(forests)
    assert len(together.start) == 20 + 12 + 5 + 1
    wanted = np.mean([forest.score(matrix) for forest in forests], axis=0)
    np.testing.assert_allclose(forest_scores(together, matrix), wanted, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(forest_scores(together, matrix), together.score(matrix))


def test_a_forest_of_no_tree_says_its_base() -> None:
    forest, matrix = grown(15, 1)
    bare = Forest(forest.base, forest.start[:1], *(array[:0] for array in (
        forest.term, forest.threshold, forest.left, forest.right, forest.missing_left, forest.value
    )))
    assert set(forest_scores(bare, matrix).tolist()) == {forest.base}
