"""What the journal's writes did since a run, reduced as they come: registers of items and profiles, and logs."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson

from contracts.value_types import KeyType, type_of
from serving.facts import Facts
from serving.run_side import Owner, RunSide, Values
from store.journal import StoredWrite
from store.pack.logs import Interaction, Rated

_EPOCH, _MICROSECOND = datetime(1970, 1, 1), timedelta(microseconds=1)
_MINTED = re.compile(r"profile_[0-9a-f]{32}")
Body = Mapping[str, Any]


def minted(customer_id: str, deletions: int = 0) -> str:
    """The id of a customer's profile after so many of them were deleted."""
    return "profile_" + hashlib.sha256(f"{customer_id}\n{deletions}".encode()).hexdigest()[:32]


def stranger_key(asked: str) -> str:
    """One name for a profile that the run does not know: its minted id, whichever of its ids was used."""
    return asked if _MINTED.fullmatch(asked) else minted(asked)


class Written:
    """One item or profile that was written. ``cleared``: what the run says of it does not count. None in ``values``:
    taken away.
    """

    __slots__ = ("cleared", "deleted", "values")

    def __init__(self, values: Values, *, cleared: bool = False, deleted: bool = False) -> None:
        self.values = values
        self.cleared = cleared
        self.deleted = deleted


class Register:
    """Items or profiles by id. ``changed`` lists ids in the order of their writes, so that readers catch up."""

    def __init__(self) -> None:
        self.rows: dict[str, Written] = {}
        self.changed: list[str] = []
        self.dropped: set[str] = set()
        self.drops = 0

    def apply(self, key: str, op: str, values: Values) -> None:
        """``put`` replaces, ``patch`` changes, everything else deletes."""
        row = self.rows.get(key)
        if op == "put":
            given = {name.lower(): value for name, value in values.items() if value is not None and value != []}
            self.rows[key] = Written(given, cleared=True)
        elif op == "patch":
            if row is None or row.deleted:
                row = self.rows[key] = Written({}, cleared=row is not None)
            row.values.update((name.lower(), None if value == [] else value) for name, value in values.items())
        else:
            self.rows[key] = Written({}, cleared=True, deleted=True)
        self.changed.append(key)

    def drop(self, name: str) -> None:
        """All values of a property go, the run's too."""
        self.dropped.add(name)
        self.drops += 1
        for row in self.rows.values():
            row.values.pop(name, None)

    def values(self, key: str, of_run: Callable[[], Values]) -> Values:
        """Effective values; ``of_run`` is asked only where the run counts."""
        row = self.rows.get(key)
        if row is not None and row.cleared:
            return {name: value for name, value in row.values.items() if value is not None}
        found = of_run()
        for name in self.dropped:
            found.pop(name, None)
        if row is not None:
            found.update(row.values)
            found = {name: value for name, value in found.items() if value is not None}
        return found


