"""What a second stage knows of a profile and a candidate item; all of it as of the date of the interactions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.histories import Histories
from models.interactions import Interactions
from models.items import Items
from models.ranking import Floats, Ints

HALF_LIVES = (4.0, 7.0, 14.0, 30.0, 60.0, 180.0)
"""Days after which an event counts half towards an item's popularity; shares of the mean, so that busy seasons do not
look like better items."""
NEVER = 10_000.0
NEW, OLD, LEVEL = "popularity_4", "popularity_60", np.float32(0.05)
"""A trend is the quotient of these two popularities, the older one raised by the level."""

YEAR, SEASON = 365.0, 45.0
"""A year ago: the days that followed this date then, and as many before it."""

ITEM = (
    *(f"popularity_{days:g}" for days in HALF_LIVES), "profiles", "repeats", "item_last", "item_first", "price",
    "year_ago", "year_ago_trend", "repeaters",
)
PAIR = ("weight", "recent_weight", "events", "last", "first", "gap")
PROFILE = ("days", "profile_last", "profile_first", "rhythm", "items", "repetition", "price_level", "mainstream")
CROSS = (
    "price_distance", "share_of_days", "last_of_rhythm", "due", "trend", "own_share", "own_recent_share",
    "last_of_gap", "days_without", "own_year_ago",
)
STAGE = ("ease", "blend", "place", "content")
FEATURES = (*STAGE, *ITEM, *PAIR, *PROFILE, *CROSS)


@dataclass(frozen=True, slots=True, eq=False)
class ItemTable:
    """``values``: float32 (n_items, len(ITEM)), not-a-number where unknown."""

    values: Floats

    @classmethod
    def of(cls, interactions: Interactions, items: Items | None) -> ItemTable:
        """Facts of the items from what profiles did with them, and their prices."""
        n, index = interactions.n_items, interactions.indices
        last = np.maximum(interactions.day - interactions.last_day, 0).astype(np.float64)
        first = np.maximum(interactions.day - interactions.first_day, 0).astype(np.float64)
        profiles, events = interactions.item_profiles(), interactions.item_events()
        known = profiles > 0
        popularity = [np.bincount(index, 0.5 ** (last / days), minlength=n) for days in HALF_LIVES]
        shares = [one / max(float(one[known].mean()), 1e-9) if known.any() else one for one in (*popularity, profiles)]
        newest, oldest = np.full(n, NEVER), np.zeros(n)
        np.minimum.at(newest, index, last)
        np.maximum.at(oldest, index, first)
        price = np.full(n, np.nan)
        if items is not None and items.prices is not None:
            price = np.log1p(np.maximum(items.prices, 0))
        season = _year_ago(last, first, index, n, int(oldest.max(initial=0)))
        again = np.bincount(index, interactions.events > 1, minlength=n) / np.maximum(profiles, 1)
        columns = (*shares, events / np.maximum(profiles, 1), newest, oldest, price, *season, again)
        return cls(np.stack(columns, axis=1).astype(np.float32).reshape(n, len(ITEM)))

    def column(self, name: str) -> Floats:
        """One fact of all items."""
        return self.values[:, ITEM.index(name)]


def _year_ago(
    last: NDArray[np.float64], first: NDArray[np.float64], index: NDArray[Any], n: int, days: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Profiles that began or ended with each item in the season that followed this date a year ago, as a share of the
    mean, and the same against the season before that; not-a-number where the past of ``days`` is too short.
    """
    if days < YEAR + SEASON:
        return np.full(n, np.nan), np.full(n, np.nan)
    found = []
    for newest, oldest in ((YEAR - SEASON, YEAR), (YEAR, YEAR + SEASON)):
        inside = ((last >= newest) & (last < oldest)) | ((first >= newest) & (first < oldest))
        number = np.bincount(index, inside, minlength=n)
        some = number[number > 0]
        found.append(number / (some.mean() if len(some) else 1.0))
    return found[0], found[0] / (found[1] + LEVEL)


