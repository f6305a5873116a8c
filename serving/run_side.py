"""What a published run says of items, profiles and sessions, as the effective state asks for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any, NamedTuple, Protocol

import numpy as np
import orjson
from numpy.typing import NDArray

from contracts.value_types import KeyType
from scenarios.catalogue import Catalogue
from scenarios.history import History
from scenarios.spec import PropertyType
from store.pack.listing import Listing
from store.pack.logs import NO_OWNER, OTHER_OWNER, Interaction, Rated
from store.pack.read import ServingPack

KEPT_IDS = 32_768
FIELDS = ("item_category", "item_name", "item_description", "item_price")
Values = dict[str, Any]
"""Values of an item or profile by property name in lower case; what is missing has no key."""


class Owner(NamedTuple):
    """Whose a session is: the profile's id, its customer's id, and when (microseconds) that became known."""

    profile_id: str
    customer_id: str
    at: int


class RunSide(Protocol):
    """One run. Rows count from 0; -1 is unknown. Items are ordered by id, profiles by profile_id, sessions by id."""

    @property
    def items(self) -> Sequence[str]: ...
    @property
    def profiles(self) -> Sequence[str]: ...
    @property
    def sessions(self) -> Sequence[str]: ...
    @property
    def item_types(self) -> Mapping[str, PropertyType]: ...
    @property
    def profile_types(self) -> Mapping[str, PropertyType]: ...
    @property
    def customers(self) -> Sequence[str]:
        """Own ids of the profiles that somebody described, in order."""
        ...
    @property
    def pairs(self) -> int:
        """How many profiles met how many items: distinct (profile, item), by interaction or rating."""
        ...
    def item_row(self, item_id: str) -> int: ...
    def item_values(self, row: int) -> Values: ...
    def item_record(self, row: int) -> Values:
        """An item as the run has it, its own fields too."""
        ...
    def profile_record(self, row: int) -> Values:
        """A profile as the run has it: ids, state, both maps and dates."""
        ...
    def churn_record(self, row: int) -> Values:
        """A profile's churn, empty without a score."""
        ...
    def customer_record(self, row: int) -> Values:
        """What a run found out about a profile: RFM and tags of past segments; empty when there is none of it."""
        ...
    def merge(self, asked: str) -> Values | None:
        """The merge that an id of a merged profile stands for, as ``ServingPack.merged`` tells it."""
        ...
    @property
    def listing(self) -> Listing | None:
        """What lists of profiles and items go by, None without a run."""
        ...
    @property
    def profile_keys(self) -> Mapping[str, KeyType]:
        """Types of the keys of profiles, of either map, by name in lower case."""
        ...
    @property
    def event_keys(self) -> Mapping[tuple[str, str], str]:
        """Types of the properties of events, by event type and name."""
        ...
    def profile_row(self, asked: str) -> int:
        """By profile_id or customer_id, also of a profile that was merged into it."""
        ...
    def profile_values(self, row: int) -> Values: ...
    def customer_id(self, row: int) -> str: ...
    def implicit(self, row: int) -> bool: ...
    def interactions(self, row: int) -> list[Interaction]: ...
    def interaction_count(self, row: int) -> int: ...
    def rated_count(self, row: int) -> int:
        """Distinct items of the profile's interactions and ratings."""
        ...
    def ratings(self, row: int) -> list[Rated]: ...
    def met_between(self, start: float, end: float) -> Sequence[int]:
        """Profiles with an interaction in these times (microseconds, both included), rising."""
        ...
    def rated(self) -> Sequence[int]:
        """Profiles that rated something, rising."""
        ...
    def sessions_between(self, start: float, end: float) -> Sequence[int]:
        """Sessions with an interaction in these times, rising."""
        ...
    def session_row(self, session_id: str) -> int: ...
    def session_interactions(self, row: int) -> list[Interaction]: ...
    def session_owner(self, row: int) -> Owner | None: ...
    def sessions_of(self, profile_id: str) -> list[str]:
        """Ids of the sessions that are a profile's; costs as much as there are sessions."""
        ...
    def catalogue(self) -> Catalogue: ...
    def history(self, row: int) -> History: ...


class Column(Sequence[str]):
    """Ids made when they are asked for."""

    def __init__(self, length: int, get: Callable[[int], str]) -> None:
        self._length = length
        self._get = get

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, at: Any) -> Any:
        if at < 0 or at >= self._length:
            raise IndexError(at)
        return self._get(at)


