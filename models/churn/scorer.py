"""What every churn model gives: an additive score. Higher means sooner; the scale is made a probability by
``calibrate``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Arrays = dict[str, NDArray[Any]]


class Scorer(Protocol):
    """A fitted model over the terms of a design."""

    @property
    def name(self) -> str:
        """Which model it is."""
        ...

    def contributions(self, matrix: Floats, standard: Floats) -> Floats:
        """(n, terms): what each term adds to the score against the mean of the training rows; rows sum to the score."""
        ...

    def score(self, matrix: Floats, standard: Floats) -> Floats:
        """(n,): the score, with mean near 0 over the training rows."""
        ...

    def arrays(self) -> Arrays:
        """Everything needed to restore it."""
        ...


@dataclass(frozen=True, slots=True)
class Sample:
    """Training rows of a model. One row is one profile at one snapshot.

    ``matrix`` and ``standard`` (n, terms) are a design's; ``label`` is 0 or 1 at the horizon; ``duration`` is whole
    days to the churn, or to the end of what is known where ``event`` is false; ``snapshot`` numbers the row's snapshot,
    0 the newest. ``activity`` (n,) is the number of active days within the horizon, where churn is told by silence.
    ``terms`` names the columns, ``horizon`` is in days.
    """

    matrix: Floats
    standard: Floats
    label: NDArray[np.int64]
    duration: NDArray[np.int64]
    event: NDArray[np.bool_]
    snapshot: NDArray[np.int64]
    activity: NDArray[np.int64] | None = None
    terms: tuple[str, ...] = ()
    horizon: float = 0.0

    def __len__(self) -> int:
        return len(self.label)

    def take(self, rows: NDArray[Any]) -> Sample:
        """These rows (a mask or positions)."""
        return Sample(
            self.matrix[rows],
            self.standard[rows],
            self.label[rows],
            self.duration[rows],
            self.event[rows],
            self.snapshot[rows],
            None if self.activity is None else self.activity[rows],
            self.terms,
            self.horizon,
        )


def thinned(sample: Sample, most: int) -> Sample:
    """At most ``most`` rows, evenly spaced, so that every snapshot keeps its share."""
    if len(sample) <= most:
        return sample
    return sample.take(np.linspace(0, len(sample) - 1, most).round().astype(np.int64))


class CannotFit(Exception):
    """A model cannot be fitted on these rows; the text says why."""


def select_arrays(arrays: Mapping[str, NDArray[Any]], prefix: str) -> Arrays:
    """Arrays whose name starts with ``prefix.``, without it."""
    return {name[len(prefix) + 1 :]: values for name, values in arrays.items() if name.startswith(prefix + ".")}


def prefixed(arrays: Mapping[str, NDArray[Any]], prefix: str) -> Arrays:
    """The same arrays under ``prefix.<name>``."""
    return {f"{prefix}.{name}": values for name, values in arrays.items()}
