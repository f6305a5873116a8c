"""Why a score is what it is: the features that moved its log-odds most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def strongest(contributions: Floats, count: int = 3) -> tuple[NDArray[np.int64], Floats]:
    """Positions and contributions of the ``count`` largest by size, ties by position: both (n, min(count, features)).

    Columns must stand in the order of the features' names, which makes ties go by name.
    """
    order = np.argsort(-np.abs(contributions), axis=1, kind="stable")[:, :count]
    return order.astype(np.int64), np.take_along_axis(contributions, order, axis=1)


def importances(contributions: Floats) -> Floats:
    """Mean size of each feature's contribution as a share of all: (features,), at least 0, sum 1 (all equal when
    nothing moves).
    """
    size = np.abs(contributions).mean(axis=0)
    total = float(size.sum())
    return size / total if total > 0 else np.full(len(size), 1.0 / max(len(size), 1))


def ranked(features: Sequence[str], shares: Floats) -> list[dict[str, Any]]:
    """``{feature_name, feature_importance}`` of every feature, largest first, ties by name."""
    order = sorted(range(len(features)), key=lambda place: (-shares[place], features[place]))
    return [{"feature_name": features[place], "feature_importance": float(shares[place])} for place in order]
