"""Which of the parameters that a model leaves open are taken: those that ranked best what followed in a lesson."""

from __future__ import annotations

from collections.abc import Callable, Sequence

DEPTH = 50
"""What is judged is the list that a night publishes."""
SUBJECTS = 1000

Point = tuple[int, ...]


def climb(axes: Sequence[Sequence[float]], start: Point, quality: Callable[[tuple[float, ...]], float]) -> Point:
    """Where ``quality`` is greatest among the neighbours on a grid, axis by axis from ``start``, till nothing improves.

    ``axes``: the values of each parameter, in their order. ``start`` and what is returned are places on them. No place
    is judged twice; a tie leaves everything as it is.
    """
    known: dict[Point, float] = {}

    def at(place: Point) -> float:
        if place not in known:
            known[place] = quality(tuple(axis[number] for axis, number in zip(axes, place, strict=True)))
        return known[place]

    best = start
    improved = True
    while improved:
        improved = False
        for axis in range(len(axes)):
            for step in (-1, 1):
                ahead = _moved(best, axis, step)
                while 0 <= ahead[axis] < len(axes[axis]) and at(ahead) > at(best):
                    best, improved = ahead, True
                    ahead = _moved(best, axis, step)
    return best


def _moved(place: Point, axis: int, step: int) -> Point:
    return (*place[:axis], place[axis] + step, *place[axis + 1 :])
