"""What recommenders learn from: interactions and, to combine others, an earlier past with what followed it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from models.interactions import Interactions
from models.items import Items
from models.split import Mode, Split, without

if TYPE_CHECKING:
    from models.recommenders.recommender import Recommender


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """``split``: the past as of an earlier date and what followed it up to the date that is learned for.

    ``mode``: what the lists are for. ``parts``: recommenders, by name, that were fitted on ``split.train``; those that
    are missing are fitted when they are needed, and kept. What followed settles their parameters and nothing else.
    """

    split: Split
    mode: Mode
    parts: dict[str, Recommender] = field(default_factory=dict)

    def past(self, model: Recommender, threads: int) -> Recommender:
        """The part of the name of ``model``: the one that is known, or ``model`` fitted on the past; what it leaves
        open is settled by what followed.
        """
        if model.name not in self.parts:
            self.parts[model.name] = model.fit(
                self.split.train, threads=threads, lesson=Lesson(self.split, self.mode)
            )
        return self.parts[model.name]

    def most(self, subjects: int) -> Split:
        """Split of at most so many evenly spaced subjects, all of whom have something to be found in this mode."""
        split, chosen = self.split, self.split.subjects
        if self.mode == "new":
            left = without(split.relevant[chosen], split.train.excluded()[chosen])
            chosen = chosen[np.diff(left.indptr) > 0]
        if len(chosen) > subjects:
            chosen = chosen[np.linspace(0, len(chosen) - 1, subjects).astype(np.int64)]
        return Split(split.train, split.relevant, chosen)


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """All that a recommender may be fitted on. ``parts``: others, by name, fitted on the same ``interactions``."""

    interactions: Interactions
    items: Items | None = None
    threads: int = 1
    lesson: Lesson | None = None
    parts: Mapping[str, Recommender] = field(default_factory=dict)
