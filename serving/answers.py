"""Answers as bytes. Fragments made at publish are joined; nothing that a run knows is encoded again."""

from __future__ import annotations

from operator import add

import orjson

from serving.live import View
from serving.lookup import Ranked


def listed(view: View, ranked: Ranked) -> bytes:
    """The JSON array of a ranked list."""
    if not ranked.items:
        return b"[]"
    return b"[" + b"},".join(map(add, map(view.fragments.__getitem__, ranked.items), ranked.scores)) + b"}]"


def about(ranked: Ranked) -> bytes:
    """Members that say how a list came about."""
    return b'"model":' + orjson.dumps(ranked.model) + (b',"cold":true' if ranked.cold else b',"cold":false')


def profile_list(view: View, profile_id: bytes, ranked: Ranked, now: float) -> bytes:
    """Answer to a lookup of one profile; ``profile_id`` is JSON."""
    return b'{"profile_id":%b,%b,%b,"items":%b}' % (profile_id, view.stamp(now), about(ranked), listed(view, ranked))


def item_list(view: View, item_id: str, ranked: Ranked, now: float) -> bytes:
    """Answer to a lookup of an item's neighbours."""
    return b'{"item_id":%b,%b,%b,"items":%b}' % (
        orjson.dumps(item_id), view.stamp(now), about(ranked), listed(view, ranked)
    )


def session_list(view: View, ranked: Ranked, now: float) -> bytes:
    """Answer to a session."""
    return b'{%b,%b,"items":%b}' % (view.stamp(now), about(ranked), listed(view, ranked))


def batch(view: View, name: str, entries: list[bytes], now: float) -> bytes:
    """Several answers as one; each entry is a JSON object."""
    return b'{%b,"%b":[%b]}' % (view.stamp(now), name.encode(), b",".join(entries))


def one(view: View, name: str, value: bytes, now: float) -> bytes:
    """One JSON value under a name."""
    return b'{%b,"%b":%b}' % (view.stamp(now), name.encode(), value)
