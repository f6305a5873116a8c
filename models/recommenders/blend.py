"""A blend: what EASE says, weighted by what is popular lately, and what a profile has the habit of wanting again."""

from __future__ import annotations

from itertools import product
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.evaluate import judge
from models.histories import Histories
from models.interactions import QUANTUM, Interactions
from models.lesson import Lesson, Material
from models.ranking import Floats
from models.recommenders.ease import Ease
from models.recommenders.linear import linear_part, past_linear
from models.recommenders.recommender import Recommender, leave_out
from models.recommenders.spectral import Spectral

POWERS = (0.5, 0.0, 0.25, 1.0)
HABITS = (1.0, 0.0, 0.1, 0.3)
SUBJECTS = 1000
LEAST = 0.05
"""Of the mean popularity: what even an item without any recent event counts as."""


class Blend(Recommender):
    """Score of an item: EASE times the item's recent popularity to a ``power``, and EASE plus ``habit`` times (1 + the
    weight of the profile's own past events) where the profile had it before; all EASE scores as shares of the row's
    best.

    ``power`` and ``habit`` are chosen on the lesson where they are None: the first of ``POWERS`` and ``HABITS`` unless
    others are better by more than a standard error. In a domain that does not repeat the habit comes out as 0.
    What is called EASE here is a spectral filter where the catalogue is too large for it.
    """

    name = "blend"
    parameters: ClassVar[tuple[str, ...]] = ("power", "habit", "regularization")

    def __init__(
        self, power: float | None = None, habit: float | None = None, regularization: float | None = None
    ) -> None:
        self.power = power
        self.habit = habit
        self.regularization = regularization

    def _fit(self, given: Material) -> None:
        lesson = given.lesson
        linear = linear_part(given.interactions, given.parts, self.regularization, given.threads, lesson)
        power = POWERS[0] if self.power is None else self.power
        habit = 0.0 if self.habit is None else self.habit
        if lesson is not None and (self.power is None or self.habit is None):
            power, habit = self._choose(lesson, given.threads)
        self._assemble(given.interactions, linear, power, habit)

    def _assemble(self, interactions: Interactions, linear: Recommender, power: float, habit: float) -> None:
        popularity = interactions.popularity / QUANTUM
        some = popularity[popularity > 0]
        share = popularity / some.mean() if len(some) else popularity
        self.linear_, self.chosen_ = linear, np.array([power, habit])
        self.popular_ = ((share + LEAST) ** power).astype(np.float32)
        self.notes_ = {**linear.notes_, **self.notes_, "power": power, "habit": habit}

    def _choose(self, lesson: Lesson, threads: int) -> tuple[float, float]:
        """Power and habit that ranked best what followed in the lesson."""
        split = lesson.most(SUBJECTS)
        powers = POWERS if self.power is None else (self.power,)
        habits = (0.0,) if lesson.mode == "new" else HABITS
        grid = list(product(powers, habits if self.habit is None else (self.habit,)))
        if not len(split.subjects):
            return grid[0]
        linear = past_linear(lesson, self.regularization, threads)
        found = []
        for power, habit in grid:
            trial = Blend(power, habit, self.regularization).fit(split.train, parts={linear.name: linear})
            found.append(judge(trial, split, lesson.mode, threads=threads).headline)
        above = np.array(found) - found[0]
        error = above.std(axis=1) / np.sqrt(max(above.shape[1] - 1, 1))
        better = above.mean(axis=1)
        better[1:][better[1:] <= error[1:]] = -1.0
        return grid[int(better.argmax())]

    def stages(self, history: Histories) -> tuple[Floats, Floats]:
        """What EASE says, and the blend: both float32 (b, n_items), new and not negative."""
        power, habit = self.chosen_.tolist()
        ease = np.maximum(self.linear_.scores(history.strength), 0)
        block = ease * self.popular_ if power else ease.copy()
        _to_shares(block)
        if habit:
            shares = ease.copy()
            _to_shares(shares)
            block += shares
            block[history.rows(), history.strength.indices] += np.float32(habit) * (1 + history.weight)
        return ease, block

    def scored(self, history: Histories, exclude: csr_matrix | None, banned: NDArray[np.intp] | None) -> Floats:
        block = self.stages(history)[1]
        leave_out(block, exclude, banned)
        return block

    def scores(self, history: csr_matrix) -> Floats:
        return self.stages(Histories.of(history))[1]

    def similar(self, start: int, stop: int) -> Floats:
        return self.linear_.similar(start, stop)

    @property
    def row_wise(self) -> bool:
        return self.linear_.row_wise

    def neighbour_source(self) -> Recommender | None:
        return self.linear_

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        linear = {f"{self.linear_.name}_{name}": array for name, array in self.linear_.to_arrays().items()}
        return {"order": self.order_, "chosen": self.chosen_, "popular": self.popular_, **linear}

    @classmethod
    def from_arrays(cls, params: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        model = super().from_arrays(params, arrays)
        for kind in (Ease, Spectral):
            prefix = f"{kind.name}_"
            inner = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
            if inner:
                model.linear_ = kind.from_arrays({}, inner)
        model.chosen_, model.popular_ = np.array(arrays["chosen"]), np.asarray(arrays["popular"])
        return model


def _to_shares(block: Floats) -> None:
    """Divide each row by its greatest value, where that is positive, in place."""
    best = block.max(axis=1, initial=0)
    block /= np.where(best > 0, best, np.float32(1))[:, None]
