"""Answers as bytes. Fragments made at publish are joined; nothing that a run knows is encoded again."""

from __future__ import annotations

import orjson

from serving.live import View
from serving.lookup import Ranked


def listed(view: View, ranked: Ranked) -> bytes:
    """The JSON array of a ranked list."""
    if not ranked.items:
        return b"[]"
    return joined(view, ranked.items, ranked.scores)


def joined(view: View, items: list[int], scores: list[bytes]) -> bytes:
    """Fragments and scores in turns, as an array; there must be some."""
    parts = [b""] * (2 * len(items))
    parts[0::2] = map(view.fragments.__getitem__, items)
    parts[1::2] = scores
    return b"[%b}]" % b"".join(parts)[2:]


def about(model: str, cold: bool) -> bytes:
    """Members that say how a list came about."""
    return ABOUT.get((model, cold)) or _about(model, cold)


PROFILE_LIST = b'{"profile_id":%b,%b,%b,"items":%b}'
ABOUT: dict[tuple[str, bool], bytes] = {}


def _about(model: str, cold: bool) -> bytes:
    made = ABOUT[model, cold] = b'"model":%b,"cold":%b' % (orjson.dumps(model), b"true" if cold else b"false")
    return made


def profile_list(view: View, profile_id: bytes, ranked: Ranked, now: float) -> bytes:
    """Answer to a lookup of one profile; ``profile_id`` is JSON."""
    return PROFILE_LIST % (profile_id, view.stamp(now), about(ranked.model, ranked.cold), listed(view, ranked))


def item_list(view: View, item_id: str, ranked: Ranked, now: float) -> bytes:
    """Answer to a lookup of an item's neighbours."""
    return b'{"item_id":%b,%b,%b,"items":%b}' % (
        orjson.dumps(item_id), view.stamp(now), about(ranked.model, ranked.cold), listed(view, ranked)
    )


def session_list(view: View, ranked: Ranked, now: float) -> bytes:
    """Answer to a session."""
    return b'{%b,%b,"items":%b}' % (view.stamp(now), about(ranked.model, ranked.cold), listed(view, ranked))


def batch(view: View, name: str, entries: list[bytes], now: float) -> bytes:
    """Several answers as one; each entry is a JSON object."""
    return b'{%b,"%b":[%b]}' % (view.stamp(now), name.encode(), b",".join(entries))


def json_id(raw: bytes) -> bytes:
    """An id of the pack as a JSON string."""
    return orjson.dumps(raw.decode())


def one(view: View, name: str, value: bytes, now: float) -> bytes:
    """One JSON value under a name."""
    return b'{%b,"%b":%b}' % (view.stamp(now), name.encode(), value)
