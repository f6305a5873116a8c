"""Logged exposures as arrays, for valuing policies (decision contract, sections 9 and 10.6)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.policies.cells import Index, Mask, Values

NO_ARM = -1
"""The arm of an exposure whose arm is no longer stored: no policy of today would choose it."""


@dataclass(frozen=True, slots=True, eq=False)
class Contexts:
    """The distinct situations of decisions, C of them, over all points of an agent.

    ``point`` (C,) indexes the points of the agent's statistics; ``segment``, ``pattern`` are texts; ``candidates`` bool
    (C, K) says which of the point's arms could be chosen, K being the greatest number of arms of a point.
    ``serving_pattern``: the patterns by the indicators of the policy that serves now, empty where they are the same.
    """

    point: Index
    segment: tuple[str, ...]
    pattern: tuple[str, ...]
    candidates: Mask
    serving_pattern: tuple[str, ...] = ()

    def as_served(self) -> Contexts:
        """The same with the patterns by which the policy that serves now decides."""
        return replace(self, pattern=self.serving_pattern) if self.serving_pattern else self


@dataclass(frozen=True, slots=True, eq=False)
class Exposures:
    """Exposures of an agent; equal ones may be given once, with their ``count``; all arrays (n,).

    ``context`` indexes ``contexts``; ``arm`` the arms of the context's point, or is -1 (no longer stored);
    ``probability`` is the logged one (nan where it is missing); ``value`` the response x; ``fold`` and ``half`` as in
    ``Cells``. ``assumed``: the log told no probabilities, 1/K was assumed.
    """

    contexts: Contexts
    context: Index
    arm: Index
    probability: Values
    value: Values
    fold: Index
    half: Index
    count: Index
    assumed: bool = False
    ordered: bool = False
    """Whether equal exposures are together and in order already."""

    def gathered(self) -> Exposures:
        """Equal exposures once, in the order of their content: sums over them do not depend on how they came."""
        if self.ordered:
            return self
        order = np.lexsort((self.half, self.fold, self.value, self.probability, self.arm, self.context))
        rows = self._at(order)
        changes = np.ones(len(order), dtype=np.bool_)
        changes[1:] = False
        for key in (rows.context, rows.arm, rows.value, rows.fold, rows.half):
            changes[1:] |= key[1:] != key[:-1]
        before, after = rows.probability[:-1], rows.probability[1:]
        changes[1:] |= (before != after) & ~(np.isnan(before) & np.isnan(after))
        first = np.flatnonzero(changes)
        count = np.add.reduceat(rows.count, first) if len(first) else rows.count
        return replace(rows._at(first), count=count, ordered=True)

    def where(self, kept: Mask) -> Exposures:
        """The exposures of this mask."""
        return self._at(np.flatnonzero(kept))

    def _at(self, rows: NDArray[np.intp]) -> Exposures:
        names = ("context", "arm", "probability", "value", "fold", "half", "count")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})
