"""What subjects met, as evaluation takes it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class History:
    """What subjects met: subject s has ``items[offsets[s] : offsets[s + 1]]``, each by an interaction of type
    ``type_names[types[...]]``; an item stands once a type. int64 (S + 1,), int32, uint16.
    """

    offsets: NDArray[np.int64]
    items: NDArray[np.int32]
    types: NDArray[np.uint16]
    type_names: tuple[str, ...]

    @classmethod
    def none(cls, subjects: int) -> History:
        """Nobody met anything."""
        return cls(np.zeros(subjects + 1, np.int64), np.empty(0, np.int32), np.empty(0, np.uint16), ())
