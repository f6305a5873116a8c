"""The few words of ASGI that are used here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

JSON = b"application/json"


async def respond(send: Send, status: int, body: bytes, more: tuple[tuple[bytes, bytes], ...] = ()) -> None:
    """Send a whole answer of JSON; ``more`` are further headers."""
    await send({
        "type": "http.response.start", "status": status,
        "headers": [(b"content-type", JSON), (b"content-length", b"%d" % len(body)), *more],
    })
    await send({"type": "http.response.body", "body": body})