class Changes:
    """State above a run. One entry of ``reducers`` for each kind of write; each costs about the same however much was
    written before. ``met`` is told of every interaction that became a profile's: (profile key, type, item id).

    Profiles go by ``key``: the run's profile_id, or for those it does not know the id that a run would give them.
    ``dated`` lists keys of profiles that were written or of which an earlier event came, in the order of their writes.
    """

    def __init__(self, run: RunSide, met: Callable[[str, str, str], None] = lambda *_: None) -> None:
        self.run = run
        self.items, self.profiles = Register(), Register()
        self.item_facts: dict[str, Facts] = {}
        self.profile_facts: dict[str, Facts] = {}
        self.dated: list[str] = []
        self.profile_keys: dict[str, KeyType] = {}
        self.event_keys: dict[tuple[str, str], str] = {}
        self.customers: dict[str, str] = {}
        self.interactions: dict[str, list[Interaction]] = {}
        self.ratings: dict[str, dict[str, Rated | None]] = {}
        self.wiped: set[str] = set()
        self.sessions: dict[str, list[Interaction]] = {}
        self.owners: dict[str, Owner] = {}
        self.owned: dict[str, list[str]] = {}
        self.erased: set[str] = set()
        self._hidden: set[str] = set()
        self._renewed: dict[str, str] = {}
        self._met = met
        self.reducers: dict[str, Callable[[StoredWrite, Body], None]] = {
            "items": self._item, "profiles": self._profile, "events": self._event, "ratings": self._rating,
            "session_events": self._session_event, "session_resolve": self._resolve,
            "item_property": self._item_property, "user_property": self._user_property,
        }

    def key(self, asked: str) -> str:
        """The key of a profile by either of its ids; of a merged one that of its parent."""
        if self._renewed:
            renewed = self._renewed.get(asked)
            if renewed is not None:
                return renewed
        row = self.run.profile_row(asked)
        return self.run.profiles[row] if row >= 0 else stranger_key(asked)

    def profile_row(self, key: str) -> int:
        """Row of a profile in the run, -1 when it is not there or was erased since."""
        return -1 if key in self.erased else self.run.profile_row(key)

    def session_row(self, session_id: str) -> int:
        """Row of a session in the run, -1 when it is not there or went with its erased profile."""
        row = self.run.session_row(session_id)
        if row < 0 or session_id in self._hidden:
            return -1
        if self.erased:
            owner = self.run.session_owner(row)
            if owner is not None and owner.profile_id in self.erased:
                return -1
        return row

    def owner(self, session_id: str) -> Owner | None:
        """Whose a session is."""
        found = self.owners.get(session_id)
        if found is None:
            row = self.session_row(session_id)
            found = self.run.session_owner(row) if row >= 0 else None
        return found

    def touches(self, key: str) -> bool:
        """Whether anything was written about a profile."""
        return (
            key in self.interactions or key in self.ratings or key in self.owned or key in self.profiles.rows
            or key in self.erased or key in self.wiped
        )

    def _customer(self, asked: str) -> str:
        key = self.key(asked)
        if key not in self.customers and asked != key:
            self.customers[key] = asked
        return key

    def _item(self, write: StoredWrite, body: Body) -> None:
        self.items.apply(body["item_id"], write.op, body.get("properties") or {})
        self.item_facts.setdefault(body["item_id"], Facts()).wrote(write, body)

    def _profile(self, write: StoredWrite, body: Body) -> None:
        own = body.get("customer_id") or write.entity_key
        if self._merged(body.get("profile_id") or own):
            return  # its parent has what it had
        key = self._named(own, body["profile_id"]) if body.get("profile_id") else self._customer(own)
        self.dated.append(key)
        if write.op == "erase":
            self._erase(key, body.get("sessions") or ())
            if body.get("next_profile_id"):
                self._renewed[own] = body["next_profile_id"]
        self.profiles.apply(key, write.op, body.get("properties") or {})
        self.profile_facts.setdefault(key, Facts()).wrote(write, body)
        self._learn("profile_data", body.get("properties"))
        self._learn("platform_info", body.get("platform_info"))

    def _merged(self, asked: str) -> bool:
        """Whether an id is that of a profile that the run merged into another."""
        row = self.run.profile_row(asked)
        return row >= 0 and asked != self.run.profiles[row] and asked != self.run.customer_id(row)

    def _named(self, customer_id: str, key: str) -> str:
        """A profile that the write names by its id: not the customer's first one, when that was deleted."""
        if self.key(customer_id) != key:
            self._renewed[customer_id] = key
        self.customers.setdefault(key, customer_id)
        return key

    def _learn(self, parent: str, values: Mapping[str, Any] | None) -> None:
        """Types of keys that had none: those of the first values."""
        for name, value in (values or {}).items():
            if name.lower() not in self.profile_keys:
                kind = type_of(value)
                if kind:
                    self.profile_keys[name.lower()] = KeyType(name, parent, kind)

    def _item_property(self, _write: StoredWrite, body: Body) -> None:
        self.items.drop(body["property_name"].lower())

    def _user_property(self, _write: StoredWrite, body: Body) -> None:
        self.profiles.drop(body["property_name"].lower())

    def _event(self, write: StoredWrite, body: Body) -> None:
        key = self._customer(body.get("profile_id") or write.entity_key)
        kind = str(body.get("event_type"))
        at = _EPOCH + _at(write, body) * _MICROSECOND
        if self.profile_facts.setdefault(key, Facts()).happened(kind, at):
            self.dated.append(key)
        if body.get("typed"):
            for name, value in (body.get("properties") or {}).items():
                self.event_keys.setdefault((kind, name), type_of(value))
        if body.get("item_id") is not None:
            self._add(key, _interaction(write, body))

    def _add(self, key: str, happened: Interaction) -> None:
        self.interactions.setdefault(key, []).append(happened)
        self._met(key, happened.event_type, happened.item_id)

    def _rating(self, write: StoredWrite, body: Body) -> None:
        key = self._customer(body.get("customer_id") or body["profile_id"])
        item_id = body.get("item_id")
        if item_id is None:
            self.ratings[key] = {}
            self.wiped.add(key)
        elif write.op == "put":
            self.ratings.setdefault(key, {})[item_id] = Rated(item_id, body["rating"], _at(write, body))
            self._met(key, "rating", item_id)
        else:
            self.ratings.setdefault(key, {})[item_id] = None

    def _session_event(self, write: StoredWrite, body: Body) -> None:
        session_id, happened = body["session_id"], _interaction(write, body)
        self.sessions.setdefault(session_id, []).append(happened)
        owner = self.owner(session_id)
        if owner is not None:
            self.customers.setdefault(owner.profile_id, owner.customer_id)
            self._add(owner.profile_id, happened)

    def _resolve(self, write: StoredWrite, body: Body) -> None:
        session_id, customer_id = body["session_id"], body["customer_id"]
        if self.owner(session_id) is not None:
            return  # the first stands
        key = self._customer(customer_id)
        self.owners[session_id] = Owner(key, customer_id, _at(write, body))
        self.owned.setdefault(key, []).append(session_id)
        for happened in self.sessions.get(session_id, ()):
            self._add(key, happened)
        row = self.session_row(session_id)
        if row >= 0:
            for happened in self.run.session_interactions(row):
                self._add(key, happened)

    def _erase(self, key: str, sessions: Sequence[str]) -> None:
        """Forget a profile and its sessions; the write names them, because what said whose they were is gone too."""
        for session_id in {*self.owned.pop(key, ()), *sessions}:
            self.sessions.pop(session_id, None)
            self.owners.pop(session_id, None)
            self._hidden.add(session_id)
        gone = [session_id for session_id in self.sessions if self._owner_is(session_id, key)]
        for session_id in gone:
            del self.sessions[session_id]
        self.erased.add(key)
        self.profile_facts.pop(key, None)
        self.interactions.pop(key, None)
        self.ratings.pop(key, None)
        self.wiped.add(key)

    def _owner_is(self, session_id: str, key: str) -> bool:
        owner = self.owner(session_id)
        return owner is not None and owner.profile_id == key


def _at(write: StoredWrite, body: Body) -> int:
    """When it happened, in microseconds since 1970: as stated, else when it was received."""
    at = body.get("at")
    if at is not None:
        return int(at)
    stated = body.get("created_at")
    return micros(stated) if stated else micros(write.received_at.isoformat(sep=" "))


def micros(text: str) -> int:
    """Microseconds since 1970 of a time in UTC, ``YYYY-MM-DD HH:MM:SS`` with or without a fraction."""
    return (datetime.fromisoformat(text) - _EPOCH) // _MICROSECOND


def _interaction(write: StoredWrite, body: Body) -> Interaction:
    properties = body.get("properties")
    said = orjson.dumps(properties, option=orjson.OPT_SORT_KEYS) if properties else b""
    return Interaction(_at(write, body), str(body.get("event_type")), body["item_id"], said)
