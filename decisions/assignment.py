"""Which arm a visit gets, and how likely every arm was (4.2 steps 6 and 7, 4.3, 4.4). One formula each, for all."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Cell = Literal["control", "explore", "exploit"]
CELLS: tuple[Cell, ...] = ("control", "explore", "exploit")

KEY = "nl1"
UNIT = b"\x1f"
FLOOR = 0.01
COMBINATIONS = 64
"""Beyond so many arms of several decisions nothing is learned: the exploit cell is uniform."""


@dataclass(frozen=True, slots=True)
class Rates:
    """How visits are split: ``control`` is c, ``explore`` is e of the rest."""

    control: float = 0.1
    explore: float = 0.2

    def of_cells(self) -> dict[Cell, float]:
        """The share of each cell."""
        c, e = self.control, self.explore
        return {"control": c, "explore": (1 - c) * e, "exploit": (1 - c) * (1 - e)}


def unit(
    owner: str, agent: str, point: str, decision_set: str, session: str, epoch: int, seq: int, version: str
) -> float:
    """The number in [0, 1) that settles a draw: the top 53 bits of a SHA-256 over what identifies it."""
    texts = (KEY, owner, agent, point, decision_set, session, str(epoch), str(seq), version)
    digest = hashlib.sha256(UNIT.join(text.encode() for text in texts)).digest()
    return float((int.from_bytes(digest[:8], "big") >> 11) / (1 << 53))


def floor(arms: int) -> float:
    """What every requested arm gets of the exploit cell at least."""
    return min(FLOOR, 0.5 / arms)


def exploit_shares(arms: Sequence[str], weights: Mapping[str, float] | None) -> list[float]:
    """Weights (pi) of the requested arms, summing to 1: those of the row set that serves, uniform without one."""
    found = [weights.get(arm, 0.0) for arm in arms] if weights else []
    total = sum(found)
    return [weight / total for weight in found] if total > 0 else [1.0 / len(arms)] * len(arms)


def floored(shares: Sequence[float]) -> list[float]:
    """q: the weights with the floor put under each arm."""
    least = floor(len(shares))
    scale = 1.0 - len(shares) * least
    return [least + scale * share for share in shares]


def propensities(q: Sequence[float], default: int, rates: Rates) -> list[float]:
    """p: total probability of each arm over all cells. ``default``: position of the default arm."""
    c, e, arms = rates.control, rates.explore, len(q)
    return [
        (c if at == default else 0.0) + (1 - c) * (e / arms + (1 - e) * share) for at, share in enumerate(q)
    ]


def drawn(u: float, q: Sequence[float], default: int, rates: Rates) -> tuple[Cell, int]:
    """The cell of a draw and the position of its arm."""
    cell, rest = cell_of(u, rates)
    if cell == "control":
        return cell, default
    return cell, uniform_index(rest, len(q)) if cell == "explore" else index_of(rest, q)


def cell_of(u: float, rates: Rates) -> tuple[Cell, float]:
    """The cell of a draw, and where in the cell it lies, in [0, 1]."""
    c, e = rates.control, rates.explore
    if u < c:
        return "control", u / c
    explored = (1 - c) * e
    if u < c + explored or e >= 1.0:
        return "explore", (u - c) / explored
    return "exploit", (u - c - explored) / ((1 - c) * (1 - e))


def uniform_index(rest: float, arms: int) -> int:
    """Position of one of equally likely arms."""
    return min(int(arms * rest), arms - 1)


def index_of(rest: float, q: Sequence[float]) -> int:
    """The first arm whose cumulative q exceeds ``rest``, the last if rounding leaves none."""
    total = 0.0
    for at, share in enumerate(q):
        total += share
        if total > rest:
            return at
    return len(q) - 1


def best(weights: Mapping[str, float] | None, arms: Sequence[str], default: int) -> int:
    """The requested arm with the highest published weight, ties to the earliest; without a table the default arm."""
    if not weights:
        return default
    found = [weights.get(arm, 0.0) for arm in arms]
    return found.index(max(found)) if max(found) > 0 else default
