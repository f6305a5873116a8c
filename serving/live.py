"""The state that lookups read: one run and its overlay, together, as new as the journal; and the keys in force.

A view never mixes runs. A newly promoted run is mapped on a thread of its own while the old one goes on answering, with
the newest writes; then one reference is replaced. Requests that began on the old view finish on it; its memory goes
with the last of them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable, Sequence
from datetime import UTC
from typing import Any

import orjson

from contracts.errors import NightloomError, StorageError
from contracts.settings import Settings
from serving.auth import Gate
from serving.declared import Documents, read_documents
from serving.effective import BeforeRun, Effective
from serving.overlay import Overlay
from serving.run_side import NoRun
from store.journal import Journal, JournalState, KeyRing, Pointer, StoredWrite
from store.layout import Layout
from store.snapshot import Snapshot

log = logging.getLogger("nightloom.serving")

TIME = orjson.OPT_OMIT_MICROSECONDS | orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z
KEPT_BYTES = 24 << 20
BEYOND_ALL = 1 << 62
NOTHING_SERVED = b'"run_id":null,"as_of":null,"age_seconds":null'


class Fragments(dict[int, bytes]):
    """Items' opened JSON objects by row, each after the end of the one before, kept once they were asked for.

    Emptied when it grows beyond a bound.
    """

    LIMIT = 65_536

    def __init__(self, overlay: Overlay) -> None:
        super().__init__()
        self._listed = overlay.listed

    def __missing__(self, row: int) -> bytes:
        if len(self) >= self.LIMIT:
            self.clear()
        found = self[row] = b"}," + self._listed(row)
        return found


class View:
    """One run with its overlay. Only the event loop's thread reads and extends it: no answer sees half of a change."""

    def __init__(
        self, pointer: Pointer, snapshot: Snapshot, overlay: Overlay, documents: Callable[[], Documents] = Documents, *,
        excludes_seen: bool,
    ) -> None:
        self.pointer = pointer
        self.snapshot = snapshot
        self.pack = snapshot.pack
        self.overlay = overlay
        self.effective = Effective(overlay.run, overlay.changes, documents)
        self.excludes_seen = excludes_seen
        self.fragments = Fragments(overlay)
        self._items_changed = overlay.items_changed
        self.kept: dict[tuple[str, bytes], tuple[int, bytes, bytes]] = {}
        self._kept_bytes = 0
        self.plans: dict[Any, Any] = {}
        self.holding: dict[str, Any] = {}
        self._created = snapshot.created_at.replace(tzinfo=UTC).timestamp()
        self._prefix = b'"run_id":%b,"as_of":%b,"age_seconds":' % (
            orjson.dumps(snapshot.run_id), orjson.dumps(snapshot.as_of, option=TIME)
        )
        self._second = -1
        self._stamp = b""

    def keep(self, key: tuple[str, bytes], parts: tuple[int, bytes, bytes]) -> None:
        """Remember an assembled answer; all are forgotten when they grow beyond ``KEPT_BYTES``."""
        self._kept_bytes += len(parts[1]) + len(parts[2]) + 300
        if self._kept_bytes > KEPT_BYTES:
            self.kept.clear()
            self._kept_bytes = 0
        self.kept[key] = parts

    def take(self, writes: Sequence[StoredWrite]) -> None:
        """Take in further writes, in order; what was made of items that changed is made anew when asked for."""
        self.overlay.apply(writes)
        if self.overlay.items_changed != self._items_changed:
            self._items_changed = self.overlay.items_changed
            self.fragments.clear()
            self.kept.clear()
            self._kept_bytes = 0

    def age(self, now: float) -> int:
        """Whole seconds since the run was made."""
        return max(0, int(now - self._created))

    def stamp(self, now: float) -> bytes:
        """What every answer says of its run: JSON members, without braces. ``now``: seconds since 1970."""
        second = int(now)
        if second != self._second:
            self._stamp = self._prefix + str(self.age(now)).encode()
            self._second = second
        return self._stamp