def features(
    table: ItemTable, history: Histories, candidates: Ints, ease: Floats, blend: Floats, content: Floats
) -> Floats:
    """Features (b * k, len(FEATURES)) of the candidates (b, k) of each history row, row after row, float32.

    ``ease``, ``blend`` and ``content`` are the scores of all items (b, n_items).
    """
    rows, k = candidates.shape
    row = np.arange(rows)[:, None]
    item, pair, profile = table.values[candidates], _pairs(history, candidates), _profiles(table, history)[:, None]
    place = np.broadcast_to(np.arange(k, dtype=np.float32), (rows, k))
    stage = np.stack([ease[row, candidates], blend[row, candidates], place, content[row, candidates]], axis=2)
    facts = {name: item[..., number] for number, name in enumerate(ITEM)}
    facts |= {name: profile[..., number] for number, name in enumerate(PROFILE)}
    facts |= {name: pair[..., number] for number, name in enumerate(PAIR)}
    rhythm = np.maximum(facts["rhythm"], 1)
    total, recent = (
        np.maximum(np.bincount(history.rows(), weight, minlength=rows), 1e-9)[:, None]
        for weight in (history.weight, history.recent_weight)
    )
    year_ago = [(facts[name] >= YEAR - SEASON) & (facts[name] < YEAR) for name in ("last", "first")]
    cross = (
        np.abs(facts["price"] - facts["price_level"]),
        facts["events"] / np.maximum(facts["days"], 1),
        facts["last"] / rhythm,
        (facts["last"] - facts["profile_last"]) / rhythm,
        facts[NEW] / (facts[OLD] + LEVEL),
        facts["weight"] / total,
        facts["recent_weight"] / recent,
        facts["last"] / np.maximum(facts["gap"], 1),
        _days_without(history, facts["last"]),
        year_ago[0] | year_ago[1],
    )
    profiles = np.broadcast_to(profile, (rows, k, len(PROFILE)))
    found = np.concatenate([stage, item, pair, profiles, np.stack(cross, axis=2)], axis=2, dtype=np.float32)
    return found.reshape(rows * k, len(FEATURES))


def _pairs(history: Histories, candidates: Ints) -> Floats:
    """Float32 (b, k, len(PAIR)): not-a-number for days, zero for amounts, where a profile never had the item."""
    rows, k = candidates.shape
    columns = max(history.shape[1], 1)
    keys = history.rows().astype(np.int64) * columns + history.strength.indices
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    wanted = np.arange(rows, dtype=np.int64)[:, None] * columns + candidates
    found = np.zeros((rows, k, len(PAIR)), np.float32)
    found[..., 3:] = np.nan
    if not len(keys):
        return found
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    own = keys[place] == wanted
    at = order[place[own]]
    events, last, first = history.events[at], history.last_age[at], history.first_age[at]
    gap = np.where(events > 1, (first - last) / np.maximum(events - 1, 1), np.float32(np.nan))
    found[own] = np.stack([history.weight[at], history.recent_weight[at], events, last, first, gap], axis=1)
    return found


def _profiles(table: ItemTable, history: Histories) -> Floats:
    """Float32 (b, len(PROFILE)): how often, how lately, how varied, how dear and how mainstream it was so far."""
    rows, row = history.shape[0], history.rows()
    number = np.bincount(row, minlength=rows)
    some = np.maximum(number, 1)
    last, first = np.full(rows, NEVER), np.zeros(rows)
    np.minimum.at(last, row, history.last_age)
    np.maximum.at(first, row, history.first_age)
    days = np.unique(np.concatenate([_dated(row, history.last_age), _dated(row, history.first_age)])) >> 32
    active = np.bincount(days, minlength=rows)
    rhythm = np.maximum(first - last, 0) / np.maximum(active - 1, 1)
    index = history.strength.indices
    price = _mean_known(row, table.column("price")[index], rows)
    mainstream = np.bincount(row, np.log1p(table.column("profiles")[index]), minlength=rows) / some
    repetition = np.bincount(row, history.events, minlength=rows) / some
    columns: tuple[NDArray[Any], ...] = (active, last, first, rhythm, number, repetition, price, mainstream)
    return np.stack(columns, axis=1).astype(np.float32)


def _days_without(history: Histories, last: Floats) -> Floats:
    """On how many of its known days each profile was there since it last had the candidates; as ``last`` (b, k)."""
    row = history.rows()
    days = np.unique(np.concatenate([_dated(row, history.last_age), _dated(row, history.first_age)]))
    own = np.broadcast_to(np.arange(len(last))[:, None], last.shape)
    known = ~np.isnan(last)
    begin = np.searchsorted(days, np.arange(len(last), dtype=np.int64) << 32)
    found = np.full(last.shape, np.nan, np.float32)
    found[known] = np.searchsorted(days, _dated(own[known], last[known])) - begin[own[known]]
    return found


def _dated(row: NDArray[np.intp], age: Floats) -> NDArray[np.int64]:
    return (row.astype(np.int64) << 32) + age.astype(np.int64)


def _mean_known(row: NDArray[np.intp], values: Floats, rows: int) -> NDArray[np.float64]:
    known = ~np.isnan(values)
    number = np.bincount(row[known], minlength=rows)
    total = np.bincount(row[known], values[known], minlength=rows)
    found: NDArray[np.float64] = np.divide(total, number, out=np.full(rows, np.nan), where=number > 0)
    return found
