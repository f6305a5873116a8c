"""Bodies of requests: up to 1 MiB, in good time (3.4)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from serving.asgi import Receive
from serving.conductrics.errors import ApiError, bad_request

LIMIT = 1 << 20
SECONDS = 30.0


class Gone(Exception):
    """The client left before its request was complete."""


async def read_body(headers: Mapping[bytes, bytes], receive: Receive) -> bytes:
    """The whole body. Raises ApiError (400, 413) and Gone."""
    announced = headers.get(b"content-length", b"")
    if announced == b"0" or (not announced and b"transfer-encoding" not in headers):
        return b""
    if announced.isdigit() and int(announced[:20]) > LIMIT:
        raise _too_large()
    try:
        async with asyncio.timeout(SECONDS):
            return await _collected(receive)
    except TimeoutError:
        raise bad_request(f"the body did not arrive within {SECONDS:g} seconds") from None


async def _collected(receive: Receive) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        part = message.get("body", b"")
        size += len(part)
        if size > LIMIT:
            raise _too_large()
        parts.append(part)
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def _too_large() -> ApiError:
    return ApiError(413, f"the body has more than {LIMIT} bytes")
