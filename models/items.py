"""What is known of the items besides who wanted them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Items:
    """One entry for each item, by item index.

    ``words``: free text (name, description). ``tokens``: exact features such as ``category=mugs`` or ``colour=red``.
    ``prices``: in any one unit, not-a-number where unknown; none when nothing is known of any.
    """

    words: Sequence[str]
    tokens: Sequence[Sequence[str]]
    prices: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        if len(self.words) != len(self.tokens):
            raise ValueError("words and tokens must have one entry for each item")
        if self.prices is not None and len(self.prices) != len(self.words):
            raise ValueError("there must be a price for each item, or none at all")

    def __len__(self) -> int:
        return len(self.words)
