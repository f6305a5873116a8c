"""A made-up page with visitors whose success depends on what they are shown and who they are, and reference strategies.

Every visit has one context and one uniform number: an arm succeeds if the number is below its rate in this context, so
all strategies meet the same visitors. Regret is the rate of the best arm there, less that of the arm shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

Shares = NDArray[np.float64]
Whole = NDArray[np.int64]


@dataclass(frozen=True)
class World:
    """``rates``: success by context and arm; ``opens``: the night from which each arm is offered; ``features``: each a
    code and the share of visitors who have it, a context being one subset of them (the last feature fastest).
    ``late``: the share of goals that come a day or more after the visit, up to ``latest`` days.
    """

    arms: tuple[str, ...]
    rates: Shares
    opens: tuple[int, ...]
    features: tuple[tuple[str, float], ...]
    late: float = 0.5
    latest: int = 6

    def offered(self, night: int) -> list[int]:
        """Arms that there are in a night."""
        return [arm for arm, since in enumerate(self.opens) if since <= night]

    def tokens(self, context: int) -> str:
        """The features of a visitor, as a call brings them."""
        has = list(product((False, True), repeat=len(self.features)))[context]
        return ",".join(code for (code, _), met in zip(self.features, has, strict=True) if met)

    def visits(self, nights: int, each: int, seed: int) -> Visits:
        """Everybody who comes."""
        rng = np.random.default_rng(seed)
        shape = nights, each
        contexts = np.zeros(shape, dtype=np.int64)
        for _, share in self.features:
            contexts = contexts * 2 + (rng.random(shape) < share)
        delays = np.where(rng.random(shape) < self.late, rng.integers(1, self.latest + 1, shape), 0)
        return Visits(contexts, rng.random(shape), delays)

    def regret(self, night: int, contexts: Whole, shown: Whole) -> Shares:
        """What showing these arms cost, in expected successes, for each visit."""
        best = self.rates[:, self.offered(night)].max(axis=1)
        found: Shares = best[contexts] - self.rates[contexts, shown]
        return found


@dataclass(frozen=True)
class Visits:
    """By night and visit: the context, the number that decides on success, and after how many days the goal comes."""

    contexts: Whole
    luck: Shares
    delays: Whole


CHANGING = World(
    arms=("a", "b", "c", "d", "e", "new"),
    # Without features, mobile, vip, vip and mobile: the best arm is another one in each, c is the best for all.
    rates=np.array([
        [0.05, 0.06, 0.09, 0.04, 0.05, 0.07],
        [0.05, 0.03, 0.07, 0.09, 0.04, 0.12],
        [0.06, 0.14, 0.07, 0.05, 0.06, 0.07],
        [0.11, 0.06, 0.09, 0.05, 0.06, 0.06],
    ]),
    opens=(0, 0, 0, 0, 0, 10),
    features=(("vip", 0.3), ("mobile", 0.5), ("noise", 0.4)),
)
"""Rates have no row for ``noise``: see ``spread``."""


def spread(world: World) -> World:
    """The world with rates for every subset of its features; those without a row of their own change nothing."""
    copies = 2 ** len(world.features) // len(world.rates)
    return World(
        world.arms, np.repeat(world.rates, copies, axis=0), world.opens, world.features, world.late, world.latest
    )


Strategy = Callable[[World, Visits, int], Shares]


def uniform(world: World, visits: Visits, _seed: int) -> Shares:
    """Every arm alike: expected regret by night."""
    return np.array([
        np.mean([world.regret(night, found, np.full_like(found, arm)) for arm in world.offered(night)], axis=0).sum()
        for night, found in enumerate(visits.contexts)
    ])


def best_fixed(world: World, visits: Visits, _seed: int) -> Shares:
    """The one arm that is best over everybody, of those offered, known from the start."""
    regrets = []
    for night, found in enumerate(visits.contexts):
        offered = world.offered(night)
        best = max(offered, key=lambda arm: world.rates[visits.contexts, arm].mean())
        regrets.append(world.regret(night, found, np.full_like(found, best)).sum())
    return np.array(regrets)


def thompson(world: World, visits: Visits, seed: int, *, by: Sequence[int]) -> Shares:
    """Thompson sampling that learns from every visit at once, from flat priors; ``by`` gives the cell of a context."""
    rng = np.random.default_rng(seed)
    cells = np.asarray(by)
    good = np.ones((int(cells.max()) + 1, len(world.arms)))
    bad = np.ones_like(good)
    regrets = np.zeros(len(visits.contexts))
    for night, (contexts, luck) in enumerate(zip(visits.contexts, visits.luck, strict=True)):
        offered = world.offered(night)
        shown = np.empty_like(contexts)
        for at, (context, chance) in enumerate(zip(contexts.tolist(), luck.tolist(), strict=True)):
            cell = cells[context]
            arm = offered[int(np.argmax(rng.beta(good[cell, offered], bad[cell, offered])))]
            shown[at] = arm
            success = chance < world.rates[context, arm]
            (good if success else bad)[cell, arm] += 1
        regrets[night] = world.regret(night, contexts, shown).sum()
    return regrets


def thompson_of_contexts(world: World, visits: Visits, seed: int) -> Shares:
    """The same in every subset of features for itself."""
    return thompson(world, visits, seed, by=range(2 ** len(world.features)))


def thompson_of_all(world: World, visits: Visits, seed: int) -> Shares:
    """The same without looking at features."""
    return thompson(world, visits, seed, by=[0] * 2 ** len(world.features))


REFERENCES: dict[str, Strategy] = {
    "uniform": uniform, "best fixed arm": best_fixed,
    "Thompson sampling every visit, without features": thompson_of_all,
    "Thompson sampling every visit, in each context": thompson_of_contexts,
}
