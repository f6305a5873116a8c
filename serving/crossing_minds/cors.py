"""Browsers call the API from pages of other hosts: the headers that let them, never with credentials."""

from __future__ import annotations

from collections.abc import Sequence

ASKED = b"access-control-request-headers"
USUAL = b"Authorization, Content-Type, Content-Encoding, Accept"
VARY = (b"vary", b"Accept, Origin")


class Cors:
    """``origins``: those that may call, or ``*`` for any."""

    def __init__(self, origins: Sequence[str]) -> None:
        self._any = "*" in origins
        self._origins = frozenset(origin.encode("latin-1") for origin in origins)

    def headers(self, asked: dict[bytes, bytes], allow: bytes, verb: str) -> list[tuple[bytes, bytes]]:
        """Headers of an answer: ``Vary``, ``Allow`` (``allow``: verbs of the path), and what the origin may do."""
        told = [VARY, (b"allow", allow)]
        origin = asked.get(b"origin")
        if self._any:
            told.append((b"access-control-allow-origin", b"*"))
        elif origin is not None and origin in self._origins:
            told.append((b"access-control-allow-origin", origin))
        else:
            return told
        if verb == "OPTIONS":
            told += [
                (b"access-control-allow-methods", allow),
                (b"access-control-allow-headers", asked.get(ASKED) or USUAL),
                (b"access-control-max-age", b"86400"),
            ]
        return told
