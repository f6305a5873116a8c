"""Whether exposures fell on arms as often as their logged probabilities say (decision contract, section 10.5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

LEVEL = 0.001
LEAST_EXPECTED = 5.0
SPLIT_WEIGHT = 100.0
"""How nearly even a broken split is thought to be: what the Dirichlet parameters of Lindon and Malek add up to."""


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """A chi-square test of counts against their expectations; with one cell or none there is nothing to test."""

    statistic: float
    freedom: int
    p_value: float

    @property
    def passed(self) -> bool:
        return self.p_value >= LEVEL


def sample_ratio(observed: Sequence[float], expected: Sequence[float]) -> SampleRatio:
    """Test counts against expected counts; cells with an expectation below 5 are merged into one.

    Where the merged cell still expects less than 5 it joins the smallest other one.
    """
    from scipy.special import chdtrc

    seen, thought = np.asarray(observed, np.float64), np.asarray(expected, np.float64)
    small = thought < LEAST_EXPECTED
    cells = sorted(zip(thought[~small].tolist(), seen[~small].tolist(), strict=True))
    if small.any():
        rest = (float(thought[small].sum()), float(seen[small].sum()))
        if rest[0] < LEAST_EXPECTED and cells:
            cells[0] = (cells[0][0] + rest[0], cells[0][1] + rest[1])
        else:
            cells.append(rest)
    freedom = len(cells) - 1
    if freedom < 1:
        return SampleRatio(0.0, 0, 1.0)
    statistic = sum((count - mean) ** 2 / mean for mean, count in cells)
    return SampleRatio(statistic, freedom, float(chdtrc(freedom, statistic)))


def even_split_p_value(first: NDArray[np.int64], second: NDArray[np.int64]) -> Values:
    """Always-valid p-value of an even split at each reading, float64 (n,), from subjects of two groups, int64 (n,).

    Lindon and Malek, "Anytime-valid inference for multinomial count data" (NeurIPS 2022): one over the Bayes factor of
    a Dirichlet mixture around the even split against the even split itself. Exact at any size.
    """
    from scipy.special import betaln

    half = SPLIT_WEIGHT / 2
    counts = np.asarray(first, np.float64), np.asarray(second, np.float64)
    mixed = betaln(half + counts[0], half + counts[1]) - betaln(half, half)
    fair = -np.log(2) * (counts[0] + counts[1])
    return np.asarray(np.exp(np.minimum(fair - mixed, 0)), dtype=np.float64)
