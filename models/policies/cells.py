"""Sufficient statistics of exposures, from which everything is learned (decision contract, section 8.2).

Whatever the number of exposures, what is learned depends on a few sums for each (segment, pattern, arm): the coarser
levels are sums of them, and a reward model of indicators is fitted on them. Two more keys, the fold and the half of the
session, let the same sums serve cross-fitting (10.6) and the gate of pattern rows (G7).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from decisions.patterns import Feature
from decisions.posterior import Moments, moments

Index = NDArray[np.int64]
Values = NDArray[np.float64]
Mask = NDArray[np.bool_]

ROW_WEIGHT_CAP = 20.0
FOLDS = 3


def row_weights(probability: Values, arm_mean_probability: Values) -> Values:
    """w = min(20, p-bar / p) of exposures: logged probability, and its mean for that arm (8.2); float64 (rows,)."""
    return np.asarray(np.minimum(ROW_WEIGHT_CAP, arm_mean_probability / probability), dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Sums over exposures, one entry for each (segment, pattern, arm, fold, half) that occurs, in any order; all (n,).

    ``segment`` and ``pattern`` index the names of the point's statistics, ``arm`` its arms. ``fold``: first byte of
    SHA-256(session) mod 3. ``half``: 0 or 1, any even split of sessions. ``count``: exposures; ``goals``: goal events
    credited to them. ``w``, ``w2``, ``s1``, ``s2``: sums of w, w^2, w x and w x^2 (x: 1 or 0 where binary).
    """

    segment: Index
    pattern: Index
    arm: Index
    fold: Index
    half: Index
    count: Index
    goals: Index
    w: Values
    w2: Values
    s1: Values
    s2: Values

    def where(self, kept: Mask) -> Cells:
        """The entries of this mask."""
        return Cells(*(getattr(self, name)[kept] for name in self.__dataclass_fields__))

    def ordered(self) -> Cells:
        """In the order of their keys, so that sums over them do not depend on how they came."""
        order = np.lexsort((self.half, self.fold, self.arm, self.pattern, self.segment))
        return Cells(*(getattr(self, name)[order] for name in self.__dataclass_fields__))

    def of_segment(self, segment: int) -> Cells:
        """The entries of one segment; these cells must be ordered."""
        start, stop = np.searchsorted(self.segment, (segment, segment + 1))
        return Cells(*(getattr(self, name)[start:stop] for name in self.__dataclass_fields__))

    def sums(self, group: Index, groups: int) -> Sums:
        """Added up by ``group`` (n,), values 0 to ``groups`` - 1."""

        def added(values: Index | Values) -> Values:
            return np.asarray(np.bincount(group, weights=values, minlength=groups), dtype=np.float64)

        return Sums(*(added(getattr(self, name)) for name in Sums.__dataclass_fields__))


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """Added-up cells of any one shape, float64; see ``Cells`` for the names."""

    count: Values
    goals: Values
    w: Values
    w2: Values
    s1: Values
    s2: Values

    def reshape(self, *shape: int) -> Sums:
        """In another shape."""
        return Sums(*(getattr(self, name).reshape(shape) for name in self.__dataclass_fields__))

    def at(self, rows: Index) -> Sums:
        """These rows of the first axis."""
        return Sums(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    def moments(self) -> Moments:
        """Effective count, mean and variance of each."""
        return moments(self.w, self.w2, self.s1, self.s2)


@dataclass(frozen=True, slots=True, eq=False)
class PointStatistics:
    """What was seen at one point and decision set of an agent.

    ``arms``: stored arms in stored order; ``default``: index of the default arm. ``segments`` and ``patterns``: the
    names that cells index, each once. ``indicators``, ``features``: the encoding with which patterns were made.
    """

    point: str
    decision_set: str
    arms: tuple[str, ...]
    default: int
    segments: tuple[str, ...]
    patterns: tuple[str, ...]
    cells: Cells
    indicators: tuple[str, ...] = ()
    features: tuple[Feature, ...] = ()

    def with_cells(self, cells: Cells) -> PointStatistics:
        """The same point with other cells."""
        return replace(self, cells=cells)


@dataclass(frozen=True, slots=True, eq=False)
class AgentStatistics:
    """What was seen of one agent: its points, and whether rewards are binary (``learning.rewardModel`` resolved)."""

    points: tuple[PointStatistics, ...]
    binary: bool