class PackRun:
    """The run of a serving pack."""

    def __init__(self, pack: ServingPack) -> None:
        self.pack = pack
        logs = self._logs = pack.logs
        self.items = Column(pack.item_count, lambda row: pack.item_ids[row].decode())
        self.profiles = Column(pack.profile_count, lambda row: pack.profile_ids[row].decode())
        self.sessions = Column(len(logs.session_ids), lambda row: logs.session_ids[row].decode())
        self.customers = Column(
            len(logs.customer_order), lambda place: pack.customer_ids[logs.customer_order[place]].decode()
        )
        self.item_row = lru_cache(maxsize=KEPT_IDS)(pack.item_row)
        self.profile_row = lru_cache(maxsize=KEPT_IDS)(pack.resolved_row)
        self.session_row = logs.session_row
        self.ratings = logs.ratings
        self.interactions = logs.profiles.of
        self.session_interactions = logs.sessions.of
        self.met_between = logs.profiles.between
        self.sessions_between = logs.sessions.between
        self.rated = logs.rated

    @cached_property
    def item_types(self) -> Mapping[str, PropertyType]:
        return self.pack.property_types

    @property
    def profile_types(self) -> Mapping[str, PropertyType]:
        return self._logs.profile_types

    @cached_property
    def pairs(self) -> int:
        return int(np.asarray(self.pack.history_rated, np.int64).sum())

    def item_values(self, row: int) -> Values:
        return values_of_item(orjson.loads(self.pack.items[row]))

    def item_record(self, row: int) -> Values:
        found: Values = orjson.loads(self.pack.items[row])
        return found

    def profile_record(self, row: int) -> Values:
        found: Values = orjson.loads(self.pack.profiles[row])
        return found

    def churn_record(self, row: int) -> Values:
        found: Values = orjson.loads(self.pack.churn[row] or b"{}")
        return found

    def customer_record(self, row: int) -> Values:
        return self.pack.customer(row)

    @property
    def listing(self) -> Listing | None:
        return self.pack.listing

    def merge(self, asked: str) -> Values | None:
        return self.pack.merged(asked)

    @cached_property
    def profile_keys(self) -> Mapping[str, KeyType]:
        return self.pack.value_types.profiles

    @cached_property
    def event_keys(self) -> Mapping[tuple[str, str], str]:
        return self.pack.value_types.events

    def profile_values(self, row: int) -> Values:
        return lowered(orjson.loads(self.pack.profiles[row])["profile_data"])

    def customer_id(self, row: int) -> str:
        return self.pack.customer_ids[row].decode()

    def implicit(self, row: int) -> bool:
        return bool(self._logs.implicit[row])

    def interaction_count(self, row: int) -> int:
        return self._logs.profiles.count(row)

    def rated_count(self, row: int) -> int:
        return int(self.pack.history_rated[row])

    def session_owner(self, row: int) -> Owner | None:
        logs = self._logs
        if logs.session_owners[row] == NO_OWNER:
            return None
        return Owner(
            logs.session_profile_ids[row].decode(), logs.session_customer_ids[row].decode(), logs.session_at[row]
        )

    def sessions_of(self, profile_id: str) -> list[str]:
        row, sought = self.profile_row(profile_id), profile_id.encode()
        rows = np.flatnonzero(np.asarray(self._logs.session_owners) == (row if row >= 0 else OTHER_OWNER)).tolist()
        return [self.sessions[at] for at in rows if row >= 0 or self._logs.session_profile_ids[at] == sought]

    def catalogue(self) -> Catalogue:
        return self.pack.catalogue()

    def history(self, row: int) -> History:
        return self.pack.history(slice(row, row + 1))


class NoRun:
    """Before the first publish: nothing."""

    items: Sequence[str] = ()
    profiles: Sequence[str] = ()
    sessions: Sequence[str] = ()
    customers: Sequence[str] = ()
    item_types: Mapping[str, PropertyType] = {}
    profile_types: Mapping[str, PropertyType] = {}
    profile_keys: Mapping[str, KeyType] = {}
    event_keys: Mapping[tuple[str, str], str] = {}
    listing: Listing | None = None
    pairs = 0

    def merge(self, _asked: str) -> Values | None:
        return None

    def item_row(self, _item_id: str) -> int:
        return -1

    profile_row = session_row = item_row

    def _none(self, row: int) -> Any:
        raise IndexError(row)

    item_record = profile_record = churn_record = customer_record = _none
    item_values = profile_values = customer_id = implicit = interactions = interaction_count = _none
    rated_count = ratings = session_interactions = session_owner = history = _none

    def met_between(self, _start: float, _end: float) -> Sequence[int]:
        return ()

    sessions_between = met_between

    def rated(self) -> Sequence[int]:
        return ()

    def sessions_of(self, _profile_id: str) -> list[str]:
        return []

    def catalogue(self) -> Catalogue:
        nothing: NDArray[np.int32] = np.empty(0, np.int32)
        return Catalogue(0, nothing, np.empty(0, np.uint8), {}, self.item_row)


def values_of_item(item: Mapping[str, Any]) -> Values:
    """Values of an item as the endpoint writes it: the keys of its properties, and its own fields."""
    values = lowered(item["properties"])
    for name in FIELDS:
        if item[name] is not None:
            values.setdefault(name, item[name])
    return values


def lowered(values: Mapping[str, Any]) -> Values:
    """Names in lower case; of two that differ in case only, the first in code point order."""
    found: Values = {}
    for name in sorted(values):
        if values[name] is not None and values[name] != []:
            found.setdefault(name.lower(), values[name])
    return found
