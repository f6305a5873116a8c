"""Pages of other hosts call the dialect from browsers, with its cookie (3.3)."""

from __future__ import annotations

from collections.abc import Mapping

from serving.conductrics.parameters import BY_HEADER, HEADER

Headers = tuple[tuple[bytes, bytes], ...]

METHODS = b"GET, POST, DELETE, PUT"
ALLOWED = ", ".join(["content-type", *(f"{HEADER}{name}" for name in sorted(BY_HEADER))]).encode()
VARY = (b"vary", b"Origin")
PREFLIGHT: Headers = (
    (b"access-control-allow-methods", METHODS), (b"access-control-allow-headers", ALLOWED),
    (b"access-control-max-age", b"86400"),
)


def cors(headers: Mapping[bytes, bytes]) -> Headers:
    """What the page's origin may do: everything that its keys open. The origin is echoed, never ``*``."""
    origin = headers.get(b"origin")
    if origin is None:
        return (VARY,)
    return VARY, (b"access-control-allow-origin", origin), (b"access-control-allow-credentials", b"true")
