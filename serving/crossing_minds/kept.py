"""Whole answers that were read from rows, kept for profiles that come back while nothing about them changes."""

from __future__ import annotations

from dataclasses import dataclass

from serving.crossing_minds.installation import Installation
from serving.crossing_minds.standing import Standing, admitted
from serving.crossing_minds.tenant import Tenant

Key = tuple[bytes, bytes | None, bytes, bytes]  # authorization, accept, path, query
Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Kept:
    """One answer: of which state, for whom (a profile's key), and what was said."""

    standing: Standing
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
        standing = Standing.of(tenant)
        if standing is not None:
            self.remember(key, Kept(standing, profile, allow, headers, body))

    def remember(self, key: Key, kept: Kept) -> None:
        """The same of an answer that was made of a form."""
        self._bytes += len(kept.body) + self.OVERHEAD
        if self._bytes > self.MOST_BYTES:
            self._kept.clear()
            self._bytes = 0
        self._kept[key] = kept

    def find(self, key: Key) -> Kept | None:
        """The answer that a request would get again, None when it has to be made (and refused, if it must be)."""
        kept = self._kept.get(key)
        if kept is None or not admitted(self._installation, key[0]):
            return None
        return kept if kept.standing.holds() and not kept.standing.touched(kept.profile) else None
