"""Whole answers that were read from rows, kept for profiles that come back while nothing about them changes."""

from __future__ import annotations

from dataclasses import dataclass

from serving.crossing_minds.errors import ApiError
from serving.crossing_minds.installation import Installation
from serving.crossing_minds.tenant import Tenant
from serving.live import View

Key = tuple[bytes, bytes | None, bytes, bytes]  # authorization, accept, path, query
Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Kept:
    """One answer: for whom (a profile's key), of which moment, and what was said."""

    tenant: Tenant
    view: View
    documents: object
    items_changed: int
    profile: str
    allow: bytes
    headers: Headers
    body: bytes


class KeptAnswers:
    """Bounded; a request finds an answer only as long as it would be made again the same."""

    MOST_BYTES = 24 << 20
    OVERHEAD = 600  # bytes of an entry beside its body

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._kept: dict[Key, Kept] = {}
        self._bytes = 0

    def keep(self, key: Key, tenant: Tenant, profile: str, allow: bytes, headers: Headers, body: bytes) -> None:
        """Remember the answer that was just made; all are forgotten when they grow too many."""
        view = tenant.view()
        if view is None:
            return
        self._bytes += len(body) + self.OVERHEAD
        if self._bytes > self.MOST_BYTES:
            self._kept.clear()
            self._bytes = 0
        self._kept[key] = Kept(
            tenant, view, view.effective.documents, view.overlay.items_changed, profile, allow, headers, body
        )

    def find(self, key: Key) -> Kept | None:
        """The answer that a request would get again, None when it has to be made (and refused, if it must be)."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        try:
            session = self._installation.tokens.of_header(key[0])
            self._installation.record(self._installation.account(session), session.database_id)
        except ApiError:
            return None
        view = kept.tenant.view()
        same = (
            view is kept.view and view.effective.documents is kept.documents
            and view.overlay.items_changed == kept.items_changed and not view.effective.changes.touches(kept.profile)
        )
        return kept if same else None
