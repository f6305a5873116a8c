"""The body of a request as it arrives: within its bounds of size and of time, for every dialect."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from serving.asgi import Receive

SECONDS = 30.0  # in which a body must arrive


class Gone(Exception):
    """The client left before its request was complete."""


class TooLarge(Exception):
    """The body has more bytes than it may have.

    The connection is to stay open for the answer: the server reads and forgets what is left of the body (RFC 9112,
    9.3). A client that is still sending would find a closed connection instead of the answer that says why.
    """


class Late(Exception):
    """The body did not arrive in time."""

    def __init__(self) -> None:
        super().__init__(f"the body did not arrive within {SECONDS:g} seconds")


async def arrived(headers: Mapping[bytes, bytes], receive: Receive, limit: int) -> bytes:
    """The whole body, at most ``limit`` bytes. Raises Gone, TooLarge, at once where the size is announced, and Late."""
    announced = headers.get(b"content-length", b"0")
    if announced.isdigit() and int(announced[:20]) > limit:
        raise TooLarge
    if announced == b"0" and b"transfer-encoding" not in headers:
        return b""
    try:
        async with asyncio.timeout(SECONDS):
            return await _collected(receive, limit)
    except TimeoutError:
        raise Late from None


async def _collected(receive: Receive, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise TooLarge
        parts.append(part)
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)
