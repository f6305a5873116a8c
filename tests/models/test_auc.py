"""The area under the curve of rankings, against counting pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from models import metrics


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 9).flatmap(lambda n: st.tuples(st.permutations(range(n)), st.sets(st.integers(0, n - 1)))))
def test_whole_rankings_by_counting_pairs(drawn: tuple[list[int], set[int]]) -> None:
    ranking, relevant = drawn
    wanted = np.zeros((1, len(ranking)), np.float32)
    wanted[0, sorted(relevant)] = 1
    (found,) = metrics.auc(np.array([ranking], np.int32), csr_matrix(wanted), np.array([len(ranking)]))
    others = [item for item in ranking if item not in relevant]
    pairs = [(good, other) for good in relevant for other in others]
    if not pairs:
        assert np.isnan(found)
    else:
        right = sum(ranking.index(good) < ranking.index(other) for good, other in pairs)
        assert found == pytest.approx(right / len(pairs))


def test_what_is_not_listed_stands_last_in_no_order() -> None:
    relevant = csr_matrix(np.array([[0, 0, 0, 1]], np.float32))
    listed = np.array([[0, 1, -1, -1]], np.int32)
    assert metrics.auc(listed, relevant, np.array([4])) == pytest.approx([1 / 6])
