"""What to recommend: pure functions of a view. No rule is broken to fill a list."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import orjson

from serving.live import View
from store.pack.read import Lists, ServingPack

SESSION_ITEMS = 20
SESSION_DECAY = 0.9
NO_SCORE = b"null"


@dataclass(slots=True)
class Ranked:
    """A list, best first. ``items`` are rows of the pack; ``scores`` JSON, ``null`` for what popularity added."""

    items: list[int]
    scores: list[bytes]
    model: str
    cold: bool


def for_profile(view: View, row: int, asked: str, amount: int, excluded: Collection[int]) -> Ranked:
    """List of a profile by its row (-1: unknown to the run, then ``asked`` is its id).

    The run's list without what was interacted with since, then the popular order without anything ever interacted with.
    A profile unknown to the run gets what goes with the items it met since, as a session does; without any, popularity.
    """
    pack = view.pack
    if row < 0:
        blocked = {*view.overlay.seen_by_stranger(asked), *excluded, *view.overlay.gone}
        return _blend(view, view.overlay.recent_of_stranger(asked), amount, blocked)
    since = view.overlay.seen(row)
    forbidden = since if not excluded and not view.overlay.gone else {*since, *excluded, *view.overlay.gone}
    items, scores = head(pack, pack.lists, row, amount, forbidden)
    ranked = Ranked(items, scores, pack.models[pack.lists_model[row]], bool(pack.lists_cold[row]))
    if len(items) < amount:
        fill(pack, ranked, amount, {*forbidden, *(pack.seen(row) if view.excludes_seen else ())})
    return ranked


def for_item(view: View, row: int, amount: int, excluded: Collection[int]) -> Ranked:
    """Items most like the item in ``row``, then popular ones."""
    pack = view.pack
    blocked = {row, *excluded, *view.overlay.gone}
    items, scores = head(pack, pack.neighbours, row, amount, blocked)
    ranked = Ranked(items, scores, pack.models[pack.neighbours_model[row]], cold=not items)
    fill(pack, ranked, amount, blocked)
    return ranked


def for_session(view: View, rows: list[int], amount: int, excluded: Collection[int]) -> Ranked:
    """Items that go with those of a session, given newest first.

    The neighbours of the 20 newest distinct items count 0.9^k / (1 + rank), k = 0 for the newest; ties go to the more
    popular item. ``model`` names all models whose neighbours are counted, ``+`` between them.
    """
    newest = list(dict.fromkeys(rows))[:SESSION_ITEMS]
    return _blend(view, newest, amount, {*excluded, *view.overlay.gone, *(rows if view.excludes_seen else ())})


def _blend(view: View, newest: list[int], amount: int, blocked: Collection[int]) -> Ranked:
    """The neighbours of some items, given newest first, added up; then popular items."""
    pack = view.pack
    models = {pack.models[pack.neighbours_model[row]] for row in newest}
    ranked = Ranked([], [], "+".join(sorted(models)) or "popular", cold=not newest)
    if newest:
        neighbours = pack.neighbours.items[newest]
        share = SESSION_DECAY ** np.arange(len(newest))[:, None] / (1.0 + np.arange(neighbours.shape[1]))
        present = neighbours >= 0
        found, place = np.unique(neighbours[present], return_inverse=True)
        total = np.bincount(place, share[present], len(found))
        allowed = np.array([pack.eligible[item] and item not in blocked for item in found.tolist()], bool)
        found, total = found[allowed], total[allowed]
        order = np.lexsort((pack.popularity_rank[found], -total))[:amount]
        ranked.items = found[order].tolist()
        ranked.scores = numbers(total[order].astype(np.float32))
    fill(pack, ranked, amount, blocked)
    return ranked


def head(
    pack: ServingPack, lists: Lists, row: int, amount: int, blocked: Collection[int]
) -> tuple[list[int], list[bytes]]:
    """The first ``amount`` allowed items of a stored list, with their scores."""
    if lists.clean and not blocked:
        first = lists.head(row, amount)
        if first and first[-1] >= 0:
            return first, numbers(lists.scores[row, : len(first)])
    listed = lists.row(row)
    eligible = pack.eligible
    places = [place for place, item in enumerate(listed) if eligible[item] and item not in blocked][:amount]
    return [listed[place] for place in places], numbers(lists.scores[row][places])


def numbers(scores: np.ndarray[tuple[int], np.dtype[np.float32]]) -> list[bytes]:
    """Each score as JSON, in the shortest form that reads back as the same float32."""
    if not len(scores):
        return []
    return orjson.dumps(scores, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")


def fill(pack: ServingPack, ranked: Ranked, amount: int, blocked: Collection[int]) -> None:
    """Complete a list from the popular order of the whole catalogue."""
    missing = amount - len(ranked.items)
    if missing <= 0:
        return
    taken = {*blocked, *ranked.items}
    for item in pack.popular:
        if item not in taken:
            ranked.items.append(item)
            ranked.scores.append(NO_SCORE)
            missing -= 1
            if not missing:
                return
