"""All profiles or items by (created_at, id), for pages by offset (2.4): the run's order, and apart from it what was
written since. A write costs as much as its place in the latter takes to be found, a page what is on it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from serving import records
from serving.effective import Effective
from store.pack.listing import NOTHING, Ordered

EPOCH, SECOND = datetime(1970, 1, 1), timedelta(seconds=1)
Key = tuple[int, str]
"""Whole seconds since 1970, and the id."""


class Order:
    """The order over one state. ``row``: the run's row of an id, -1 without one; ``moment``: when what has an id was
    made, None where there is no such thing now.
    """

    def __init__(
        self, run: Ordered, ids: Sequence[str], row: Callable[[str], int], moment: Callable[[str], datetime | None]
    ) -> None:
        self._run, self._ids, self._row, self._moment = run, ids, row, moment
        self._gone: list[int] = []
        self._added: list[Key] = []
        self._keys: dict[str, Key] = {}

    def __len__(self) -> int:
        return len(self._run.rows) - len(self._gone) + len(self._added)

    def take(self, changed: Iterable[str]) -> None:
        """Look again at some ids."""
        for one in dict.fromkeys(changed):
            self._take(one)

    def page(self, offset: int, amount: int) -> list[str]:
        """Ids from an offset on."""
        return list(islice(self._from(offset), amount))

    def among(
        self, rows: NDArray[np.bool_], chosen: Callable[[str], bool], offset: int, amount: int
    ) -> tuple[int, list[str]]:
        """How many there are, and those from an offset on, of the run's rows where ``rows`` is true, and of what was
        made or moved since and is ``chosen``.
        """
        mask = rows[self._run.rows]
        mask[self._gone] = False
        places = np.flatnonzero(mask)
        added = [key for key in self._added if chosen(key[1])]
        ranks = np.searchsorted(places, [bisect_left(range(len(mask)), key, key=self._key) for key in added])
        # What was added stands in between as -1, -2, ...
        merged = np.insert(places, ranks, np.arange(-1, -1 - len(added), -1))
        page = merged[offset : offset + amount].tolist()
        return len(merged), [added[-1 - at][1] if at < 0 else self._key(at)[1] for at in page]

    def _take(self, one: str) -> None:
        old = self._keys.pop(one, None)
        if old is not None:
            del self._added[bisect_left(self._added, old)]
        at = self._moment(one)
        new = None if at is None else ((at.replace(microsecond=0) - EPOCH) // SECOND, one)
        place = self._run.place(self._row(one))
        if place >= 0 and self._ids[int(self._run.rows[place])] == one:
            stays = new is not None and new == self._key(place)
            self._hide(place, not stays)
            if stays:
                return
        if new is not None:
            self._keys[one] = new
            insort(self._added, new)

    def _hide(self, place: int, hidden: bool) -> None:
        at = bisect_left(self._gone, place)
        there = at < len(self._gone) and self._gone[at] == place
        if hidden and not there:
            self._gone.insert(at, place)
        elif there and not hidden:
            del self._gone[at]

    def _key(self, place: int) -> Key:
        return int(self._run.seconds[place]), self._ids[int(self._run.rows[place])]

    def _rank(self, key: Key) -> int:
        """How many of the run's stand before a key."""
        place = bisect_left(range(len(self._run.rows)), key, key=self._key)
        return place - bisect_left(self._gone, place)

    def _from(self, offset: int) -> Iterator[str]:
        before = bisect_left(range(len(self._added)), offset, key=lambda at: self._rank(self._added[at]) + at)
        left = offset - before
        skipped = bisect_right(range(len(self._gone)), left, key=lambda at: self._gone[at] - at)
        place, last = left + skipped, len(self._run.rows)
        gone = iter(self._gone[skipped:])
        hidden = next(gone, last)
        for key in self._added[before:]:
            while place < last:
                if place == hidden:
                    place, hidden = place + 1, next(gone, last)
                elif self._key(place) < key:
                    yield self._ids[int(self._run.rows[place])]
                    place += 1
                else:
                    break
            yield key[1]
        for rest in range(place, last):
            if rest == hidden:
                hidden = next(gone, last)
            else:
                yield self._ids[int(self._run.rows[rest])]


class Orders:
    """Both orders of an account, following its state."""

    def __init__(self) -> None:
        self._state: Effective | None = None
        self._followed = (0, 0)
        self._profiles = self._items = Order(NOTHING, (), _no_row, _never)

    def profiles(self, state: Effective) -> Order:
        """Profiles by profile_id."""
        self._follow(state)
        return self._profiles

    def items(self, state: Effective) -> Order:
        """Items by item_id."""
        self._follow(state)
        return self._items

    def _follow(self, state: Effective) -> None:
        run, changes = state.run, state.changes
        if state is not self._state:
            listing = run.listing
            self._state, self._followed = state, (0, 0)
            self._profiles = Order(
                listing.profiles if listing else NOTHING, run.profiles, run.profile_row, lambda key: _made(state, key)
            )
            self._items = Order(
                listing.items if listing else NOTHING, run.items, run.item_row, lambda one: _made_item(state, one)
            )
        profiles, items = self._followed
        self._profiles.take(changes.dated[profiles:])
        self._items.take(changes.items.changed[items:])
        self._followed = len(changes.dated), len(changes.items.changed)


def _made(state: Effective, key: str) -> datetime | None:
    found = records.profile(state, key)
    return None if found is None else found.created_at


def _made_item(state: Effective, item_id: str) -> datetime | None:
    found = records.item(state, item_id)
    return None if found is None else found.created_at


def _no_row(_one: str) -> int:
    return -1


def _never(_one: str) -> None:
    return None