class Live:
    """Keeps the view current. ``view()`` is called before every lookup and costs next to nothing when nothing changed.

    ``gate`` knows the keys in force as of the last ``view()``.
    """

    def __init__(self, layout: Layout, settings: Settings, journal: Journal) -> None:
        self.layout = layout
        self.settings = settings
        self.journal = journal
        self.swaps = 0
        self.failures = 0
        self.problem = ""
        ranking = settings.recommendations
        excluding = () if ranking.recommend_interacted_items else ranking.exclude_event_types
        self._event_types: frozenset[str] = frozenset(excluding)
        self._interactions = frozenset(ranking.event_weights)
        self._token: Hashable = None
        self._view: View | None = None
        self.gate = Gate(KeyRing([]))
        self.documents = Documents()
        self._before: BeforeRun | None = None
        self._effective: Effective | None = None
        self._keys_revision = -1
        self._loading: int | None = None
        self._loaded: View | None = None
        self._failed: int | None = None

    def view(self) -> View | None:
        """The current view, None before the first run. It has every write committed before the call, by any process."""
        if self._loaded is not None:
            self._install()
        try:
            token = self.journal.change_token()
            if token != self._token:
                self._catch_up()
                self._token = token
        except StorageError as error:
            self._trouble(str(error))
        return self._view

    def effective(self) -> Effective:
        """State as of now, with every write committed before the call; before the first run that of the journal."""
        view = self.view()
        if view is not None:
            return view.effective
        if self._before is None:
            self._before = BeforeRun(NoRun())
            self._effective = Effective(self._before.run, self._before.changes, lambda: self.documents)
            self._token = None
            self.view()
        assert self._effective is not None
        return self._effective

    @property
    def seen_before_run(self) -> int:
        """Number of the last write that the state before the first run has."""
        return self._before.seq if self._before is not None else 0

    def open_now(self) -> None:
        """Map the current run and wait for it; used at start. A run that cannot be opened leaves the view empty."""
        pointer = self.journal.pointer()
        if pointer is not None:
            self._load(pointer)
        self.view()

    def retry(self) -> None:
        """Try a run again that could not be opened; called from time to time."""
        self._failed = None
        self._token = None

    def _catch_up(self) -> None:
        """Read pointer, new writes and keys in one transaction, and take them in."""
        view, before = self._view, self._before
        while True:
            known = view.overlay.seq if view else before.seq if before else BEYOND_ALL
            state = self.journal.state(after=known)
            if view is not None:
                view.take(state.writes)
            elif before is not None:
                before.take(state.writes)
            if not state.writes or state.writes[-1].seq >= state.last_seq:
                break
        if state.documents_revision != self.documents.revision:
            self.documents = read_documents(self.journal)
        if state.keys_revision != self._keys_revision:
            self.gate = Gate(KeyRing(self.journal.keys()))
            self._keys_revision = state.keys_revision
        self._follow(state)
        self.problem = self.problem if self._failed is not None else ""

    def _follow(self, state: JournalState) -> None:
        pointer, view = state.pointer, self._view
        if pointer is None or (view is not None and pointer.number == view.pointer.number):
            return
        if pointer.number in (self._loading, self._failed):
            return
        self._loading = pointer.number
        threading.Thread(target=self._load, args=(pointer,), name=f"load {pointer.run_id}", daemon=True).start()

    def _load(self, pointer: Pointer) -> None:
        """Map a run and read its overlay, beside the lookups; the result waits in ``_loaded`` to be installed."""
        try:
            snapshot = Snapshot.open(self.layout, pointer.run_id)
            overlay = Overlay(snapshot.pack, self._event_types, pointer.watermark, self._interactions)
            while True:
                state = self.journal.state(after=overlay.seq)
                overlay.apply(state.writes)
                if not state.writes:
                    break
            excludes_seen = not self.settings.recommendations.recommend_interacted_items
            self._loaded = View(pointer, snapshot, overlay, lambda: self.documents, excludes_seen=excludes_seen)
        except NightloomError as error:
            self._failed = pointer.number
            self.failures += 1
            self._trouble(f"the current run {pointer.run_id} cannot be opened, the one before goes on serving: {error}")
        except Exception:
            self._failed = pointer.number
            self.failures += 1
            log.exception("run %s could not be opened", pointer.run_id)
        finally:
            self._loading = None

    def _install(self) -> None:
        """Replace the view by the one that was loaded. If the pointer moved on meanwhile, the next look follows it."""
        loaded, self._loaded = self._loaded, None
        if loaded is None or (self._view is not None and loaded.pointer.number < self._view.pointer.number):
            return
        self._view = loaded
        self._before = self._effective = None
        self._token = None  # take in what was written while it was loaded, before the first answer from it
        self._failed = None
        self.swaps += 1

    def _trouble(self, message: str) -> None:
        if message != self.problem:
            log.warning("%s", message)
        self.problem = message
